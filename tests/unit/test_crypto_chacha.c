// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/chacha.h"

static void fill(ql_u32x4 x[16], int lane, uint32_t first_key_word, uint32_t counter,
		 const uint32_t nonce[3])
{
	/* key 00 01 02 .. 1f */
	for (uint32_t i = 0; i < 8; i++)
		x[4 + i][lane] = first_key_word + i * 0x04040404;
	x[12][lane] = counter;
	for (int i = 0; i < 3; i++)
		x[13 + i][lane] = nonce[i];
}

/* RFC 8439, section 2.3.2, in every lane in turn with something else in the others. */
START_TEST(block)
{
	static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
	static const uint32_t other[3] = {1, 2, 3};
	static const uint32_t expected[16] = {
		0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
		0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
		0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
	};
	ql_u32x4 x[16];

	memset(x, 0, sizeof(x));
	for (int lane = 0; lane < QL_CHACHA_LANES; lane++)
		fill(x, lane, 77, (uint32_t)lane, other);
	fill(x, _i, 0x03020100, 1, nonce);
	ql_chacha20_x4(x);
	for (int i = 0; i < 16; i++)
		ck_assert_uint_eq(x[i][_i], expected[i]);
	ck_assert_uint_ne(x[0][(_i + 1) % 4], x[0][(_i + 2) % 4]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/chacha");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, block, 0, QL_CHACHA_LANES);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
