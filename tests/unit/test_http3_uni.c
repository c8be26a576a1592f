// SPDX-License-Identifier: BSD-3-Clause
#include "http3/uni.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#define B(s) (s), sizeof(s) - 1

/* All of it in pieces of that size; what came out, and in how many calls. */
static struct {
	uint8_t bytes[1024];
	size_t len;
	unsigned int calls;
	ssize_t error;
} got;

static void feed(struct ql_http_uni *uni, const char *bytes, size_t len, size_t piece)
{
	memset(&got, 0, sizeof(got));
	for (size_t at = 0; at < len && got.error == 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece, left = n;
		uint8_t *copy = memcpy(malloc(n), bytes + at, n);
		const uint8_t *p = copy, *out;
		ssize_t rc;

		while ((rc = ql_http_uni_next(uni, &p, &left, &out)) > 0) {
			ck_assert_uint_le(got.len + (size_t)rc, sizeof(got.bytes));
			memcpy(got.bytes + got.len, out, (size_t)rc);
			got.len += (size_t)rc;
			got.calls++;
		}
		got.error = rc;
		if (rc == 0)
			ck_assert_uint_eq(left, 0);
		free(copy);
	}
}

static const size_t pieces[] = {1, 2, 3, 7, 1000};

#define PIECES (int)(sizeof(pieces) / sizeof(pieces[0]))

START_TEST(other_streams)
{
	struct ql_http_uni uni = {0};

	feed(&uni, B("\x02\x80\x0f\x07\x00\x00rest"), pieces[_i]);
	ck_assert_uint_eq(got.len, 10);
	ck_assert_mem_eq(got.bytes, "\x02\x80\x0f\x07\x00\x00rest", 10);
	ck_assert(!ql_http_uni_is_control(&uni));
	/* nothing is held back but an incomplete type */
	uni = (struct ql_http_uni){0};
	feed(&uni, B("\xc0\x00\x00\x00"), pieces[_i]);
	ck_assert_uint_eq(got.len, 0);
	feed(&uni,
	     B("\x00\x00\x00\x21"
	       "abc"),
	     pieces[_i]);
	ck_assert_uint_eq(got.len, 11);
	ck_assert(!ql_http_uni_is_control(&uni));
}
END_TEST

/* SETTINGS, an unknown frame, an empty one: as they come. */
START_TEST(frames_pass)
{
	struct ql_http_uni uni = {0};

	feed(&uni,
	     B("\x00\x04\x02\x06\x05\x21\x03"
	       "abc\x40\x21\x00\x04\x00"),
	     pieces[_i]);
	ck_assert_int_eq(got.error, 0);
	ck_assert_uint_eq(got.len, 15);
	ck_assert_mem_eq(got.bytes,
			 "\x00\x04\x02\x06\x05\x21\x03"
			 "abc\x40\x21\x00\x04\x00",
			 15);
	ck_assert(ql_http_uni_is_control(&uni));
}
END_TEST

START_TEST(frames_whole)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{B("\x07\x01\x00")},
		{B("\x07\x02\x40\x04")},
		{B("\x0d\x08\xc0\x00\x00\x00\x00\x00\x00\x01")},
		{B("\x03\x01\x00")},
		{B("\x80\x0f\x07\x00\x01\x04")},
		{B("\x80\x0f\x07\x00\x05\x04u=1,")},
		{B("\x80\x0f\x07\x01\x04\x00u=1")},
		{B("\xc0\x00\x00\x00\x00\x0f\x07\x00\x40\x05\x40\x04u=2")},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ql_http_uni uni = {0};

		feed(&uni, B("\x00"), 1);
		/* one before the end nothing has come, then all of it at once */
		feed(&uni, cases[i].bytes, cases[i].len - 1, pieces[_i]);
		ck_assert_uint_eq(got.len, 0);
		feed(&uni, cases[i].bytes + cases[i].len - 1, 1, 1);
		ck_assert_uint_eq(got.calls, 1);
		ck_assert_uint_eq(got.len, cases[i].len);
		ck_assert_mem_eq(got.bytes, cases[i].bytes, cases[i].len);
		/* and the next frame starts where it should */
		feed(&uni, cases[i].bytes, cases[i].len, pieces[_i]);
		ck_assert_int_eq(got.error, 0);
		ck_assert_uint_eq(got.len, cases[i].len);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *bytes;
		size_t len;
		int error;
	} cases[] = {
		{B("\x07\x00"), -EBADMSG},	   /* empty */
		{B("\x07\x02\x00\x00"), -EBADMSG}, /* more than the ID */
		{B("\x07\x01\x40"), -EBADMSG},	   /* less */
		{B("\x0d\x09"), -EBADMSG},	   /* more than any ID */
		{B("\x03\x00"), -EBADMSG},
		{B("\x80\x0f\x07\x00\x00"), -EBADMSG},
		{B("\x80\x0f\x07\x00\x03\x80\x00\x00"), -EBADMSG},
		{B("\x80\x0f\x07\x00\x41\x01"), -EMSGSIZE}, /* 257 bytes */
		{B("\x80\x0f\x07\x01\xff\xff\xff\xff\xff\xff\xff\xff"), -EMSGSIZE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ql_http_uni uni = {0};

		feed(&uni, B("\x00"), 1);
		feed(&uni, cases[i].bytes, cases[i].len, pieces[_i]);
		ck_assert_int_eq(got.error, cases[i].error);
		ck_assert_uint_eq(got.len, 0);
	}
}
END_TEST

START_TEST(largest)
{
	struct ql_http_uni uni = {0};
	char frame[6 + QL_HTTP_UNI_VALUE] = "\x80\x0f\x07\x00\x41\x00";

	memset(frame + 6, 'v', QL_HTTP_UNI_VALUE);
	frame[6] = 0;
	feed(&uni, B("\x00"), 1);
	feed(&uni, frame, sizeof(frame), pieces[_i]);
	ck_assert_int_eq(got.error, 0);
	ck_assert_uint_eq(got.calls, 1);
	ck_assert_uint_eq(got.len, sizeof(frame));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/uni");
	TCase *t = tcase_create("uni");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, other_streams, 0, PIECES);
	tcase_add_loop_test(t, frames_pass, 0, PIECES);
	tcase_add_loop_test(t, frames_whole, 0, PIECES);
	tcase_add_loop_test(t, refused, 0, PIECES);
	tcase_add_loop_test(t, largest, 0, PIECES);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
