// SPDX-License-Identifier: BSD-3-Clause
/*
 * One stream: both directions' states and buffers, and its places in the lists of its connection.
 * Owned by struct ql_streams (streams.h), which makes and frees it.
 */
#ifndef QL_STREAM_STREAM_H
#define QL_STREAM_STREAM_H

#include <qlane/stream.h>

#include "stream/flow.h"
#include "stream/recvbuf.h"
#include "stream/sched.h"
#include "stream/sendbuf.h"

/*
 * RFC 9000, 3.1. Ready and Send are told apart by send.sent; both may become Reset Sent.
 * NONE: a direction that the stream does not have. The last three count as ended.
 */
enum ql_send_state {
	QL_SEND_OPEN,	   /* Ready, Send */
	QL_SEND_DATA_SENT, /* all sent once, with FIN */
	QL_SEND_RESET_SENT,
	QL_SEND_DATA_RECVD,
	QL_SEND_RESET_RECVD,
	QL_SEND_NONE,
};

/*
 * RFC 9000, 3.2. Data Recvd and Data Read are one here: data is handed on as it comes. So are Reset
 * Recvd and Reset Read. The last three count as ended.
 */
enum ql_recv_state {
	QL_RECV_OPEN,
	QL_RECV_SIZE_KNOWN,
	QL_RECV_DATA_READ,
	QL_RECV_RESET_READ,
	QL_RECV_NONE,
};

/* Frames of a stream that wait to be sent. */
#define QL_CTL_RESET	0x01
#define QL_CTL_STOP	0x02
#define QL_CTL_MAX_DATA 0x04
#define QL_CTL_BLOCKED	0x08

struct ql_stream {
	/* Four cache lines, unless data is lost: the rest is seldom touched, and then made ready. */
	uint64_t id;
	struct ql_streams *ss;
	struct ql_sched_node node;
	struct ql_flow_tx tx;
	struct ql_flow_rx rx;
	struct ql_recvbuf recv;
	void *user;
	struct ql_stream *next, *prev; /* in the list of control frames, or of those to be freed */
	uint64_t reset_code;	       /* of our RESET_STREAM */
	uint64_t stop_code;	       /* of our STOP_SENDING */
	uint32_t lent;		       /* bytes in the running stream_data() */
	uint8_t send_state;	       /* enum ql_send_state */
	uint8_t recv_state;	       /* enum ql_recv_state */
	uint8_t ctl;		       /* QL_CTL_*; in the list of control frames if not 0 */
	uint8_t level;		       /* of the scheduler */
	bool incremental : 1;
	bool stopped : 1;	/* we sent STOP_SENDING: drop what comes */
	bool want_writable : 1; /* ql_stream_send() took less than it was given */
	bool delivering : 1;	/* in stream_data(): the receive buffer must stay */
	bool dead : 1;		/* in the list of those to be freed */
	bool blocked : 1;	/* new data waits for credit of the stream; counted in ss */
	struct ql_sendbuf send;
};

/* A block of ql_mem is 256 or 384 bytes. */
_Static_assert(sizeof(struct ql_stream) <= 384, "a stream has grown");
_Static_assert(offsetof(struct ql_stream, send.acks) <= 256, "what each stream touches has grown");

static inline struct ql_stream *ql_stream_of(const struct ql_sched_node *n)
{
	return (struct ql_stream *)((char *)n - offsetof(struct ql_stream, node));
}

static inline bool ql_stream_send_ended(const struct ql_stream *s)
{
	return s->send_state >= QL_SEND_DATA_RECVD;
}

static inline bool ql_stream_recv_ended(const struct ql_stream *s)
{
	return s->recv_state >= QL_RECV_DATA_READ;
}

#endif
