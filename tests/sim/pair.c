// SPDX-License-Identifier: BSD-3-Clause
#include "sim/pair.h"

#include <errno.h>
#include <err.h>
#include <string.h>

static void serve(struct sim_pair *p)
{
	struct ql_proto proto = sim_app_proto(&p->app[SIM_SERVER]);
	int rc = ql_listen(sim_engine(p->sim, SIM_SERVER), 443, p->tls[SIM_SERVER],
			   &p->transport[SIM_SERVER], &proto, 1);

	if (rc < 0)
		errx(1, "cannot listen: %s", strerror(-rc));
}

void sim_pair_open_with(struct sim_pair *p, uint64_t seed, const struct ql_engine_config config[2],
			const struct ql_transport *transport, const struct sim_job *job)
{
	memset(p, 0, sizeof(*p));
	p->sim = sim_new(seed);
	for (unsigned int i = 0; i < 2; i++) {
		if (transport)
			p->transport[i] = *transport;
		sim_add(p->sim, &config[i]);
		p->memory[i] = sim_pair_stats(p, i).memory_used;
	}
	p->tls[SIM_SERVER] = sim_env_tls_server();
	p->tls[SIM_CLIENT] = sim_env_tls_client();
	sim_app_init(&p->app[SIM_SERVER], NULL);
	sim_app_init(&p->app[SIM_CLIENT], job);
	serve(p);
}

void sim_pair_open(struct sim_pair *p, uint64_t seed, const struct ql_limits *limits,
		   const struct ql_transport *transport, const struct sim_job *job)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .lcore_index = SIM_SERVER, .socket_id = -1},
		[SIM_CLIENT] = {.name = "client", .lcore_index = SIM_CLIENT, .socket_id = -1},
	};

	if (limits)
		config[SIM_SERVER].limits = config[SIM_CLIENT].limits = *limits;
	sim_pair_open_with(p, seed, config, transport, job);
}

void sim_pair_restart(struct sim_pair *p, const struct ql_engine_config *config)
{
	sim_restart(p->sim, SIM_SERVER, config);
	serve(p);
}

void sim_pair_link(struct sim_pair *p, const struct sim_link *link)
{
	*sim_link(p->sim, SIM_SERVER) = *link;
	*sim_link(p->sim, SIM_CLIENT) = *link;
}

int sim_pair_connect(struct sim_pair *p)
{
	struct ql_path path = sim_path(p->sim, SIM_CLIENT, SIM_SERVER);

	return sim_app_connect(&p->app[SIM_CLIENT], sim_engine(p->sim, SIM_CLIENT),
			       p->tls[SIM_CLIENT], &p->transport[SIM_CLIENT], &path,
			       sim_now(p->sim));
}

struct ql_engine_stats sim_pair_stats(const struct sim_pair *p, unsigned int node)
{
	struct ql_engine_stats stats;

	ql_engine_stats(sim_engine(p->sim, node), &stats);
	return stats;
}

bool sim_pair_idle(void *pair)
{
	const struct sim_pair *p = pair;

	for (unsigned int i = 0; i < 2; i++) {
		if (sim_pair_stats(p, i).conns > 0)
			return false;
	}
	return true;
}

int sim_pair_close(struct sim_pair *p)
{
	int missing = sim_free(p->sim);

	ql_tls_ctx_free(p->tls[SIM_SERVER]);
	ql_tls_ctx_free(p->tls[SIM_CLIENT]);
	memset(p, 0, sizeof(*p));
	return missing;
}
