// SPDX-License-Identifier: BSD-3-Clause
/*
 * Versions: compatible and incompatible negotiation from both sides, and what must not lead to
 * another version than the ends prefer (RFC 9368; RFC 9369, sections 4 and 5).
 */
#include "conformance/conform.h"

#include <errno.h>

#include "sim/middle.h"

#define V1	QL_VERSION_1
#define V2	QL_VERSION_2
#define UNKNOWN 0x1a2a3a4au

#define PARAM_VERSIONS 0x11

/* ---- Lists ---- */

START_TEST(test_lists)
{
	static const struct {
		uint32_t versions[QL_VERSIONS_MAX], first;
		bool valid;
		uint32_t begins; /* ql_version_first() */
	} cases[] = {
		{{0}, 0, true, V1},	  {{0}, V2, true, V2},	    {{V1}, 0, true, V1},
		{{V2}, 0, true, V2},	  {{V2, V1}, 0, true, V1},  {{V2, V1}, V2, true, V2},
		{{V1, V2}, V1, true, V1}, {{V1}, V2, false, 0},	    {{V2}, V1, false, 0},
		{{V1, V1}, 0, false, 0},  {{UNKNOWN}, 0, false, 0}, {{0, V1}, 0, false, 0},
		{{0}, UNKNOWN, false, 0},
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ql_transport t = {.first_version = cases[i].first};

		memcpy(t.versions, cases[i].versions, sizeof(t.versions));
		ck_assert_msg(ql_versions_valid(&t) == cases[i].valid, "case %u", i);
		if (cases[i].valid)
			ck_assert_msg(ql_version_first(&t) == cases[i].begins, "case %u", i);
	}
}
END_TEST

START_TEST(test_choose)
{
	static const uint32_t both[] = {UNKNOWN, V1, V2};
	struct ql_transport none = {0}, t = {.versions = {V2, V1}};
	uint32_t out[QL_VERSIONS_MAX];

	ck_assert_uint_eq(ql_versions(&none, out), 2);
	ck_assert_uint_eq(out[0], V1);
	ck_assert_uint_eq(out[1], V2);
	ck_assert_uint_eq(ql_versions(&t, out), 2);
	ck_assert_uint_eq(out[0], V2);
	ck_assert_uint_eq(ql_version_choose(&t, both, 3), V2);
	ck_assert_uint_eq(ql_version_choose(&t, both, 2), V1);
	ck_assert_uint_eq(ql_version_choose(&t, both, 1), 0);
	ck_assert_uint_eq(ql_version_choose(&t, both, 0), 0);
	ck_assert(!ql_version_listed(&none, UNKNOWN) && ql_version_listed(&none, V2));
	t.versions[1] = 0;
	ck_assert(ql_version_listed(&t, V2) && !ql_version_listed(&t, V1));
	ck_assert_uint_eq(ql_version_choose(&t, both, 2), 0);
}
END_TEST

START_TEST(test_refused)
{
	struct sim_job job = {0};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	p.transport[SIM_CLIENT].versions[0] = UNKNOWN;
	ck_assert_int_eq(sim_pair_connect(&p), -EINVAL);
	p.transport[SIM_CLIENT].versions[0] = V1;
	p.transport[SIM_CLIENT].first_version = V2;
	ck_assert_int_eq(sim_pair_connect(&p), -EINVAL);
	finish(&p);
}
END_TEST

/* ---- Two ends and their lists ---- */

/* What each side sent first in its datagrams, and what it had behind that. */
struct seen {
	unsigned int of[2][QL_PKT_SHORT]; /* packets, by version and type */
	unsigned int negotiations;
	uint32_t first; /* of the first Initial */
};

static bool look(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	size_t len = d->mbuf->data_len;
	struct seen *s = arg;
	struct ql_pkt_hdr h;

	while (len > 0 && ql_pkt_parse(p, len, QL_LOCAL_CID_LEN, &h) == 0) {
		if (h.type < QL_PKT_SHORT) {
			s->of[h.version == V2][h.type]++;
			if (!s->first)
				s->first = h.version;
		}
		s->negotiations += h.type == QL_PKT_VERSION_NEGOTIATION;
		p += h.size;
		len -= h.size;
	}
	return true;
}

