// SPDX-License-Identifier: BSD-3-Clause
/*
 * The timing wheel against a model that knows nothing but deadlines.
 */
#include <check.h>
#include <stdlib.h>

#include "engine/wheel.h"
#include "sim/env.h"

#define TIMERS	300
#define TICK	(UINT64_C(1) << QL_WHEEL_SHIFT)
#define SECOND	UINT64_C(1000000000)
#define NOT_SET UINT64_MAX

/* One timer and what the model knows of it. */
struct item {
	uint64_t deadline; /* NOT_SET */
	uint64_t since;	   /* when it was set */
};

struct model {
	struct ql_wheel wheel;
	struct ql_timer timers[TIMERS];
	struct item items[TIMERS];
	uint64_t now;
	uint64_t random;
	uint64_t popped;
};

static uint32_t number(const struct model *m, const struct item *it)
{
	return (uint32_t)(it - m->items);
}

static void set(struct model *m, struct item *it, uint64_t deadline)
{
	ql_wheel_set(&m->wheel, number(m, it), deadline);
	it->deadline = deadline;
	it->since = m->now;
}

static void unset(struct model *m, struct item *it)
{
	ql_wheel_remove(&m->wheel, number(m, it));
	it->deadline = NOT_SET;
}

static struct item *any(struct model *m)
{
	return &m->items[sim_below(&m->random, TIMERS)];
}

/* All magnitudes, the past included. */
static uint64_t some_deadline(struct model *m)
{
	uint64_t span = UINT64_C(1) << sim_below(&m->random, 40);
	uint64_t d = sim_below(&m->random, span);

	switch (sim_below(&m->random, 8)) {
	case 0:
		return m->now > d ? m->now - d : 0;
	case 1:
		return (m->now + d) & ~(TICK - 1); /* on a tick */
	default:
		return m->now + d;
	}
}

/* No later than this it has to come, given an advance at that time. */
static uint64_t latest(const struct item *it)
{
	uint64_t from = it->deadline > it->since ? it->deadline : it->since;

	return (from | (TICK - 1)) + 1;
}

/*
 * Advance to m->now and pop all. What the loop sets to the past or to now comes not before the next
 * advance, so it ends.
 */
static void advance(struct model *m)
{
	unsigned int n = 0;
	uint32_t t;

	ql_wheel_advance(&m->wheel, m->now);
	while ((t = ql_wheel_pop(&m->wheel)) != QL_TIMER_NONE) {
		struct item *it = &m->items[t];

		ck_assert_uint_lt(n++, TIMERS);
		m->popped++;
		ck_assert(!ql_wheel_is_set(&m->wheel, t));
		if (it->deadline == NOT_SET || it->deadline > m->now)
			ck_abort_msg("popped %s", it->deadline == NOT_SET ? "unset" : "early");
		it->deadline = NOT_SET;
		switch (sim_below(&m->random, 6)) {
		case 0: /* anew, perhaps in the past */
			set(m, it, some_deadline(m));
			break;
		case 1: /* another one, which may be due as well */
			unset(m, any(m));
			break;
		case 2:
			set(m, any(m), m->now + sim_below(&m->random, SECOND));
			break;
		default:
			break;
		}
	}
	for (unsigned int i = 0; i < TIMERS; i++) {
		struct item *it = &m->items[i];

		if (ql_wheel_is_set(&m->wheel, i) != (it->deadline != NOT_SET))
			ck_abort_msg("timer %u is %sset", i, it->deadline == NOT_SET ? "" : "not ");
		/* set within this very turn: next time */
		if (it->deadline != NOT_SET && it->since < m->now && latest(it) <= m->now)
			ck_abort_msg("timer %u is late by %llu", i,
				     (unsigned long long)(m->now - it->deadline));
	}
}

static void check_next(const struct model *m)
{
	uint64_t next = ql_wheel_next(&m->wheel), first = NOT_SET;

	for (unsigned int i = 0; i < TIMERS; i++) {
		if (m->items[i].deadline != NOT_SET && latest(&m->items[i]) < first)
			first = latest(&m->items[i]);
	}
	if (first == NOT_SET)
		ck_assert(next == UINT64_MAX);
	else
		ck_assert_msg(next <= first && next > m->now, "next %llu, first %llu, now %llu",
			      (unsigned long long)next, (unsigned long long)first,
			      (unsigned long long)m->now);
}

