// SPDX-License-Identifier: BSD-3-Clause
#include "net/idle.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_epoll.h>

#include "test_net_rig.h"

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * QL_NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

START_TEST(pauses)
{
	uint64_t start = clock_ns(), shortest = UINT64_MAX;

	ql_idle_pause(0);
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t t = clock_ns();

		ql_idle_pause(2000);
		t = clock_ns() - t;
		shortest = t < shortest ? t : shortest;
	}
	ck_assert_uint_lt(shortest, 100000); /* others may have had the core in between */
	ck_assert_uint_gt(clock_ns() - start, 0);
}
END_TEST

START_TEST(sleeps_until_it_is_time)
{
	int epfd = epoll_create1(0);
	uint64_t start = clock_ns();

	ql_idle_sleep(epfd, 20 * QL_NSEC_PER_MSEC);
	ck_assert_uint_ge(clock_ns() - start, 20 * QL_NSEC_PER_MSEC);
	close(epfd);
}
END_TEST

/* What has been registered by DPDK ends the sleep long before its time, and its event is taken. */
START_TEST(sleeps_until_something_comes)
{
	struct rte_epoll_event event = {.epdata = {.event = EPOLLIN | EPOLLET}};
	int epfd = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1, start = clock_ns();

	ck_assert_int_eq(rte_epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
		ql_idle_sleep(epfd, 20 * QL_NSEC_PER_SEC);
	}
	ck_assert_uint_lt(clock_ns() - start, 20 * QL_NSEC_PER_SEC);
	start = clock_ns();
	ql_idle_sleep(epfd, QL_NSEC_PER_MSEC); /* there is nothing left */
	ck_assert_uint_ge(clock_ns() - start, QL_NSEC_PER_MSEC);
	rte_epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &event);
	close(fd);
	close(epfd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/idle");
	TCase *tc = tcase_create("all");

	rig_eal(NULL);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, pauses);
	tcase_add_test(tc, sleeps_until_it_is_time);
	tcase_add_test(tc, sleeps_until_something_comes);
	suite_add_tcase(s, tc);
	return rig_run(s);
}
