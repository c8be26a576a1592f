// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connection IDs: what ours tell and hide, and the rules of RFC 9000, sections 5.1, 19.15, 19.16.
 */
#include <check.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include <qlane/error.h>

#include "conn/cid.h"
#include "wire/frame.h"

static struct ql_rng rng;
static struct ql_cid_key key;

static void setup(void)
{
	static const uint8_t seed[QL_RNG_SEED] = {1};

	ql_rng_init(&rng, seed);
	ql_cid_key_init(&key, &rng);
}

/* ---- Ours ---- */

START_TEST(test_make)
{
	static const uint32_t slots[] = {0, 1, 255, 256, 65535, 65536, QL_CID_SLOTS - 1};
	struct ql_cid a, b;

	for (unsigned int lcore = 0; lcore < 256; lcore += 51) {
		for (unsigned int i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
			ql_local_cid_make(&key, &rng, (uint16_t)lcore, slots[i], &a);
			ql_local_cid_make(&key, &rng, (uint16_t)lcore, slots[i], &b);
			ck_assert_uint_eq(a.len, QL_LOCAL_CID_LEN);
			ck_assert_uint_eq(a.id[0], 0xe0 | (QL_LOCAL_CID_LEN - 1));
			/* bytes 1 and 2 in network order: low bits */
			ck_assert_uint_eq(a.id[2], lcore);
			ck_assert_uint_eq(ql_local_cid_slot(&key, a.id), slots[i]);
			ck_assert_uint_eq(ql_local_cid_slot(&key, b.id), slots[i]);
			ck_assert(!ql_cid_eq(&a, &b));
			/* the slot does not show */
			ck_assert(memcmp(a.id + 3, b.id + 3, 3) != 0);
		}
	}
}
END_TEST

/* Another engine's key reads another slot, and tokens differ by ID and by key. */
START_TEST(test_keys)
{
	uint8_t t1[QL_RESET_TOKEN_LEN], t2[QL_RESET_TOKEN_LEN];
	struct ql_cid_key other;
	unsigned int same = 0;
	struct ql_cid a, b;

	ql_cid_key_init(&other, &rng);
	for (unsigned int i = 0; i < 100; i++) {
		ql_local_cid_make(&key, &rng, 0, 7, &a);
		same += ql_local_cid_slot(&other, a.id) == 7;
		ck_assert_uint_lt(ql_local_cid_slot(&other, a.id), QL_CID_SLOTS);
	}
	ck_assert_uint_lt(same, 3);
	ql_local_cid_make(&key, &rng, 0, 7, &b);
	ql_reset_token(&key, &a, t1);
	ql_reset_token(&key, &a, t2);
	ck_assert_mem_eq(t1, t2, sizeof(t1));
	ck_assert(memcmp(t1, t1 + 8, 8) != 0);
	ql_reset_token(&key, &b, t2);
	ck_assert_mem_ne(t1, t2, sizeof(t1));
	ql_reset_token(&other, &a, t2);
	ck_assert_mem_ne(t1, t2, sizeof(t1));
}
END_TEST

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, QL_LOCAL_CID_LEN);
}

/*
 * An ID is not made twice, not even by an engine that starts anew with the same key: its token may
 * have been shown (RFC 9000, 10.3.2).
 */
START_TEST(test_unique)
{
	static uint8_t ids[1 << 16][QL_LOCAL_CID_LEN];
	const size_t n = sizeof(ids) / sizeof(ids[0]);
	const uint8_t seed[32] = {9};
	struct ql_rng anew;

	ql_rng_init(&anew, seed);
	for (size_t i = 0; i < n; i++) {
		struct ql_cid id;

		ql_local_cid_make(&key, i < n / 2 ? &rng : &anew, 3, 7, &id);
		memcpy(ids[i], id.id, sizeof(ids[i]));
	}
	qsort(ids, n, sizeof(ids[0]), by_bytes);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_ne(memcmp(ids[i - 1], ids[i], sizeof(ids[i])), 0);
}
END_TEST

START_TEST(test_local)
{
	struct ql_local_cids l = {0};
	struct ql_cid stranger;
	uint64_t seq;

	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		ql_local_cid_make(&key, &rng, 0, 7, &l.e[i].cid);
		l.e[i].used = true;
		l.e[i].seq = l.next_seq++;
	}
	ql_local_cid_make(&key, &rng, 0, 7, &stranger);
	ck_assert(!ql_local_cids_find(&l, stranger.id, &seq));
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		struct ql_cid changed = l.e[i].cid;

		ck_assert(ql_local_cids_find(&l, l.e[i].cid.id, &seq));
		ck_assert_uint_eq(seq, i);
		for (unsigned int b = 0; b < 8 * QL_LOCAL_CID_LEN; b++) {
			changed.id[b / 8] ^= (uint8_t)(1u << b % 8);
			ck_assert(!ql_local_cids_find(&l, changed.id, &seq));
			changed.id[b / 8] ^= (uint8_t)(1u << b % 8);
		}
	}
	ck_assert_int_eq(ql_local_cids_retire(&l, QL_LOCAL_CIDS, 0), -EPROTO); /* never issued */
	ck_assert_int_eq(ql_local_cids_retire(&l, UINT64_MAX, 0), -EPROTO);
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 2), -EPROTO); /* it came to that one */
	ck_assert(ql_local_cids_find(&l, l.e[2].cid.id, &seq));
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 1), 0);
	ck_assert(!ql_local_cids_find(&l, l.e[2].cid.id, &seq));
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 1), 0); /* sent twice */
	ck_assert(ql_local_cids_find(&l, l.e[1].cid.id, &seq));
}
END_TEST

