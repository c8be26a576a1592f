// SPDX-License-Identifier: BSD-3-Clause
/*
 * From a command line to an engine that has a network: EAL, a DPDK port, an engine, a lane. What
 * fails says so on standard error, with the cure.
 */
#ifndef QL_APP_STACK_H
#define QL_APP_STACK_H

#include <stdio.h>

#include <qlane/net.h>
#include <qlane/observe.h>
#include <qlane/tls.h>

#include "options.h"

/* Options of everything that has a port; zero is the default. */
struct ql_net_options {
	struct ql_ifaddrs ip, tap_ip;
	struct ql_gateways gateway;
	uint16_t vlan, mtu;
	const char *keylog; /* SSLKEYLOGFILE counts, too */
	const char *qlog;   /* folder for qlog files; NULL for none */
	uint32_t memory;    /* MiB of an engine */
	enum ql_congestion congestion;
	enum ql_retry retry;
	uint32_t versions[QL_VERSIONS_MAX], first_version;
	unsigned int suites; /* QL_SUITE_ bits */
	uint64_t max_data, max_stream_data;
	uint32_t idle_timeout, handshake_timeout; /* seconds */
	uint8_t ticket_key[32];			  /* zero: one of the engine's own making */
	bool no_ecn;
};

/* Their rows in a table of options; type.member is the ql_net_options. */
#define QL_NET_OPTION_ROWS(type, member)                                                          \
	{"ip", "ADDR/PREFIX", "address of ours; may be repeated", ql_option_ifaddrs,              \
	 offsetof(type, member.ip)},                                                              \
		{"gateway", "ADDR", "way to other networks; one for IPv4, one for IPv6",          \
		 ql_option_gateways, offsetof(type, member.gateway)},                             \
		{"tap-ip", "ADDR/PREFIX",                                                         \
		 "with net_tap: address of the kernel's end, which is\nalso brought up; may be "  \
		 "repeated",                                                                      \
		 ql_option_ifaddrs, offsetof(type, member.tap_ip)},                               \
		{"vlan",                                                                          \
		 "N",                                                                             \
		 "802.1Q tag of all frames [none]",                                               \
		 ql_option_u16,                                                                   \
		 offsetof(type, member.vlan),                                                     \
		 1,                                                                               \
		 4094},                                                                           \
		{"mtu",                                                                           \
		 "N",                                                                             \
		 "bytes of an IP packet [what the device has]",                                   \
		 ql_option_u16,                                                                   \
		 offsetof(type, member.mtu),                                                      \
		 1280,                                                                            \
		 9600},                                                                           \
		{"keylog", "FILE",                                                                \
		 "append the TLS secrets, for Wireshark; so does the\nenvironment's "             \
		 "SSLKEYLOGFILE",                                                                 \
		 ql_option_string, offsetof(type, member.keylog)},                                \
		{"qlog", "DIR", "write there what each connection does, as qlog",                 \
		 ql_option_string, offsetof(type, member.qlog)},                                  \
		{"cc", "NAME", "congestion control: newreno, cubic or bbr [cubic]",               \
		 ql_option_congestion, offsetof(type, member.congestion)},                        \
		{"versions", "LIST",                                                              \
		 "of QUIC: 1, 2, or both in order of preference, such as\n2,1 [both; a server "   \
		 "stays with the client's]",                                                      \
		 ql_option_versions, offsetof(type, member.versions)},                            \
		{"ciphers", "LIST", "only these of aes128, aes256 and chacha20 [all, by need]",   \
		 ql_option_suites, offsetof(type, member.suites)},                                \
		{"max-data",                                                                      \
		 "BYTES",                                                                         \
		 "receive window of a connection at first [16 MiB]",                              \
		 ql_option_u64,                                                                   \
		 offsetof(type, member.max_data),                                                 \
		 1024,                                                                            \
		 UINT64_C(1) << 40},                                                              \
		{"max-stream-data",                                                               \
		 "BYTES",                                                                         \
		 "receive window of a stream at first [4 MiB]",                                   \
		 ql_option_u64,                                                                   \
		 offsetof(type, member.max_stream_data),                                          \
		 1024,                                                                            \
		 UINT64_C(1) << 40},                                                              \
		{"idle-timeout",                                                                  \
		 "S",                                                                             \
		 "end a connection after so many seconds of silence [30]",                        \
		 ql_option_u32,                                                                   \
		 offsetof(type, member.idle_timeout),                                             \
		 1,                                                                               \
		 3600},                                                                           \
		{"handshake-timeout",                                                             \
		 "S",                                                                             \
		 "give a handshake up after so many seconds [10]",                                \
		 ql_option_u32,                                                                   \
		 offsetof(type, member.handshake_timeout),                                        \
		 1,                                                                               \
		 3600},                                                                           \
		{"no-ecn", NULL, "do not mark packets as ECN-capable", ql_option_flag,            \
		 offsetof(type, member.no_ecn)},                                                  \
	{                                                                                         \
		"memory", "MB", "of an engine, for connections and streams [256]", ql_option_u32, \
			offsetof(type, member.memory), 8, 1 << 20                                 \
	}

/* What one lcore runs. One port and one queue of it now. */
struct ql_stack {
	struct ql_port *port;
	struct ql_engine *engine;
	struct ql_lane *lane;
	unsigned int lcore;
};

/* A file that an option names can be read; NULL is fine. False after a message. */
bool ql_stack_readable(const char *option, const char *path);

/* NULL, or where the secrets go. False after a message. */
bool ql_stack_keylog(const struct ql_net_options *options, struct ql_keylog **keylog);

/*
 * rte_eal_init() with argv[0 .. argc), the program's own options taken off. quiet: nothing but
 * warnings from DPDK, unless the arguments say otherwise. False after a message.
 */
bool ql_stack_eal(int argc, char **argv);

/*
 * Open DPDK port port_id with an engine and a lane for the calling lcore. tracer: who watches its
 * connections, or NULL. False after a message, with nothing left behind.
 */
bool ql_stack_open(struct ql_stack *stack, const struct ql_net_options *options, uint16_t port_id,
		   uint32_t max_conns, struct ql_tracer *tracer);
/* Engine first: it ends the connections that are still there, without a word to the peers. */
void ql_stack_close(struct ql_stack *stack);

/* The first DPDK port, or -1 after a message that says why there may be none. */
int ql_stack_port(int eal_argc, char **eal_argv);

/* Transport for the networks of the options: datagrams as large as the port's MTU takes. */
struct ql_transport ql_stack_transport(const struct ql_stack *stack,
				       const struct ql_net_options *options);

/* "10.9.0.2:4433, [fd00::2]:4433" */
void ql_stack_addresses(FILE *out, const struct ql_net_options *options, uint16_t port);

#endif /* QL_APP_STACK_H */
