// SPDX-License-Identifier: BSD-3-Clause
/*
 * Loss detection and recovery of one connection: RFC 9002.
 *
 * Ties together the packets sent in the three packet number spaces (sent.h) and the path they went
 * over: its RTT (rtt.h), congestion window (cc.h) and pacing (pacer.h). It owns the records; what
 * a frame means, and sending it again, is its owner's, who is told by struct ql_rec_ops.
 *
 * The walk of a packet:
 *	if (ql_rec_allowance(r, now) > 0)		a full datagram may go out
 *		ql_rec_begin(), ql_rec_add() ...	note the frames while building it
 *		ql_rec_on_sent()			or ql_rec_abort()
 *	ql_rec_on_ack()					for each ACK frame
 *	ql_rec_deadline(), ql_rec_on_timeout()		one timer
 *
 * Spaces are 0 Initial, 1 Handshake, 2 application data. Sizes are bytes of UDP payload,
 * times ns. Times given must not decrease.
 */
#ifndef QL_RECOVERY_LOSS_H
#define QL_RECOVERY_LOSS_H

#include <qlane/common.h>

#include "base/mem.h"
#include "recovery/cc.h"
#include "recovery/ecn.h"
#include "recovery/pacer.h"
#include "recovery/pmtu.h"
#include "recovery/rtt.h"
#include "recovery/sent.h"
#include "wire/frame.h"

#define QL_REC_SPACES		3
#define QL_REC_APP		2		/* the space of application data */
#define QL_REC_PACKET_THRESHOLD 3		/* kPacketThreshold, 6.1.1 */
#define QL_REC_PERSISTENT	3		/* kPersistentCongestionThreshold, 7.6.1 */
#define QL_REC_PACER_SLACK	UINT64_C(50000) /* ns: how late a turn of the loop may be */

/*
 * What the packet threshold, and the eighths of an RTT beyond one of the time threshold, are raised
 * to at most when packets that were taken for lost arrive later; and the recovery periods without
 * such a packet after which both are what they were, as RFC 8985, 6.2 has it.
 */
#define QL_REC_PACKET_THRESHOLD_MAX 256
#define QL_REC_TIME_EIGHTHS_MAX	    8
#define QL_REC_REORDER_PERSIST	    16

/*
 * What becomes of a frame. The callbacks must not call back into the ql_recovery, except to read.
 * Both may come for the same frame: acked() after lost() when the packet was only late, and
 * acked() or lost() after lost() when a probe had its frames sent again.
 */
struct ql_rec_ops {
	/* Frames of a stream that continue each other may come as one. */
	void (*acked)(void *arg, unsigned int space, const struct ql_sent_frame *frame);
	/* It must be sent again if it still matters. */
	void (*lost)(void *arg, unsigned int space, const struct ql_sent_frame *frame);
	/* Optional. This packet is declared lost, which its frames' lost() follows; late: because
	 * of its time (6.1.2), not of what was acknowledged behind it. */
	void (*packet_lost)(void *arg, unsigned int space, uint64_t pn,
			    const struct ql_sent_pkt *pkt, bool late);
};

struct ql_rec_space {
	struct ql_sent sent;
	uint64_t largest_acked;	 /* QL_PN_NONE */
	uint64_t loss_time;	 /* when the next packet counts as lost, QL_NEVER */
	uint64_t last_eliciting; /* when the last ack-eliciting packet was sent */
	uint64_t in_flight;	 /* bytes */
	uint32_t eliciting;	 /* ack-eliciting packets in flight */
	bool discarded;
	struct ql_ecn_space ecn;
	/* Packets lost without one acknowledged between: since when, for persistent congestion. */
	bool run;
	uint64_t run_start; /* an ack-eliciting packet's time */
};

#define QL_REC_PARKED 2 /* paths not in use whose state is kept */

/* All that belongs to the network path. */
struct ql_path_rec {
	uint8_t id; /* what its packets are marked with; the first path's is 0 */
	struct ql_rtt rtt;
	struct ql_pacer pacer;
	uint64_t in_flight; /* bytes, all spaces */
	uint32_t mtu;	    /* maximum datagram size: that of pmtu */
	bool extra;	    /* one packet may exceed cwnd, at the start of recovery (7.3.2) */
	/* For delivery rate samples. */
	uint64_t delivered, lost; /* bytes */
	uint64_t delivered_time, first_sent;
	uint64_t app_limited; /* samples are, until delivered is above; 0: are not */
	uint64_t filled;      /* when the window was last full */
	/* The latest recovery period: when the first packet lost in it was sent, and the bytes lost
	 * in it that have not been acknowledged since. */
	uint64_t episode_sent, episode_lost;
	/* Reordering that was seen (6.1): see QL_REC_PACKET_THRESHOLD_MAX. */
	uint16_t packet_threshold;
	uint8_t time_eighths;
	uint8_t calm;	     /* recovery periods since */
	bool episode_marked; /* Congestion Experienced was reported in it: it is not spurious */
	struct ql_ecn_path ecn;
	struct ql_pmtu pmtu;
	struct ql_cc cc; /* last, since most of it is the algorithm's, whose part is large */
};

