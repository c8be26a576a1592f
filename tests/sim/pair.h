// SPDX-License-Identifier: BSD-3-Clause
/*
 * A server and a client engine with the application of app.h: what most tests start from.
 *
 *	struct sim_pair p;
 *	sim_pair_open(&p, seed, NULL, &job);
 *	sim_pair_connect(&p);
 *	sim_run(p.sim, ...);
 *	sim_pair_close(&p)
 */
#ifndef SIM_PAIR_H
#define SIM_PAIR_H

#include "sim/app.h"
#include "sim/sim.h"

#define SIM_SERVER 0
#define SIM_CLIENT 1

/* A side of several engines. */
struct sim_engines {
	struct sim_pair *pair;
	unsigned int n;	    /* 0: it has one */
	unsigned int first; /* node of the second one */
	unsigned int next;  /* that connects */
	bool random;	    /* which one a datagram comes to */
};

struct sim_pair {
	struct sim *sim;
	struct ql_tls_ctx *tls[2];
	struct ql_transport transport[2]; /* of the client: for the next sim_pair_connect() */
	struct sim_app app[2];		  /* each by SIM_SERVER, SIM_CLIENT */
	uint64_t memory[2];		  /* bytes that the engines used at first */
	struct sim_engines more[2];
};

/* limits and transport may be NULL, and are for both ends. */
void sim_pair_open(struct sim_pair *p, uint64_t seed, const struct ql_limits *limits,
		   const struct ql_transport *transport, const struct sim_job *job);

/* The same, with all that there is to say of the engines. */
void sim_pair_open_with(struct sim_pair *p, uint64_t seed, const struct ql_engine_config config[2],
			const struct ql_transport *transport, const struct sim_job *job);

/*
 * n engines instead of one for a side, of the mesh that its first one has by config. Datagrams come to
 * a random one, or by addresses and ports; connections begin at each in turn. Their links are the
 * default.
 */
struct ql_mesh *sim_pair_mesh(unsigned int n, bool random);
void sim_pair_widen(struct sim_pair *p, unsigned int side, const struct ql_engine_config *config,
		    unsigned int n, bool random);
/* Nodes of both sides, and whose one is: SIM_SERVER or SIM_CLIENT. */
unsigned int sim_pair_nodes(const struct sim_pair *p);
unsigned int sim_pair_side(const struct sim_pair *p, unsigned int node);

/* The server's process ends and starts anew; its application sees all connections closed. */
void sim_pair_restart(struct sim_pair *p, const struct ql_engine_config *config);

/* The same link for both directions. */
void sim_pair_link(struct sim_pair *p, const struct sim_link *link);

/* Start another connection of the client's. As ql_connect(). */
int sim_pair_connect(struct sim_pair *p);

/* For sim_run(): every connection that either side knows has ended, and its memory is back. */
bool sim_pair_idle(void *pair);

/* An engine's figures. */
struct ql_engine_stats sim_pair_stats(const struct sim_pair *p, unsigned int node);

/* Free it all. Returns mbufs missing, see sim_free(). */
int sim_pair_close(struct sim_pair *p);

#endif
