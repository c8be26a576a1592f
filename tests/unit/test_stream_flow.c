// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>

#include "stream/flow.h"

START_TEST(window)
{
	struct ql_flow_rx f;

	ql_flow_rx_init(&f, 1001);
	ck_assert_uint_eq(f.limit, 1001);
	f.consumed = 500;
	ck_assert(!ql_flow_rx_due(&f));
	f.consumed = 501;
	ck_assert(ql_flow_rx_due(&f));
	f.limit = ql_flow_rx_next(&f);
	ck_assert_uint_eq(f.limit, 1502);
	ck_assert(!ql_flow_rx_due(&f));

	/* no window at all */
	ql_flow_rx_init(&f, 0);
	ck_assert(!ql_flow_rx_due(&f));

	/* never above what a varint holds */
	ql_flow_rx_init(&f, QL_VARINT_MAX - 10);
	f.consumed = 9;
	ck_assert_uint_eq(ql_flow_rx_next(&f), QL_VARINT_MAX - 1);
	f.consumed = QL_VARINT_MAX - 10;
	ck_assert_uint_eq(ql_flow_rx_next(&f), QL_VARINT_MAX);
}
END_TEST

START_TEST(limits)
{
	struct ql_flow_tx f = {.limit = 100};

	ck_assert_uint_eq(ql_flow_tx_room(&f), 100);
	ck_assert(!ql_flow_tx_blocked(&f));
	f.used = 100;
	ck_assert(ql_flow_tx_blocked(&f));
	ck_assert(!ql_flow_tx_blocked(&f)); /* once per limit */
	ck_assert(!ql_flow_tx_raise(&f, 100));
	ck_assert(!ql_flow_tx_raise(&f, 99));
	ck_assert_uint_eq(f.limit, 100);
	ck_assert(ql_flow_tx_raise(&f, 101));
	ck_assert_uint_eq(ql_flow_tx_room(&f), 1);
	ck_assert(!ql_flow_tx_blocked(&f));
	f.used = 101;
	ck_assert(ql_flow_tx_blocked(&f));

	/* at limit 0, too */
	f = (struct ql_flow_tx){0};
	ck_assert(ql_flow_tx_blocked(&f));
	ck_assert(!ql_flow_tx_blocked(&f));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/flow");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, window);
	tcase_add_test(tc, limits);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
