// SPDX-License-Identifier: BSD-3-Clause
#include "net/news.h"

#include "test_net_rig.h"

START_TEST(to_all_others)
{
	struct ql_news *news = ql_news_create(3, 3, SOCKET_ID_ANY);
	struct ql_neigh_news a = {.ip = {1}, .mac = {{2, 3}}, .override = true}, b = {.ip = {9}},
			     got;

	ck_assert_ptr_nonnull(news);
	ql_news_tell(news, 1, &a);
	ql_news_tell(news, 0, &b);
	ck_assert(ql_news_take(news, 1, &got));
	ck_assert_mem_eq(&got, &b, sizeof(b));
	ck_assert(!ql_news_take(news, 1, &got));
	ck_assert(ql_news_take(news, 0, &got));
	ck_assert_mem_eq(&got, &a, sizeof(a));
	ck_assert(!ql_news_take(news, 0, &got));
	ck_assert(ql_news_take(news, 2, &got));
	ck_assert_mem_eq(&got, &a, sizeof(a));
	ck_assert(ql_news_take(news, 2, &got));
	ck_assert_mem_eq(&got, &b, sizeof(b));
	ck_assert(!ql_news_take(news, 2, &got));
	ql_news_free(news);
	ql_news_free(NULL);
}
END_TEST

/* What is too much is left out, and the lane that does not read harms nobody. */
START_TEST(bounded)
{
	struct ql_news *news = ql_news_create(3, 2, SOCKET_ID_ANY);
	struct ql_neigh_news what = {.override = false}, got;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 3 * QL_NEWS_KEPT; i++) {
		what.ip[0] = (uint8_t)i;
		ql_news_tell(news, 0, &what);
	}
	while (ql_news_take(news, 1, &got))
		ck_assert_uint_eq(got.ip[0], n++);
	ck_assert_uint_eq(n, QL_NEWS_KEPT);
	ql_news_free(news);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/news");
	TCase *tc = tcase_create("all");

	rig_eal(NULL);
	tcase_add_test(tc, to_all_others);
	tcase_add_test(tc, bounded);
	suite_add_tcase(s, tc);
	return rig_run(s);
}
