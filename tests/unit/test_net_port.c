// SPDX-License-Identifier: BSD-3-Clause
/* Ports on net_null: what is set up, and a clear line for everything that cannot be. */
#include <errno.h>
#include <stdio.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "net/port.h"
#include "test_net_rig.h"

static unsigned int serial;
static char name[32];
static struct ql_port_config config;
static char err[QL_NET_ERRLEN];

/* Never called: no lane runs here. */
void ql_engine_rx(struct ql_engine *e, struct ql_datagram *in, unsigned int n, uint64_t now)
{
	(void)e, (void)in, (void)n, (void)now;
	abort();
}

unsigned int ql_engine_rx_crossed(struct ql_engine *e, uint64_t now)
{
	(void)e;
	(void)now;
	abort();
}

void ql_engine_tick(struct ql_engine *e, uint64_t now)
{
	(void)e, (void)now;
	abort();
}

unsigned int ql_engine_tx(struct ql_engine *e, struct ql_datagram *out, unsigned int max,
			  uint64_t now)
{
	(void)e, (void)out, (void)max, (void)now;
	abort();
}

uint64_t ql_engine_deadline(const struct ql_engine *e)
{
	(void)e;
	abort();
}

static void setup(void)
{
	uint16_t id;

	snprintf(name, sizeof(name), "net_null%u", serial++);
	ck_assert_int_eq(rte_eal_hotplug_add("vdev", name, "size=64"), 0);
	ck_assert_int_eq(rte_eth_dev_get_port_by_name(name, &id), 0);
	config = (struct ql_port_config){.port_id = id, .mbufs = 1023, .n_addrs = 2};
	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.2/24", &config.addrs[0]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("fd00::2/64", &config.addrs[1]), 0);
	err[0] = '\0';
}

static void teardown(void)
{
	rte_eal_hotplug_remove("vdev", name);
}

static void refused(int expected, const char *word)
{
	struct ql_port *port = ql_port_open(&config, err);

	ck_assert_ptr_null(port);
	ck_assert_int_eq(errno, expected);
	ck_assert_msg(strstr(err, word) != NULL, "%s", err);
	ck_assert_msg(strchr(err, '\n') == NULL && strlen(err) > 0, "%s", err);
}

START_TEST(defaults)
{
	struct ql_port *port = ql_port_open(&config, err);
	struct rte_mempool *pool;

	ck_assert_msg(port != NULL, "%s", err);
	ck_assert_uint_eq(port->queues, 1);
	ck_assert_uint_eq(port->nif.mtu, 1500);
	ck_assert_uint_eq(ql_port_udp_payload(port, false), 1472);
	ck_assert_uint_eq(ql_port_udp_payload(port, true), 1452);
	ck_assert(rte_is_valid_assigned_ether_addr(&port->nif.mac));
	ck_assert_uint_ne(port->nif.flow_secret, 0);
	pool = ql_port_pool(port);
	ck_assert_uint_ge(rte_pktmbuf_data_room_size(pool), RTE_PKTMBUF_HEADROOM + 1518);
	ck_assert_uint_eq(pool->size, 1023);
	ql_port_close(port);
	ql_port_close(NULL);
}
END_TEST

START_TEST(mtu)
{
	struct ql_port *port;

	config.mtu = 9000;
	port = ql_port_open(&config, err);
	ck_assert_msg(port != NULL, "%s", err);
	ck_assert_uint_eq(ql_port_udp_payload(port, false), 8972);
	ck_assert_uint_ge(rte_pktmbuf_data_room_size(ql_port_pool(port)),
			  RTE_PKTMBUF_HEADROOM + 9000 + 18);
	ql_port_close(port);
}
END_TEST

START_TEST(bad_mtu)
{
	config.mtu = 1279;
	refused(EINVAL, "MTU 1279");
	config.mtu = 65000;
	refused(EINVAL, "MTU 65000");
}
END_TEST

