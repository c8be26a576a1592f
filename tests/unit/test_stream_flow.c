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

#define RTT 50 /* us */
#define CAP UINT64_C(1000000)

/* The application takes bytes, and an update is written. */
static uint64_t take(struct ql_flow_rx *f, uint64_t bytes, uint64_t now, uint64_t cap,
		     uint64_t spare)
{
	uint64_t before = f->window, more;

	f->consumed += bytes;
	more = ql_flow_rx_tune(f, now * 1000, RTT * 1000, cap, spare);
	ck_assert_uint_eq(f->window, before + more);
	return f->window;
}

START_TEST(tuning)
{
	struct ql_flow_rx f;

	ql_flow_rx_init(&f, 1000);
	ck_assert_uint_eq(take(&f, 500, 1000, 7000, CAP), 1000); /* no pace yet */
	ck_assert_uint_eq(take(&f, 500, 1100, 7000, CAP), 1000); /* too slow */
	ck_assert_uint_eq(take(&f, 499, 1150, 7000, CAP), 1000); /* too little */
	ck_assert_uint_eq(take(&f, 1, 1199, 7000, CAP), 2000);
	ck_assert_uint_eq(take(&f, 0, 1199, 7000, CAP), 2000); /* the same once more */
	ck_assert_uint_eq(take(&f, 999, 1200, 7000, CAP), 2000);
	ck_assert_uint_eq(take(&f, 1, 1201, 7000, CAP), 4000);
	ck_assert_uint_eq(take(&f, 2000, 1202, 7000, CAP), 7000);
	ck_assert_uint_eq(take(&f, 3500, 1203, 7000, CAP), 7000);
	ck_assert_uint_eq(take(&f, 3500, 1204, 100, CAP), 7000); /* never smaller */
	ck_assert_uint_eq(take(&f, 3500, 1205, CAP, CAP), 14000);
	ck_assert_uint_eq(take(&f, 7000, 5000, CAP, CAP), 14000); /* a break */
	/* no more than there is to spare */
	ck_assert_uint_eq(take(&f, 7000, 5001, CAP, 0), 14000);
	ck_assert_uint_eq(take(&f, 7000, 5002, CAP, 5), 14005);
}
END_TEST

START_TEST(budget)
{
	struct ql_flow_budget b = {.limit = 1000};

	ck_assert_uint_eq(ql_flow_budget_spare(&b, CAP), 500);
	ck_assert_uint_eq(ql_flow_budget_spare(&b, 300), 150);
	b.used = 500;
	ck_assert_uint_eq(ql_flow_budget_spare(&b, CAP), 250);
	ck_assert_uint_eq(ql_flow_budget_spare(&b, 600), 50);
	ck_assert_uint_eq(ql_flow_budget_spare(&b, 499), 0);
	b.used = 1000;
	ck_assert_uint_eq(ql_flow_budget_spare(&b, CAP), 0);
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
	tcase_add_test(tc, tuning);
	tcase_add_test(tc, budget);
	tcase_add_test(tc, limits);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
