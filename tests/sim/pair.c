// SPDX-License-Identifier: BSD-3-Clause
#include "sim/pair.h"

#include <errno.h>
#include <err.h>
#include <string.h>

static void serve(struct sim_pair *p, unsigned int node)
{
	struct ql_proto proto = sim_app_proto(&p->app[SIM_SERVER]);
	int rc = ql_listen(sim_engine(p->sim, node), 443, p->tls[SIM_SERVER],
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
	serve(p, SIM_SERVER);
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
	serve(p, SIM_SERVER);
}

/* ---- More engines ---- */

struct ql_mesh *sim_pair_mesh(unsigned int n, bool random)
{
	const struct ql_mesh_config config = {
		.engines = n, .socket_id = -1, .spread = random, .seed = {(uint8_t)n, random}};
	struct ql_mesh *mesh = ql_mesh_create(&config);

	if (!mesh)
		err(1, "no mesh of %u engines", n);
	return mesh;
}

/* The node of a side's engine. */
static unsigned int node_of(const struct sim_pair *p, unsigned int side, unsigned int engine)
{
	return engine == 0 ? side : p->more[side].first + engine - 1;
}

static unsigned int pick(void *arg, const struct ql_datagram *d)
{
	const struct sim_engines *more = arg;
	struct sim_pair *p = more->pair;
	uint32_t flow = (uint32_t)d->path.remote.port << 16 | d->path.local.port;
	unsigned int side = (unsigned int)(more - p->more), engine;

	engine = more->random ? (unsigned int)sim_below(sim_seed(p->sim), more->n)
			      : (flow * UINT32_C(2654435761) >> 8) % more->n;
	return node_of(p, side, engine) - side;
}

void sim_pair_widen(struct sim_pair *p, unsigned int side, const struct ql_engine_config *config,
		    unsigned int n, bool random)
{
	struct ql_engine_config c = *config;

	p->more[side] = (struct sim_engines){.pair = p, .n = n, .random = random};
	for (unsigned int i = 0; i < n; i++) {
		unsigned int node;

		if (i == config->lcore_index)
			continue;
		c.lcore_index = (uint16_t)i;
		node = sim_add(p->sim, &c);
		if (p->more[side].first == 0)
			p->more[side].first = node;
		if (side == SIM_SERVER)
			serve(p, node);
	}
	sim_join(p->sim, side, p->more[side].first + n - 1 - side, pick, &p->more[side]);
}

unsigned int sim_pair_nodes(const struct sim_pair *p)
{
	unsigned int n = 2;

	for (unsigned int side = 0; side < 2; side++)
		n += p->more[side].n > 0 ? p->more[side].n - 1 : 0;
	return n;
}

unsigned int sim_pair_side(const struct sim_pair *p, unsigned int node)
{
	const struct sim_engines *server = &p->more[SIM_SERVER];

	if (node <= SIM_CLIENT)
		return node;
	return server->n > 0 && node - server->first < server->n - 1 ? SIM_SERVER : SIM_CLIENT;
}

void sim_pair_link(struct sim_pair *p, const struct sim_link *link)
{
	*sim_link(p->sim, SIM_SERVER) = *link;
	*sim_link(p->sim, SIM_CLIENT) = *link;
}

int sim_pair_connect(struct sim_pair *p)
{
	struct ql_path path = sim_path(p->sim, SIM_CLIENT, SIM_SERVER);
	struct sim_engines *more = &p->more[SIM_CLIENT];
	unsigned int node = node_of(p, SIM_CLIENT, more->n > 0 ? more->next++ % more->n : 0);

	return sim_app_connect(&p->app[SIM_CLIENT], sim_engine(p->sim, node), p->tls[SIM_CLIENT],
			       &p->transport[SIM_CLIENT], &path, sim_now(p->sim));
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

	for (unsigned int i = 0; i < sim_pair_nodes(p); i++) {
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
