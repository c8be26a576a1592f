// SPDX-License-Identifier: BSD-3-Clause
/*
 * Early data (0-RTT): a client comes back, over links that lose and reorder, with Retry or without,
 * to servers that take its early data or have to refuse it; then somebody who has recorded what it
 * sent sends it again, and nothing must come of that.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "crypto/clock.h"
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define V1  QL_VERSION_1
#define V2  QL_VERSION_2

#define VISITS	2  /* over a bad link, behind the first two over a good one */
#define REPLAYS 6  /* of the same first flight */
#define TAPE	12 /* datagrams of it */

static const uint8_t ticket_key[32] = {1, 2, 3};

/* Both ends stay with the version that a session is of. */
static const uint32_t lists[][QL_VERSIONS_MAX] = {{0}, {V1}, {V2}, {V1, V2}};

#define LISTS (sizeof(lists) / sizeof(lists[0]))

static struct sim_job draw_job(uint64_t *random)
{
	struct sim_job job = {.streams = 1 + (unsigned int)sim_below(random, 12),
			      .download = 2000 + sim_below(random, 30000),
			      .upload = sim_below(random, 8000)};

	return job;
}

static void open_pair(struct sim_trial *t, uint64_t *random, const struct ql_transport *transport,
		      const struct sim_job *job)
{
	struct ql_engine_config config[2] = {{0}};

	config[SIM_SERVER].retry = sim_below(random, 3) ? QL_RETRY_NEVER : QL_RETRY_ALWAYS;
	memcpy(config[SIM_SERVER].ticket_key, ticket_key, sizeof(ticket_key));
	sim_trial_open_engines(t, config, transport, job);
	t->pair.app[SIM_CLIENT].use_session = true;
	for (unsigned int i = 0; i < 2; i++)
		t->pair.app[i].by_reference = sim_below(random, 2);
}

static void visit(struct sim_trial *t)
{
	sim_trial_connect(t, 1);
	sim_trial_run(t, 600 * SEC);
}

/* Both ends have the same to say. */
static void check_both(struct sim_trial *t)
{
	const struct sim_app *c = &t->pair.app[SIM_CLIENT], *s = &t->pair.app[SIM_SERVER];

	sim_trial_check(t, c->early_taken == s->early_taken,
			"early data was taken %u times by the server, %u as the client knows",
			s->early_taken, c->early_taken);
	sim_trial_check(t, c->early == c->early_taken + c->early_refused,
			"%u times early data, %u taken, %u refused", c->early, c->early_taken,
			c->early_refused);
}

static void come_back(struct sim_trial *t, uint64_t *random)
{
	struct ql_transport transport = {.early_data = true, .handshake_timeout_ns = 60 * SEC};
	struct sim_link link = {.delay = (1 + sim_below(random, 60)) * MS,
				.loss = (unsigned int)sim_below(random, SIM_MILLION / 4),
				.duplicate = SIM_MILLION / 20,
				.reorder = (unsigned int)sim_below(random, SIM_MILLION / 3),
				.reorder_delay = (1 + sim_below(random, 60)) * MS};
	struct sim_job job = draw_job(random);
	struct ql_engine_config other = {.name = "server 2", .socket_id = -1};
	struct sim_app *app;

	memcpy(other.ticket_key, ticket_key, sizeof(ticket_key));
	memcpy(transport.versions, lists[sim_below(random, LISTS)], sizeof(transport.versions));
	open_pair(t, random, &transport, &job);
	app = &t->pair.app[SIM_CLIENT];
	visit(t);
	sim_trial_check(t, app->early == 0, "early data without a session");
	visit(t);
	sim_trial_check(t, app->resumed == 1 && app->early_taken == 1,
			"%u of 1 resumed, the early data of %u taken", app->resumed,
			app->early_taken);
	sim_pair_link(&t->pair, &link);
	for (unsigned int i = 0; i < VISITS; i++) {
		switch (sim_below(random, 4)) {
		case 0: /* does not remember what it has taken: takes nothing for a while */
			sim_pair_restart(&t->pair, &other);
			break;
		case 1: /* promises less now, and so takes nothing of what was promised before */
			t->pair.transport[SIM_SERVER].max_streams_bidi = 1 + sim_below(random, 20);
			sim_pair_restart(&t->pair, &other);
			break;
		}
		visit(t);
	}
	check_both(t);
	sim_trial_complete(t);
	sim_trial_close(t);
}

/* ---- With somebody who records ---- */

static struct tape {
	unsigned int n;
	struct {
		uint8_t data[1600];
		size_t len;
	} at[TAPE];
	struct ql_path path;
} tape;

static bool record(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct tape *r = arg;

	(void)now;
	if (r->n < TAPE && d->mbuf->data_len <= sizeof(r->at[0].data)) {
		r->at[r->n].len = d->mbuf->data_len;
		memcpy(r->at[r->n++].data, rte_pktmbuf_mtod(d->mbuf, void *), d->mbuf->data_len);
		r->path = (struct ql_path){.local = d->path.remote, .remote = d->path.local};
	}
	return true;
}

static void replay(struct sim_trial *t, uint64_t *random)
{
	struct ql_transport transport = {.early_data = true};
	struct sim_job job = draw_job(random);
	struct sim_app *s;
	unsigned int accepted, opened;
	uint64_t received;

	open_pair(t, random, &transport, &job);
	s = &t->pair.app[SIM_SERVER];
	visit(t);
	tape.n = 0;
	sim_link(t->pair.sim, SIM_CLIENT)->filter = record;
	sim_link(t->pair.sim, SIM_CLIENT)->arg = &tape;
	visit(t);
	sim_link(t->pair.sim, SIM_CLIENT)->filter = NULL;
	sim_trial_check(t, s->early == 1, "no early data to record");
	accepted = s->accepted;
	opened = s->opened;
	received = s->received;
	for (unsigned int i = 0; i < REPLAYS; i++) {
		if (sim_below(random, 4) == 0) {
			struct ql_engine_config other = {.name = "server 2", .socket_id = -1};

			memcpy(other.ticket_key, ticket_key, sizeof(ticket_key));
			sim_pair_restart(&t->pair, &other);
		}
		sim_run(t->pair.sim, sim_below(random, 20 * SEC), NULL, NULL);
		tape.path.remote.port++;
		for (unsigned int k = 0; k < tape.n; k++)
			sim_inject(t->pair.sim, SIM_SERVER, &tape.path, tape.at[k].data,
				   tape.at[k].len);
	}
	sim_trial_run(t, 100 * SEC);
	sim_trial_check(t,
			s->accepted == accepted && s->opened == opened && s->received == received,
			"a replay was taken: %u connections, %u streams, %llu bytes too many",
			s->accepted - accepted, s->opened - opened,
			(unsigned long long)(s->received - received));
	check_both(t);
	sim_trial_close(t);
}

void sim_early(struct sim_trial *t)
{
	uint64_t random = t->seed;

	come_back(t, &random);
	if (ql_clock_attachable()) /* else no ticket gets old here */
		replay(t, &random);
}
