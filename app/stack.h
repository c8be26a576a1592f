// SPDX-License-Identifier: BSD-3-Clause
/*
 * From a command line to engines that have a network: EAL, DPDK ports, and for each lcore an engine
 * and a lane. What fails says so on standard error, with the cure.
 */
#ifndef QL_APP_STACK_H
#define QL_APP_STACK_H

#include <stdio.h>

#include <qlane/net.h>
#include <qlane/observe.h>
#include <qlane/tls.h>

#include "device.h"
#include "keys.h"
#include "options.h"

struct ql_watch;

/* Options of everything that has a port; zero is the default. */
struct ql_net_options {
	struct ql_devices devices;
	enum ql_idle idle;
	bool hash_only, no_checksum;
	const char *keylog; /* SSLKEYLOGFILE counts, too */
	const char *qlog;   /* folder for qlog files; NULL for none */
	uint32_t memory;    /* MiB of an engine */
	enum ql_congestion congestion;
	enum ql_retry retry;
	uint32_t versions[QL_VERSIONS_MAX], first_version;
	unsigned int suites; /* QL_SUITE_ bits */
	uint64_t max_data, max_stream_data;
	uint32_t idle_timeout, handshake_timeout; /* seconds */
	uint8_t ticket_key[32];			  /* zero: one of the process's own making */
	uint8_t reset_key[32];			  /* the same */
	uint8_t generation;
	struct ql_cids cids;
	bool no_ecn;
};

const char *ql_option_idle(const struct ql_option *, void *to, const char *); /* enum ql_idle */

/* Their rows in a table of options; type.member is the ql_net_options. */
#define QL_NET_OPTION_ROWS(type, member)                                                          \
	{"ip", "ADDR/PREFIX", "address of ours; may be repeated", ql_device_ip,                   \
	 offsetof(type, member.devices)},                                                         \
		{"gateway", "ADDR", "way to other networks; one for IPv4, one for IPv6",          \
		 ql_device_gateway, offsetof(type, member.devices)},                              \
		{"tap-ip", "ADDR/PREFIX",                                                         \
		 "with net_tap: address of the kernel's end, which is\nalso brought up; may be "  \
		 "repeated",                                                                      \
		 ql_device_tap_ip, offsetof(type, member.devices)},                               \
		{"vlan",                                                                          \
		 "N",                                                                             \
		 "802.1Q tag of all frames [none]",                                               \
		 ql_device_vlan,                                                                  \
		 offsetof(type, member.devices),                                                  \
		 1,                                                                               \
		 4094},                                                                           \
		{"mtu",                                                                           \
		 "N",                                                                             \
		 "bytes of an IP packet [what the device has]",                                   \
		 ql_device_mtu,                                                                   \
		 offsetof(type, member.devices),                                                  \
		 1280,                                                                            \
		 9600},                                                                           \
		{"device", "NAME",                                                                \
		 "DPDK port, by name or number, that the --ip, --gateway,\n--tap-ip, --vlan and " \
		 "--mtu behind it are for; may be\nrepeated [the first port]",                    \
		 ql_device_name, offsetof(type, member.devices)},                                 \
		{"idle", "HOW",                                                                   \
		 "what an lcore does without work: poll, pause (rest for\n2 us at a time) or "    \
		 "sleep (until something arrives,\nfor 1 ms at most) [poll]",                     \
		 ql_option_idle, offsetof(type, member.idle)},                                    \
		{"hash-only", NULL,                                                               \
		 "spread packets over lcores by addresses and ports alone,\nand not by "          \
		 "connection ID where the device can do that",                                    \
		 ql_option_flag, offsetof(type, member.hash_only)},                               \
		{"no-checksum", NULL,                                                             \
		 "send UDP over IPv4 without a checksum, unless the device\nmakes them: for "     \
		 "links that are memory",                                                         \
		 ql_option_flag, offsetof(type, member.no_checksum)},                             \
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

#define QL_LANES 128 /* lcores at most */

/* What one lcore runs. */
struct ql_stack_lane {
	struct ql_engine *engine;
	struct ql_lane *lane;
	unsigned int lcore;
	char name[16]; /* "lane0" and so on; in telemetry too */
};

/* What a process has: ports, and a lane with a queue of each for every lcore. */
struct ql_stack {
	struct ql_port *ports[QL_DEVICES];
	unsigned int n_ports;
	struct ql_mesh *mesh; /* NULL with one lane */
	struct ql_stack_lane lanes[QL_LANES];
	unsigned int n_lanes;
};

struct ql_stack_config {
	const struct ql_net_options *net;
	const uint16_t *ports;	/* DPDK's, of net->devices */
	bool one_lane;		/* for the calling lcore alone, whatever lcores EAL has */
	uint16_t udp_port;	/* that is served; 0: none */
	uint32_t max_conns;	/* of an engine; 0: the engine's default */
	struct ql_watch *watch; /* of the connections; or NULL */
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
 * Open the ports, with an engine and a lane for each of EAL's lcores, the calling one first. False
 * after a message, with nothing left behind.
 */
bool ql_stack_open(struct ql_stack *stack, const struct ql_stack_config *config);
/* Engines first: they end the connections that are still there, without a word to the peers. */
void ql_stack_close(struct ql_stack *stack);

/*
 * Call fn with arg and the number of a lane on each lane's lcore, at the same time, the calling one's
 * included. Returns when all have.
 */
void ql_stack_run(struct ql_stack *stack, void (*fn)(void *arg, unsigned int lane), void *arg);

/* A turn of a lane, and rest if there was nothing to do. The time, ns. */
uint64_t ql_stack_turn(struct ql_stack *stack, unsigned int lane);

/* Transport for the networks of the options: datagrams as large as the port's MTU takes. */
struct ql_transport ql_stack_transport(const struct ql_stack *stack,
				       const struct ql_net_options *options);

/* The ports go on to bring packets to their lanes when new connection IDs are of these. False after a
 * message. */
bool ql_stack_takes_cids(const struct ql_stack *stack, const struct ql_cids *cids);

/* Counters of each lane, one after the other: a table, or a line of JSON. 0 or a negative errno. */
int ql_stack_report(const struct ql_stack *stack, FILE *out, bool json);

/* "lcores 0, 1, port 0 net_tap0, steered by ..." */
void ql_stack_describe(FILE *out, const struct ql_stack *stack);

/* "10.9.0.2:4433, [fd00::2]:4433" */
void ql_stack_addresses(FILE *out, const struct ql_net_options *options, uint16_t port);

#endif /* QL_APP_STACK_H */