static void watch(struct sim_pair *p, struct seen s[2])
{
	memset(s, 0, 2 * sizeof(*s));
	for (unsigned int i = 0; i < 2; i++) {
		sim_link(p->sim, i)->filter = look;
		sim_link(p->sim, i)->arg = &s[i];
	}
}

static void open_pair(struct sim_pair *p, uint64_t seed, enum ql_retry retry,
		      const uint32_t server[QL_VERSIONS_MAX],
		      const uint32_t client[QL_VERSIONS_MAX], uint32_t first,
		      const struct sim_job *job)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .socket_id = -1, .retry = retry},
		[SIM_CLIENT] = {.name = "client", .lcore_index = 1, .socket_id = -1},
	};
	struct ql_transport t = {0};

	memcpy(t.versions, server, sizeof(t.versions));
	sim_pair_open_with(p, seed, config, &t, job);
	memcpy(p->transport[SIM_CLIENT].versions, client, sizeof(t.versions));
	p->transport[SIM_CLIENT].first_version = first;
}

static const uint32_t any[QL_VERSIONS_MAX],
	only1[QL_VERSIONS_MAX] = {V1}, only2[QL_VERSIONS_MAX] = {V2},
	one_two[QL_VERSIONS_MAX] = {V1, V2}, two_one[QL_VERSIONS_MAX] = {V2, V1};

/* Who offers what, and what comes of it; with and without Retry. */
START_TEST(test_lists_meet)
{
	static const struct {
		const uint32_t *server, *client;
		uint32_t first, becomes; /* 0: nothing */
		bool negotiation;
	} cases[] = {
		{any, any, 0, V1, false},	  {any, any, V2, V2, false},
		{any, two_one, 0, V1, false},	  {any, two_one, V2, V2, false},
		{any, only2, 0, V2, false},	  {two_one, any, 0, V2, false},
		{two_one, one_two, 0, V2, false}, {two_one, only1, 0, V1, false},
		{two_one, any, V2, V2, false},	  {one_two, any, V2, V1, false},
		{one_two, two_one, 0, V1, false}, {one_two, only2, 0, V2, false},
		{only1, any, 0, V1, false},	  {only1, two_one, V2, V1, true},
		{only2, any, 0, V2, true},	  {only2, only2, 0, V2, false},
		{only1, only2, 0, 0, true},	  {only2, only1, 0, 0, true},
	};

	for (unsigned int i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim_job job = {.streams = 2, .download = 20 * KB, .upload = 20 * KB};
		bool retry = i & 1, nothing = cases[i / 2].becomes == 0;
		uint32_t becomes = cases[i / 2].becomes, began;
		unsigned int other = becomes == V1;
		struct seen seen[2];
		struct sim_pair p;

		open_pair(&p, i + 1, retry ? QL_RETRY_ALWAYS : QL_RETRY_NEVER, cases[i / 2].server,
			  cases[i / 2].client, cases[i / 2].first, &job);
		began = ql_version_first(&p.transport[SIM_CLIENT]);
		watch(&p, seen);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 5 * MS, NULL, NULL);
		ck_assert_uint_eq(seen[SIM_CLIENT].first, began);
		while (!nothing && p.app[SIM_CLIENT].connected + p.app[SIM_SERVER].connected < 2) {
			ck_assert_msg(sim_now(p.sim) < 5 * SEC, "case %u", i);
			sim_run(p.sim, 1 * MS, NULL, NULL);
		}
		if (!nothing) {
			ck_assert_uint_eq(ql_conn_version(conn_of(&p, SIM_CLIENT)), becomes);
			ck_assert_uint_eq(ql_conn_version(conn_of(&p, SIM_SERVER)), becomes);
		}
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, nothing ? 0 : 2);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause,
				 nothing ? QL_CLOSE_VERSION : QL_CLOSE_LOCAL);
		ck_assert_uint_eq(seen[SIM_SERVER].negotiations, cases[i / 2].negotiation);
		ck_assert_uint_eq(seen[SIM_CLIENT].negotiations, 0);
		/* Handshake packets, and a server's CRYPTO frames, in the negotiated version only.
		 */
		for (unsigned int k = 0; k < 2 && !nothing; k++) {
			ck_assert_uint_eq(seen[k].of[other][QL_PKT_HANDSHAKE], 0);
			ck_assert_uint_gt(seen[k].of[!other][QL_PKT_HANDSHAKE], 0);
		}
		ck_assert_uint_eq(seen[SIM_SERVER].of[other][QL_PKT_INITIAL], 0);
		/* Retry in the version that it answers. */
		if (!nothing && retry && !cases[i / 2].negotiation) {
			ck_assert_uint_eq(seen[SIM_SERVER].of[began == V2][QL_PKT_RETRY], 1);
			ck_assert_uint_eq(seen[SIM_SERVER].of[began != V2][QL_PKT_RETRY], 0);
		}
		finish(&p);
	}
}
END_TEST

