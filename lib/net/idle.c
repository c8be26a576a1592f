// SPDX-License-Identifier: BSD-3-Clause
#define ALLOW_EXPERIMENTAL_API /* rte_power_pause() */
#include "net/idle.h"

#include <poll.h>
#include <time.h>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_power_intrinsics.h>

#include <qlane/common.h>

#define EVENTS 16

static bool has_power_pause(void)
{
	static int known = -1; /* every thread finds the same */
	struct rte_cpu_intrinsics can;
	int k = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (k < 0) {
		rte_cpu_get_intrinsics_support(&can);
		k = can.power_pause;
		__atomic_store_n(&known, k, __ATOMIC_RELAXED);
	}
	return k;
}

void ql_idle_pause(uint64_t ns)
{
	uint64_t end =
		rte_rdtsc() + (uint64_t)((__uint128_t)ns * rte_get_tsc_hz() / QL_NSEC_PER_SEC);

	if (has_power_pause()) {
		rte_power_pause(end);
		return;
	}
	do
		rte_pause();
	while (rte_rdtsc() < end);
}

bool ql_idle_watch(int epfd, uint16_t port_id, uint16_t queue)
{
	return rte_eth_dev_rx_intr_ctl_q(port_id, queue, epfd, RTE_INTR_EVENT_ADD, NULL) == 0;
}

void ql_idle_unwatch(int epfd, uint16_t port_id, uint16_t queue)
{
	rte_eth_dev_rx_intr_ctl_q(port_id, queue, epfd, RTE_INTR_EVENT_DEL, NULL);
}

void ql_idle_arm(uint16_t port_id, uint16_t queue, bool on)
{
	/* some need none of it: net_tap */
	if (on)
		rte_eth_dev_rx_intr_enable(port_id, queue);
	else
		rte_eth_dev_rx_intr_disable(port_id, queue);
}

void ql_idle_sleep(int epfd, uint64_t ns)
{
	const struct timespec time = {.tv_sec = (time_t)(ns / QL_NSEC_PER_SEC),
				      .tv_nsec = (long)(ns % QL_NSEC_PER_SEC)};
	struct rte_epoll_event events[EVENTS];
	struct pollfd fd = {.fd = epfd, .events = POLLIN};

	/* DPDK waits by milliseconds, which is too coarse, but has to take the events */
	if (ppoll(&fd, 1, &time, NULL) > 0)
		rte_epoll_wait(epfd, events, EVENTS, 0);
}
