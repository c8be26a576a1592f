// SPDX-License-Identifier: BSD-3-Clause
#include "wire/varint.h"

#include "test_wire_util.h"

static const uint64_t edges[] = {
	0, 1, 63, 64, 16383, 16384, (1 << 30) - 1, 1 << 30, QL_VARINT_MAX - 1, QL_VARINT_MAX,
};

static uint64_t decode(const char *text)
{
	uint8_t bytes[8];
	size_t len = hex(text, bytes, sizeof(bytes));
	uint8_t *in = exact_copy(bytes, len);
	const uint8_t *p = in;
	uint64_t v = 0;

	ck_assert_int_eq(ql_varint_get(&p, in + len, &v), 0);
	ck_assert_ptr_eq(p, in + len);
	exact_free(in);
	return v;
}

/* RFC 9000, appendix A.1 */
START_TEST(test_vectors)
{
	ck_assert_uint_eq(decode("c2197c5eff14e88c"), UINT64_C(151288809941952652));
	ck_assert_uint_eq(decode("9d7f3e7d"), 494878333);
	ck_assert_uint_eq(decode("7bbd"), 15293);
	ck_assert_uint_eq(decode("25"), 37);
	ck_assert_uint_eq(decode("4025"), 37);
}
END_TEST

/* The same backwards: the bytes, not only what we ourselves read from them. */
START_TEST(test_bytes)
{
	static const struct {
		uint64_t v;
		const char *text;
	} cases[] = {
		{UINT64_C(151288809941952652), "c2197c5eff14e88c"},
		{494878333, "9d7f3e7d"},
		{15293, "7bbd"},
		{37, "25"},
		{0, "00"},
		{63, "3f"},
		{64, "4040"},
		{16383, "7fff"},
		{16384, "80004000"},
		{(1 << 30) - 1, "bfffffff"},
		{1 << 30, "c000000040000000"},
		{QL_VARINT_MAX, "ffffffffffffffff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t want[8], *out;
		size_t len = hex(cases[i].text, want, sizeof(want));

		ck_assert_uint_eq(ql_varint_len(cases[i].v), len);
		out = exact_alloc(len);
		ck_assert_ptr_eq(ql_varint_put(out, cases[i].v), out + len);
		ck_assert_mem_eq(out, want, len);
		exact_free(out);
	}
}
END_TEST

/* Every width that holds the value decodes to it. */
START_TEST(test_forced_width)
{
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		for (unsigned int len = ql_varint_len(edges[i]); len <= 8; len *= 2) {
			uint8_t *out = exact_alloc(len);
			const uint8_t *p = out;
			uint64_t v;

			ck_assert_ptr_eq(ql_varint_put_len(out, edges[i], len), out + len);
			ck_assert_uint_eq(out[0] >> 6, (unsigned int)__builtin_ctz(len));
			ck_assert_int_eq(ql_varint_get(&p, out + len, &v), 0);
			ck_assert_uint_eq(v, edges[i]);
			ck_assert_ptr_eq(p, out + len);
			exact_free(out);
		}
	}
}
END_TEST

START_TEST(test_truncated)
{
	for (unsigned int len = 1; len <= 8; len *= 2) {
		uint8_t full[8];

		ql_varint_put_len(full, 5, len);
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *in = exact_copy(full, cut);
			const uint8_t *p = in;
			uint64_t v = 77;

			ck_assert_int_eq(ql_varint_get(&p, in + cut, &v), -EBADMSG);
			ck_assert_ptr_eq(p, in);
			ck_assert_uint_eq(v, 77);
			exact_free(in);
		}
	}
}
END_TEST

START_TEST(test_random_round_trip)
{
	uint64_t seed = 1;

	for (int i = 0; i < 100000; i++) {
		uint64_t v = rnd_varint(&seed), got;
		uint8_t buf[8];
		const uint8_t *p = buf, *end = ql_varint_put(buf, v);

		REQUIRE((size_t)(end - buf) == ql_varint_len(v));
		REQUIRE(ql_varint_get(&p, end, &got) == 0);
		REQUIRE(got == v);
		REQUIRE(p == end);
	}
}
END_TEST

START_TEST(test_big_endian)
{
	const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t out[9];

	ck_assert_uint_eq(ql_get_be16(bytes), 0x0102);
	ck_assert_uint_eq(ql_get_be32(bytes), 0x01020304);
	ck_assert_uint_eq(ql_get_be64(bytes), UINT64_C(0x0102030405060708));
	ck_assert_ptr_eq(ql_put_be16(out + 1, 0x0102), out + 3);
	ck_assert_mem_eq(out + 1, bytes, 2);
	ck_assert_ptr_eq(ql_put_be32(out + 1, 0x01020304), out + 5);
	ck_assert_mem_eq(out + 1, bytes, 4);
	ck_assert_ptr_eq(ql_put_be64(out + 1, UINT64_C(0x0102030405060708)), out + 9);
	ck_assert_mem_eq(out + 1, bytes, 8);
	ck_assert_ptr_eq(ql_put_bytes(out, NULL, 0), out);
	ck_assert_ptr_eq(ql_put_bytes(out, bytes, 3), out + 3);
	ck_assert_mem_eq(out, bytes, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/varint");
	TCase *tc = tcase_create("varint");

	tcase_add_test(tc, test_vectors);
	tcase_add_test(tc, test_bytes);
	tcase_add_test(tc, test_forced_width);
	tcase_add_test(tc, test_truncated);
	tcase_add_test(tc, test_random_round_trip);
	tcase_add_test(tc, test_big_endian);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
