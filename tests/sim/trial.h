// SPDX-License-Identifier: BSD-3-Clause
/*
 * One seed of one scenario: what it runs, what every run is checked for, and its trace.
 *
 * A scenario opens a pair of engines, changes links and starts connections as it likes, lets them
 * run to their end, and finishes. It may do so several times for a seed.
 *
 * Checked each time: every byte, and what is promised of callbacks (app.h); no error of QUIC's,
 * unless a Version Negotiation packet came that does not list what the server speaks; all
 * connections, mbufs and memory given back; no deadline in the past; and that before a client's
 * address is validated a server sends at most three times what came from it (RFC 9000, 8.1).
 */
#ifndef SIM_TRIAL_H
#define SIM_TRIAL_H

#include <stdio.h>

#include <qlane/observe.h>

#include "sim/figures.h"
#include "sim/pair.h"
#include "sim/plot.h"
#include "sim/script.h"

struct sim_peer;

struct sim_trial {
	uint64_t seed;
	FILE *trace;	       /* of all datagrams, as text; or NULL */
	struct ql_qlog *qlog;  /* of all connections; or NULL */
	uint64_t hash;	       /* of the trace, so far */
	bool verbose;	       /* scenarios may tell more on stderr */
	const char *scenario;  /* its name, */
	FILE *figures;	       /* and where its figures go (figures.h); or NULL */
	bool json;	       /* these are for a program */
	struct sim_plot *plot; /* or NULL */
	uint64_t pairs, conns; /* simulated so far */
	uint64_t simulated;    /* ns */

	bool failed;
	char error[320]; /* the first */

	struct sim_pair pair;
	struct rte_mempool *pool; /* of this pair only, or NULL */
	struct sim_script *script;
	uint64_t started;
	bool abandoned; /* the pair is closed with connections that are not over */
	/* Addresses that the server has heard from. */
	struct sim_peer *peers;
	unsigned int n_peers, last_peer;
	unsigned int misleading; /* Version Negotiation packets that came to the client, altered */
};

/* Note why a trial fails; only the first reason is kept. */
void sim_trial_fail(struct sim_trial *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, unless ok. Returns ok. */
#define sim_trial_check(t, ok, ...) ((ok) ? true : (sim_trial_fail(t, __VA_ARGS__), false))

/*
 * A pair, with its links at their defaults. Each pair of a trial has a seed of its own. transport
 * may be NULL, and is for both ends.
 */
void sim_trial_open(struct sim_trial *t, const struct ql_transport *transport,
		    const struct sim_job *job);

/* The same with a server that asks for Retry as it is told to. */
void sim_trial_open_with(struct sim_trial *t, enum ql_retry retry,
			 const struct ql_transport *transport, const struct sim_job *job);

/* The same, with what there is to say of the engines but their names, indices and tracers. */
void sim_trial_open_engines(struct sim_trial *t, struct ql_engine_config config[2],
			    const struct ql_transport *transport, const struct sim_job *job);

/*
 * The same for a path that holds so many datagrams, queues included: with memory for them in the
 * engines, and mbufs for the transport's datagrams.
 */
void sim_trial_open_large(struct sim_trial *t, const struct ql_transport *transport,
			  const struct sim_job *job, unsigned int datagrams);

void sim_trial_script(struct sim_trial *t, const struct sim_event *events, unsigned int n);

/* n connections more. */
void sim_trial_connect(struct sim_trial *t, unsigned int n);

/* Run until all connections are gone, which has to happen within so many ns. */
void sim_trial_run(struct sim_trial *t, uint64_t ns);

/* Check that all streams of all connections are complete, and each was closed by the client. */
void sim_trial_complete(struct sim_trial *t);

/* Note a datagram in the trace: for scenarios that have no pair. */
void sim_trial_trace(struct sim_trial *t, enum sim_tap_what what, unsigned int node,
		     const struct ql_datagram *d, uint64_t now);

/* Check what always holds, and free the pair; with connections that are not over if abandoned. */
void sim_trial_close(struct sim_trial *t);

/* ---- */

struct sim_scenario {
	const char *name;
	const char *about; /* one line */
	void (*run)(struct sim_trial *t);
	bool figures; /* it measures some */
};

/* A table's last one has no name. */
extern const struct sim_scenario sim_interop_scenarios[];
extern const struct sim_scenario sim_bounds_scenarios[];

/* All of them, counted from 0; NULL behind the last. */
const struct sim_scenario *sim_scenario(unsigned int i);

/* scenarios that are large: sources of their own */
void sim_acks(struct sim_trial *t);
void sim_chaos(struct sim_trial *t);
void sim_early(struct sim_trial *t);
void sim_ecn(struct sim_trial *t);
void sim_lanes(struct sim_trial *t);
void sim_loss_bands(struct sim_trial *t);
void sim_versions(struct sim_trial *t);
void sim_pmtu(struct sim_trial *t);

#endif
