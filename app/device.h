// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DPDK ports that a program uses, and what is ours on each: options --device, --ip, --gateway,
 * --tap-ip, --vlan, --mtu. Without --device all is the first port's; else everything belongs to the
 * --device before it.
 */
#ifndef QL_APP_DEVICE_H
#define QL_APP_DEVICE_H

#include <qlane/net.h>

#include "options.h"

#define QL_DEVICES 8

struct ql_device {
	const char *name; /* DPDK's name or number of the port; NULL: the first one */
	struct ql_ifaddrs ip, tap_ip;
	struct ql_gateways gateway;
	uint16_t vlan, mtu;
};

struct ql_devices {
	struct ql_device at[QL_DEVICES];
	unsigned int n; /* 0 as long as there is no option at all */
};

/* Setters; the field is a struct ql_devices. */
const char *ql_device_name(const struct ql_option *, void *to, const char *);
const char *ql_device_ip(const struct ql_option *, void *to, const char *);
const char *ql_device_gateway(const struct ql_option *, void *to, const char *);
const char *ql_device_tap_ip(const struct ql_option *, void *to, const char *);
const char *ql_device_vlan(const struct ql_option *, void *to, const char *);
const char *ql_device_mtu(const struct ql_option *, void *to, const char *);

/* All our addresses, of all devices. */
struct ql_ifaddrs ql_devices_ips(const struct ql_devices *devices);

/* Every device has an address. False after a message. */
bool ql_devices_check(const struct ql_devices *devices);

/*
 * With EAL: their DPDK ports, in order. The arguments of EAL are for the message, after which it is
 * false.
 */
bool ql_devices_find(const struct ql_devices *devices, int eal_argc, char **eal_argv,
		     uint16_t ports[QL_DEVICES]);

#endif /* QL_APP_DEVICE_H */
