// SPDX-License-Identifier: BSD-3-Clause
/*
 * The streams of one connection: RFC 9000, sections 2 to 4 and frames 19.4, 19.5, 19.8 to 19.14.
 * conn/ brings frames in and asks for frames out; the application comes through qlane/stream.h.
 *
 * Callbacks of the application run inside ql_streams_recv(), ql_streams_acked(),
 * ql_streams_reap(), ql_streams_gather() and ql_streams_fini() only, except that a release callback of
 * ql_stream_send_ref() also runs inside ql_stream_reset(). A callback may call everything in
 * qlane/stream.h and ql_streams_open(), for any stream, and ql_streams_close().
 * It may not call the functions named above or ql_streams_send(), nor may a hook.
 *
 * A stream's pointer is good until its stream_closed() returns. Streams that have ended are freed
 * at the end of the outermost of the calls above. One that the application itself has ended, by
 * stop or reset outside of a callback, waits for the next of them: wake() is called for it.
 *
 * Peers' limits: a frame costs O(its length), plus the creation of the streams below a new one,
 * which are no more than max_streams at a time.
 */
#ifndef QL_STREAM_STREAMS_H
#define QL_STREAM_STREAMS_H

#include <qlane/conn.h>
#include <qlane/stream.h>

#include "base/mem.h"
#include "base/prefetch.h"
#include "recovery/sent.h"
#include "stream/flow.h"
#include "stream/map.h"
#include "stream/sched.h"
#include "stream/stream.h"
#include "wire/frame.h"
#include "wire/tparams.h"

struct ql_streams_hooks {
	/*
	 * There is something to send, or to reap: put the connection on the ready list. May be
	 * called again while it is there, and from within all calls here but ql_streams_init(),
	 * ql_streams_send() and ql_streams_fini().
	 */
	void (*wake)(struct ql_conn *conn);
	/* Optional. A stream is there, or about to go. */
	void (*state)(struct ql_conn *conn, const struct ql_stream *stream, bool open);
	/* Optional. Data that was sent is about to be given back though it is not acknowledged: a
	 * tail of ql_streams_send() may be part of it. */
	void (*dropping)(struct ql_conn *conn);
};

/* Our side's limits: what the transport parameters say to the peer. */
struct ql_streams_config {
	uint64_t max_data;
	uint64_t max_stream_data_bidi_local;  /* streams that we open */
	uint64_t max_stream_data_bidi_remote; /* that the peer opens */
	uint64_t max_stream_data_uni;
	uint64_t max_streams_bidi; /* open at a time by the peer */
	uint64_t max_streams_uni;
	uint64_t max_data_cap; /* up to which receive windows may grow; below the above: not */
	uint64_t max_stream_data_cap;
	uint64_t send_buffer;	       /* bytes kept by copy for one stream, */
	uint64_t send_buffer_cap;      /* and up to this many when the window is large */
	uint16_t share;		       /* of less urgent streams, see stream/sched.h; 0: default */
	struct ql_flow_budget *budget; /* of the engine; NULL: windows do not grow */
};

/* Streams of one type and one opener. */
struct ql_stream_type {
	uint64_t opened;  /* how many ever; the next one's ID is opened << 2 | type */
	uint64_t limit;	  /* how many ever there may be: ours for the peer's, and the reverse */
	uint64_t closed;  /* of those, by now */
	uint64_t blocked; /* 1 + the limit at which an open failed and we said so; 0: never */
};

/* Frames of the connection that wait to be sent. */
#define QL_DUE_MAX_DATA		    0x01
#define QL_DUE_MAX_STREAMS_BIDI	    0x02
#define QL_DUE_MAX_STREAMS_UNI	    0x04
#define QL_DUE_DATA_BLOCKED	    0x08
#define QL_DUE_STREAMS_BLOCKED_BIDI 0x10
#define QL_DUE_STREAMS_BLOCKED_UNI  0x20

