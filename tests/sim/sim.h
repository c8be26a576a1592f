// SPDX-License-Identifier: BSD-3-Clause
/*
 * Engines on a virtual clock, joined by a virtual network.
 *
 * Every node is an engine with an address of its own and one link into the network. A datagram
 * goes through the sender's link, which delays, loses, doubles, alters and reorders by the
 * simulation's seed, and then to the node that has the destination's IP address. The clock jumps to
 * whatever comes next, so that minutes take milliseconds; the same seed gives the same run, to the
 * byte.
 *
 *	s = sim_new(seed);
 *	a = sim_add(s, NULL); b = sim_add(s, NULL);
 *	ql_listen(sim_engine(s, a), ...); ql_connect(sim_engine(s, b), ..., sim_now(s), ...);
 *	sim_run(s, 10 * QL_NSEC_PER_SEC, done, arg);
 *	leaked = sim_free(s);
 *
 * Times are ns. Needs sim_env_init(). What cannot go on (no memory) ends the process.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <qlane/engine.h>

#include "sim/env.h"

#define SIM_NODES   80
#define SIM_ADDRS   4
#define SIM_MILLION 1000000u

/* What is wrong with a link's handling of ECN marks. */
enum sim_ecn {
	SIM_ECN_RIGHT,
	SIM_ECN_BLEACH, /* takes marks off */
	SIM_ECN_ECT1,	/* makes ECT(1) of ECT(0) */
	SIM_ECN_ALL_CE, /* makes Congestion Experienced of every mark */
	SIM_ECN_INVENT, /* marks what was not marked */
	SIM_ECN_DROP,	/* loses what is marked */
	SIM_ECN_FAULTS,
};

/* What a node's link does to what the node sends. All zero: nothing, and it takes no time. */
struct sim_link {
	uint64_t rate;	    /* bits a second; 0: no limit */
	uint64_t delay;	    /* ns */
	unsigned int queue; /* datagrams that may wait for `rate`; more are dropped; 0: no limit */
	uint64_t wait; /* ns for which one may; what would wait longer is dropped; 0: no limit */
	/* Chances in a million, for each datagram. */
	unsigned int loss;
	unsigned int duplicate;
	unsigned int corrupt; /* one bit flipped */
	unsigned int reorder; /* comes reorder_delay later */
	uint64_t reorder_delay;
	/* So many lost or corrupted ones in a row are followed by one that is not; 0: no limit. */
	unsigned int run;
	unsigned int mark; /* ECN: Congestion Experienced, if the datagram's sender knows ECN */
	/* The same for each that finds more than so many waiting in a queue with a limit; 0: none.
	 */
	unsigned int mark_above;
	enum sim_ecn ecn;
	/* Losses in bursts (Gilbert-Elliott): the chance that one begins, and of a loss in it. */
	unsigned int burst_begin, burst_loss;
	uint64_t burst_length; /* ns, on average */
	unsigned int mtu;      /* bytes of UDP payload; larger datagrams vanish; 0: no limit */
	bool down;	       /* everything vanishes */
	/* A test's own hand: may look and alter; false loses the datagram. May be NULL. */
	bool (*filter)(void *arg, struct ql_datagram *d, uint64_t now);
	void *arg;
};

/* 10 ms, 1 Gbit/s: what sim_add() gives a node. */
extern const struct sim_link sim_link_default;

struct sim_link_stats {
	uint64_t datagrams, bytes; /* that the node sent */
	uint64_t lost, overflowed, filtered, duplicated, corrupted, reordered, marked;
	uint64_t vanished;   /* by mtu, down and SIM_ECN_DROP */
	uint64_t unroutable; /* no node has this address */
	uint64_t ect;	     /* that the node sent with a mark */
	uint64_t largest;    /* bytes of the largest datagram */
};

/* How the engines' loops went. */
struct sim_stats {
	uint64_t turns;
	uint64_t idle_turns; /* in which an engine neither got nor sent anything */
	uint64_t late;	     /* deadlines in the past after a turn: a bug */
};

struct sim;

struct sim *sim_new(uint64_t seed);

/* Free engines and all. Returns how many mbufs are missing in the nodes' pools: a bug if not 0. */
int sim_free(struct sim *s);

/*
 * A node more, at most SIM_NODES. config may be NULL, and of its fields tx_pool, seed and name
 * may be empty. Returns its number, counted from 0.
 */
unsigned int sim_add(struct sim *s, const struct ql_engine_config *config);

/*
 * The node's process ends and starts anew: another engine, as sim_add() makes it, and what is on
 * its way to the node still comes.
 */
void sim_restart(struct sim *s, unsigned int node, const struct ql_engine_config *config);

/*
 * Nodes first to first + n - 1 are the engines of one machine: what comes to an address of the first
 * one goes to that of them which pick() says, counted from 0.
 */
typedef unsigned int (*sim_pick_fn)(void *arg, const struct ql_datagram *d);
void sim_join(struct sim *s, unsigned int first, unsigned int n, sim_pick_fn pick, void *arg);

uint64_t sim_now(const struct sim *s);
/* The simulation's pseudo-random numbers, for a test that wants to add to the chaos. */
uint64_t *sim_seed(struct sim *s);
struct ql_engine *sim_engine(struct sim *s, unsigned int node);
/* To be altered at any time. */
struct sim_link *sim_link(struct sim *s, unsigned int node);
const struct sim_link_stats *sim_link_stats(const struct sim *s, unsigned int node);
/* Bytes that wait for the link's rate. */
uint64_t sim_link_waiting(const struct sim *s, unsigned int node);
const struct sim_stats *sim_stats(const struct sim *s);

/*
 * Let the engines' loops take at least so long for a turn, 0 at first: what arrives meanwhile is
 * one burst for them.
 */
void sim_set_turn(struct sim *s, uint64_t ns);

/* One more IP address that leads to the node, at most SIM_ADDRS; the port does not matter. */
void sim_add_addr(struct sim *s, unsigned int node, const struct ql_addr *addr);

/* Call fn when it is this time, before what arrives then; at once if the time has passed. */
void sim_at(struct sim *s, uint64_t at, void (*fn)(void *arg), void *arg);

/* What a tap sees of a datagram. The path is that of the node. */
enum sim_tap_what {
	SIM_TAP_SENT,	 /* by this node, before its link does anything to it */
	SIM_TAP_ARRIVED, /* at this node, which will see it now */
};
typedef void (*sim_tap_fn)(void *arg, enum sim_tap_what what, unsigned int node,
			   const struct ql_datagram *d, uint64_t now);

/* Show every datagram to a test. One tap, or NULL. */
void sim_set_tap(struct sim *s, sim_tap_fn tap, void *arg);

/* A path between two nodes, from a fresh port of the first to port 443 of the other. */
struct ql_path sim_path(struct sim *s, unsigned int from, unsigned int to);

/*
 * Let all engines work until done(arg) says so, at most for so long. done may be NULL. True if it
 * was done; then the rest of the time has not passed.
 */
bool sim_run(struct sim *s, uint64_t ns, bool (*done)(void *arg), void *arg);

/* Hand a datagram to a node now, as if it came over path (local is the node). Runs no turn. */
void sim_inject(struct sim *s, unsigned int node, const struct ql_path *path, const void *data,
		size_t len);

/*
 * Make what the node would send now and give it to the test instead of the network: at most max
 * datagrams, which the caller frees.
 */
unsigned int sim_take(struct sim *s, unsigned int node, struct ql_datagram *out, unsigned int max);

#endif
