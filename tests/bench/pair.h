// SPDX-License-Identifier: BSD-3-Clause
/*
 * A server and a client as users would run them, each an engine with a lane and a port, and the link
 * between their ports; for benches. What each of the two costs is counted apart.
 *
 * What fails says so on standard error and ends the process: there are no figures then.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <stdatomic.h>

#include <qlane/net.h>
#include <qlane/tls.h>

#include "base/floors.h"

enum pair_link {
	PAIR_RING,   /* net_ring, both on one lcore */
	PAIR_LCORES, /* net_ring, each on an lcore of its own */
	PAIR_MEMIF,  /* net_memif, each in a process of its own, on an lcore of its own */
	PAIR_TAP,    /* net_tap and a bridge of the kernel's, both on one lcore */
};

enum pair_side { PAIR_SERVER, PAIR_CLIENT };

struct pair_config {
	enum pair_link link;
	uint16_t mtu;	  /* bytes of an IP packet */
	uint32_t conns;	  /* at most */
	uint32_t memory;  /* MiB of an engine */
	bool small_pages; /* no hugepages, so that the kernel counts what is used */
	bool checksums;	  /* made in software; else there are none, as where a NIC makes them */
	uint64_t longest; /* ns of a turn; what takes longer was interrupted */
	uint64_t
		turn; /* ns that a turn is said to take, for PAIR_RING: each run does the same; 0: timed */
};

/* What one side has done and used since its start. */
struct pair_figures {
	uint64_t cycles;	     /* TSC, of turns that had something to do */
	uint64_t turns, interrupted; /* those; and others of theirs, whose cycles are not counted */
	struct ql_floors floors;     /* of the same turns, built with -Dfloors=true */
	struct ql_engine_stats engine;
	struct ql_lane_stats lane;
	uint64_t received; /* bytes, by the application */
	uint64_t resident; /* bytes of the process, as the kernel counts them */
};

struct pair_end {
	struct ql_port *port;
	struct ql_engine *engine;
	struct ql_lane *lane;
	struct ql_tls_ctx *tls;
	uint64_t longest; /* cycles */
	const uint64_t *received;
	struct pair_figures f; /* what pair_turn() counts */
};

#define PAIR_MARKS 4

struct pair {
	struct pair_config config;
	struct pair_end ends[2];
	struct pair_shared *shared; /* between threads, and processes */
	/* At each pair_mark(), for both sides, and when that was, ns. */
	struct pair_figures at[PAIR_MARKS][2];
	uint64_t time[PAIR_MARKS];
	uint64_t cpu[PAIR_MARKS]; /* ns of CPU time of the calling thread */
	unsigned int marks;
	uint64_t resident; /* bytes of the server's process before it had an engine */
	int child;	   /* the server's process */
	uint64_t turns;
};

/*
 * EAL, ports, engines and lanes. Then serve(arg) sets the server up: it listens, and sets end->received.
 * With PAIR_LCORES the server turns from here on, on its own thread, and with PAIR_MEMIF in its own
 * process, to which serve() belongs as well. The caller has the client.
 */
void pair_open(struct pair *pair, const struct pair_config *config,
	       void (*serve)(void *arg, struct pair_end *end), void *arg);
/* The server first: what it still has of connections ends without a word. */
void pair_close(struct pair *pair);

/* The path of the client's connection number i. */
struct ql_path pair_path(uint32_t i);

#define PAIR_PORT 4433

/* A turn of the client, and of the server where that has no thread of its own. The time, ns. */
uint64_t pair_turn(struct pair *pair);
/* The server's, which callgrind can count by itself (--toggle-collect). */
void pair_turn_server(struct pair *pair);

/* The time, ns: of the clock, or as pair_config.turn says. */
uint64_t pair_now(void);

/* Take the figures of both sides, as number pair->marks. */
void pair_mark(struct pair *pair);

/* Cycles that a side has used between two marks, what was interrupted estimated by the rest. */
double pair_cycles(const struct pair *pair, unsigned int from, unsigned int to,
		   enum pair_side side);

const char *pair_link_name(enum pair_link link);

#endif