/* An upgrade costs no round trip. */
START_TEST(test_no_round_trip)
{
	uint64_t took[2];

	for (unsigned int i = 0; i < 2; i++) {
		struct sim_job job = {.streams = 1, .download = 100};
		struct sim_pair p;

		open_pair(&p, 1, QL_RETRY_NEVER, i ? two_one : only1, any, 0, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 10 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
		took[i] = p.app[SIM_CLIENT].connected_at;
		finish(&p);
	}
	ck_assert_uint_le(took[1], took[0] + 1 * MS);
}
END_TEST

/* Keys of later phases have labels of their own, too (RFC 9369, 3.3.2). */
START_TEST(test_key_update)
{
	struct sim_job job = {.keep_open = true};
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_NEVER, two_one, any, 0, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	for (unsigned int i = 1; i <= 3; i++) {
		for (unsigned int k = 0; k < 4; k++) {
			send_frames(&p, k & 1, QL_SPACE_APP, "\x01", 1);
			sim_run(p.sim, 1 * SEC, NULL, NULL);
			if (k == 1)
				ql_conn_update_keys(conn_of(&p, i & 1));
		}
		ck_assert_int_eq(conn_of(&p, SIM_CLIENT)->key_phase, i & 1);
		ck_assert_int_eq(conn_of(&p, SIM_SERVER)->key_phase, i & 1);
	}
	close_idle(&p);
}
END_TEST

/* Retry, loss, and all that links do, while versions change: by seed. */
START_TEST(test_bad_links)
{
	struct sim_job job = {.streams = 2, .download = 20 * KB, .upload = 20 * KB};

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct sim_link link = sim_link_default;
		struct sim_pair p;

		link.loss = SIM_MILLION / 4;
		link.duplicate = SIM_MILLION / 10;
		link.reorder = SIM_MILLION / 10;
		link.reorder_delay = 30 * MS;
		open_pair(&p, seed, seed & 1 ? QL_RETRY_ALWAYS : QL_RETRY_NEVER,
			  seed & 2 ? only2 : two_one, one_two, 0, &job);
		p.transport[SIM_CLIENT].handshake_timeout_ns = 60 * SEC;
		sim_pair_link(&p, &link);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 200 * SEC);
		ck_assert_msg(p.app[SIM_CLIENT].complete == 2, "seed %u", (unsigned int)seed);
		finish(&p);
	}
}
END_TEST

/* ---- Packets of the first version behind the change ---- */

/* A client's Initial of version 1 with a PING, whatever the client uses by now. */
static size_t first_version_ping(struct sim_pair *p, uint32_t version, uint8_t buf[2048])
{
	struct ql_conn *c = conn_of(p, SIM_CLIENT);
	struct ql_keys *tx = &c->early[QL_SPACE_INITIAL].tx, saved = *tx;
	uint32_t in_use = c->version;
	size_t size;

	memset(tx, 0, sizeof(*tx));
	c->server = true; /* whose keys to receive with are a client's to send with */
	ck_assert_int_eq(ql_handshake_try_keys(c, version, tx), 0);
	c->server = false;
	c->version = version;
	size = make_packet(p, SIM_CLIENT, QL_SPACE_INITIAL, "\x01", 1, 0, buf);
	ql_handshake_free_keys(c, tx);
	*tx = saved;
	c->version = in_use;
	return size;
}

static bool server_handshake_lost(void *arg UNUSED, struct ql_datagram *d UNUSED,
				  uint64_t now UNUSED)
{
	return false;
}

