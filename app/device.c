// SPDX-License-Identifier: BSD-3-Clause
#include "device.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

/* Ports below a bonding port; they are not ours to use. */
#ifdef RTE_ETH_DEV_BONDING_MEMBER
#define MEMBER RTE_ETH_DEV_BONDING_MEMBER
#else
#define MEMBER RTE_ETH_DEV_BONDED_SLAVE
#endif

/* ---- Options ---- */

static struct ql_device *current(struct ql_devices *d)
{
	if (d->n == 0)
		d->n = 1;
	return &d->at[d->n - 1];
}

const char *ql_device_name(const struct ql_option *option, void *to, const char *value)
{
	struct ql_devices *d = to;

	(void)option;
	if (d->n > 0 && !d->at[0].name)
		return "to stand before the first --ip, --gateway, --tap-ip, --vlan or --mtu, "
		       "which "
		       "belong to the device before them";
	if (d->n == QL_DEVICES)
		return "at most 8 devices";
	if (value[0] == 0)
		return "the name or number of a DPDK port";
	d->at[d->n++].name = value;
	return NULL;
}

const char *ql_device_ip(const struct ql_option *option, void *to, const char *value)
{
	const char *wrong = ql_option_ifaddrs(option, &current(to)->ip, value);
	const struct ql_devices *d = to;
	unsigned int n = 0;

	for (unsigned int i = 0; i < d->n; i++)
		n += d->at[i].ip.n;
	return !wrong && n > QL_PORT_ADDRS ? "at most 16 addresses" : wrong;
}

const char *ql_device_gateway(const struct ql_option *option, void *to, const char *value)
{
	return ql_option_gateways(option, &current(to)->gateway, value);
}

const char *ql_device_tap_ip(const struct ql_option *option, void *to, const char *value)
{
	return ql_option_ifaddrs(option, &current(to)->tap_ip, value);
}

const char *ql_device_vlan(const struct ql_option *option, void *to, const char *value)
{
	return ql_option_u16(option, &current(to)->vlan, value);
}

const char *ql_device_mtu(const struct ql_option *option, void *to, const char *value)
{
	return ql_option_u16(option, &current(to)->mtu, value);
}

struct ql_ifaddrs ql_devices_ips(const struct ql_devices *devices)
{
	struct ql_ifaddrs all = {.n = 0};

	for (unsigned int i = 0; i < devices->n; i++)
		for (unsigned int k = 0; k < devices->at[i].ip.n && all.n < QL_PORT_ADDRS; k++)
			all.at[all.n++] = devices->at[i].ip.at[k];
	return all;
}

bool ql_devices_check(const struct ql_devices *devices)
{
	for (unsigned int i = 0; i < devices->n; i++) {
		if (devices->at[i].ip.n == 0 && devices->at[i].name) {
			ql_complain("--device %s: --ip ADDR/PREFIX, an address of ours there, is "
				    "missing behind it",
				    devices->at[i].name);
			return false;
		}
	}
	if (devices->n > 0 && devices->at[0].ip.n > 0)
		return true;
	ql_complain("--ip ADDR/PREFIX, our address, is missing; --help has examples");
	return false;
}

/* ---- Ports ---- */

static const char *vdev_of(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--vdev", 6) == 0)
			return argv[i];
	return NULL;
}

static bool is_member(uint16_t id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(id, &info) == 0 && (*info.dev_flags & MEMBER);
}

/* A bonding port goes first: which ports are its members shows only when it is set up. */
static bool first_port(int eal_argc, char **eal_argv, uint16_t *port)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	RTE_ETH_FOREACH_DEV (id) {
		*port = id;
		if (rte_eth_dev_info_get(id, &info) == 0 && info.driver_name &&
		    strcmp(info.driver_name, "net_bonding") == 0)
			return true;
	}
	RTE_ETH_FOREACH_DEV (id) {
		if (!is_member(id)) {
			*port = id;
			return true;
		}
	}
	ql_complain("DPDK has no port%s. Bind a NIC (drivers-cfg/bind.sh), or add a TAP device to "
		    "the EAL "
		    "arguments: --vdev=net_tap0,iface=qlane0",
		    vdev_of(eal_argc, eal_argv)
			    ? ": the --vdev could not be made, its messages are above"
			    : "");
	return false;
}

static bool named_port(const char *name, uint16_t *port)
{
	char list[256] = "", other[RTE_ETH_NAME_MAX_LEN];
	size_t n = 0;
	uint16_t id;

	if (isdigit((unsigned char)name[0]) && strspn(name, "0123456789") == strlen(name)) {
		unsigned long number = strtoul(name, NULL, 10);

		if (number < RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port((uint16_t)number)) {
			*port = (uint16_t)number;
			return true;
		}
	} else if (rte_eth_dev_get_port_by_name(name, port) == 0) {
		return true;
	}
	RTE_ETH_FOREACH_DEV (id) {
		if (rte_eth_dev_get_name_by_port(id, other) == 0 && n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, " %u (%s)", id, other);
	}
	ql_complain("--device %s: DPDK has no such port; there is:%s", name,
		    n ? list : " none; bind a NIC (drivers-cfg/), or add --vdev=net_tap0");
	return false;
}

bool ql_devices_find(const struct ql_devices *devices, int eal_argc, char **eal_argv,
		     uint16_t ports[QL_DEVICES])
{
	for (unsigned int i = 0; i < devices->n; i++) {
		const char *name = devices->at[i].name;

		if (!(name ? named_port(name, &ports[i])
			   : first_port(eal_argc, eal_argv, &ports[i])))
			return false;
		if (is_member(ports[i])) {
			ql_complain(
				"--device %s: it belongs to a bonding port, which is the one to "
				"use",
				name);
			return false;
		}
		for (unsigned int k = 0; k < i; k++) {
			if (ports[k] == ports[i]) {
				ql_complain("--device %s: it is named twice", name);
				return false;
			}
		}
	}
	return true;
}
