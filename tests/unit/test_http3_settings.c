// SPDX-License-Identifier: BSD-3-Clause
#include "http3/settings.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <qlane/http3.h>

#define B(s) (s), sizeof(s) - 1

static const struct ql_http_settings defaults = {.max_field_section_size = UINT64_MAX};

static void expect(const struct ql_http_settings *s, uint64_t section, uint64_t capacity,
		   uint64_t blocked)
{
	ck_assert_uint_eq(s->max_field_section_size, section);
	ck_assert_uint_eq(s->qpack_capacity, capacity);
	ck_assert_uint_eq(s->qpack_blocked, blocked);
}

/* All that there are and some that nobody knows, in pieces of any size. */
START_TEST(reading)
{
	static const char frame[] = "\x21\x05"			       /* a reserved one */
				    "\x01\x50\x00"		       /* 4096 */
				    "\x06\x80\x01\x00\x00"	       /* 65536 */
				    "\xc0\x00\x00\x00\x00\x00\x00\x07" /* 7, in 8 bytes */
				    "\x40\x64"			       /* 100 */
				    "\x80\x00\xab\xcd\xff\xff\xff\xff\xff\xff\xff\xff";
	struct ql_http_settings_reader r;

	for (size_t piece = 1; piece <= sizeof(frame) - 1; piece++) {
		memset(&r, 0xff, sizeof(r));
		ql_http_settings_begin(&r);
		expect(&r.values, UINT64_MAX, 0, 0);
		for (size_t at = 0; at < sizeof(frame) - 1; at += piece) {
			size_t n = sizeof(frame) - 1 - at < piece ? sizeof(frame) - 1 - at : piece;
			uint8_t *copy = memcpy(malloc(n), frame + at, n);

			ck_assert(ql_http_settings_read(&r, copy, n));
			free(copy);
		}
		expect(&r.values, 65536, 4096, 100);
	}
	ql_http_settings_begin(&r);
	expect(&r.values, UINT64_MAX, 0, 0);
	ck_assert(ql_http_settings_read(&r, NULL, 0));
	expect(&r.values, UINT64_MAX, 0, 0);
}
END_TEST

/* Twice the same identifier, known or not, however it is written; many others between them. */
START_TEST(twice)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool good;
	} cases[] = {
		{"\x06\x01\x06\x01", 4, false},
		{"\x01\x00\x06\x01\x40\x01\x00", 7, false},
		{"\x21\x00\x21", 3, false},
		{"\x01\x06\x06\x01\x07\x07", 6, true},
		{"\x02\0\x03\0\x04\0\x05\0\x08\0\x09\0\x0a\0\x0b\0\x0c\0\x02", 19, false},
	};
	struct ql_http_settings_reader r;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ql_http_settings_begin(&r);
		ck_assert(ql_http_settings_read(&r, (const uint8_t *)cases[i].bytes,
						cases[i].len) == cases[i].good);
	}
}
END_TEST

START_TEST(checking)
{
	static const struct {
		struct ql_http_settings old, now;
		uint64_t error;
	} cases[] = {
		{{100, 4096, 10}, {100, 4096, 10}, 0},
		{{100, 4096, 10}, {101, 4096, 11}, 0},
		{{UINT64_MAX, 0, 0}, {UINT64_MAX, 4096, 10}, 0},
		{{100, 4096, 10}, {99, 4096, 10}, QL_H3_SETTINGS_ERROR},
		{{100, 4096, 10}, {100, 4096, 9}, QL_H3_SETTINGS_ERROR},
		{{100, 4096, 10}, {100, 4095, 10}, 0x202},
		{{100, 4096, 10}, {100, 4097, 10}, 0x202},
		{{100, 4096, 10}, {UINT64_MAX, 0, 10}, 0x202},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(ql_http_settings_check(&cases[i].old, &cases[i].now),
				  cases[i].error);
	ck_assert_uint_eq(ql_http_settings_check(&defaults, &defaults), 0);
}
END_TEST

START_TEST(keeping)
{
	const struct ql_http_settings s = {1, UINT64_MAX - 1, UINT64_C(0x123456789abcdef0)};
	uint8_t buf[7 + QL_HTTP_SETTINGS_TAIL] = "session";
	struct ql_http_settings t = {0};
	size_t len = sizeof(buf);

	ql_http_settings_put(&s, buf + 7);
	ck_assert(ql_http_settings_take(&t, buf, &len));
	ck_assert_uint_eq(len, 7);
	expect(&t, 1, UINT64_MAX - 1, UINT64_C(0x123456789abcdef0));

	/* nothing there */
	len = sizeof(buf) - 1;
	ck_assert(!ql_http_settings_take(&t, buf, &len));
	ck_assert_uint_eq(len, sizeof(buf) - 1);
	for (len = 0; len < QL_HTTP_SETTINGS_TAIL; len++)
		ck_assert(!ql_http_settings_take(&t, buf, &len));
	len = sizeof(buf);
	buf[len - 1] ^= 1;
	ck_assert(!ql_http_settings_take(&t, buf, &len));
	ck_assert_uint_eq(len, sizeof(buf));
	/* nothing but that */
	buf[len - 1] ^= 1;
	len = QL_HTTP_SETTINGS_TAIL;
	ck_assert(ql_http_settings_take(&t, buf + 7, &len));
	ck_assert_uint_eq(len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/settings");
	TCase *t = tcase_create("settings");
	SRunner *r;
	int failed;

	tcase_add_test(t, reading);
	tcase_add_test(t, twice);
	tcase_add_test(t, checking);
	tcase_add_test(t, keeping);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