/* Taken until the server has a Handshake packet of the negotiated version; then dropped. */
START_TEST(test_first_version)
{
	struct sim_job job = {.keep_open = true};
	uint64_t dropped, taken;
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[2048];
	size_t size;

	open_pair(&p, 1, QL_RETRY_NEVER, two_one, any, 0, &job);
	sim_link(p.sim, SIM_SERVER)->filter = server_handshake_lost;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 20 * MS, NULL, NULL);
	path = path_to(&p, SIM_CLIENT);
	ck_assert_uint_eq(some_conn(&p, SIM_SERVER)->version, V2);
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->version, V1);
	for (unsigned int i = 0; i < 2; i++) {
		taken = sim_pair_stats(&p, SIM_SERVER).rx_packets;
		size = first_version_ping(&p, i ? V2 : V1, buf);
		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).rx_packets, taken + 1);
	}
	/* For later, and then to the ID that the server has chosen. */
	size = first_version_ping(&p, V1, buf);
	ck_assert_uint_eq(buf[5], QL_LOCAL_CID_LEN);
	memcpy(buf + 6, some_conn(&p, SIM_SERVER)->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
	sim_link(p.sim, SIM_SERVER)->filter = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].connected, 1);
	dropped = sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_VERSION];
	sim_inject(p.sim, SIM_SERVER, &path, buf, size);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_VERSION], dropped + 1);
	close_idle(&p);
}
END_TEST

/* Handshake packets of another version are dropped, by both ends. */
START_TEST(test_handshake_packets)
{
	for (unsigned int to = 0; to < 2; to++) {
		struct sim_job job = {.keep_open = true};
		struct ql_path path;
		struct sim_pair p;
		uint8_t buf[2048];
		uint64_t before;
		size_t size;

		open_pair(&p, 1, QL_RETRY_NEVER, two_one, any, 0, &job);
		/* The client has the server's first flight, but not all of it. */
		sim_link(p.sim, SIM_SERVER)->rate = 1 * MB;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 31 * MS, NULL, NULL);
		p.app[SIM_SERVER].conn = some_conn(&p, SIM_SERVER);
		ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->version, V2);
		path = path_to(&p, !to);
		size = make_packet(&p, !to, QL_SPACE_HANDSHAKE, "\x01", 1, 0, buf);
		buf[0] ^= 0x10; /* Handshake is 2, and 3 */
		ql_put_be32(buf + 1, V1);
		before = sim_pair_stats(&p, to).drops[QL_DROP_VERSION];
		sim_inject(p.sim, to, &path, buf, size);
		ck_assert_uint_eq(sim_pair_stats(&p, to).drops[QL_DROP_VERSION], before + 1);
		sim_run(p.sim, 5 * SEC, NULL, NULL);
		close_idle(&p);
	}
}
END_TEST

/* ---- What the peer says ---- */

struct claim {
	const char *what;
	const uint8_t *data;
	size_t len;
	uint64_t error; /* 0: none of this kind */
};

#define B1 0, 0, 0, 1
#define B2 0x6b, 0x33, 0x43, 0xcf
#define BU 0x1a, 0x2a, 0x3a, 0x4a