START_TEST(two_queues)
{
	struct ql_engine *engine = (struct ql_engine *)(uintptr_t)64;
	struct ql_port *port;
	struct ql_lane *lane;

	config.queues = 2;
	port = ql_port_open(&config, err);
	ck_assert_msg(port != NULL, "%s", err);
	ck_assert_uint_eq(port->queues, 2);
	for (uint16_t q = 0; q < 2; q++) {
		lane = ql_lane_create(engine, SOCKET_ID_ANY);
		ck_assert_int_eq(ql_lane_add_port(lane, port, q), 0);
		ql_lane_free(lane);
	}
	lane = ql_lane_create(engine, SOCKET_ID_ANY);
	ck_assert_int_eq(ql_lane_add_port(lane, port, 2), -EINVAL);
	ql_lane_free(lane);
	ql_port_close(port);
}
END_TEST

/* A device that spreads as it likes says so; one queue needs no spreading. */
START_TEST(steering)
{
	struct ql_port_steering got;
	struct ql_port *port = ql_port_open(&config, err);

	ck_assert_msg(port != NULL, "%s", err);
	ql_port_steering(port, &got);
	ck_assert_int_eq(got.how, QL_STEER_ONE_QUEUE);
	ck_assert_str_eq(got.why, "");
	ql_port_close(port);
	for (unsigned int hash_only = 0; hash_only < 2; hash_only++) {
		teardown(); /* a closed port is gone */
		setup();
		config.queues = 2;
		config.hash_only = hash_only;
		port = ql_port_open(&config, err);
		ck_assert_msg(port != NULL, "%s", err);
		ql_port_steering(port, &got);
		ck_assert(got.how == QL_STEER_RSS || got.how == QL_STEER_DEVICE);
		ck_assert_str_eq(got.why, hash_only ? "as configured"
						    : "net_null cannot match connection IDs");
		ql_port_close(port);
	}
	for (int i = 0; i <= QL_STEER_DEVICE; i++)
		ck_assert_str_ne(ql_steering_name((enum ql_steering)i), "unknown");
	ck_assert_str_eq(ql_steering_name((enum ql_steering)9), "unknown");
}
END_TEST

START_TEST(too_many_queues)
{
	config.queues = 60000;
	refused(EINVAL, "60000 queues");
}
END_TEST

START_TEST(no_such_port)
{
	config.port_id = 99;
	refused(ENODEV, "there is no such port");
	ck_assert_ptr_nonnull(strstr(err, "port 99"));
}
END_TEST

START_TEST(no_port_at_all)
{
	rte_eal_hotplug_remove("vdev", name);
	refused(ENODEV, "no Ethernet port found: add --vdev=net_tap0 or bind a NIC");
}
END_TEST

START_TEST(no_memory)
{
	config.mbufs = 10000000;
	refused(ENOMEM, "hugepages");
	config.mbufs = 1023; /* and the device is free to be tried again */
	ql_port_close(ql_port_open(&config, err));
}
END_TEST

START_TEST(no_address)
{
	config.n_addrs = 0;
	refused(EINVAL, "addresses");
}
END_TEST

START_TEST(kernel_addresses_without_tap)
{
	config.n_kernel_addrs = 1;
	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.1/24", &config.kernel_addrs[0]), 0);
	refused(EINVAL, "net_tap");
}
END_TEST

START_TEST(in_use)
{
	struct ql_port *port = ql_port_open(&config, err);

	ck_assert_msg(port != NULL, "%s", err);
	refused(EBUSY, "in use");
	ql_port_close(port);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/port");
	TCase *tc = tcase_create("all");

	rig_eal("--log-level=lib.ethdev:critical");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, mtu);
	tcase_add_test(tc, bad_mtu);
	tcase_add_test(tc, two_queues);
	tcase_add_test(tc, steering);
	tcase_add_test(tc, too_many_queues);
	tcase_add_test(tc, no_such_port);
	tcase_add_test(tc, no_port_at_all);
	tcase_add_test(tc, no_memory);
	tcase_add_test(tc, no_address);
	tcase_add_test(tc, kernel_addresses_without_tap);
	tcase_add_test(tc, in_use);
	suite_add_tcase(s, tc);
	return rig_run(s);
}