/* ---- The peer's ---- */

static struct ql_frame_new_cid new_cid(uint64_t seq, uint64_t prior, uint8_t id)
{
	struct ql_frame_new_cid f = {.seq = seq, .retire_prior_to = prior};

	f.cid.len = 8;
	memset(f.cid.id, id, 8);
	f.reset_token = (const uint8_t *)"0123456789abcdef";
	return f;
}

static struct ql_peer_cids first(void)
{
	struct ql_peer_cids p = {0};

	p.e[0].used = true;
	p.e[0].cid.len = 8;
	return p;
}

static uint64_t add(struct ql_peer_cids *p, uint64_t seq, uint64_t prior, uint8_t id)
{
	struct ql_frame_new_cid f = new_cid(seq, prior, id);

	return ql_peer_cids_add(p, &f);
}

static unsigned int in_use(const struct ql_peer_cids *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
		n += p->e[i].used;
	return n;
}

START_TEST(test_peer_add)
{
	struct ql_peer_cids p = first();
	struct ql_frame_new_cid f;

	for (uint8_t i = 1; i < QL_PEER_CIDS; i++)
		ck_assert_uint_eq(add(&p, i, 0, i), 0);
	ck_assert_uint_eq(in_use(&p), QL_PEER_CIDS);
	ck_assert_uint_eq(p.current, 0);
	ck_assert_uint_eq(add(&p, 2, 0, 2), 0); /* the same again */
	ck_assert_uint_eq(in_use(&p), QL_PEER_CIDS);
	ck_assert_uint_eq(add(&p, QL_PEER_CIDS, 0, 99), QL_ERR_CONNECTION_ID_LIMIT_ERROR);
	ck_assert_uint_eq(add(&p, 2, 0, 3), QL_ERR_PROTOCOL_VIOLATION);	 /* ID of 3 */
	ck_assert_uint_eq(add(&p, 2, 0, 98), QL_ERR_PROTOCOL_VIOLATION); /* another ID */
	ck_assert_uint_eq(add(&p, 97, 0, 2), QL_ERR_PROTOCOL_VIOLATION); /* another number */
	f = new_cid(2, 0, 2);
	f.reset_token = (const uint8_t *)"0123456789abcdeF";
	ck_assert_uint_eq(ql_peer_cids_add(&p, &f), QL_ERR_PROTOCOL_VIOLATION);
}
END_TEST

START_TEST(test_peer_retire)
{
	struct ql_peer_cids p = first();

	ck_assert_uint_eq(add(&p, 1, 0, 1), 0);
	ck_assert_uint_eq(add(&p, 2, 2, 2), 0); /* 0, in use, and 1 have to go */
	ck_assert_uint_eq(in_use(&p), 1);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 2);
	ck_assert_uint_eq(p.n_retire, 2);
	ck_assert_uint_eq(p.retire[0] + p.retire[1], 1);
	/* One that was overtaken: retired at once, and again if it comes again; said once. */
	ck_assert_uint_eq(add(&p, 1, 0, 77), 0);
	ck_assert_uint_eq(p.n_retire, 2);
	p.n_retire = 0;
	ck_assert_uint_eq(add(&p, 1, 0, 77), 0);
	ck_assert_uint_eq(p.n_retire, 1);
	ck_assert_uint_eq(p.retire[0], 1);
	ck_assert_uint_eq(in_use(&p), 1);
	/* retire_prior_to never goes back */
	ck_assert_uint_eq(add(&p, 3, 1, 3), 0);
	ck_assert_uint_eq(p.retire_prior_to, 2);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 2);
	/* a full set, all of it replaced by one */
	ck_assert_uint_eq(add(&p, 4, 2, 4), 0);
	ck_assert_uint_eq(add(&p, 5, 2, 5), 0);
	ck_assert_uint_eq(add(&p, 6, 6, 6), 0);
	ck_assert_uint_eq(in_use(&p), 1);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 6);
	ck_assert_uint_eq(p.n_retire, 5);
}
END_TEST

/* Rising retire_prior_to without an end, while nothing of ours gets out: bounded, then an error. */
START_TEST(test_peer_flood)
{
	struct ql_peer_cids p = first();
	uint64_t err = 0;
	unsigned int n;

	for (n = 1; n < 100000 && err == 0; n++)
		err = add(&p, n, n, (uint8_t)n);
	ck_assert_uint_eq(err, QL_ERR_CONNECTION_ID_LIMIT_ERROR);
	ck_assert_uint_eq(n, QL_PEER_CIDS_RETIRE + 2);
	ck_assert_uint_le(p.n_retire, QL_PEER_CIDS_RETIRE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/cid");
	TCase *tc = tcase_create("cid");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_make);
	tcase_add_test(tc, test_keys);
	tcase_add_test(tc, test_unique);
	tcase_add_test(tc, test_local);
	tcase_add_test(tc, test_peer_add);
	tcase_add_test(tc, test_peer_retire);
	tcase_add_test(tc, test_peer_flood);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