/* A client of version 1. */
static const struct claim claims[] = {
	{"chosen is another one", BYTES(B2, B1, B2), QL_ERR_VERSION_NEGOTIATION_ERROR},
	{"chosen is unknown", BYTES(BU, B1, BU), QL_ERR_VERSION_NEGOTIATION_ERROR},
	{"chosen is not listed", BYTES(B1, B2), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"nothing listed", BYTES(B1), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"cut off", BYTES(B1, B1, 0), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"empty", BYTES(), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"chosen is zero", BYTES(0, 0, 0, 0, B1), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"zero is listed", BYTES(B1, B1, 0, 0, 0, 0), QL_ERR_TRANSPORT_PARAMETER_ERROR},
	{"nothing said", NULL, 0, 0},
	{"an unknown one is preferred", BYTES(B1, BU, B1), 0},
};
START_TEST(test_client_claims)
{
	for (unsigned int i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		const struct claim *c = &claims[i];
		struct sim_job job = {.keep_open = true};
		struct sim_pair p;
		struct hello h;

		open_pair(&p, 1, QL_RETRY_NEVER, two_one, any, 0, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		hello_get(conn_of(&p, SIM_CLIENT), QL_SPACE_INITIAL, &h);
		hello_param(&h, PARAM_VERSIONS, c->data, c->len);
		hello_set(&h);
		if (c->error) {
			expect_error(&p, SIM_CLIENT, c->error, c->what);
			continue;
		}
		/* No objection, though then the transcripts differ. */
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		ck_assert_msg(some_conn(&p, SIM_SERVER), "%s", c->what);
		ck_assert_uint_eq(some_conn(&p, SIM_SERVER)->version, V1);
		ck_assert_int_eq(some_conn(&p, SIM_SERVER)->state, QL_CONN_HANDSHAKE);
		run_out(&p, 40 * SEC);
		finish(&p);
	}
}
END_TEST

/* The first datagram of a client's last try: a Version Negotiation packet came to the first one. */
static struct rte_mbuf *first_datagram(struct sim_pair *p)
{
	struct ql_path path = *ql_conn_path(conn_of(p, SIM_CLIENT));
	uint32_t list[QL_VERSIONS_MAX];
	unsigned int n = ql_versions(&p->transport[SIM_SERVER], list);
	struct ql_datagram out[4];
	uint8_t buf[200];
	size_t len;

	ck_assert_uint_eq(sim_take(p->sim, SIM_CLIENT, out, 4), 1);
	if (ql_version_listed(&p->transport[SIM_SERVER], conn_of(p, SIM_CLIENT)->version))
		return out[0].mbuf;
	len = sim_middle_negotiate(&out[0], list, n, buf, sizeof(buf));
	ck_assert_uint_gt(len, 0);
	rte_pktmbuf_free(out[0].mbuf);
	sim_inject(p->sim, SIM_CLIENT, &path, buf, len);
	ck_assert(conn_of(p, SIM_CLIENT)->hs->restarted);
	ck_assert_uint_eq(sim_take(p->sim, SIM_CLIENT, out, 4), 1);
	return out[0].mbuf;
}

/* What a server says to a client that began with `first`. */
static void server_claim(const uint32_t *server, const uint32_t *client, uint32_t first,
			 const struct claim *c)
{
	struct sim_job job = {.keep_open = true};
	struct rte_mbuf *m;
	struct ql_path path;
	struct sim_pair p;
	struct hello h;

	open_pair(&p, 1, QL_RETRY_NEVER, server, client, first, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	m = first_datagram(&p);
	path = path_to(&p, SIM_CLIENT);
	sim_inject(p.sim, SIM_SERVER, &path, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	hello_get(some_conn(&p, SIM_SERVER), QL_SPACE_HANDSHAKE, &h);
	hello_param(&h, PARAM_VERSIONS, c->data, c->len);
	hello_set(&h);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	if (c->error)
		ck_assert_msg(p.app[SIM_CLIENT].close.error == c->error, "%s: %llx", c->what,
			      (unsigned long long)p.app[SIM_CLIENT].close.error);
	else /* it got as far as Finished, which cannot be right */
		ck_assert_msg(p.app[SIM_CLIENT].close.error >= QL_ERR_CRYPTO(0), "%s: %llx",
			      c->what, (unsigned long long)p.app[SIM_CLIENT].close.error);
	finish(&p);
}

#define NEGOTIATION QL_ERR_VERSION_NEGOTIATION_ERROR
#define PARAMETER   QL_ERR_TRANSPORT_PARAMETER_ERROR

/* A server that stays with version 1; that goes on in 2; that the client began with again. */
static const struct claim stays[] = {
	{"chosen is another one", BYTES(B2, B1, B2), NEGOTIATION},
	{"chosen is unknown", BYTES(BU, BU), NEGOTIATION},
	{"cut off", BYTES(B1, B1, 0), PARAMETER},
	{"chosen is zero", BYTES(0, 0, 0, 0, B1), PARAMETER},
	{"zero is listed", BYTES(B1, 0, 0, 0, 0), PARAMETER},
	{"nothing listed", BYTES(B1), 0},
	{"chosen is not listed", BYTES(B1, B2), 0},
	{"nothing said", NULL, 0, 0},
};
static const struct claim goes_on[] = {
	{"chosen is the first one", BYTES(B1, B1, B2), NEGOTIATION},
	{"nothing said, but changed", NULL, 0, NEGOTIATION},
	{"nothing listed", BYTES(B2), 0},
};
/* The client began with 2, which a Version Negotiation packet did not list. */
static const struct claim again[] = {
	{"the better one is there", BYTES(B1, B1, B2), NEGOTIATION},
	{"only the better one is there", BYTES(B1, B2), NEGOTIATION},
	{"nothing listed", BYTES(B1), NEGOTIATION},
	{"chosen is another one", BYTES(B2, B1), NEGOTIATION},
	{"only an unknown one is there", BYTES(B1, BU), 0},
	{"nothing said, by a server of version 1 (RFC 9368, 8)", NULL, 0, 0},
};
/* The other way round. */
static const struct claim again_with_2[] = {
	{"nothing said, by a server of version 2", NULL, 0, NEGOTIATION},
};

START_TEST(test_server_claims)
{
	for (unsigned int i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
		server_claim(one_two, any, 0, &stays[i]);
	for (unsigned int i = 0; i < sizeof(goes_on) / sizeof(goes_on[0]); i++)
		server_claim(two_one, any, 0, &goes_on[i]);
	for (unsigned int i = 0; i < sizeof(again) / sizeof(again[0]); i++)
		server_claim(only1, two_one, V2, &again[i]);
	for (unsigned int i = 0; i < sizeof(again_with_2) / sizeof(again_with_2[0]); i++)
		server_claim(only2, one_two, 0, &again_with_2[i]);
	/* A client that knows only version 1 need not believe what it knows nothing of. */
	server_claim(only1, only1, 0, &stays[0]);
	/* After an upgrade the list's own order is what counts. */
	server_claim(two_one, only1, 0, &stays[1]);
}
END_TEST

/* ---- Somebody in the middle ---- */

struct middle {
	struct sim_pair *p;
	uint32_t to;
	struct ql_cid dcid; /* of the client's first Initial */
	struct ql_path path;
	uint8_t forged[200];
	size_t len;
};

/* For the client's Initial packets: the server is to believe that it began with another version. */
static bool convert(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	struct middle *m = arg;

	return sim_middle_convert(d, &m->dcid, false, m->to);
}

START_TEST(test_converted)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct sim_job job = {.keep_open = true};
		struct middle m = {.to = i ? V1 : V2};
		struct sim_pair p;

		m.p = &p;
		open_pair(&p, 1, QL_RETRY_NEVER, any, any, i ? V2 : V1, &job);
		*sim_link(p.sim, SIM_CLIENT) =
			(struct sim_link){.delay = 10 * MS, .filter = convert, .arg = &m};
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		m.dcid = conn_of(&p, SIM_CLIENT)->hs->original_dcid;
		expect_error(&p, SIM_CLIENT, QL_ERR_VERSION_NEGOTIATION_ERROR, "converted");
	}
}
END_TEST

static void inject(void *arg)
{
	const struct middle *m = arg;

	sim_inject(m->p->sim, SIM_CLIENT, &m->path, m->forged, m->len);
}

/* Answer the client's first packet: the server knows version 1 only, allegedly. */
static bool forge(void *arg, struct ql_datagram *d, uint64_t now)
{
	static const uint32_t versions[] = {UNKNOWN, V1};
	struct middle *m = arg;

	if (m->len > 0)
		return true;
	m->path = d->path;
	m->len = sim_middle_negotiate(d, versions, 2, m->forged, sizeof(m->forged));
	ck_assert_uint_gt(m->len, 0);
	sim_at(m->p->sim, now + 1 * MS, inject, m);
	return true;
}

START_TEST(test_forged_negotiation)
{
	struct sim_job job = {.keep_open = true};
	struct middle m = {0};
	struct sim_pair p;

	m.p = &p;
	open_pair(&p, 1, QL_RETRY_NEVER, any, two_one, V2, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = forge;
	sim_link(p.sim, SIM_CLIENT)->arg = &m;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_VERSION_NEGOTIATION_ERROR);
	finish(&p);
}
END_TEST

/* The client follows what seems to be the server, whose Handshake packets it cannot open then. */
static bool convert_server(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	struct middle *m = arg;

	sim_middle_convert(d, &m->dcid, true, m->to);
	return true;
}

START_TEST(test_server_converted)
{
	struct sim_job job = {.keep_open = true};
	struct middle m = {.to = V2};
	struct sim_pair p;

	m.p = &p;
	open_pair(&p, 1, QL_RETRY_NEVER, any, any, 0, &job);
	sim_link(p.sim, SIM_SERVER)->filter = convert_server;
	sim_link(p.sim, SIM_SERVER)->arg = &m;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	m.dcid = conn_of(&p, SIM_CLIENT)->hs->original_dcid;
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_HANDSHAKE);
	finish(&p);
}
END_TEST

/* What was settled stays: behind CRYPTO of version 1, an Initial of version 2 says nothing. */
START_TEST(test_settled)
{
	struct sim_job job = {.keep_open = true};
	struct ql_cid dcid;
	struct ql_datagram d = {0};
	struct sim_pair p;
	struct ql_path path;
	struct ql_conn *c;
	uint8_t buf[2048];
	size_t size;

	open_pair(&p, 1, QL_RETRY_NEVER, any, any, 0, &job);
	sim_link(p.sim, SIM_SERVER)->rate = 1 * MB;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	c = conn_of(&p, SIM_CLIENT);
	dcid = c->hs->original_dcid;
	sim_run(p.sim, 31 * MS, NULL, NULL);
	ck_assert(c->hs->version_settled);
	p.app[SIM_SERVER].conn = some_conn(&p, SIM_SERVER);
	path = path_to(&p, SIM_SERVER);
	size = make_packet(&p, SIM_SERVER, QL_SPACE_INITIAL, "\x01", 1, 0, buf);
	d.mbuf = rte_pktmbuf_alloc(sim_engine(p.sim, SIM_CLIENT)->host.tx_pool);
	memcpy(rte_pktmbuf_append(d.mbuf, (uint16_t)size), buf, size);
	ck_assert(sim_middle_convert(&d, &dcid, true, V2));
	sim_inject(p.sim, SIM_CLIENT, &path, rte_pktmbuf_mtod(d.mbuf, void *), size);
	rte_pktmbuf_free(d.mbuf);
	ck_assert_uint_eq(c->version, V1);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_VERSION], 1);
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	close_idle(&p);
}
END_TEST