static struct model *new_model(uint64_t seed, uint64_t now)
{
	struct model *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->random = seed;
	m->now = now;
	ql_wheel_init(&m->wheel, m->timers, now);
	for (unsigned int i = 0; i < TIMERS; i++)
		m->items[i].deadline = NOT_SET;
	ck_assert(ql_wheel_next(&m->wheel) == UINT64_MAX);
	return m;
}

/* Steps of all sizes, from within a tick to minutes. */
START_TEST(test_model)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct model *m = new_model(seed, seed & 1 ? UINT64_C(0x123456789abcdef) : 0);
		uint64_t end = m->now + 600 * SECOND;

		while (m->now < end) {
			for (uint64_t n = sim_below(&m->random, 12); n > 0; n--) {
				if (sim_below(&m->random, 4) == 0)
					unset(m, any(m));
				else
					set(m, any(m), some_deadline(m));
			}
			check_next(m);
			m->now += sim_below(&m->random, UINT64_C(1) << sim_below(&m->random, 37));
			advance(m);
		}
		ck_assert_uint_gt(m->popped, 100);
		free(m);
	}
}
END_TEST

/* As the engine sleeps: always exactly until ql_wheel_next(). Steps must be few. */
START_TEST(test_by_next)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct model *m = new_model(seed, seed * SECOND);
		unsigned int steps = 0;
		uint64_t next;

		for (unsigned int i = 0; i < TIMERS; i++)
			set(m, &m->items[i], some_deadline(m));
		while ((next = ql_wheel_next(&m->wheel)) != UINT64_MAX) {
			uint32_t t;

			check_next(m);
			m->now = next;
			ql_wheel_advance(&m->wheel, m->now);
			while ((t = ql_wheel_pop(&m->wheel)) != QL_TIMER_NONE) {
				struct item *it = &m->items[t];

				ck_assert(it->deadline <= m->now && latest(it) >= m->now);
				it->deadline = NOT_SET;
				m->popped++;
			}
			ck_assert_uint_lt(++steps, TIMERS * QL_WHEEL_LEVELS);
		}
		ck_assert_uint_eq(m->popped, TIMERS);
		free(m);
	}
}
END_TEST

/* Deadlines at the end of time, and a wheel that starts late. */
START_TEST(test_far)
{
	static const uint64_t deadlines[] = {UINT64_MAX,     UINT64_MAX - 1,	UINT64_MAX - TICK,
					     UINT64_MAX / 2, UINT64_C(1) << 63, 1,
					     TICK,	     TICK + 1};
	struct ql_timer timers[8] = {0};
	struct ql_wheel w;
	uint32_t t;

	ql_wheel_init(&w, timers, 0);
	for (uint32_t i = 0; i < 8; i++)
		ql_wheel_set(&w, i, deadlines[i]);
	ql_wheel_advance(&w, UINT64_C(3600) * SECOND);
	for (unsigned int n = 0; n < 3; n++) {
		t = ql_wheel_pop(&w);
		ck_assert_uint_ne(t, QL_TIMER_NONE);
		ck_assert_uint_le(deadlines[t], TICK + 1);
	}
	ck_assert_uint_eq(ql_wheel_pop(&w), QL_TIMER_NONE);
	ql_wheel_advance(&w, (UINT64_C(1) << 63) - 1);
	t = ql_wheel_pop(&w);
	ck_assert(t == 3 || t == QL_TIMER_NONE);
	ql_wheel_advance(&w, (UINT64_C(1) << 63) + TICK);
	while ((t = ql_wheel_pop(&w)) != QL_TIMER_NONE)
		ck_assert(t == 3 || t == 4);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(ql_wheel_is_set(&w, i));
	for (uint32_t i = 0; i < 3; i++)
		ql_wheel_remove(&w, i);
	ck_assert(ql_wheel_next(&w) == UINT64_MAX);
}
END_TEST