struct ql_rec_stats {
	uint64_t sent, acked, lost, spurious; /* packets; spurious: acknowledged after being lost */
	uint64_t ce;			      /* packets that arrived with Congestion Experienced */
	uint64_t ptos;
	uint64_t persistent;
	uint64_t mtu_probes, black_holes;
};

struct ql_recovery {
	/* From the last one on, what a packet touches lies together; see path.cc as well. */
	struct ql_rec_space space[QL_REC_SPACES];
	const struct ql_rec_ops *ops;
	void *arg;
	uint64_t last_pto; /* when the last one fired: the next counts from there at least */
	uint64_t armed;	   /* last packet, ACK or timeout: where an idle client's PTO counts from */
	uint64_t mtu_probe;	     /* number of the latest one */
	uint64_t mtu_probe_deadline; /* when it counts as lost; QL_NEVER */
	uint8_t pto_count;
	uint8_t first; /* space that is not discarded, or the last one */
	bool server;
	/* Set by the connection as it learns. */
	bool confirmed;		/* handshake confirmed */
	bool handshake_keys;	/* there are keys to send Handshake packets */
	bool blocked;		/* a server at its anti-amplification limit */
	bool no_ecn;		/* see ql_rec_no_ecn() */
	uint64_t max_ack_delay; /* the peer's; 25 ms until set (RFC 9000, 18.2) */
	/* Kept here. */
	bool validated; /* peer has completed address validation (A.8) */
	struct ql_rec_stats stats;
	struct ql_path_rec path; /* the one in use */
	struct ql_path_rec *parked[QL_REC_PARKED];
};

/* initial_rtt 0: 333 ms. mtu: maximum datagram size. cc: &ql_cc_newreno. Takes no memory.
 * The struct may not be moved. */
void ql_rec_init(struct ql_recovery *r, struct ql_mem *mem, const struct ql_rec_ops *ops, void *arg,
		 const struct ql_cc_ops *cc, uint64_t now, uint32_t mtu, uint64_t initial_rtt,
		 bool is_server);

/* Frees everything, without callbacks. */
void ql_rec_fini(struct ql_recovery *r);

/* ---- Sending ---- */

/* The lowest number that the next packet of a space may have. */
static inline uint64_t ql_rec_next_pn(const struct ql_recovery *r, unsigned int space)
{
	return ql_sent_next(&r->space[space].sent);
}

/* The largest number the peer has acknowledged, or QL_PN_NONE. */
static inline uint64_t ql_rec_largest_acked(const struct ql_recovery *r, unsigned int space)
{
	return r->space[space].largest_acked;
}

/* See ql_sent_begin(), ql_sent_add(), ql_sent_abort(). */
static inline int ql_rec_begin(struct ql_recovery *r, unsigned int space, uint64_t pn)
{
	return ql_sent_begin(&r->space[space].sent, pn);
}

static inline int ql_rec_add(struct ql_recovery *r, unsigned int space,
			     const struct ql_sent_frame *frame)
{
	return ql_sent_add(&r->space[space].sent, frame);
}

static inline void ql_rec_abort(struct ql_recovery *r, unsigned int space)
{
	ql_sent_abort(&r->space[space].sent);
}

/*
 * The packet being built in this space was sent. size counts in flight if flags say ELICITING or
 * IN_FLIGHT (QL_SENT_*). Packets coalesced into one datagram are each reported with their own size;
 * padding of the datagram belongs to one of them.
 */
void ql_rec_on_sent(struct ql_recovery *r, unsigned int space, uint16_t size, uint16_t flags,
		    uint64_t now);

/* Do not use ECN: to be called before anything is sent. */
void ql_rec_no_ecn(struct ql_recovery *r);

/*
 * Whether the next datagram on the path in use is to be marked ECT(0); its packets are then sent
 * with QL_SENT_ECT. While nothing is acknowledged none is: it may be the marks that are in the way.
 */
static inline bool ql_rec_marks(struct ql_recovery *r, uint64_t now)
{
	return r->pto_count == 0 && ql_ecn_marks(&r->path.ecn, now);
}

/*
 * Bytes that window and pacing let go now, in whole datagrams; 0: wait for an ACK, or until
 * ql_rec_pace_time(). ACK-only packets and probes need none.
 */
size_t ql_rec_allowance(struct ql_recovery *r, uint64_t now);

/*
 * When the pacer lets the next full datagram go; QL_NEVER when the window is what holds it back
 * (an ACK or the timer will come), now when nothing does.
 */
