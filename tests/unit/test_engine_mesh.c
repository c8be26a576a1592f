// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "engine/mesh.h"
#include "sim/env.h"

static struct ql_mesh *open_mesh(unsigned int engines, unsigned int ring_size)
{
	struct ql_mesh_config config = {
		.engines = engines, .ring_size = ring_size, .socket_id = -1, .seed = {1}};
	struct ql_mesh *m = ql_mesh_create(&config);

	ck_assert_ptr_nonnull(m);
	return m;
}

/* A datagram that is told by its port; without an mbuf. */
static struct ql_datagram numbered(unsigned int n)
{
	return (struct ql_datagram){.path.remote.port = (uint16_t)n, .ecn = (uint8_t)(n & 3)};
}

START_TEST(sizes)
{
	static const unsigned int good[] = {1, 2, 3, 64};
	struct ql_mesh_config config = {.socket_id = -1};

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ql_mesh_free(open_mesh(good[i], 0));
	errno = 0;
	ck_assert_ptr_null(ql_mesh_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	config.engines = QL_ENGINES_MAX + 1;
	ck_assert_ptr_null(ql_mesh_create(&config));
	config.engines = 2;
	config.ring_size = QL_MESH_RING_MAX + 1;
	ck_assert_ptr_null(ql_mesh_create(&config));
	ql_mesh_free(NULL);

	/* more than the heap has */
	config = (struct ql_mesh_config){
		.engines = QL_ENGINES_MAX, .ring_size = QL_MESH_RING_MAX, .socket_id = -1};
	errno = 0;
	ck_assert_ptr_null(ql_mesh_create(&config));
	ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(places)
{
	struct ql_mesh *m = open_mesh(2, 0);

	ck_assert_int_eq(ql_mesh_join(m, 0), 0);
	ck_assert_int_eq(ql_mesh_join(m, 0), -EINVAL);
	ck_assert_int_eq(ql_mesh_join(m, 1), 0);
	ck_assert_int_eq(ql_mesh_join(m, 2), -EINVAL);
	ql_mesh_leave(m, 0);
	ck_assert_int_eq(ql_mesh_join(m, 0), 0);
	ql_mesh_free(m);
}
END_TEST

/* Nothing is there but what was put there, in its order, whole, and once. */
START_TEST(order)
{
	struct ql_datagram in[8], out[8];
	struct ql_mesh *m = open_mesh(5, 16);
	unsigned int n;

	for (unsigned int to = 0; to < 5; to++)
		ck_assert(!ql_mesh_pending(m, to));
	for (unsigned int from = 0; from < 5; from++) {
		for (unsigned int i = 0; i < 3; i++)
			in[i] = numbered(100 * from + i);
		if (from != 2)
			ck_assert_uint_eq(ql_mesh_put(m, from, 2, in, 3), 3);
	}
	for (unsigned int to = 0; to < 5; to++)
		ck_assert(ql_mesh_pending(m, to) == (to == 2));
	/* Two at a time: one sender after another, and then the rest of each. */
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int from = 0; from < 5; from++) {
			if (from == 2)
				continue;
			n = ql_mesh_take(m, 2, out, 2);
			ck_assert_uint_eq(n, round == 0 ? 2 : 1);
			for (unsigned int i = 0; i < n; i++) {
				unsigned int number = 100 * from + 2 * round + i;

				ck_assert_uint_eq(out[i].path.remote.port, number);
				ck_assert_uint_eq(out[i].ecn, number & 3);
			}
		}
	}
	ck_assert_uint_eq(ql_mesh_take(m, 2, out, 2), 0);
	ck_assert(!ql_mesh_pending(m, 2));
	ql_mesh_free(m);
}
END_TEST

/* A full ring takes what fits, and the next one is not in its way. */
START_TEST(full)
{
	struct ql_datagram in[40], out[40];
	struct ql_mesh *m = open_mesh(3, 32);
	unsigned int put;

	for (unsigned int i = 0; i < 40; i++)
		in[i] = numbered(i);
	put = ql_mesh_put(m, 0, 1, in, 40);
	ck_assert_uint_ge(put, 31);
	ck_assert_uint_lt(put, 40);
	ck_assert_uint_eq(ql_mesh_put(m, 0, 1, in, 1), 0);
	ck_assert_uint_eq(ql_mesh_put(m, 2, 1, in, 1), 1);
	ck_assert_uint_eq(ql_mesh_put(m, 0, 2, in, 1), 1);
	ck_assert_uint_eq(ql_mesh_take(m, 1, out, 40), put);
	ck_assert_uint_eq(ql_mesh_take(m, 1, out, 40), 1);
	ck_assert_uint_eq(ql_mesh_take(m, 1, out, 40), 0);
	ql_mesh_free(m);
}
END_TEST

