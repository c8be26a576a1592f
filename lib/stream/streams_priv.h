// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the files of streams.h share: streams.c makes, schedules and ends streams, streams_rx.c
 * takes frames in, streams_tx.c gives frames out, stream_api.c is what the application calls.
 *
 * Nothing here frees a stream: ql_stream_settle() puts one that has ended on the dead list, and
 * ql_streams_reap() frees it when no callback is running.
 */
#ifndef QL_STREAM_STREAMS_PRIV_H
#define QL_STREAM_STREAMS_PRIV_H

#include "base/floors.h"
#include "stream/streams.h"

/* The local or the peer's type of stream. */
static inline struct ql_stream_type *ql_streams_type(struct ql_streams *ss, bool local, bool uni)
{
	return &ss->types[(uni ? 2 : 0) + (local == ss->is_server ? 1 : 0)];
}

static inline bool ql_streams_is_local(const struct ql_streams *ss, uint64_t id)
{
	return (id & 1) == ss->is_server;
}

/* Bytes that a stream may keep by copy now. */
uint64_t ql_streams_send_most(const struct ql_streams *ss);

/* Wake the connection if there is something to send or to free. */
void ql_streams_wake(struct ql_streams *ss);

/* The most streams of a type that the peer may ever open, with those that are closed by now. */
uint64_t ql_streams_next_max(struct ql_streams *ss, bool uni);

/* Calls that may run callbacks: no stream is freed until the outermost is left. What they find to be
 * sent is seen to without a wake: a connection that handles a packet is on the ready list. */
static inline void ql_streams_enter(struct ql_streams *ss)
{
	ss->depth++;
}
static inline void ql_streams_leave(struct ql_streams *ss)
{
	ss->depth--;
	if (ss->dead)
		ql_streams_reap(ss);
}

/* The next stream of this type, opened by us or by the peer. NULL without memory. */
struct ql_stream *ql_streams_create(struct ql_streams *ss, uint64_t type);

/* Where in the scheduler the stream belongs now: after every change of what it can send. */
void ql_stream_schedule(struct ql_stream *s);

/* Frames for ql_streams_send() to make; or, no longer. */
void ql_stream_ctl_add(struct ql_stream *s, unsigned int ctl);
void ql_stream_ctl_remove(struct ql_stream *s, unsigned int ctl);

/* If both directions have ended, off to the dead list. */
void ql_stream_settle(struct ql_stream *s);

/* RESET_STREAM for a direction in QL_SEND_OPEN or QL_SEND_DATA_SENT. May run release callbacks. */
void ql_stream_do_reset(struct ql_stream *s, uint64_t code);

/* What the application has been handed of received data, bytes from the start. */
static inline uint64_t ql_stream_handed(const struct ql_stream *s)
{
	return s->recv.offset + s->lent;
}

/* bytes of received data are done with, on both levels. */
void ql_stream_consume(struct ql_stream *s, uint64_t bytes);

/* The receive direction has ended, or is of no interest any longer: free what it holds. */
void ql_stream_drop_recv(struct ql_stream *s);

#endif
