// SPDX-License-Identifier: BSD-3-Clause
#include "wire/cid.h"

#include "test_wire_util.h"

static const uint8_t bytes[24] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
				  13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

START_TEST(test_set)
{
	struct ql_cid c = {.len = 3, .id = {9, 9, 9}};

	ck_assert_int_eq(ql_cid_set(&c, bytes, 21), -EMSGSIZE);
	ck_assert_uint_eq(c.len, 3);
	ck_assert_uint_eq(c.id[2], 9);
	for (uint8_t len = 0; len <= QL_CID_MAX; len++) {
		uint8_t *in = exact_copy(bytes, len);
		struct ql_cid_view view;

		ck_assert_int_eq(ql_cid_set(&c, in, len), 0);
		ck_assert_uint_eq(c.len, len);
		ck_assert_mem_eq(c.id, bytes, len);
		view = ql_cid_view(&c);
		ck_assert_ptr_eq(view.p, c.id);
		ck_assert_uint_eq(view.len, len);
		exact_free(in);
	}
	ck_assert_int_eq(ql_cid_set(&c, NULL, 0), 0);
	ck_assert_uint_eq(c.len, 0);
}
END_TEST

/* Each length, each byte of each length. */
START_TEST(test_compare)
{
	for (uint8_t len = 0; len <= QL_CID_MAX; len++) {
		struct ql_cid a, b, other_len;

		ql_cid_set(&a, bytes, len);
		ql_cid_set(&b, bytes, len);
		/* What lies behind len must not count. */
		memset(a.id + len, 0x11, QL_CID_MAX - len);
		memset(b.id + len, 0x22, QL_CID_MAX - len);
		ck_assert(ql_cid_eq(&a, &b));

		ql_cid_set(&other_len, bytes, len == 0 ? 1 : len - 1);
		ck_assert(!ql_cid_eq(&a, &other_len));
		ck_assert(!ql_cid_eq(&other_len, &a));

		for (uint8_t i = 0; i < len; i++) {
			uint8_t *in;

			b.id[i] ^= 0x80;
			ck_assert(!ql_cid_eq(&a, &b));
			in = exact_copy(b.id, len);
			ck_assert(!ql_cid_is(&a, in, len));
			in[i] ^= 0x80;
			ck_assert(ql_cid_is(&a, in, len));
			exact_free(in);
			b.id[i] ^= 0x80;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/cid");
	TCase *tc = tcase_create("cid");

	tcase_add_test(tc, test_set);
	tcase_add_test(tc, test_compare);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