/* Initials of another version that do not authenticate change nothing, nor does an unknown one. */
START_TEST(test_forged_initial)
{
	struct sim_job job = {.streams = 1};
	struct sim_pair p;
	struct ql_path path;
	struct ql_conn *c;
	uint8_t buf[1300], *q, *length;
	struct ql_cid scid = {.len = 8};

	open_pair(&p, 1, QL_RETRY_NEVER, any, any, 0, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 1 * MS, NULL, NULL);
	c = conn_of(&p, SIM_CLIENT);
	path = *ql_conn_path(c);
	for (unsigned int i = 0; i < 3; i++) {
		memset(buf, (int)i, sizeof(buf));
		q = ql_pkt_put_long(buf, buf + 100, QL_PKT_INITIAL, V2, &c->local_cids.e[0].cid,
				    &scid, NULL, 0, 4, &length);
		ck_assert_ptr_nonnull(q);
		ql_pkt_put_length(length, 1000);
		sim_inject(p.sim, SIM_CLIENT, &path, buf, (size_t)(q - buf) + 1000);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_AUTH], i + 1);
		ck_assert_uint_eq(c->version, V1);
		ck_assert(!c->hs->version_settled && !c->hs->peer_scid_known);
	}
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* ---- Tokens (RFC 9369, 5) ---- */