/* Removing what is not in does nothing; moving keeps one place; due ones can be taken out. */
START_TEST(test_remove)
{
	enum { A, B, C, N };
	struct ql_timer timers[N] = {0};
	struct ql_wheel w;

	ql_wheel_init(&w, timers, 5 * SECOND);
	ql_wheel_remove(&w, A);
	ck_assert(!ql_wheel_is_set(&w, A));
	ql_wheel_set(&w, A, 6 * SECOND);
	ql_wheel_set(&w, A, 7 * SECOND);
	ql_wheel_set(&w, B, 6 * SECOND);
	ql_wheel_set(&w, C, 6 * SECOND);
	ck_assert(ql_wheel_is_set(&w, A));
	ql_wheel_remove(&w, B);
	ql_wheel_remove(&w, B);
	ql_wheel_advance(&w, 6 * SECOND + TICK);
	ck_assert(ql_wheel_next(&w) == 0); /* C waits to be popped */
	ck_assert_uint_eq(ql_wheel_pop(&w), C);
	ck_assert_uint_eq(ql_wheel_pop(&w), QL_TIMER_NONE);
	ql_wheel_set(&w, B, 7 * SECOND);
	ql_wheel_set(&w, C, 7 * SECOND);
	ql_wheel_advance(&w, 7 * SECOND + TICK);
	ql_wheel_remove(&w, B); /* due */
	ql_wheel_set(&w, A, 9 * SECOND);
	ck_assert_uint_eq(ql_wheel_pop(&w), C);
	ck_assert_uint_eq(ql_wheel_pop(&w), QL_TIMER_NONE);
	ck_assert(ql_wheel_is_set(&w, A) && !ql_wheel_is_set(&w, B));
	ql_wheel_advance(&w, 9 * SECOND + TICK);
	ck_assert_uint_eq(ql_wheel_pop(&w), A);
	ck_assert(ql_wheel_next(&w) == UINT64_MAX);
}
END_TEST

/*
 * A deadline that is put off again and again leaves its timer in its slot, and comes by the last of
 * them; one that is moved back to before the slot comes earlier.
 */
START_TEST(test_put_off)
{
	struct ql_timer timers[1] = {0};
	uint64_t deadline = 10 * SECOND;
	struct ql_timer before;
	struct ql_wheel w;

	ql_wheel_init(&w, timers, 0);
	ql_wheel_set(&w, 0, deadline);
	before = timers[0];
	for (uint64_t now = 0; now < 4 * SECOND; now += SECOND / 50) {
		ql_wheel_advance(&w, now);
		ck_assert_uint_eq(ql_wheel_pop(&w), QL_TIMER_NONE);
		deadline += SECOND / 50;
		ql_wheel_set(&w, 0, deadline);
		ck_assert(timers[0].level == before.level && timers[0].slot == before.slot);
	}
	ql_wheel_advance(&w, deadline - 1);
	ck_assert_uint_eq(ql_wheel_pop(&w), QL_TIMER_NONE);
	ql_wheel_advance(&w, deadline + TICK);
	ck_assert_uint_eq(ql_wheel_pop(&w), 0);

	ql_wheel_set(&w, 0, deadline + SECOND);
	ql_wheel_set(&w, 0, deadline + 3 * TICK);
	ck_assert_uint_le(ql_wheel_next(&w), deadline + 4 * TICK);
	ql_wheel_advance(&w, deadline + 4 * TICK);
	ck_assert_uint_eq(ql_wheel_pop(&w), 0);
}
END_TEST

/* A deadline in the past comes with the next advance, not within this one. */
START_TEST(test_past)
{
	struct ql_timer timers[1] = {0};
	struct ql_wheel w;
	unsigned int n = 0;

	ql_wheel_init(&w, timers, SECOND);
	ql_wheel_set(&w, 0, 1);
	for (uint64_t now = SECOND; now < SECOND + 100 * TICK; now += TICK) {
		ql_wheel_advance(&w, now);
		while (ql_wheel_pop(&w) != QL_TIMER_NONE) {
			n++;
			ql_wheel_set(&w, 0, 0);
		}
	}
	ck_assert_uint_eq(n, 99);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/wheel");
	TCase *tc = tcase_create("wheel");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_model);
	tcase_add_test(tc, test_by_next);
	tcase_add_test(tc, test_far);
	tcase_add_test(tc, test_remove);
	tcase_add_test(tc, test_put_off);
	tcase_add_test(tc, test_past);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
