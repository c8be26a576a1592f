// SPDX-License-Identifier: BSD-3-Clause
/*
 * Credit of flow control (RFC 9000, section 4.1), the same for a stream and for the connection.
 * All in bytes from the start, times in ns.
 *
 * A receive window doubles as long as the application takes data so fast that half of it is used
 * within two round trips: a sender whose pace still grows might have to wait for credit. It never
 * shrinks. What the windows of an engine's connections grow by comes out of one budget.
 */
#ifndef QL_STREAM_FLOW_H
#define QL_STREAM_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/common.h>

#include "wire/varint.h"

/* What we allow the peer. */
struct ql_flow_rx {
	uint64_t limit;	   /* advertised: MAX_DATA or MAX_STREAM_DATA */
	uint64_t consumed; /* given back by the application */
	uint64_t window;   /* limit is at most consumed + window */
	/* The low bits are enough, and a stream has many fields: */
	uint32_t mark;	  /* consumed when the pace was last looked at */
	uint32_t mark_us; /* when that was, microseconds; 0: never */
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

/*
 * Before an update is written: if half of the window was consumed within two round trips, the
 * window doubles, but grows not above cap, nor by more than spare. Returns what it has grown by.
 */
static inline uint64_t ql_flow_rx_tune(struct ql_flow_rx *f, uint64_t now, uint64_t rtt,
				       uint64_t cap, uint64_t spare)
{
	uint64_t more = cap > f->window ? cap - f->window : 0;
	uint32_t now_us = (uint32_t)(now / QL_NSEC_PER_USEC);
	bool fast = f->mark_us > 0 && now_us - f->mark_us < 2 * rtt / QL_NSEC_PER_USEC;

	if ((uint32_t)f->consumed - f->mark < f->window / 2)
		return 0;
	f->mark = (uint32_t)f->consumed;
	f->mark_us = now_us > 0 ? now_us : 1;
	if (!fast)
		return 0;
	more = more < f->window ? more : f->window;
	more = more < spare ? more : spare;
	f->window += more;
	return more;
}

/* What the connections' windows may grow by, all together; a stream's never exceeds its
 * connection's. */
struct ql_flow_budget {
	uint64_t limit, used;
};

/*
 * What one window may take of it now. All that has been taken must fit the memory that is free, and
 * one takes at most half of what is left, so that there is always some for the next.
 */
static inline uint64_t ql_flow_budget_spare(const struct ql_flow_budget *b, uint64_t memory_free)
{
	uint64_t limit = b->limit < memory_free ? b->limit : memory_free;

	return limit > b->used ? (limit - b->used) / 2 : 0;
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