uint64_t ql_rec_pace_time(const struct ql_recovery *r, uint64_t now);

/*
 * The allowance was there, but nothing to send (application or flow control): until what is in
 * flight now is acknowledged, ACKs say nothing about the path's capacity (7.8).
 */
void ql_rec_app_limited(struct ql_recovery *r);

/*
 * Look for larger datagrams that the path takes, at most max bytes (pmtu.h); or the size is fixed,
 * as it is until this is called. Paths that are used later start from QL_PMTU_BASE.
 */
void ql_rec_search_mtu(struct ql_recovery *r, uint16_t max, bool fixed, uint64_t now);

/* The peer takes no larger datagrams than this. */
void ql_rec_limit_mtu(struct ql_recovery *r, uint64_t most, uint64_t now);

/*
 * Whether to send a packet of *size bytes now, in flight but not ack-eliciting in the books
 * (QL_SENT_IN_FLIGHT | QL_SENT_MTU_PROBE), as a probe of the path's MTU. Its loss is no sign of
 * congestion and calls for no PTO.
 */
enum ql_rec_mtu {
	QL_REC_MTU_NONE,
	QL_REC_MTU_WAIT, /* the window has to make room: hold other data back until an ACK comes */
	QL_REC_MTU_SEND,
};
enum ql_rec_mtu ql_rec_mtu_due(struct ql_recovery *r, uint64_t now, uint16_t *size);

/* ---- Paths (RFC 9000, 9.4) ---- */

/* What a path starts with: everything but its id, and pmtu, which is there already. */
void ql_path_rec_init(struct ql_path_rec *path, const struct ql_cc_ops *cc, uint64_t initial_rtt,
		      bool ecn, uint64_t now);

/*
 * Packets go another way from now on. Those under way say nothing about the new path, but their
 * frames count as before. What is known of the old path is parked, if there is memory for that;
 * what was parked of the new one is taken up again, else it starts from the initial values.
 * id is the caller's choice; one that packets in flight still have may be used again.
 */
void ql_rec_use_path(struct ql_recovery *r, uint8_t id, uint64_t initial_rtt, uint64_t now);

/* Forget a path that is not in use; nothing happens if it is not known. */
void ql_rec_drop_path(struct ql_recovery *r, uint8_t id);

/*
 * As ql_rec_on_sent(), for a packet that went over a path that is not in use: nobody waits for its
 * acknowledgement, and it is in nobody's window.
 */
void ql_rec_on_sent_aside(struct ql_recovery *r, unsigned int space, uint16_t size, uint64_t now);

/* ---- Receiving ---- */

/* The ack_delay field in ns; saturates. */
static inline uint64_t ql_rec_ack_delay(uint64_t field, unsigned int exponent)
{
	const uint64_t most = QL_RTT_MAX / QL_NSEC_PER_USEC;

	return (field > most >> exponent ? most : field << exponent) * QL_NSEC_PER_USEC;
}

/*
 * Handle an ACK frame of a packet in this space. delay: see ql_rec_ack_delay().
 * 0, or -EPROTO when it acknowledges a packet never sent (close with PROTOCOL_VIOLATION; the frame
 * may have been handled in part). The work is bounded by packets in flight and ranges in the frame.
 */
int ql_rec_on_ack(struct ql_recovery *r, unsigned int space, const struct ql_frame_ack *ack,
		  uint64_t delay, uint64_t now);

/* ---- Time ---- */

/* When ql_rec_on_timeout() is due, QL_NEVER for not at all (A.8). May be in the past: then at once.
 */
uint64_t ql_rec_deadline(const struct ql_recovery *r);

/*
 * The deadline has come, or may have. Losses are declared through ops. Returns how many
 * ack-eliciting packets must be sent in *space as probes, regardless of window and pacing: 0 to 2.
 * For each, ql_rec_probe_frames() gets something to send again; new data or a PING will do, too
 * (6.2.4).
 */
unsigned int ql_rec_on_timeout(struct ql_recovery *r, uint64_t now, unsigned int *space);

/*
 * Give the frames of the oldest packet in flight that was not asked for yet to ops->lost(), without
 * counting it as lost. False when there is none. What it gives may be nothing that still matters:
 * where no ack-eliciting frame comes of it, send new data or a PING.
 */
bool ql_rec_probe_frames(struct ql_recovery *r, unsigned int space);

/* ---- The life of a space ---- */

/* Its keys are gone (6.4): forget its packets, without callbacks. Never for application data. */
void ql_rec_discard_space(struct ql_recovery *r, unsigned int space);

/*
 * What was sent in this space will never be acknowledged, which is not the network's fault (Retry,
 * 0-RTT rejected): all its frames go to ops->lost(), nothing counts as lost. Numbers go on.
 */
void ql_rec_requeue_space(struct ql_recovery *r, unsigned int space);

#endif /* QL_RECOVERY_LOSS_H */
