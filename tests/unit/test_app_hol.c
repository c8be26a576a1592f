// SPDX-License-Identifier: BSD-3-Clause
/* What hol-demo promises to show (app/hol/run.h). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hol/picture.h"
#include "hol/run.h"
#include "sim/env.h"

#define MS QL_NSEC_PER_MSEC

/*
 * The packet with the answer to call 5 is lost: over streams all others come when they would have
 * come; in one byte stream those behind it wait for it.
 */
START_TEST(calls)
{
	struct hol_calls c;

	sim_env_init();
	ck_assert_int_eq(hol_calls((uint64_t)_i, &c), 0);
	for (unsigned int way = 0; way < HOL_WAYS; way++) {
		for (unsigned int i = 0; i < HOL_CALLS; i++) {
			uint64_t due = c.at[way][0][i], came = c.at[way][1][i];
			bool behind = way == HOL_ORDERED && i + 1 > HOL_LOST;

			ck_assert_uint_ge(due, i * HOL_CALL_GAP + HOL_RTT);
			ck_assert_uint_lt(due, i * HOL_CALL_GAP + HOL_RTT + 1 * MS);
			if (i + 1 == HOL_LOST) {
				ck_assert_uint_gt(came, due + HOL_RTT / 2);
				ck_assert_uint_lt(came, due + 3 * HOL_RTT / 2);
			} else if (behind) {
				ck_assert_uint_gt(came, due);
				ck_assert_uint_ge(came, c.at[way][1][HOL_LOST - 1]);
			} else {
				ck_assert_uint_eq(came, due);
			}
		}
	}
}
END_TEST

/* The median with 1 % of loss is at most 5 % above that without, with the best controller. */
START_TEST(resources)
{
	static struct hol_page page;
	struct hol_spread again;
	unsigned int best;

	sim_env_init();
	for (unsigned int i = 0; i < HOL_CONTROLLERS * 2 * HOL_WAYS; i++) {
		unsigned int k = i / (2 * HOL_WAYS), loss = i / HOL_WAYS % 2, way = i % HOL_WAYS;

		ck_assert_int_eq(
			hol_page(1, 30, hol_controllers[k], loss, way, &page.took[k][loss][way]),
			0);
		ck_assert_uint_gt(page.took[k][loss][way].median, HOL_RTT);
		ck_assert_uint_gt(page.took[k][loss][way].p99, page.took[k][loss][way].median);
	}
	best = hol_best(&page);
	printf("%s, 1 %% loss: median %.1f %% above that without; one ordered byte stream: %.1f "
	       "%%\n",
	       hol_controller_name(best), hol_above(&page, best, 1, HOL_STREAMS),
	       hol_above(&page, best, 1, HOL_ORDERED));
	ck_assert_double_gt(hol_above(&page, best, 1, HOL_STREAMS), 0);
	ck_assert_double_le(hol_above(&page, best, 1, HOL_STREAMS), 5);
	ck_assert_double_gt(hol_above(&page, best, 1, HOL_ORDERED),
			    2 * hol_above(&page, best, 1, HOL_STREAMS));
	/* the same seed, the same figures */
	ck_assert_int_eq(hol_page(1, 30, hol_controllers[best], 1, HOL_STREAMS, &again), 0);
	ck_assert_mem_eq(&again, &page.took[best][1][HOL_STREAMS], sizeof(again));
	ck_assert_int_eq(hol_page(2, 30, hol_controllers[best], 1, HOL_STREAMS, &again), 0);
	ck_assert_uint_ne(again.median, page.took[best][1][HOL_STREAMS].median);
}
END_TEST

static unsigned int count(const char *in, const char *what)
{
	unsigned int n = 0;

	while ((in = strstr(in, what)) != NULL) {
		in += strlen(what);
		n++;
	}
	return n;
}

/* As many late marks as answers that were late; the medians as numbers. */
START_TEST(picture)
{
	struct hol_calls c = {0};
	struct hol_page page;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	for (unsigned int i = 0; i < HOL_CALLS; i++) {
		for (unsigned int way = 0; way < HOL_WAYS; way++) {
			c.at[way][0][i] = c.at[way][1][i] = i * HOL_CALL_GAP + HOL_RTT;
			if (i == 4 || (way == HOL_ORDERED && i > 4))
				c.at[way][1][i] = 100 * MS;
		}
	}
	for (unsigned int i = 0; i < HOL_CONTROLLERS * HOL_LOSSES * HOL_WAYS; i++)
		((struct hol_spread *)&page)[i] =
			(struct hol_spread){(300 + i) * MS, (600 + 1000 * i) * MS};
	hol_picture(f, &c, &page, 7);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_eq(strstr(text, "<svg "), text);
	ck_assert_str_eq(text + size - 7, "</svg>\n");
	ck_assert_uint_eq(count(text, "class=\"late\""), 1 + 6 + 1); /* and the key */
	ck_assert_uint_eq(count(text, "class=\"on\""), 9 + 4 + 1);
	ck_assert_uint_eq(count(text, "1 of 10 answers late"), 1);
	ck_assert_uint_eq(count(text, "6 of 10 answers late"), 1);
	ck_assert_uint_eq(count(text, "class=\"range"), HOL_CONTROLLERS * HOL_LOSSES * HOL_WAYS);
	for (unsigned int i = 0; i < HOL_CONTROLLERS * HOL_LOSSES * HOL_WAYS; i++) {
		char number[32];

		snprintf(number, sizeof(number), ">%u</text>", 300 + i);
		ck_assert_uint_eq(count(text, number), 1);
	}
	ck_assert_ptr_nonnull(strstr(text, "7 pages"));
	ck_assert_ptr_null(strstr(text, "nan"));
	ck_assert_ptr_null(strstr(text, "inf"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("app/hol");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, calls, 1, 6);
	tcase_add_test(tc, resources);
	tcase_add_test(tc, picture);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
