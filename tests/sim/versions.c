// SPDX-License-Identifier: BSD-3-Clause
/*
 * Versions of QUIC: ends with lists drawn from the seed negotiate over links that lose and reorder,
 * with Retry or without; then somebody in the middle wants them to use another version than they
 * would, and must not succeed (RFC 9368, section 4).
 */
#include <string.h>

#include <rte_mbuf.h>

#include "conn/cid.h"
#include "conn/version.h"
#include "sim/middle.h"
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define V1  QL_VERSION_1
#define V2  QL_VERSION_2

static const uint32_t lists[][QL_VERSIONS_MAX] = {{0}, {V1}, {V2}, {V1, V2}, {V2, V1}};

#define LISTS (sizeof(lists) / sizeof(lists[0]))

/* The lists of both ends, and whether the server asks for Retry. */
struct draw {
	struct ql_transport server, client;
	enum ql_retry retry;
};

static struct draw draw(uint64_t *random)
{
	struct draw d = {.server = {.handshake_timeout_ns = 60 * SEC}};

	d.client = d.server;
	memcpy(d.server.versions, lists[sim_below(random, LISTS)], sizeof(d.server.versions));
	memcpy(d.client.versions, lists[sim_below(random, LISTS)], sizeof(d.client.versions));
	if (sim_below(random, 2) && ql_version_listed(&d.client, V2))
		d.client.first_version = V2;
	d.retry = sim_below(random, 2) ? QL_RETRY_ALWAYS : QL_RETRY_NEVER;
	return d;
}

/* What has to come of it; 0: nothing. */
static uint32_t outcome(const struct draw *d)
{
	uint32_t offered[QL_VERSIONS_MAX], first = ql_version_first(&d->client);
	unsigned int n = ql_versions(&d->client, offered);

	if (!ql_version_listed(&d->server, first)) { /* Version Negotiation */
		n = ql_versions(&d->server, offered);
		first = ql_version_choose(&d->client, offered, n);
		n = ql_versions(&d->client, offered);
	}
	if (first == 0 || d->server.versions[0] == 0)
		return first;
	return ql_version_choose(&d->server, offered, n);
}

/* ---- Without an attacker ---- */

struct seen {
	struct sim_trial *t;
	uint32_t expected;
};

static void connected(struct sim_app *app, struct ql_conn *conn)
{
	struct seen *s = app->arg;

	sim_trial_check(s->t, ql_conn_version(conn) == s->expected, "version %08x, not %08x",
			ql_conn_version(conn), s->expected);
}

static void open_pair(struct sim_trial *t, const struct draw *d, const struct sim_job *job)
{
	sim_trial_open_with(t, d->retry, &d->server, job);
	t->pair.transport[SIM_CLIENT] = d->client;
}

static void negotiate(struct sim_trial *t, uint64_t *random)
{
	struct sim_link link = {.delay = (1 + sim_below(random, 60)) * MS,
				.loss = (unsigned int)sim_below(random, SIM_MILLION / 4),
				.duplicate = SIM_MILLION / 20,
				.reorder = SIM_MILLION / 10,
				.reorder_delay = 30 * MS};
	struct sim_job job = {.streams = 2, .download = 20000, .upload = 5000};
	struct draw d = draw(random);
	struct seen seen = {.t = t, .expected = outcome(&d)};
	struct sim_app *app = &t->pair.app[SIM_CLIENT];

	open_pair(t, &d, &job);
	sim_pair_link(&t->pair, &link);
	for (unsigned int i = 0; i < 2; i++) {
		t->pair.app[i].on_connected = connected;
		t->pair.app[i].arg = &seen;
	}
	sim_trial_connect(t, 1);
	sim_trial_run(t, 600 * SEC);
	if (seen.expected) {
		sim_trial_check(t, app->misled + app->causes[QL_CLOSE_VERSION] == 0,
				"no agreement on a version");
		sim_trial_complete(t);
	} else {
		sim_trial_check(t, app->causes[QL_CLOSE_VERSION] == 1,
				"no common version, and not the end");
		app->causes[QL_CLOSE_VERSION] = 0; /* it was meant */
	}
	sim_trial_close(t);
}

/* ---- With one ---- */

struct attack {
	struct sim_trial *t;
	uint32_t to;	    /* the version that is to be used */
	struct ql_cid dcid; /* of the client's first Initial */
	bool negotiate;	    /* by a Version Negotiation packet; else by altering Initial packets */
	bool done;
	struct ql_path path;
	uint8_t packet[200];
	size_t len;
};

static void inject(void *arg)
{
	const struct attack *a = arg;

	sim_inject(a->t->pair.sim, SIM_CLIENT, &a->path, a->packet, a->len);
}

static bool attack(void *arg, struct ql_datagram *d, uint64_t now)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	struct attack *a = arg;
	struct ql_pkt_hdr h;

	if (ql_pkt_parse(p, d->mbuf->data_len, QL_LOCAL_CID_LEN, &h) < 0 ||
	    h.type != QL_PKT_INITIAL)
		return true;
	if (a->dcid.len == 0)
		ql_cid_set(&a->dcid, h.dcid.p, h.dcid.len);
	if (!a->negotiate)
		return sim_middle_convert(d, &a->dcid, false, a->to);
	if (!a->done) {
		a->done = true;
		a->path = d->path;
		a->len = sim_middle_negotiate(d, &a->to, 1, a->packet, sizeof(a->packet));
		sim_at(a->t->pair.sim, now + 1, inject, a);
	}
	return true;
}

/* Both ends speak both versions. The client begins with one, and shall end up with the other. */
static void downgrade(struct sim_trial *t, uint64_t *random)
{
	bool two = sim_below(random, 2), negotiate = sim_below(random, 2);
	struct attack a = {.t = t, .to = two ? V1 : V2, .negotiate = negotiate};
	struct draw d = {.retry = QL_RETRY_NEVER};
	struct sim_job job = {.streams = 1};
	struct sim_app *app = t->pair.app;

	memcpy(d.client.versions, lists[two ? 4 : 3], sizeof(d.client.versions));
	d.client.first_version = two ? V2 : V1;
	open_pair(t, &d, &job);
	sim_link(t->pair.sim, SIM_CLIENT)->filter = attack;
	sim_link(t->pair.sim, SIM_CLIENT)->arg = &a;
	sim_trial_connect(t, 1);
	sim_trial_run(t, 100 * SEC);
	sim_trial_check(t, app[SIM_CLIENT].connected == 0 && app[SIM_SERVER].connected == 0,
			"the attack has succeeded");
	sim_trial_check(t, app[SIM_CLIENT].misled == 1, "the attack was not noticed");
	app[SIM_CLIENT].misled = 0; /* it was meant */
	sim_trial_close(t);
}

void sim_versions(struct sim_trial *t)
{
	uint64_t random = t->seed;

	negotiate(t, &random);
	downgrade(t, &random);
}
