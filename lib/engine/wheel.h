// SPDX-License-Identifier: BSD-3-Clause
/*
 * A hierarchical timing wheel (Varghese and Lauck, 1987): timers by deadline, all operations O(1)
 * but for a move to a finer level, at most QL_WHEEL_LEVELS - 1 times in a timer's life, and for one
 * that was put off, which is looked at where it was and moves on from there.
 *
 * Timers are numbers, and lie side by side in an array: what waits in memory beside the rest of a
 * connection is not touched before its deadline.
 *
 * Time is cut into ticks of 2^QL_WHEEL_SHIFT ns. A timer never comes before its deadline, and less
 * than one tick late if ql_wheel_advance() is called in time.
 *
 *	ql_wheel_advance(w, now);
 *	while ((t = ql_wheel_pop(w)) != QL_TIMER_NONE)
 *		...	may add, move and remove any timer, also those still to be popped
 *
 * A deadline in the past comes with the next advance, never within this one.
 */
#ifndef QL_ENGINE_WHEEL_H
#define QL_ENGINE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define QL_WHEEL_SHIFT	13 /* 8.2 us a tick */
#define QL_WHEEL_BITS	6
#define QL_WHEEL_SLOTS	(1u << QL_WHEEL_BITS)
#define QL_WHEEL_LEVELS 9 /* all 64 bits of a deadline */

#define QL_TIMER_NONE UINT32_MAX /* no timer */

/* Zeroed: not in a wheel. Four share a cache line. */
struct ql_timer {
	uint64_t tick : 54; /* of the deadline */
	uint64_t level : 4; /* + 1, QL_WHEEL_LEVELS + 1 when due; 0: not in a wheel */
	uint64_t slot : QL_WHEEL_BITS;
	uint32_t next, prev; /* in the slot's list */
};

_Static_assert(sizeof(struct ql_timer) == 16, "kept for each connection that there may be");

struct ql_wheel {
	struct ql_timer *timers;
	uint64_t tick; /* up to here, everything is due */
	uint64_t occupied[QL_WHEEL_LEVELS];
	uint32_t slots[QL_WHEEL_LEVELS + 1][QL_WHEEL_SLOTS]; /* lists; in [LEVELS][0] what is due */
};

/* timers: zeroed, the caller's, as many as it wants; to be there as long as the wheel. */
void ql_wheel_init(struct ql_wheel *w, struct ql_timer *timers, uint64_t now);

/*
 * Set or change a timer's deadline, ns. To put it off costs a store, since it stays in its slot until
 * that is looked at.
 */
void ql_wheel_set(struct ql_wheel *w, uint32_t timer, uint64_t deadline);

/* Take it out; nothing happens if it is not in. */
void ql_wheel_remove(struct ql_wheel *w, uint32_t timer);

static inline bool ql_wheel_is_set(const struct ql_wheel *w, uint32_t timer)
{
	return w->timers[timer].level != 0;
}

/* Gather what is due at now, which does not decrease. */
void ql_wheel_advance(struct ql_wheel *w, uint64_t now);

/* One timer that is due, taken out; QL_TIMER_NONE when there are no more. In no particular order. */
uint32_t ql_wheel_pop(struct ql_wheel *w);

/*
 * When to advance next, ns: not after the first deadline's tick, but it may be that timers only
 * move then. UINT64_MAX when the wheel is empty.
 */
uint64_t ql_wheel_next(const struct ql_wheel *w);

#endif
