// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/random.h>

#include "ql_build.h"
#include "crypto/protect.h"
#include "crypto/rng.h"

static const uint8_t seed[QL_RNG_SEED] = {1, 2, 3};

START_TEST(same_seed_same_bytes)
{
	struct ql_rng a, b;
	uint8_t x[1000], y[1000];

	ql_rng_init(&a, seed);
	ql_rng_init(&b, seed);
	ql_rng_bytes(&a, x, sizeof(x));
	/* in other portions */
	for (size_t at = 0, n = 1; at < sizeof(y); at += n, n = (n * 7 + 3) % 300) {
		if (n > sizeof(y) - at)
			n = sizeof(y) - at;
		ql_rng_bytes(&b, y + at, n);
	}
	ck_assert_mem_eq(x, y, sizeof(x));
	ck_assert_uint_eq(ql_rng_u64(&a), ql_rng_u64(&b));
	ck_assert_uint_eq(ql_rng_u32(&a), ql_rng_u32(&b));
}
END_TEST

/* The first bytes, so that seeds of old traces stay valid. */
START_TEST(known_bytes)
{
	static const uint8_t zero[QL_RNG_SEED];
	static const uint8_t known[] = {0x40, 0x5d, 0x6a, 0xe5, 0x98, 0xba, 0x97, 0x7c,
					0xae, 0x7e, 0xd1, 0x08, 0xd5, 0x20, 0xda, 0xaa,
					0x53, 0x86, 0xbd, 0x28, 0x73, 0x2d, 0x08, 0x0d,
					0x19, 0x68, 0xa0, 0x75, 0x3e, 0xd2, 0xbf, 0x0a};
	struct ql_rng a;
	uint8_t x[64];

	ql_rng_init(&a, zero);
	ql_rng_bytes(&a, x, sizeof(x));
	ck_assert_mem_eq(x, known, sizeof(known));
}
END_TEST

START_TEST(seeds_differ)
{
	struct ql_rng a, b;
	uint8_t other[QL_RNG_SEED];

	memcpy(other, seed, sizeof(other));
	other[31] ^= 0x80;
	ql_rng_init(&a, seed);
	ql_rng_init(&b, other);
	ck_assert_uint_ne(ql_rng_u64(&a), ql_rng_u64(&b));
}
END_TEST

/* Nothing that was handed out is left in the generator, and no byte comes twice. */
START_TEST(forgets)
{
	struct ql_rng a;
	uint8_t x[32], last[16];

	ql_rng_init(&a, seed);
	for (int round = 0; round < 100; round++) {
		ql_rng_bytes(&a, x, sizeof(x));
		ck_assert_ptr_null(memmem(&a, sizeof(a), x, 8));
		ck_assert_ptr_null(memmem(&a, sizeof(a), x + 24, 8));
		if (round > 0)
			ck_assert_mem_ne(x, last, sizeof(last));
		memcpy(last, x, sizeof(last));
		uint64_t v = ql_rng_u64(&a);
		ck_assert_ptr_null(memmem(&a, sizeof(a), &v, sizeof(v)));
		uint32_t w = ql_rng_u32(&a);
		ck_assert_ptr_null(memmem(&a, sizeof(a), &w, sizeof(w)));
	}
}
END_TEST

START_TEST(looks_random)
{
	struct ql_rng a;
	unsigned int ones = 0;

	ql_rng_init(&a, seed);
	for (int i = 0; i < 10000; i++)
		ones += (unsigned int)__builtin_popcountll(ql_rng_u64(&a));
	/* 320,000 expected, standard deviation 400 */
	ck_assert_uint_gt(ones, 318000);
	ck_assert_uint_lt(ones, 322000);
}
END_TEST

#if QL_HAVE_WOLFSSL_RAND
START_TEST(attached_to_wolfssl)
{
	struct ql_rng a, b;
	uint8_t x[100], y[100];
	WC_RNG wc;

	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_rng_init(&a, seed);
	ql_rng_init(&b, seed);
	ck_assert_ptr_null(ql_rng_attach(&a));
	ck_assert_int_eq(wc_InitRng(&wc), 0);
	ck_assert_int_eq(wc_RNG_GenerateBlock(&wc, x, sizeof(x)), 0);
	ql_rng_bytes(&b, y, sizeof(y));
	ck_assert_mem_eq(x, y, sizeof(x));

	ck_assert_ptr_eq(ql_rng_attach(NULL), &a);
	ck_assert_int_eq(wc_RNG_GenerateBlock(&wc, x, sizeof(x)), 0);
	ql_rng_bytes(&b, y, sizeof(y));
	ck_assert_mem_ne(x, y, sizeof(x));
	wc_FreeRng(&wc);
}
END_TEST
#endif

int main(void)
{
	Suite *s = suite_create("crypto/rng");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, same_seed_same_bytes);
	tcase_add_test(tc, known_bytes);
	tcase_add_test(tc, seeds_differ);
	tcase_add_test(tc, forgets);
	tcase_add_test(tc, looks_random);
#if QL_HAVE_WOLFSSL_RAND
	tcase_add_test(tc, attached_to_wolfssl);
#endif
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
