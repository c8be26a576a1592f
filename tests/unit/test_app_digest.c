// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define ABC "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"

/* What openssl dgst -sha256 -binary | base64 prints. */
START_TEST(values)
{
	char value[QL_DIGEST];
	struct ql_digest *d = ql_digest_new();

	ql_digest_value(d, value);
	ck_assert_str_eq(value, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
	ql_digest_free(d);
	d = ql_digest_new();
	ql_digest_add(d, "a", 1);
	ql_digest_add(d, "", 0);
	ql_digest_add(d, "bc", 2);
	ql_digest_value(d, value);
	ck_assert_str_eq(value, ABC);
	ql_digest_free(d);
	ql_digest_free(NULL);
}
END_TEST

START_TEST(agreement)
{
	static const char *const good[] = {
		NULL,	      "",	 ABC,	       " " ABC " ", "sha-512=:AAAA:, " ABC,
		"md5=:AAAA:", "sha-256", "rubbish,,,",
	};
	static const char *const bad[] = {
		"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
		"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
		"sha-256=::",
		"md5=:AAAA:,sha-256=:AAAA:",
	};

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(ql_digest_agrees(good[i], ABC), "%u", i);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!ql_digest_agrees(bad[i], ABC), "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/digest");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, values);
	tcase_add_test(tc, agreement);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
