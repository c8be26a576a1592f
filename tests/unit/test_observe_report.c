// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>

#include "test_observe_util.h"

static char *text;
static size_t len;

static int print(int (*fn)(FILE *, const struct ql_observed *), const struct ql_observed *what)
{
	FILE *f = open_memstream(&text, &len);
	int rc = fn(f, what);

	fclose(f);
	return rc;
}

START_TEST(table)
{
	t_engine_stats = (struct ql_engine_stats){.rx_datagrams = 7};
	t_lane_stats = (struct ql_lane_stats){.tx_frames = UINT64_MAX};
	t_lane_stats.drops[QL_NET_DROP_SHORT] = 3;
	ck_assert_int_eq(print(ql_report_text, &t_observed), 0);
	ck_assert(strncmp(text, "lane-0_a\n  engine\n", 18) == 0);
	ck_assert_ptr_nonnull(strstr(text, "\n    rx_datagrams                              7\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n    tx_frames              18446744073709551615\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\n  lane_drops\n    short                                     3\n"));
	ck_assert_ptr_null(strstr(text, "checksum")); /* never happened */
	ck_assert_ptr_null(strstr(text, "engine_drops"));
	free(text);
}
END_TEST

START_TEST(json)
{
	struct ql_observed what = {.name = "x"};
	unsigned int depth = 0, deepest = 0, members = 0;

	t_fill();
	ck_assert_int_eq(print(ql_report_json, &t_observed), 0);
	ck_assert(strncmp(text, "{\"name\":\"lane-0_a\",\"engine\":{\"conns\":1017,", 42) == 0);
	ck_assert_ptr_nonnull(strstr(text, "},\"lane\":{\"turns\":2001,"));
	ck_assert_ptr_nonnull(strstr(text, "\"no_mbuf\":"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	for (size_t i = 0; i < len; i++) {
		depth += text[i] == '{';
		deepest = depth > deepest ? depth : deepest;
		depth -= text[i] == '}';
		members += text[i] == ':';
		ck_assert(!(text[i] == ',' && (text[i + 1] != '"' || text[i - 1] == '{')));
	}
	ck_assert_uint_eq(depth, 0);
	ck_assert_uint_eq(deepest, 2);
	ck_assert_uint_eq(members, 1 + 4 + 29 + QL_DROP_MAX + 6 + QL_NET_DROP_MAX);
	free(text);

	ck_assert_int_eq(print(ql_report_json, &what), 0);
	ck_assert_str_eq(text, "{\"name\":\"x\"}\n");
	free(text);
	what.name = "a\"b";
	ck_assert_int_eq(print(ql_report_json, &what), -EINVAL);
	ck_assert_uint_eq(len, 0);
	free(text);
}
END_TEST

START_TEST(disk_full)
{
	FILE *f = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ql_report_text(f, &t_observed), -ENOSPC);
	fclose(f);
	f = fopen("/dev/full", "w");
	setvbuf(f, NULL, _IONBF, 0);
	ck_assert_int_eq(ql_report_json(f, &t_observed), -ENOSPC);
	fclose(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observe/report");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, table);
	tcase_add_test(tc, json);
	tcase_add_test(tc, disk_full);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