struct ql_streams {
	/* What a packet touches comes first. */
	struct ql_mem *mem;
	struct ql_conn *conn;
	const struct ql_conn_ops *ops;
	uint64_t progress; /* goes up with every frame that brings or ends data, see receive.c */
	uint32_t depth;	   /* of calls that may run callbacks */
	uint32_t blocked;  /* streams with the bit set */
	uint8_t due;	   /* QL_DUE_* */
	bool is_server;
	bool closing;
	struct ql_stream *last; /* that was looked up, or NULL */
	struct ql_stream *ctl;	/* ring of streams with control frames to send */
	struct ql_stream *dead; /* ring of those to be freed */
	struct ql_flow_rx rx;
	uint64_t rx_used; /* sum of the highest offsets of all streams */
	struct ql_flow_tx tx;
	uint64_t now, rtt, cwnd; /* see ql_streams_set_pace() */
	struct ql_sched sched;
	struct ql_stream_map map;
	const struct ql_streams_hooks *hooks; /* lives as long */
	struct ql_streams_config config;
	struct ql_stream_type types[4]; /* by the two low bits of the ID */
	uint64_t peer_max_bidi_local;	/* the peer's initial limits for data of a stream: */
	uint64_t peer_max_bidi_remote;	/* local and remote as seen from the peer */
	uint64_t peer_max_uni;
};

/* ops may be NULL until ql_streams_set_ops(); no frame may come before. */
void ql_streams_init(struct ql_streams *ss, struct ql_mem *mem, struct ql_conn *conn,
		     bool is_server, const struct ql_streams_config *config,
		     const struct ql_streams_hooks *hooks, const struct ql_conn_ops *ops);
void ql_streams_set_ops(struct ql_streams *ss, const struct ql_conn_ops *ops);

/*
 * The peer's initial_max_* have come. Again, after those of an earlier connection were used for
 * 0-RTT: limits only grow. streams_available() is not called for these.
 */
void ql_streams_set_peer_limits(struct ql_streams *ss, const struct ql_tparams *tp);

/*
 * Early data was rejected (RFC 9001, 4.6.2): nothing of what was sent has been received. Streams
 * begin anew with these limits, as if nothing had been sent; those above the new limit of streams
 * end, by stream_stopped(), stream_reset() and stream_closed(). Nothing may have been acknowledged
 * or received.
 */
void ql_streams_begin_anew(struct ql_streams *ss, const struct ql_tparams *tp);

/*
 * The connection is closing: no callback from here on, except for stream_closed() and
 * release callbacks from ql_streams_fini(); nothing more to send; calls of the application fail
 * with -EPIPE.
 */
void ql_streams_close(struct ql_streams *ss);

/* stream_closed() for every stream, and free everything. Not from within a callback. */
void ql_streams_fini(struct ql_streams *ss);

/* The core of ql_stream_open(): 0, -EAGAIN at the peer's limit, -ENOMEM, -ENOTCONN when closing. */
int ql_streams_open(struct ql_streams *ss, bool bidi, struct ql_stream **stream);

/* An open stream, or NULL. */
struct ql_stream *ql_streams_find(struct ql_streams *ss, uint64_t id);

/*
 * Handle one of the frames RESET_STREAM, STOP_SENDING, MAX_DATA, MAX_STREAM_DATA, MAX_STREAMS,
 * DATA_BLOCKED, STREAM_DATA_BLOCKED, STREAMS_BLOCKED; or (recv_data) STREAM, whose data is not
 * needed afterwards. The connection is on the ready list.
 * @return 0, or the transport error to close the connection with (enum ql_err).
 */
int ql_streams_recv(struct ql_streams *ss, const struct ql_frame *f);
int ql_streams_recv_data(struct ql_streams *ss, const struct ql_frame_stream *f);

/*
 * Fill [p, end), the rest of a packet that is being assembled, with what is most urgent: control
 * frames, then STREAM frames in the order of sched.h; each is recorded by ql_sent_add(). If that
 * fails, what was to be recorded is not written and waits. A frame without Length fills the packet
 * up to end: then the return value is end. A datagram preferably has one stream's data: when more
 * than half of the room is used, a further stream's is added only if all of it fits.
 * @param tail  set to data that has not been copied to its place, which ends at the new p or before;
 *   NULL: all is copied
 * @return the new p; the old one when there is nothing, or not enough room
 */
