// SPDX-License-Identifier: BSD-3-Clause
/*
 * A timer lies at the level of the highest digit (of QL_WHEEL_BITS bits) in which its tick differs
 * from the wheel's, in the slot of that digit. So all slots in use are ahead of the wheel's own
 * digit, nothing wraps around, and a jump in time skips empty slots by the bitmaps.
 *
 * One that was put off lies in a slot too early for it, which is as good.
 */
#include "engine/wheel.h"

#include <string.h>

#define TICK_NS	   (UINT64_C(1) << QL_WHEEL_SHIFT)
#define LEVEL_DUE  (QL_WHEEL_LEVELS + 1)
#define DIGIT_MASK (QL_WHEEL_SLOTS - 1)

void ql_wheel_init(struct ql_wheel *w, struct ql_timer *timers, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	memset(w->slots, 0xff, sizeof(w->slots)); /* QL_TIMER_NONE */
	w->timers = timers;
	w->tick = now >> QL_WHEEL_SHIFT;
}

/* ---- Lists ---- */

/* level: + 1 */
static inline void put(struct ql_wheel *w, uint32_t timer, unsigned int level, unsigned int slot)
{
	struct ql_timer *t = &w->timers[timer];
	uint32_t *head = &w->slots[level - 1][slot];

	t->level = level;
	t->slot = slot & DIGIT_MASK;
	t->next = *head;
	t->prev = QL_TIMER_NONE;
	if (*head != QL_TIMER_NONE)
		w->timers[*head].prev = timer;
	*head = timer;
}

static void insert(struct ql_wheel *w, uint32_t timer)
{
	uint64_t tick = w->timers[timer].tick, differ = tick ^ w->tick;
	unsigned int level, slot;

	level = (63 - (unsigned int)__builtin_clzll(differ)) / QL_WHEEL_BITS;
	slot = (unsigned int)(tick >> (level * QL_WHEEL_BITS)) & DIGIT_MASK;
	w->occupied[level] |= UINT64_C(1) << slot;
	put(w, timer, level + 1, slot);
}

void ql_wheel_remove(struct ql_wheel *w, uint32_t timer)
{
	struct ql_timer *t = &w->timers[timer];
	uint32_t *head;

	if (!t->level)
		return;
	head = &w->slots[t->level - 1][t->slot];
	if (t->next != QL_TIMER_NONE)
		w->timers[t->next].prev = t->prev;
	if (t->prev != QL_TIMER_NONE)
		w->timers[t->prev].next = t->next;
	else
		*head = t->next;
	if (t->level != LEVEL_DUE && *head == QL_TIMER_NONE)
		w->occupied[t->level - 1] &= ~(UINT64_C(1) << t->slot);
	t->level = 0;
}

/* ---- Deadlines ---- */

/* The first tick of a slot that is in use. */
static inline uint64_t start_of(const struct ql_wheel *w, unsigned int level, unsigned int slot)
{
	uint64_t above = w->tick >> (level * QL_WHEEL_BITS) & ~(uint64_t)DIGIT_MASK;

	return (above | slot) << (level * QL_WHEEL_BITS);
}

void ql_wheel_set(struct ql_wheel *w, uint32_t timer, uint64_t deadline)
{
	uint64_t tick = (deadline >> QL_WHEEL_SHIFT) + ((deadline & (TICK_NS - 1)) != 0);
	struct ql_timer *t = &w->timers[timer];

	if (tick <= w->tick)
		tick = w->tick + 1;
	if (t->level && t->level != LEVEL_DUE && tick >= start_of(w, t->level - 1u, t->slot)) {
		t->tick = tick;
		return;
	}
	ql_wheel_remove(w, timer);
	t->tick = tick;
	insert(w, timer);
}

/* The first tick of the next slot in use, over all levels; UINT64_MAX: none. */
static uint64_t next_tick(const struct ql_wheel *w, unsigned int *level, unsigned int *slot)
{
	for (unsigned int l = 0; l < QL_WHEEL_LEVELS; l++) {
		if (!w->occupied[l])
			continue;
		*level = l;
		*slot = (unsigned int)__builtin_ctzll(w->occupied[l]);
		return start_of(w, l, *slot);
	}
	return UINT64_MAX;
}

void ql_wheel_advance(struct ql_wheel *w, uint64_t now)
{
	uint64_t last = now >> QL_WHEEL_SHIFT, tick;
	unsigned int level, slot;
	uint32_t timer, next;

	while ((tick = next_tick(w, &level, &slot)) <= last) {
		w->tick = tick;
		w->occupied[level] &= ~(UINT64_C(1) << slot);
		timer = w->slots[level][slot];
		w->slots[level][slot] = QL_TIMER_NONE;
		for (; timer != QL_TIMER_NONE; timer = next) {
			next = w->timers[timer].next;
			if (w->timers[timer].tick <= tick)
				put(w, timer, LEVEL_DUE, 0);
			else
				insert(w, timer);
		}
	}
	if (last > w->tick)
		w->tick = last;
}

uint32_t ql_wheel_pop(struct ql_wheel *w)
{
	uint32_t timer = w->slots[LEVEL_DUE - 1][0];

	if (timer != QL_TIMER_NONE)
		ql_wheel_remove(w, timer);
	return timer;
}

uint64_t ql_wheel_next(const struct ql_wheel *w)
{
	unsigned int level, slot;
	uint64_t tick;

	if (w->slots[LEVEL_DUE - 1][0] != QL_TIMER_NONE)
		return 0;
	tick = next_tick(w, &level, &slot);
	return tick == UINT64_MAX ? UINT64_MAX : tick << QL_WHEEL_SHIFT;
}
