// SPDX-License-Identifier: BSD-3-Clause
/*
 * A timer lies at the level of the highest digit (of QL_WHEEL_BITS bits) in which its tick differs
 * from the wheel's, in the slot of that digit. So all slots in use are ahead of the wheel's own
 * digit, nothing wraps around, and a jump in time skips empty slots by the bitmaps.
 */
#include "engine/wheel.h"

#include <string.h>

#define TICK_NS	   (UINT64_C(1) << QL_WHEEL_SHIFT)
#define LEVEL_DUE  (QL_WHEEL_LEVELS + 1)
#define DIGIT_MASK (QL_WHEEL_SLOTS - 1)

void ql_wheel_init(struct ql_wheel *w, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->tick = now >> QL_WHEEL_SHIFT;
}

static void insert(struct ql_wheel *w, struct ql_timer *t)
{
	uint64_t tick = (t->deadline >> QL_WHEEL_SHIFT) + ((t->deadline & (TICK_NS - 1)) != 0);
	unsigned int level, slot;
	uint64_t differ;

	if (tick <= w->tick)
		tick = w->tick + 1;
	differ = tick ^ w->tick;
	level = (63 - (unsigned int)__builtin_clzll(differ)) / QL_WHEEL_BITS;
	slot = (unsigned int)(tick >> (level * QL_WHEEL_BITS)) & DIGIT_MASK;
	LIST_INSERT_HEAD(&w->slots[level][slot], t, link);
	w->occupied[level] |= UINT64_C(1) << slot;
	t->level = (uint8_t)(level + 1);
	t->slot = (uint8_t)slot;
}

void ql_wheel_remove(struct ql_wheel *w, struct ql_timer *t)
{
	if (!t->level)
		return;
	LIST_REMOVE(t, link);
	if (t->level != LEVEL_DUE && LIST_EMPTY(&w->slots[t->level - 1][t->slot]))
		w->occupied[t->level - 1] &= ~(UINT64_C(1) << t->slot);
	t->level = 0;
}

void ql_wheel_set(struct ql_wheel *w, struct ql_timer *t, uint64_t deadline)
{
	ql_wheel_remove(w, t);
	t->deadline = deadline;
	insert(w, t);
}

/* The first tick of the next slot in use, over all levels; UINT64_MAX: none. */
static uint64_t next_tick(const struct ql_wheel *w, unsigned int *level, unsigned int *slot)
{
	for (unsigned int l = 0; l < QL_WHEEL_LEVELS; l++) {
		uint64_t above;

		if (!w->occupied[l])
			continue;
		*level = l;
		*slot = (unsigned int)__builtin_ctzll(w->occupied[l]);
		above = w->tick >> (l * QL_WHEEL_BITS) & ~(uint64_t)DIGIT_MASK;
		return (above | *slot) << (l * QL_WHEEL_BITS);
	}
	return UINT64_MAX;
}

void ql_wheel_advance(struct ql_wheel *w, uint64_t now)
{
	uint64_t last = now >> QL_WHEEL_SHIFT, tick;
	unsigned int level, slot;
	struct ql_timer_list list;
	struct ql_timer *t;

	while ((tick = next_tick(w, &level, &slot)) <= last) {
		w->tick = tick;
		w->occupied[level] &= ~(UINT64_C(1) << slot);
		list = w->slots[level][slot];
		LIST_INIT(&w->slots[level][slot]);
		if (!LIST_EMPTY(&list))
			LIST_FIRST(&list)->link.le_prev = &LIST_FIRST(&list);
		while ((t = LIST_FIRST(&list)) != NULL) {
			LIST_REMOVE(t, link);
			if (level == 0 || t->deadline <= tick << QL_WHEEL_SHIFT) {
				LIST_INSERT_HEAD(&w->due, t, link);
				t->level = LEVEL_DUE;
			} else {
				insert(w, t);
			}
		}
	}
	if (last > w->tick)
		w->tick = last;
}

struct ql_timer *ql_wheel_pop(struct ql_wheel *w)
{
	struct ql_timer *t = LIST_FIRST(&w->due);

	if (t) {
		LIST_REMOVE(t, link);
		t->level = 0;
	}
	return t;
}

uint64_t ql_wheel_next(const struct ql_wheel *w)
{
	unsigned int level, slot;
	uint64_t tick;

	if (!LIST_EMPTY(&w->due))
		return 0;
	tick = next_tick(w, &level, &slot);
	return tick == UINT64_MAX ? UINT64_MAX : tick << QL_WHEEL_SHIFT;
}
