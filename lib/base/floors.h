// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where a packet's time goes: cycles of the TSC by the part of its way, taken at the edges of bursts.
 * For benches: the marks in the library are nothing unless it is built with -Dfloors=true.
 *
 * A thread has one clock, which runs for one account: a bench that has several engines on a thread
 * names the account before each one's turn. Without an account a mark costs a branch.
 */
#ifndef QL_BASE_FLOORS_H
#define QL_BASE_FLOORS_H

#include <rte_cycles.h>

#include "ql_build.h"

enum ql_floor {
	QL_FLOOR_OTHER,	      /* timers, and the turn of the loop itself */
	QL_FLOOR_RECEIVE,     /* the device, Ethernet to UDP, and giving mbufs back */
	QL_FLOOR_STEER,	      /* from connection IDs to connections */
	QL_FLOOR_OPEN,	      /* header protection and AEAD */
	QL_FLOOR_FRAMES,      /* and all of handshakes */
	QL_FLOOR_APPLICATION, /* callbacks of streams, and what these call */
	QL_FLOOR_ASSEMBLE,
	QL_FLOOR_SEAL,
	QL_FLOOR_TRANSMIT, /* UDP to Ethernet, and the device */
	QL_FLOORS,
};

struct ql_floors {
	uint64_t cycles[QL_FLOORS];
	uint64_t marks[QL_FLOORS]; /* that ended a time in each: what a mark costs is in cycles */
	uint64_t longest;	   /* cycles: a longer time was an interruption, and is left out */
	uint64_t interrupted;	   /* how many such there were */
};

struct ql_floors_clock {
	struct ql_floors *account; /* NULL: the clock stands */
	enum ql_floor floor;
	uint64_t since; /* TSC */
};

extern _Thread_local struct ql_floors_clock ql_floors_clock;

/* Time belongs to this floor from now on. Returns the one before, to go back to. */
static inline enum ql_floor ql_floors_go(enum ql_floor floor)
{
	struct ql_floors_clock *c = &ql_floors_clock;
	enum ql_floor was = c->floor;

	if (c->account) {
		uint64_t now = rte_rdtsc(), spent = now - c->since;

		if (spent <= c->account->longest)
			c->account->cycles[was] += spent;
		else
			c->account->interrupted++;
		c->account->marks[was]++;
		c->since = now;
	}
	c->floor = floor;
	return was;
}

/* The thread's time goes to this account from now on, to its QL_FLOOR_OTHER; NULL: to none. */
void ql_floors_use(struct ql_floors *account);

/* Cycles that a mark takes by itself: the least of many tries. No account may be in use. */
double ql_floors_mark(void);

const char *ql_floor_name(enum ql_floor floor);

/* The library's marks: from here on, and around a call of the application's. */
#if QL_WITH_FLOORS
#define QL_FLOOR(floor) ((void)ql_floors_go(QL_FLOOR_##floor))
#define QL_FLOOR_CALL(call)                                                      \
	do {                                                                     \
		enum ql_floor ql_floor_was = ql_floors_go(QL_FLOOR_APPLICATION); \
                                                                                 \
		call;                                                            \
		ql_floors_go(ql_floor_was);                                      \
	} while (0)
#else
#define QL_FLOOR(floor)	    ((void)0)
#define QL_FLOOR_CALL(call) call
#endif

#endif /* QL_BASE_FLOORS_H */