START_TEST(test_tokens)
{
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_ALWAYS, two_one, any, 0, &job);
	p.app[SIM_CLIENT].use_token = true;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].tokens, 1);
	/* The token is of the negotiated version, and not for a connection that begins with 1. */
	ck_assert_uint_eq(ql_get_be32(p.app[SIM_CLIENT].token), V2);
	ck_assert_int_eq(sim_pair_connect(&p), -EPROTONOSUPPORT);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 2);
	/* It is for one that begins with 2. */
	p.transport[SIM_CLIENT].first_version = V2;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 2);
	/* A client that does not keep to it has shown nothing. */
	p.transport[SIM_CLIENT].first_version = V1;
	ql_put_be32(p.app[SIM_CLIENT].token, V1);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 3);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 4);
	finish(&p);
}
END_TEST

/* Behind Version Negotiation there is no token, which was for the other version. */
START_TEST(test_token_restart)
{
	static const uint8_t token[] = {B2, 1, 2, 3};
	struct sim_job job = {.streams = 1};
	struct seen seen[2];
	struct sim_pair p;

	open_pair(&p, 1, QL_RETRY_NEVER, only1, two_one, V2, &job);
	memcpy(p.app[SIM_CLIENT].token, token, sizeof(token));
	p.app[SIM_CLIENT].token_len = sizeof(token);
	p.app[SIM_CLIENT].use_token = true;
	watch(&p, seen);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	ck_assert_ptr_nonnull(conn_of(&p, SIM_CLIENT)->hs->token);
	sim_run(p.sim, 21 * MS, NULL, NULL);
	ck_assert(conn_of(&p, SIM_CLIENT)->hs->restarted);
	ck_assert_ptr_null(conn_of(&p, SIM_CLIENT)->hs->token);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* ---- Version Negotiation ---- */

/* Only one is followed; a second one, of the second try, means nothing (RFC 9368, 4). */
START_TEST(test_once)
{
	static const uint32_t versions[] = {V2};
	struct sim_job job = {.streams = 1};
	struct ql_datagram d = {0};
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[200];
	size_t len;

	open_pair(&p, 1, QL_RETRY_NEVER, only1, two_one, V2, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	d.mbuf = first_datagram(&p);
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->version, V1);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	len = sim_middle_negotiate(&d, versions, 1, buf, sizeof(buf));
	ck_assert_uint_gt(len, 0);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	rte_pktmbuf_free(d.mbuf); /* lost: it is sent again */
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_VERSION], 1);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* Without memory for it, or for the other keys, the connection ends, and all of it is given back.
 */
