// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/curve25519.h>

#include "crypto/rng.h"
#include "crypto/x25519.h"

#define LEN QL_X25519_LEN

static const uint8_t base[LEN] = {9};

static void from_hex(uint8_t out[LEN], const char *hex)
{
	for (int i = 0; i < LEN; i++) {
		unsigned int value;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
		out[i] = (uint8_t)value;
	}
}

static void clamp(uint8_t secret[LEN])
{
	secret[0] &= 248;
	secret[LEN - 1] = (uint8_t)((secret[LEN - 1] & 127) | 64);
}

/* RFC 7748, section 5.2 */
START_TEST(vectors)
{
	static const struct {
		const char *secret, *peer, *shared;
	} v[] = {
		{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
		{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	};
	uint8_t secret[LEN], peer[LEN], expected[LEN], shared[LEN];

	from_hex(secret, v[_i].secret);
	from_hex(peer, v[_i].peer);
	from_hex(expected, v[_i].shared);
	clamp(secret);
	ql_x25519_shared(shared, secret, peer);
	ck_assert_mem_eq(shared, expected, LEN);
}
END_TEST

/* The same section: a result is the next number, and that the next point, 1,000 times. */
START_TEST(iterated)
{
	uint8_t k[LEN], u[LEN], secret[LEN], r[LEN], expected[LEN];

	memcpy(k, base, LEN);
	memcpy(u, base, LEN);
	for (int i = 0; i < 1000; i++) {
		memcpy(secret, k, LEN);
		clamp(secret);
		ql_x25519_shared(r, secret, u);
		memcpy(u, k, LEN);
		memcpy(k, r, LEN);
		if (i == 0) {
			from_hex(expected, "422c8e7a6227d7bca1350b3e2bb7279f"
					   "7897b87bb6854b783c60e80311ae3079");
			ck_assert_mem_eq(k, expected, LEN);
		}
	}
	from_hex(expected, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
	ck_assert_mem_eq(k, expected, LEN);
}
END_TEST

/* Section 6.1, both ends. */
START_TEST(both_ends)
{
	static const char *const secrets[2] = {
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	};
	static const char *const publics[2] = {
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	};
	uint8_t secret[LEN], peer[LEN], public[LEN], shared[LEN], expected[LEN];

	from_hex(secret, secrets[_i]);
	from_hex(peer, publics[1 - _i]);
	clamp(secret);
	ql_x25519_pair(public, shared, secret, peer);
	from_hex(expected, publics[_i]);
	ck_assert_mem_eq(public, expected, LEN);
	from_hex(expected, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	ck_assert_mem_eq(shared, expected, LEN);
}
END_TEST

/* What wolfCrypt computes, which here is its own code: nothing is installed. */
static void compare(const uint8_t secret[LEN], const uint8_t peer[LEN])
{
	uint8_t public[LEN], shared[LEN], expected[LEN];

	ql_x25519_pair(public, shared, secret, peer);
	ck_assert_int_eq(wc_curve25519_make_pub(LEN, expected, LEN, secret), 0);
	ck_assert_mem_eq(public, expected, LEN);
	ck_assert_int_eq(wc_curve25519_generic(LEN, expected, LEN, secret, LEN, peer), 0);
	ck_assert_mem_eq(shared, expected, LEN);
	ql_x25519_shared(shared, secret, peer);
	ck_assert_mem_eq(shared, expected, LEN);
}

START_TEST(random_pairs)
{
	uint8_t secret[LEN], peer[LEN];
	struct ql_rng rng;

	ql_rng_init(&rng, (uint8_t[QL_RNG_SEED]){(uint8_t)_i});
	for (int i = 0; i < 500; i++) {
		ql_rng_bytes(&rng, secret, LEN);
		ql_rng_bytes(&rng, peer, LEN); /* on the curve or on its twist */
		peer[LEN - 1] &= 0x7f;
		clamp(secret);
		compare(secret, peer);
	}
}
END_TEST

/* The first that are not reduced, of 2^255 - 19 and above: 19 of them. */
#define TWICE 0xed

/* Numbers whose limbs are all ones or zeros, near 0 and p, at both ends of the secret's range. */
START_TEST(edges)
{
	static const uint8_t fill[] = {0x00, 0xff, 0x55, 0x80, 0x01};
	uint8_t secret[LEN], peer[LEN];

	for (size_t s = 0; s < sizeof(fill); s++) {
		memset(secret, fill[s], LEN);
		clamp(secret);
		for (size_t f = 0; f < sizeof(fill); f++) {
			for (int low = 0; low < 256; low++) {
				memset(peer, fill[f], LEN);
				peer[0] = (uint8_t)low;
				peer[LEN - 1] &= 0x7f;
				if (fill[f] == 0xff && low >= TWICE)
					continue;
				if (fill[f] == 0 && low == 2)
					continue; /* wolfCrypt 5.9.2 is wrong there */
				compare(secret, peer);
			}
		}
	}
}
END_TEST

/* Numbers of p and above, and whatever the highest bit is (section 5). */
START_TEST(not_reduced)
{
	uint8_t secret[LEN], peer[LEN], shared[LEN], expected[LEN];

	memset(secret, 0x55, LEN);
	clamp(secret);
	memset(peer, 0, LEN);
	peer[0] = (uint8_t)_i;
	ql_x25519_shared(expected, secret, peer);
	if (_i == 2) { /* by the RFC's formulas, in Python */
		from_hex(shared,
			 "a9b99e847cc458c6576e47c095f8d5e64a72aaf9be4949b7a6d24e64da8a6c6b");
		ck_assert_mem_eq(shared, expected, LEN);
	}
	peer[LEN - 1] = 0x80;
	ql_x25519_shared(shared, secret, peer);
	ck_assert_mem_eq(shared, expected, LEN);
	memset(peer, 0xff, LEN);
	peer[0] = (uint8_t)(TWICE + _i);
	ql_x25519_shared(shared, secret, peer);
	ck_assert_mem_eq(shared, expected, LEN);
	peer[LEN - 1] = 0x7f;
	ql_x25519_shared(shared, secret, peer);
	ck_assert_mem_eq(shared, expected, LEN);
}
END_TEST

/* Points of small order give zero, and the public key is right all the same. */
START_TEST(small_order)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t secret[LEN], peer[LEN], public[LEN], shared[LEN], expected[LEN];

	memset(secret, 0x35, LEN);
	clamp(secret);
	from_hex(peer, points[_i]);
	ql_x25519_pair(public, shared, secret, peer);
	ck_assert_int_eq(wc_curve25519_make_pub(LEN, expected, LEN, secret), 0);
	ck_assert_mem_eq(public, expected, LEN);
	memset(expected, 0, LEN);
	ck_assert_mem_eq(shared, expected, LEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/x25519");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	if (!ql_x25519_usable()) {
		puts("this CPU has no AVX-512 IFMA");
		return 77; /* skipped */
	}
	tcase_add_loop_test(tc, vectors, 0, 2);
	tcase_add_test(tc, iterated);
	tcase_add_loop_test(tc, both_ends, 0, 2);
	tcase_add_loop_test(tc, random_pairs, 0, 4);
	tcase_add_test(tc, edges);
	tcase_add_loop_test(tc, not_reduced, 0, 19);
	tcase_add_loop_test(tc, small_order, 0, 7);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