/* The counters go round, at every distance of reader and writer that the largest ring allows. */
START_TEST(counters_go_round)
{
	struct ql_mesh *m = open_mesh(2, QL_MESH_RING_MAX);
	struct ql_datagram d = numbered(0), out[64];
	unsigned int waiting = 0, next = 0, expected = 0, wrong = 0;
	uint64_t seed = 1;

	while (next < 1000000) {
		unsigned int puts = (unsigned int)sim_below(&seed, 40000);
		unsigned int takes = (unsigned int)sim_below(&seed, 40000);

		for (unsigned int i = 0; i < puts; i++) {
			d = numbered(next);
			if (ql_mesh_put(m, 0, 1, &d, 1) == 0) {
				ck_assert_uint_ge(waiting, QL_MESH_RING_MAX - 1);
				break;
			}
			waiting++;
			next++;
		}
		while (takes > 0 && waiting > 0) {
			unsigned int n = ql_mesh_take(m, 1, out, takes < 64 ? takes : 64);

			if (n == 0)
				ck_abort_msg("%u are waiting", waiting);
			for (unsigned int i = 0; i < n; i++, expected++)
				wrong += out[i].path.remote.port != (expected & 0xffff);
			takes -= n;
			waiting -= n;
		}
		ck_assert(waiting == 0 || ql_mesh_pending(m, 1));
	}
	ck_assert_uint_eq(wrong, 0);
	while (ql_mesh_take(m, 1, out, 64) > 0)
		;
	ql_mesh_free(m);
}
END_TEST

START_TEST(frees_what_is_in_it)
{
	struct rte_mempool *pool = sim_env_pool("mesh", 63, 1500);
	struct ql_mesh *m = open_mesh(3, 16);
	unsigned int level = rte_mempool_avail_count(pool);

	for (unsigned int i = 0; i < 9; i++) {
		struct ql_datagram d = {.mbuf = rte_pktmbuf_alloc(pool)};

		ck_assert_uint_eq(ql_mesh_put(m, i % 3, i / 3, &d, 1), 1);
	}
	ck_assert_uint_eq(rte_mempool_avail_count(pool), level - 9);
	ql_mesh_free(m);
	ck_assert_uint_eq(rte_mempool_avail_count(pool), level);
}
END_TEST

/* ---- Threads: also built with ThreadSanitizer, as test_engine_mesh_tsan ---- */

#ifdef QL_TSAN
#define TURNS 3000
#else
#define TURNS 30000
#endif
#define THREADS 3

struct engine {
	struct ql_mesh *m;
	unsigned int index, wrong;
	unsigned int sent[THREADS], next[THREADS]; /* to and from each */
};

/* Up to four to another one, told by their numbers and a place in memory that is the receiver's then. */
static bool send_some(struct engine *e, unsigned int to)
{
	struct ql_datagram d[4];
	unsigned int n = 1 + e->sent[to] % 4, put;

	if (e->sent[to] >= TURNS)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		d[i] = numbered(e->sent[to] + i);
		d[i].mbuf = malloc(sizeof(unsigned int));
		*(unsigned int *)(void *)d[i].mbuf = e->sent[to] + i;
	}
	put = ql_mesh_put(e->m, e->index, to, d, n);
	for (unsigned int i = put; i < n; i++)
		free(d[i].mbuf);
	e->sent[to] += put;
	return put > 0;
}

static bool take_some(struct engine *e)
{
	struct ql_datagram out[16];
	unsigned int n = ql_mesh_take(e->m, e->index, out, 16), from;

	if (n == 0)
		return false;
	from = e->m->places[e->index].next;
	from = from == 0 ? THREADS - 1 : from - 1;
	for (unsigned int i = 0; i < n; i++, e->next[from]++) {
		e->wrong += *(unsigned int *)(void *)out[i].mbuf != e->next[from] ||
			    out[i].path.remote.port != (e->next[from] & 0xffff);
		free(out[i].mbuf);
	}
	return true;
}

static void *run_engine(void *arg)
{
	struct engine *e = arg;
	const unsigned int a = (e->index + 1) % THREADS, b = (e->index + 2) % THREADS;

	while (e->sent[a] < TURNS || e->sent[b] < TURNS || e->next[a] < TURNS ||
	       e->next[b] < TURNS) {
		bool busy = send_some(e, a);

		busy |= send_some(e, b);
		busy |= take_some(e);
		if (!busy)
			sched_yield();
	}
	return NULL;
}

/* Engines that hand over to each other: all comes, in the order of each, and nobody waits for another. */
START_TEST(threads)
{
	struct ql_mesh *m = open_mesh(THREADS, 256);
	struct engine e[THREADS];
	pthread_t t[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		e[i] = (struct engine){.m = m, .index = i};
		ck_assert_int_eq(pthread_create(&t[i], NULL, run_engine, &e[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned int i = 0; i < THREADS; i++) {
		struct ql_datagram out[4];
		unsigned int n;

		while ((n = ql_mesh_take(m, i, out, 4)) >
		       0) /* the last ones may be more than TURNS */
			while (n > 0)
				free(out[--n].mbuf);
		ck_assert_uint_eq(e[i].wrong, 0);
		ck_assert(!ql_mesh_pending(m, i));
	}
	ql_mesh_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/mesh");
	TCase *tc = tcase_create("mesh"), *tt = tcase_create("threads");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, sim_env_init, NULL);
	tcase_set_timeout(tt, 100);
	tcase_add_checked_fixture(tt, sim_env_init, NULL);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, tt);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, places);
	tcase_add_test(tc, order);
	tcase_add_test(tc, full);
	tcase_add_test(tc, counters_go_round);
	tcase_add_test(tc, frees_what_is_in_it);
	tcase_add_test(tt, threads);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
