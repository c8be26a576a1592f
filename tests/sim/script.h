// SPDX-License-Identifier: BSD-3-Clause
/*
 * What happens to the links of a simulation, and when: a list of events, each of which changes one
 * property of one link, for good or for a time.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "sim/sim.h"

#define SIM_EVENTS 16 /* of one script */

enum sim_event_kind {
	SIM_EVENT_RATE,	 /* bits a second */
	SIM_EVENT_DELAY, /* ns */
	SIM_EVENT_DOWN,	 /* 1: everything vanishes */
	SIM_EVENT_MTU,	 /* bytes of UDP payload */
	SIM_EVENT_LOSS,	 /* these: chances in a million */
	SIM_EVENT_BURST, /* that a burst of losses begins, of 20 ms on average */
	SIM_EVENT_CORRUPT,
	SIM_EVENT_REORDER, /* by 20 ms */
	SIM_EVENT_DUPLICATE,
	SIM_EVENT_MARK,
	SIM_EVENT_ECN, /* enum sim_ecn */
	SIM_EVENT_KINDS,
};

struct sim_event {
	uint64_t at;	/* ns from now */
	uint64_t lasts; /* ns, after which the property is what it was; 0: for good */
	unsigned int node;
	enum sim_event_kind kind;
	uint64_t value;
};

struct sim_script;

/* Start n events. Free it when the simulation is gone. */
struct sim_script *sim_script_start(struct sim *s, const struct sim_event *events, unsigned int n);
void sim_script_free(struct sim_script *script);

/* A short name such as "rate". */
const char *sim_event_name(enum sim_event_kind kind);

#endif
