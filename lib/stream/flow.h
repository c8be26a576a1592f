// SPDX-License-Identifier: BSD-3-Clause
/*
 * Credit of flow control (RFC 9000, section 4.1), the same for a stream and for the connection.
 * All in bytes from the start. The window is constant: a place for auto-tuning.
 */
#ifndef QL_STREAM_FLOW_H
#define QL_STREAM_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/varint.h"

/* What we allow the peer. */
struct ql_flow_rx {
	uint64_t limit;	   /* advertised: MAX_DATA or MAX_STREAM_DATA */
	uint64_t consumed; /* given back by the application */
	uint64_t window;   /* limit is at most consumed + window */
};

static inline void ql_flow_rx_init(struct ql_flow_rx *f, uint64_t window)
{
	*f = (struct ql_flow_rx){.limit = window, .window = window};
}

/* What an update would advertise now. */
static inline uint64_t ql_flow_rx_next(const struct ql_flow_rx *f)
{
	uint64_t next = f->consumed + f->window;

	return next > QL_VARINT_MAX ? QL_VARINT_MAX : next;
}

/* An update is due when half of the window has been consumed since the last one. */
static inline bool ql_flow_rx_due(const struct ql_flow_rx *f)
{
	uint64_t next = ql_flow_rx_next(f);

	return next > f->limit && next - f->limit >= f->window - f->window / 2;
}

/* What the peer allows us. */
struct ql_flow_tx {
	uint64_t limit;
	uint64_t used;
	uint64_t blocked; /* 1 + the limit at which we said that we are blocked; 0: never */
};

static inline uint64_t ql_flow_tx_room(const struct ql_flow_tx *f)
{
	return f->limit - f->used;
}

/* True when it was raised; the peer's lower values mean nothing. */
static inline bool ql_flow_tx_raise(struct ql_flow_tx *f, uint64_t limit)
{
	if (limit <= f->limit)
		return false;
	f->limit = limit;
	return true;
}

/* Blocked at this limit for the first time: true once per limit, for a *_BLOCKED frame. */
static inline bool ql_flow_tx_blocked(struct ql_flow_tx *f)
{
	if (f->used < f->limit || f->blocked == f->limit + 1)
		return false;
	f->blocked = f->limit + 1;
	return true;
}

#endif
