// SPDX-License-Identifier: BSD-3-Clause
/*
 * When packets are acknowledged, and how often an endpoint asks the other to do it:
 * draft-ietf-quic-ack-frequency; without its frames RFC 9000, 13.2.1 and 13.2.2.
 *
 * Both roles are in every connection. struct ql_ack_rule is what we go by when we acknowledge 1-RTT
 * packets. Until an ACK_FREQUENCY frame comes we go by the pace at which packets come: the more a
 * round trip brings, the more of them an ACK is for, because neither the way back nor the sender
 * has to bear one for each second packet. From then on the peer decides.
 *
 * struct ql_ack_ask is what we have asked the peer for, if it knows the frame. We ask for more
 * packets an ACK as the window grows, for fewer when it has shrunk, for an ACK's delay that suits
 * the round trip, and for the reordering threshold that recovery/ has learned: at most once a round
 * trip, and with one frame under way. Who asks for an answer at once (IMMEDIATE_ACK) is send.c: in
 * probes, of what is lost as of the path's MTU.
 *
 * Whatever the rule, a burst of packets that is handled in one turn has one ACK at most: it is put
 * together when the burst is over. Times ns, as far as they are not in a frame.
 */
#ifndef QL_CONN_ACKFREQ_H
#define QL_CONN_ACKFREQ_H

#include <qlane/common.h>

#include "recovery/ranges.h"
#include "wire/frame.h"

/* Ack-eliciting packets that an ACK is for. */
#define QL_ACK_EVERY	   2	/* by default (13.2.2), and at least when going by the pace */
#define QL_ACK_EVERY_PACED 32	/* at most when going by the pace */
#define QL_ACK_EVERY_MAX   1024 /* at most, whatever a peer asks for */
#define QL_ACK_ASK_MAX	   64	/* that we ask for */

#define QL_ACKS_PER_RTT	    8				 /* where that leaves QL_ACK_EVERY an ACK */
#define QL_ACK_ASK_SHARE    8				 /* of a round trip that an ACK may wait */
#define QL_ACK_ASK_DELAY    (25 * QL_NSEC_PER_MSEC)	 /* and no longer than so */
#define QL_ACK_MIN_DELAY    UINT64_C(100000)		 /* our min_ack_delay */
#define QL_ACK_DELAY_US_MAX ((UINT64_C(1) << 14) * 1000) /* not to be reached (18.2) */

struct ql_conn;
struct ql_sent_frame;

struct ql_ack_rule {
	uint64_t next_seq; /* of ACK_FREQUENCY, lower ones are obsolete; 0: none has come */
	uint64_t acked;	   /* largest number in an ACK of ours, + 1; 0: none */
	uint64_t since;	   /* so many packets have come; only while going by the pace */
	uint32_t packets;
	uint32_t every;	  /* ack-eliciting packets an ACK */
	uint32_t reorder; /* threshold; 1: by default */
	bool ce;	  /* the last packet came with Congestion Experienced */
};

struct ql_ack_ask {
	uint64_t min_delay; /* the peer's; QL_NEVER: it does not know ACK_FREQUENCY */
	uint64_t next_seq;
	uint64_t at; /* when we last looked whether there is something to ask for */
	/* The latest wish; at first what peers do unasked. */
	uint64_t delay;
	uint32_t every;
	uint32_t reorder;
	bool due, in_flight;
};

/* Whether the peer takes ACK_FREQUENCY and IMMEDIATE_ACK. */
static inline bool ql_ack_ask_known(const struct ql_ack_ask *ask)
{
	return ask->min_delay != QL_NEVER;
}

/* What both are at first. */
void ql_ackfreq_init(struct ql_ack_rule *rule, struct ql_ack_ask *ask);

/*
 * Whether the sender has to hear at once that pn, which is in received already, came out of order:
 * because packets are missing that it can take for lost once it knows of all that is in received,
 * but could not by the last ACK; or because it has taken pn for lost. Draft, "Response to
 * Out-of-Order Packets". acked: as in the rule. threshold > 1. Bounded by the ranges.
 */
bool ql_ack_reordered(const struct ql_ranges *received, uint64_t pn, uint64_t acked,
		      uint64_t threshold);

/*
 * 1-RTT packet pn, which elicits an ACK, has been noted as received: whether the ACK is due at
 * once.
 */
bool ql_ack_at_once(struct ql_conn *conn, uint64_t pn, bool in_order, bool ce);

/* An ACK_FREQUENCY frame. A transport error code or 0. */
uint64_t ql_ackfreq_recv(struct ql_conn *conn, const struct ql_frame_ack_frequency *f);

/* The peer's transport parameters are known, rec.max_ack_delay is set; min_delay: see the struct.
 */
void ql_ackfreq_begin(struct ql_conn *conn, uint64_t min_delay);

/* An ACK has come: ask for something else, if it is time. */
void ql_ackfreq_update(struct ql_conn *conn);

/* Write the frame that is due; p, where that did not work. */
uint8_t *ql_ackfreq_put(struct ql_conn *conn, uint8_t *p, const uint8_t *end);

/* What became of it. */
void ql_ackfreq_acked(struct ql_conn *conn, const struct ql_sent_frame *f);
void ql_ackfreq_lost(struct ql_conn *conn, const struct ql_sent_frame *f);

#endif
