// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "crypto/secret.h"
#include "crypto_vectors.h"

static void check_hex(const uint8_t *bytes, const char *hex)
{
	uint8_t expected[64];
	size_t n = unhex(hex, expected, sizeof(expected));

	ck_assert_mem_eq(bytes, expected, n);
}

static void check_keys(uint32_t version, const struct ql_secret *secret,
		       const struct vector_keys *expected)
{
	struct ql_key_material k;

	check_hex(secret->bytes, expected->secret);
	ck_assert_int_eq(ql_secret_expand(version, secret, &k), 0);
	check_hex(k.key, expected->key);
	check_hex(k.iv, expected->iv);
	check_hex(k.hp, expected->hp);
}

START_TEST(initial)
{
	const struct vectors *v = &vectors[_i];
	struct ql_secret client, server;
	uint8_t dcid[8];

	unhex(VECTOR_DCID, dcid, sizeof(dcid));
	ck_assert_int_eq(ql_initial_secrets(v->version, dcid, sizeof(dcid), &client, &server), 0);
	ck_assert_uint_eq(client.suite, QL_AES128_GCM_SHA256);
	ck_assert_uint_eq(client.len, 32);
	ck_assert_uint_eq(server.suite, QL_AES128_GCM_SHA256);
	ck_assert_uint_eq(server.len, 32);
	check_keys(v->version, &client, &v->client);
	check_keys(v->version, &server, &v->server);
}
END_TEST

START_TEST(chacha20_and_update)
{
	const struct vectors *v = &vectors[_i];
	struct ql_secret secret = {.suite = QL_CHACHA20_POLY1305_SHA256, .len = 32};

	unhex(v->short_keys.secret, secret.bytes, sizeof(secret.bytes));
	check_keys(v->version, &secret, &v->short_keys);
	ck_assert_int_eq(ql_secret_next(v->version, &secret), 0);
	check_hex(secret.bytes, v->short_ku);
	ck_assert_uint_eq(secret.suite, QL_CHACHA20_POLY1305_SHA256);
	ck_assert_uint_eq(secret.len, 32);
}
END_TEST

/* 48-byte secrets by SHA-384; computed with Python's hmac. */
START_TEST(sha384)
{
	struct ql_secret secret = {.suite = QL_AES256_GCM_SHA384, .len = 48};
	struct ql_key_material k;

	for (unsigned int i = 0; i < 48; i++)
		secret.bytes[i] = (uint8_t)i;
	ck_assert_int_eq(ql_secret_expand(QL_VERSION_1, &secret, &k), 0);
	check_hex(k.key, "95c517eea81b6469ff8f27a065fd04c1a27b3023591b93e273a9df5f921d1f68");
	check_hex(k.iv, "a8d8316bf5bb0bbfa74cbf17");
	check_hex(k.hp, "307135de335efef95873468a03d3dfa1e38050df7cc6ab7f22fd7aced73b66e5");
	ck_assert_int_eq(ql_secret_next(QL_VERSION_1, &secret), 0);
	check_hex(secret.bytes, "d21f524277390ba96b86484d9c687f850f1e4d1f997033bba06051129179a762a9"
				"4067d065f3f715e83d65a7bf8c79b9");
}
END_TEST

START_TEST(unknown_version)
{
	struct ql_secret a = {.len = 32}, b, before = a;
	struct ql_key_material k;

	ck_assert_int_eq(ql_initial_secrets(0xff00001d, a.bytes, 8, &a, &b), -EPROTONOSUPPORT);
	ck_assert_int_eq(ql_secret_expand(0, &a, &k), -EPROTONOSUPPORT);
	ck_assert_int_eq(ql_secret_next(0x1a2a3a4a, &a), -EPROTONOSUPPORT);
	ck_assert_mem_eq(&a, &before, sizeof(a));
}
END_TEST

START_TEST(wipe)
{
	uint8_t x[16];

	memset(x, 7, sizeof(x));
	ql_wipe(x, 15);
	for (int i = 0; i < 15; i++)
		ck_assert_uint_eq(x[i], 0);
	ck_assert_uint_eq(x[15], 7);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/secret");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, initial, 0, 2);
	tcase_add_loop_test(tc, chacha20_and_update, 0, 2);
	tcase_add_test(tc, sha384);
	tcase_add_test(tc, unknown_version);
	tcase_add_test(tc, wipe);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
