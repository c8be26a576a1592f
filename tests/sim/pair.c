// SPDX-License-Identifier: BSD-3-Clause
#include "sim/pair.h"

#include <errno.h>
#include <err.h>
#include <string.h>

void sim_pair_open(struct sim_pair *p, uint64_t seed, const struct ql_limits *limits,
		   const struct ql_transport *transport, const struct sim_job *job)
{
	static const char *const names[] = {[SIM_SERVER] = "server", [SIM_CLIENT] = "client"};
	struct ql_proto proto;
	int rc;

	memset(p, 0, sizeof(*p));
	p->sim = sim_new(seed);
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_config config = {
			.name = names[i], .lcore_index = (uint16_t)i, .socket_id = -1};

		if (limits)
			config.limits = *limits;
		if (transport)
			p->transport[i] = *transport;
		sim_add(p->sim, &config);
		p->memory[i] = sim_pair_stats(p, i).memory_used;
	}
	p->tls[SIM_SERVER] = sim_env_tls_server();
	p->tls[SIM_CLIENT] = sim_env_tls_client();
	sim_app_init(&p->app[SIM_SERVER], NULL);
	sim_app_init(&p->app[SIM_CLIENT], job);
	proto = sim_app_proto(&p->app[SIM_SERVER]);
	rc = ql_listen(sim_engine(p->sim, SIM_SERVER), 443, p->tls[SIM_SERVER],
		       &p->transport[SIM_SERVER], &proto, 1);
	if (rc < 0)
		errx(1, "cannot listen: %s", strerror(-rc));
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
