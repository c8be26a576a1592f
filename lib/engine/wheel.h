// SPDX-License-Identifier: BSD-3-Clause
/*
 * A hierarchical timing wheel (Varghese and Lauck, 1987): timers by deadline, all operations O(1)
 * but for a move to a finer level, at most QL_WHEEL_LEVELS - 1 times in a timer's life.
 *
 * Time is cut into ticks of 2^QL_WHEEL_SHIFT ns. A timer never comes before its deadline, and less
 * than one tick late if ql_wheel_advance() is called in time.
 *
 *	ql_wheel_advance(w, now);
 *	while ((t = ql_wheel_pop(w)))
 *		...	may add, move and remove any timer, also those still to be popped
 *
 * A deadline in the past comes with the next advance, never within this one.
 */
#ifndef QL_ENGINE_WHEEL_H
#define QL_ENGINE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define QL_WHEEL_SHIFT	13 /* 8.2 us a tick */
#define QL_WHEEL_BITS	6
#define QL_WHEEL_SLOTS	(1u << QL_WHEEL_BITS)
#define QL_WHEEL_LEVELS 9 /* all 64 bits of a deadline */

/* Zeroed: not in a wheel. */
struct ql_timer {
	LIST_ENTRY(ql_timer) link;
	uint64_t deadline; /* ns */
	uint8_t level;	   /* + 1, QL_WHEEL_LEVELS + 1 when due; 0: not in a wheel */
	uint8_t slot;
};

LIST_HEAD(ql_timer_list, ql_timer);

struct ql_wheel {
	uint64_t tick; /* up to here, everything is due */
	uint64_t occupied[QL_WHEEL_LEVELS];
	struct ql_timer_list slots[QL_WHEEL_LEVELS][QL_WHEEL_SLOTS];
	struct ql_timer_list due;
};

void ql_wheel_init(struct ql_wheel *w, uint64_t now);

/* Set or change a timer's deadline. */
void ql_wheel_set(struct ql_wheel *w, struct ql_timer *t, uint64_t deadline);

/* Take it out; nothing happens if it is not in. */
void ql_wheel_remove(struct ql_wheel *w, struct ql_timer *t);

static inline bool ql_timer_is_set(const struct ql_timer *t)
{
	return t->level != 0;
}

/* Gather what is due at now, which does not decrease. */
void ql_wheel_advance(struct ql_wheel *w, uint64_t now);

/* One timer that is due, taken out; NULL when there are no more. In no particular order. */
struct ql_timer *ql_wheel_pop(struct ql_wheel *w);

/*
 * When to advance next, ns: not after the first deadline's tick, but it may be that only timers
 * move to a finer level then. UINT64_MAX when the wheel is empty.
 */
uint64_t ql_wheel_next(const struct ql_wheel *w);

#endif
