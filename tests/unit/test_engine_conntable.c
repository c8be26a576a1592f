// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connections by slot and by client-chosen ID.
 */
#include "test_engine_util.h"

#include <errno.h>
#include <string.h>

#include "engine/conntable.h"

static const struct ql_sipkey key = {1, 2};

/* Stands for a connection: the table only keeps the pointer. */
static struct ql_engine_conn *conn(uintptr_t n)
{
	return (struct ql_engine_conn *)(n + 1);
}

START_TEST(test_slots)
{
	enum { N = 100 };
	unsigned int last[N] = {0}, turn = 0;
	struct ql_conntable t;
	uint32_t slots[N];

	ck_assert_int_eq(ql_conntable_init(&t, N, 10, -1, &key), 0);
	for (uint32_t i = 0; i < N; i++) {
		slots[i] = ql_conntable_take(&t, conn(i));
		ck_assert_uint_lt(slots[i], N);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(slots[k], slots[i]);
	}
	ck_assert_uint_eq(ql_conntable_take(&t, conn(0)), QL_SLOT_NONE);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_ptr_eq(ql_conntable_at(&t, slots[i]), conn(i));
	ck_assert_ptr_null(ql_conntable_at(&t, N));
	ck_assert_ptr_null(ql_conntable_at(&t, (1u << 24) - 1));
	ck_assert_ptr_null(ql_conntable_at(&t, UINT32_MAX));
	for (uint32_t i = 0; i < N; i++) {
		ql_conntable_release(&t, slots[i]);
		ck_assert_ptr_null(ql_conntable_at(&t, slots[i]));
	}
	/* One at a time: a slot that became free comes back after all the others. */
	for (turn = 1; turn < 5 * N; turn++) {
		uint32_t slot = ql_conntable_take(&t, conn(turn));

		ck_assert_uint_lt(slot, N);
		if (last[slot])
			ck_assert_uint_eq(turn - last[slot], N);
		last[slot] = turn;
		ck_assert_ptr_eq(ql_conntable_at(&t, slot), conn(turn));
		ql_conntable_release(&t, slot);
	}
	ql_conntable_fini(&t);
}
END_TEST

/* All three of ID, its length and the address count. */
START_TEST(test_initial_key)
{
	struct ql_addr a = {.ip = {1}, .port = 1000}, b = {.ip = {1}, .port = 1001},
		       c = {.ip = {2}, .port = 1000};
	static const uint8_t id[QL_CID_MAX] = {1, 2, 3, 4, 5, 6, 7, 8}, zero[QL_CID_MAX];
	struct ql_initial_key k[6];
	struct ql_conntable t;

	ck_assert_int_eq(ql_conntable_init(&t, 10, 10, -1, &key), 0);
	memset(k, 0xff, sizeof(k)); /* what was there must not matter */
	ql_initial_key(&k[0], id, 8, &a);
	ql_initial_key(&k[1], id, 9, &a); /* its ninth byte is 0 */
	ql_initial_key(&k[2], id, 8, &b);
	ql_initial_key(&k[3], id, 8, &c);
	ql_initial_key(&k[4], zero, 8, &a);
	ql_initial_key(&k[5], id, 20, &a);
	for (unsigned int i = 0; i < 6; i++) {
		ck_assert_ptr_null(ql_conntable_find(&t, &k[i]));
		ck_assert_int_eq(ql_conntable_add(&t, &k[i], conn(i)), 0);
	}
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_ptr_eq(ql_conntable_find(&t, &k[i]), conn(i));
	ql_conntable_del(&t, &k[2]);
	ql_conntable_del(&t, &k[2]);
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_ptr_eq(ql_conntable_find(&t, &k[i]), i == 2 ? NULL : conn(i));
	ql_conntable_fini(&t);
}
END_TEST

/* It takes what it was made for, many times over, and says so when it is full. */
START_TEST(test_full)
{
	enum { N = 1000 };
	struct ql_addr a = {.port = 1};
	struct ql_initial_key k;
	struct ql_conntable t;
	unsigned int n;
	uint64_t id;

	ck_assert_int_eq(ql_conntable_init(&t, N, N, -1, &key), 0);
	for (unsigned int round = 0; round < 20; round++) {
		for (id = 0; id < N; id++) {
			uint64_t v = round * N + id;

			ql_initial_key(&k, (const uint8_t *)&v, sizeof(v), &a);
			ck_assert_int_eq(ql_conntable_add(&t, &k, conn(id)), 0);
		}
		for (id = 0; id < N; id++) {
			uint64_t v = round * N + id;

			ql_initial_key(&k, (const uint8_t *)&v, sizeof(v), &a);
			ck_assert_ptr_eq(ql_conntable_find(&t, &k), conn(id));
			ql_conntable_del(&t, &k);
			ck_assert_ptr_null(ql_conntable_find(&t, &k));
		}
	}
	for (n = 0, id = 0; id < 10 * N; id++) {
		int rc;

		ql_initial_key(&k, (const uint8_t *)&id, sizeof(id), &a);
		rc = ql_conntable_add(&t, &k, conn(id));
		ck_assert(rc == 0 || rc == -ENOSPC);
		n += rc == 0;
		ck_assert_ptr_eq(ql_conntable_find(&t, &k), rc == 0 ? conn(id) : NULL);
	}
	ck_assert_uint_ge(n, N);
	ck_assert_uint_lt(n, 10 * N);
	ql_conntable_fini(&t);
}
END_TEST

/* Too large for what there is: an error, and nothing kept. */
START_TEST(test_no_memory)
{
	struct ql_conntable t;

	ck_assert_int_eq(ql_conntable_init(&t, 1u << 30, 10, -1, &key), -ENOMEM);
	ck_assert_ptr_null(t.slots);
	ck_assert_int_eq(ql_conntable_init(&t, 10, 10, -1, &key), 0);
	ql_conntable_fini(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/conntable");
	TCase *tc = new_case(s, "conntable");

	tcase_add_test(tc, test_slots);
	tcase_add_test(tc, test_initial_key);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_no_memory);
	return run_suite(s);
}