START_TEST(test_no_memory)
{
	/* 0: begin anew; 1: a client goes on in another version; 2: a server does */
	for (unsigned int kind = 0; kind < 3; kind++) {
		unsigned int ended = 0;

		for (unsigned int n = 1; n < 20; n++) {
			struct sim_job job = {.streams = 1};
			unsigned int side = kind == 2 ? SIM_SERVER : SIM_CLIENT;
			struct sim_pair p;

			open_pair(&p, 1, QL_RETRY_NEVER, kind ? two_one : only1, two_one,
				  kind ? V1 : V2, &job);
			ck_assert_int_eq(sim_pair_connect(&p), 0);
			sim_run(p.sim, kind == 2 ? 9 * MS : 19 * MS, NULL, NULL);
			ql_mem_fail_at(&sim_engine(p.sim, side)->mem, n);
			sim_run(p.sim, 3 * MS, NULL, NULL);
			ql_mem_fail_at(&sim_engine(p.sim, side)->mem, 0);
			run_out(&p, 60 * SEC);
			ended += p.app[SIM_CLIENT].complete == 0;
			finish(&p);
		}
		ck_assert_uint_ge(ended, 4);
	}
}
END_TEST

/* A name that is kept for the second try. */
START_TEST(test_no_memory_for_name)
{
	struct sim_job job = {.streams = 1};
	unsigned int failed = 0;
	int rc = -ENOMEM;

	for (unsigned int n = 1; rc == -ENOMEM; n++) {
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		ql_mem_fail_at(&sim_engine(p.sim, SIM_CLIENT)->mem, n);
		rc = sim_pair_connect(&p);
		ql_mem_fail_at(&sim_engine(p.sim, SIM_CLIENT)->mem, 0);
		failed += rc == -ENOMEM;
		ck_assert(rc == 0 || rc == -ENOMEM || rc == -ENOSPC);
		run_out(&p, 40 * SEC);
		finish(&p);
		if (rc == -ENOSPC)
			rc = -ENOMEM;
	}
	ck_assert_uint_ge(failed, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/version");
	TCase *tc = new_case(s, "lists");

	tcase_add_test(tc, test_lists);
	tcase_add_test(tc, test_choose);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_lists_meet);
	tc = new_case(s, "change");
	tcase_add_test(tc, test_no_round_trip);
	tcase_add_test(tc, test_key_update);
	tcase_add_test(tc, test_bad_links);
	tcase_add_test(tc, test_first_version);
	tcase_add_test(tc, test_handshake_packets);
	tc = new_case(s, "claims");
	tcase_add_test(tc, test_client_claims);
	tcase_add_test(tc, test_server_claims);
	tc = new_case(s, "middle");
	tcase_add_test(tc, test_converted);
	tcase_add_test(tc, test_forged_negotiation);
	tcase_add_test(tc, test_server_converted);
	tcase_add_test(tc, test_settled);
	tcase_add_test(tc, test_forged_initial);
	tc = new_case(s, "tokens");
	tcase_add_test(tc, test_tokens);
	tcase_add_test(tc, test_token_restart);
	tc = new_case(s, "negotiation");
	tcase_add_test(tc, test_once);
	tcase_add_test(tc, test_no_memory);
	tcase_add_test(tc, test_no_memory_for_name);
	return run_suite(s);
}