uint8_t *ql_streams_send(struct ql_streams *ss, uint8_t *p, uint8_t *end, struct ql_sent *sent,
			 struct ql_send_tail *tail);
/*
 * Only the STREAM frames of QL_SCHED_CONTROL, and as many as fit whole: for what has to come behind
 * them, before ql_streams_send(). @return as there
 */
uint8_t *ql_streams_send_control(struct ql_streams *ss, uint8_t *p, const uint8_t *end,
				 struct ql_sent *sent);

/* Packets that each have a STREAM frame and nothing else, new data of the same stream. */
struct ql_stream_train {
	struct ql_stream *stream;
	uint64_t offset;      /* of the first one's data */
	const uint8_t *data;  /* all of theirs */
	size_t len;	      /* bytes of each, behind a header without Length */
	unsigned int packets; /* how many; more data is due after them */
};

/*
 * What ql_streams_send() would fill the next packets with, each with room bytes for frames. False when
 * there is none that is filled like that. Nothing is noted before ql_streams_train_sent().
 */
bool ql_streams_train(struct ql_streams *ss, size_t room, struct ql_stream_train *train);
/* So many of them went, and have been recorded by ql_sent_add(). */
void ql_streams_train_sent(const struct ql_stream_train *train, unsigned int packets);

/*
 * Before ql_streams_send(): the time and the smoothed RTT, ns, by which receive windows grow, and
 * the congestion window, bytes, by which send buffers do.
 */
static inline void ql_streams_set_pace(struct ql_streams *ss, uint64_t now, uint64_t rtt,
				       uint64_t cwnd)
{
	ss->now = now;
	ss->rtt = rtt;
	ss->cwnd = cwnd;
}

/*
 * How many streams of this kind the peer may have open at a time from here on; limits that it knows
 * stay. Values above QL_STREAMS_MAX count as that.
 */
void ql_streams_set_max(struct ql_streams *ss, bool bidi, uint64_t most);

/* ql_streams_send() would write something, given room. O(1). */
static inline bool ql_streams_pending(const struct ql_streams *ss)
{
	return !ss->closing &&
	       (ss->due || ss->ctl || ql_sched_any(&ss->sched, ql_flow_tx_room(&ss->tx) > 0));
}

/* Ask for the stream that the next frame in is likely to be of, and for the one that sends next. */
static inline void ql_streams_prefetch_rx(const struct ql_streams *ss)
{
	if (ss->last)
		ql_prefetch_lines(ss->last, &ss->last->send.acks);
}
static inline void ql_streams_prefetch_tx(const struct ql_streams *ss)
{
	const struct ql_sched_node *n = ql_sched_pick(&ss->sched, true);

	if (n) {
		const struct ql_stream *s = ql_stream_of(n);

		ql_prefetch_lines(s, &s->send.acks);
	}
}

/* New data waits for nothing but the peer's credit, on either level. */
static inline bool ql_streams_blocked(const struct ql_streams *ss)
{
	return ss->blocked > 0 || (ss->sched.data && ql_flow_tx_room(&ss->tx) == 0);
}

/* Say again what is blocked, by DATA_BLOCKED and STREAM_DATA_BLOCKED (RFC 9000, 4.1). */
void ql_streams_repeat_blocked(struct ql_streams *ss);

/*
 * A packet with this record was acknowledged, or declared lost. kind is the family of the frame
 * (enum ql_frame_type); records of other frames do nothing.
 */
void ql_streams_acked(struct ql_streams *ss, const struct ql_sent_frame *f);
void ql_streams_lost(struct ql_streams *ss, const struct ql_sent_frame *f);

/* Free the streams that have ended. Call it in the turn after wake(). */
void ql_streams_reap(struct ql_streams *ss);

/* Before ql_streams_send(): sending(), which may end streams, too. */
static inline void ql_streams_gather(struct ql_streams *ss)
{
	if (!ss->ops->sending || ss->closing)
		return;
	ss->depth++;
	ss->ops->sending(ss->conn);
	ss->depth--;
	if (ss->dead)
		ss->hooks->wake(ss->conn);
}

#endif
