// SPDX-License-Identifier: BSD-3-Clause
#include "http3/pool.h"

#include <stdint.h>

#include <check.h>

/* What nghttp3 expects of its memory. */
START_TEST(for_nghttp3)
{
	volatile size_t n = (size_t)1 << 33;
	uint8_t *p = ql_http_mem.malloc(10, NULL);

	p[9] = 7;
	ck_assert_ptr_null(ql_http_mem.calloc(n, n, NULL));
	p = ql_http_mem.realloc(p, 5000, NULL);
	ck_assert_uint_eq(p[9], 7);
	ql_http_mem.free(p, NULL);
	p = ql_http_mem.calloc(100, 30, NULL);
	for (unsigned int i = 0; i < 3000; i++)
		ck_assert_uint_eq(p[i], 0);
	ql_http_mem.free(p, NULL);
	ql_http_mem.free(ql_http_mem.realloc(NULL, 3, NULL), NULL);
	ql_http_mem.free(NULL, NULL);
	ck_assert_uint_eq(ql_pool_kept(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/pool");
	TCase *tc = tcase_create("pool");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, for_nghttp3);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
