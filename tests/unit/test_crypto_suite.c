// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "crypto/suite.h"

START_TEST(from_tls)
{
	ck_assert_int_eq(ql_suite_from_tls(0x1301), QL_AES128_GCM_SHA256);
	ck_assert_int_eq(ql_suite_from_tls(0x1302), QL_AES256_GCM_SHA384);
	ck_assert_int_eq(ql_suite_from_tls(0x1303), QL_CHACHA20_POLY1305_SHA256);
	ck_assert_int_eq(ql_suite_from_tls(0x1304), -EINVAL); /* CCM */
	ck_assert_int_eq(ql_suite_from_tls(0), -EINVAL);
}
END_TEST

START_TEST(sizes_and_limits)
{
	static const struct {
		uint8_t key, hash;
		uint64_t confidentiality, integrity;
	} expected[QL_SUITES] = {
		{16, 32, UINT64_C(8388608), UINT64_C(4503599627370496)},
		{32, 48, UINT64_C(8388608), UINT64_C(4503599627370496)},
		{32, 32, UINT64_C(4611686018427387904), UINT64_C(68719476736)},
	};

	ck_assert_uint_eq(ql_suites[_i].key_len, expected[_i].key);
	ck_assert_uint_eq(ql_suites[_i].hash_len, expected[_i].hash);
	ck_assert_uint_eq(ql_suites[_i].confidentiality_limit, expected[_i].confidentiality);
	ck_assert_uint_eq(ql_suites[_i].integrity_limit, expected[_i].integrity);
	ck_assert_uint_le(ql_suites[_i].key_len, QL_KEY_MAX);
	ck_assert_uint_le(ql_suites[_i].hash_len, QL_HASH_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/suite");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, from_tls);
	tcase_add_loop_test(tc, sizes_and_limits, 0, QL_SUITES);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
