// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/period.h"

static uint8_t region[1 << 20] __attribute__((aligned(64)));
static struct ql_mem mem;
static struct ql_period_keys keys;
static uint8_t secret[QL_PERIOD_SECRET];

static void setup(void)
{
	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&mem, region, sizeof(region));
	for (unsigned int i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	ck_assert_int_eq(ql_period_keys_init(&keys, &mem, secret, "qlane test"), 0);
}

static void teardown(void)
{
	ql_period_keys_fini(&keys);
	ql_period_keys_fini(&keys); /* again: nothing */
	ck_assert_uint_eq(mem.used, 0);
}

/* "period" under the key, with a nonce of zeroes. */
static void seal(const struct ql_aead *aead, uint8_t out[6 + QL_TAG_LEN])
{
	static const uint8_t nonce[QL_IV_LEN];

	memcpy(out, "period", 6);
	ck_assert_ptr_nonnull(aead);
	ql_aead_seal(aead, nonce, (const uint8_t *)"aad", 3, out, 6);
}

/*
 * HKDF-Expand(SHA-256, secret, label, a zero byte, the period in eight bytes) is the key: what
 * Python's cryptography makes of that. Fleets rely on it, across versions of this library.
 */
START_TEST(vectors)
{
	static const struct {
		uint64_t period;
		uint8_t sealed[6 + QL_TAG_LEN];
	} cases[] = {
		{0, {0xb6, 0x85, 0xa9, 0x4c, 0x11, 0x13, 0x7e, 0xcd, 0x67, 0x8a, 0x53,
		     0xb7, 0x6d, 0xd7, 0x3f, 0x4f, 0x5b, 0xb2, 0x64, 0x8e, 0x14, 0xa2}},
		{1, {0x1a, 0x21, 0xa2, 0x0a, 0xc8, 0x80, 0xb9, 0xf8, 0xc2, 0x3c, 0xc7,
		     0xab, 0xbd, 0x99, 0xe6, 0xf6, 0xa5, 0xe2, 0x19, 0xcf, 0x7e, 0x57}},
		{41234, {0x73, 0xa9, 0xe3, 0x01, 0x10, 0x0b, 0x00, 0xd0, 0x03, 0x5d, 0xf2,
			 0x18, 0x56, 0x5d, 0xef, 0x66, 0x18, 0x2e, 0x2b, 0x04, 0xd1, 0xad}},
	};
	uint8_t sealed[6 + QL_TAG_LEN];

	seal(ql_period_key(&keys, cases[_i].period), sealed);
	ck_assert_mem_eq(sealed, cases[_i].sealed, sizeof(sealed));
}
END_TEST

/* Two periods are at hand; a third one takes the place of that two before, and can be had again. */
START_TEST(turns)
{
	uint8_t first[6 + QL_TAG_LEN], sealed[6 + QL_TAG_LEN];
	size_t used = mem.used;

	seal(ql_period_key(&keys, 10), first);
	for (uint64_t period = 11; period < 20; period++) {
		seal(ql_period_key(&keys, period), sealed);
		ck_assert_mem_ne(sealed, first, sizeof(sealed));
		ck_assert_ptr_eq(ql_period_key(&keys, period), &keys.now.keys[period & 1].aead);
		ck_assert_uint_eq(keys.now.keys[~period & 1].period, period - 1);
		ck_assert_uint_eq(mem.used, used);
	}
	seal(ql_period_key(&keys, 10), sealed);
	ck_assert_mem_eq(sealed, first, sizeof(sealed));
}
END_TEST

/* Another label, or another secret: other keys. */
START_TEST(apart)
{
	uint8_t sealed[3][6 + QL_TAG_LEN];
	struct ql_period_keys other;

	seal(ql_period_key(&keys, 7), sealed[0]);
	ck_assert_int_eq(ql_period_keys_init(&other, &mem, secret, "qlane test2"), 0);
	seal(ql_period_key(&other, 7), sealed[1]);
	ql_period_keys_fini(&other);
	secret[31] ^= 1;
	ck_assert_int_eq(ql_period_keys_init(&other, &mem, secret, "qlane test"), 0);
	seal(ql_period_key(&other, 7), sealed[2]);
	ql_period_keys_fini(&other);
	ck_assert_mem_ne(sealed[0], sealed[1], sizeof(sealed[0]));
	ck_assert_mem_ne(sealed[0], sealed[2], sizeof(sealed[0]));
	ck_assert_mem_ne(sealed[1], sealed[2], sizeof(sealed[0]));
}
END_TEST

static bool opens(uint64_t period, const uint8_t sealed[6 + QL_TAG_LEN])
{
	static const uint8_t nonce[QL_IV_LEN];
	uint8_t opened[6 + QL_TAG_LEN];
	bool good =
		ql_period_open(&keys, period, nonce, (const uint8_t *)"aad", 3, sealed, 6, opened);

	ck_assert(!good || memcmp(opened, "period", 6) == 0);
	return good;
}

/* What the secret before has sealed goes on opening, and what the one before that has does not. */
START_TEST(another_secret)
{
	static void *all[sizeof(region) / 64];
	static size_t sizes[sizeof(region) / 64];
	uint8_t sealed[3][6 + QL_TAG_LEN];
	size_t n = 0;

	seal(ql_period_key(&keys, 5), sealed[0]);
	ck_assert(opens(5, sealed[0]));
	ck_assert(!opens(6, sealed[0]));
	for (unsigned int i = 1; i < 3; i++) {
		secret[0] = (uint8_t)(100 + i);
		ck_assert_int_eq(ql_period_keys_rekey(&keys, secret), 0);
		seal(ql_period_key(&keys, 5), sealed[i]);
		ck_assert_mem_ne(sealed[i], sealed[i - 1], sizeof(sealed[i]));
		ck_assert(opens(5, sealed[i]));
		ck_assert(opens(5, sealed[i - 1]));
	}
	ck_assert(!opens(5, sealed[0]));
	sealed[2][0] ^= 1;
	ck_assert(!opens(5, sealed[2]));
	/* without memory all stays as it is */
	for (size_t size = 64; size <= 4096; size *= 2) {
		while ((all[n] = ql_mem_alloc(&mem, size)) != NULL)
			sizes[n++] = size;
	}
	ck_assert_int_eq(ql_period_keys_rekey(&keys, secret), -ENOMEM);
	ck_assert(opens(5, sealed[1]));
	while (n-- > 0)
		ql_mem_free(&mem, all[n], sizes[n]);
}
END_TEST

/* Without memory there is no key, and nothing is left behind; with some again there is one. */
START_TEST(out_of_memory)
{
	struct ql_period_keys other;
	struct ql_mem none;
	size_t size = 0;
	int rc;

	do {
		memset(region + sizeof(region) / 2, 0, sizeof(region) / 2);
		ql_mem_init(&none, region + sizeof(region) / 2, size);
		rc = ql_period_keys_init(&other, &none, secret, "qlane test");
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert(rc == 0 || none.used == 0);
		size += 4096;
		ck_assert_uint_lt(size, sizeof(region) / 2);
	} while (rc < 0);
	ql_period_keys_fini(&other);
	ck_assert_uint_eq(none.used, 0);
	ck_assert_uint_gt(size, 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/period");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, vectors, 0, 3);
	tcase_add_test(tc, turns);
	tcase_add_test(tc, apart);
	tcase_add_test(tc, another_secret);
	tcase_add_test(tc, out_of_memory);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
