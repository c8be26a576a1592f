// SPDX-License-Identifier: BSD-3-Clause
/*
 * Engines of one process, one packet at a time; tests/sim/lanes.c lets them work.
 */
#include <rte_mbuf.h>

#include "test_engine_util.h"

#define SIBLING 2 /* node of the server's second engine */

static const uint8_t fleet_key[32] = {1, 2, 3};

/* A server of two engines and a client; the second engine is SIBLING. */
static struct ql_mesh *open_two(struct sim_pair *p, bool spread, unsigned int ring_size,
				const struct sim_job *job)
{
	struct ql_mesh_config m = {.engines = 2,
				   .ring_size = ring_size,
				   .socket_id = -1,
				   .spread = spread,
				   .seed = {5}};
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1}, [SIM_CLIENT] = {.socket_id = -1}};
	struct ql_engine_config sibling = {.socket_id = -1, .lcore_index = 1};
	struct ql_mesh *mesh = ql_mesh_create(&m);

	ck_assert_ptr_nonnull(mesh);
	config[SIM_SERVER].mesh = sibling.mesh = mesh;
	memcpy(config[SIM_SERVER].reset_key, fleet_key, sizeof(fleet_key));
	memcpy(sibling.reset_key, fleet_key, sizeof(fleet_key));
	sim_pair_open_with(p, 1, config, NULL, job);
	ck_assert_uint_eq(sim_add(p->sim, &sibling), SIBLING);
	return mesh;
}

static void close_two(struct sim_pair *p, struct ql_mesh *mesh)
{
	/* what is still on its way */
	ql_engine_rx_crossed(sim_engine(p->sim, SIM_SERVER), sim_now(p->sim));
	ql_engine_rx_crossed(sim_engine(p->sim, SIBLING), sim_now(p->sim));
	ck_assert_int_eq(sim_pair_close(p), 0);
	ql_mesh_free(mesh);
}

static struct ql_engine *engine(const struct sim_pair *p, unsigned int node)
{
	return sim_engine(p->sim, node);
}

static uint64_t drops(const struct sim_pair *p, unsigned int node, enum ql_drop reason)
{
	return engine(p, node)->stats.drops[reason];
}

static struct ql_path from_client(struct sim_pair *p)
{
	struct ql_path path = sim_path(p->sim, SIM_CLIENT, SIM_SERVER);

	return (struct ql_path){.local = path.remote, .remote = path.local};
}

/* A packet of 100 bytes to an ID of an engine with the fleet's key. */
static void stray_packet(struct sim_pair *p, unsigned int lcore, unsigned int generation,
			 uint8_t buf[100])
{
	struct ql_cid_scheme scheme;
	struct ql_cid id;

	ck_assert_int_eq(
		ql_cid_scheme_init(&scheme, (uint16_t)lcore, generation, fleet_key, fleet_key), 0);
	ql_local_cid_make(&scheme, engine(p, SIM_SERVER)->host.rng, 7, &id);
	for (unsigned int i = 0; i < 100; i++)
		buf[i] = (uint8_t)sim_random(sim_seed(p->sim));
	buf[0] = 0x40;
	memcpy(buf + 1, id.id, id.len);
}

/* What an engine would say now. */
static unsigned int answers(struct sim_pair *p, unsigned int node)
{
	struct ql_datagram out[64];
	unsigned int n = sim_take(p->sim, node, out, 64);

	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(out[i].mbuf);
	return n;
}

/* To IDs of each engine, and of engines that were there once: only the owner, or heir, answers. */
START_TEST(owners)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, false, 0, &job);
	struct ql_path path = from_client(&p);
	uint8_t buf[100];

	for (unsigned int lcore = 0; lcore < 256; lcore++) {
		unsigned int owner = lcore % 2 == 0 ? SIM_SERVER : SIBLING;
		unsigned int other = lcore % 2 == 0 ? SIBLING : SIM_SERVER;

		sim_run(p.sim, 2 * MS, NULL, NULL);
		stray_packet(&p, lcore, 0, buf);
		sim_inject(p.sim, other, &path, buf, sizeof(buf));
		ck_assert_uint_eq(answers(&p, other), 0);
		ck_assert_uint_eq(ql_engine_rx_crossed(engine(&p, other), sim_now(p.sim)), 0);
		ck_assert_uint_eq(ql_engine_rx_crossed(engine(&p, owner), sim_now(p.sim)), 1);
		ck_assert_uint_eq(answers(&p, owner), 1);
		sim_run(p.sim, 2 * MS, NULL, NULL);
		sim_inject(p.sim, owner, &path, buf, sizeof(buf));
		ck_assert_uint_eq(answers(&p, owner), 1);
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_stats s = sim_pair_stats(&p, i == 0 ? SIM_SERVER : SIBLING);

		ck_assert_uint_eq(s.crossed_out, 128);
		ck_assert_uint_eq(s.crossed_in, 128);
		ck_assert_uint_eq(s.rx_datagrams, 256);
		ck_assert_uint_eq(s.rx_bytes, 25600);
		ck_assert_uint_eq(s.resets, 256);
		ck_assert_uint_eq(s.drops[QL_DROP_NO_CONN], 256);
	}
	close_two(&p, mesh);
}
END_TEST

/* What crosses is not sent on, nor answered by who is not its owner. */
START_TEST(stray)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, false, 0, &job);
	struct ql_datagram d = {.mbuf = rte_pktmbuf_alloc(engine(&p, SIBLING)->host.tx_pool),
				.path = from_client(&p)};
	uint8_t buf[100];

	stray_packet(&p, 0, 0, buf);
	memcpy(rte_pktmbuf_append(d.mbuf, sizeof(buf)), buf, sizeof(buf));
	ck_assert_uint_eq(ql_mesh_put(mesh, 0, 1, &d, 1), 1);
	ck_assert_uint_eq(ql_engine_rx_crossed(engine(&p, SIBLING), sim_now(p.sim)), 1);
	ck_assert_uint_eq(drops(&p, SIBLING, QL_DROP_STRAY), 1);
	ck_assert_uint_eq(engine(&p, SIBLING)->stats.crossed_out, 0);
	ck_assert_uint_eq(answers(&p, SIBLING), 0);
	close_two(&p, mesh);
}
END_TEST

/* The other engine has stopped: a bounded number waits for it, and the rest is counted. */
START_TEST(full)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, false, 16, &job);
	struct ql_path path = from_client(&p);
	uint64_t dropped, out;
	uint8_t buf[100];

	for (unsigned int i = 0; i < 100; i++) {
		stray_packet(&p, 1, 0, buf);
		sim_inject(p.sim, SIM_SERVER, &path, buf, sizeof(buf));
	}
	out = engine(&p, SIM_SERVER)->stats.crossed_out;
	dropped = drops(&p, SIM_SERVER, QL_DROP_CROSSING);
	ck_assert_uint_ge(out, 15);
	ck_assert_uint_le(out, 32);
	ck_assert_uint_eq(out + dropped, 100);
	ck_assert_uint_eq(engine(&p, SIM_SERVER)->stats.rx_datagrams, dropped);
	close_two(&p, mesh);
}
END_TEST

/* A client's first packet to an ID of its choice. */
static size_t first_packet(const uint8_t *dcid, size_t len, uint8_t buf[1200])
{
	memset(buf, 0, 1200);
	buf[0] = 0xc3;
	ql_put_be32(buf + 1, QL_VERSION_1);
	buf[5] = (uint8_t)len;
	memcpy(buf + 6, dcid, len);
	return 1200;
}

/* IDs that clients choose stay where they come, whatever they look like; ours go to their owner. */
START_TEST(long_headers)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, false, 0, &job);
	struct ql_path path = from_client(&p);
	uint8_t buf[1200], dcid[20];
	struct ql_cid id;
	uint64_t came = 0;

	for (unsigned int len = 0; len <= 20; len++) {
		for (unsigned int i = 0; i < 20; i++) {
			for (unsigned int k = 0; k < len; k++)
				dcid[k] = (uint8_t)sim_random(sim_seed(p.sim));
			if (i % 2 == 0)
				dcid[0] = (uint8_t)(0xe0 | (len - 1)); /* as ours have it */
			sim_inject(p.sim, SIM_SERVER, &path, buf, first_packet(dcid, len, buf));
			came++;
		}
	}
	/* cut off anywhere */
	for (unsigned int len = 1; len < 30; len++, came++)
		sim_inject(p.sim, SIM_SERVER, &path, buf, len);
	ck_assert_uint_eq(engine(&p, SIM_SERVER)->stats.crossed_out, 0);
	ck_assert_uint_eq(engine(&p, SIM_SERVER)->stats.rx_datagrams, came);
	ql_local_cid_make(&engine(&p, SIBLING)->host.cids, engine(&p, SIBLING)->host.rng, 1, &id);
	sim_inject(p.sim, SIM_SERVER, &path, buf, first_packet(id.id, id.len, buf));
	ck_assert_uint_eq(engine(&p, SIM_SERVER)->stats.crossed_out, 1);
	close_two(&p, mesh);
}
END_TEST

/* Where nobody looks at addresses, the ID alone says where a client's first packets go. */
START_TEST(spread)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, true, 0, &job);
	unsigned int second = 0;
	uint8_t buf[1200], dcid[20];

	for (unsigned int i = 0; i < 200; i++) {
		unsigned int len = 8 + i % 13, crossed;
		struct ql_path path = from_client(&p);
		uint64_t out[2];

		for (unsigned int k = 0; k < len; k++)
			dcid[k] = (uint8_t)sim_random(sim_seed(p.sim));
		out[0] = engine(&p, SIM_SERVER)->stats.crossed_out;
		out[1] = engine(&p, SIBLING)->stats.crossed_out;
		sim_inject(p.sim, SIM_SERVER, &path, buf, first_packet(dcid, len, buf));
		path.remote.port++;
		sim_inject(p.sim, SIBLING, &path, buf, first_packet(dcid, len, buf));
		crossed = (unsigned int)(engine(&p, SIM_SERVER)->stats.crossed_out - out[0]);
		/* from exactly one of them to the other */
		ck_assert_uint_eq(crossed + engine(&p, SIBLING)->stats.crossed_out - out[1], 1);
		second += crossed;
		ql_engine_rx_crossed(engine(&p, SIM_SERVER), sim_now(p.sim));
		ql_engine_rx_crossed(engine(&p, SIBLING), sim_now(p.sim));
	}
	ck_assert_uint_gt(second, 60);
	ck_assert_uint_lt(second, 140);
	close_two(&p, mesh);
}
END_TEST

/* A place in a mesh is for one engine. */
START_TEST(places)
{
	struct sim_job job = {0};
	struct sim_pair p;
	struct ql_mesh *mesh = open_two(&p, false, 0, &job);
	struct ql_engine_config config = {
		.socket_id = -1, .tx_pool = engine(&p, SIM_SERVER)->host.tx_pool, .mesh = mesh};

	for (unsigned int i = 0; i < 3; i++) { /* taken, taken, not there */
		config.lcore_index = (uint16_t)i;
		errno = 0;
		ck_assert_ptr_null(ql_engine_create(&config));
		ck_assert_int_eq(errno, EINVAL);
	}
	config.mesh = NULL;
	config.lcore_index = QL_ENGINES_MAX;
	ck_assert_ptr_null(ql_engine_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	close_two(&p, mesh);
}
END_TEST

/* Packets for connections of an earlier process are told from others, and get the right token. */
START_TEST(generation)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1, .generation = 1},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 1, .keep_open = true};
	struct ql_engine_config next;
	struct sim_pair p;

	memcpy(config[SIM_SERVER].reset_key, fleet_key, sizeof(fleet_key));
	sim_pair_open_with(&p, 1, config, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 1);
	next = config[SIM_SERVER];
	next.generation = 0;
	sim_pair_restart(&p, &next);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, (uint8_t[100]){1}, 100);
	sim_run(p.sim, 200 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].causes[QL_CLOSE_RESET], 1);
	ck_assert_uint_ge(drops(&p, SIM_SERVER, QL_DROP_GENERATION), 1);
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_NO_CONN), 0);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* ---- Load balancers' configurations ---- */

static const struct ql_cid_config configs[] = {
	{.rotation = 0, .server_id_len = 1, .server_id = {0xaa}},
	{.rotation = 3, .server_id_len = 8, .server_id = {1, 2, 3, 4, 5, 6, 7, 8}},
	{.rotation = 1, .server_id_len = 1, .encrypted = true, .key = {1}},
	{.rotation = 4, .server_id_len = 4, .encrypted = true, .key = {2}},
	{.rotation = 6, .server_id_len = 8, .encrypted = true, .key = {3}},
};

/* Transfers with IDs of every length, on both sides, with Retry; then all of it is given back. */
START_TEST(configured)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1, .retry = QL_RETRY_ALWAYS},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 3, .download = 300 * KB, .upload = 100 * KB};
	struct sim_pair p;

	for (unsigned int i = 0; i < 2; i++) {
		config[i].cids = &configs[_i];
		config[i].n_cids = 1;
	}
	sim_pair_open_with(&p, 1, config, NULL, &job);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 150 * MS, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		const struct ql_local_cids *l = &conn_of(&p, i)->local_cids;

		for (unsigned int k = 0; k < QL_LOCAL_CIDS; k++) {
			if (l->e[k].used) {
				ck_assert_uint_eq(l->e[k].cid.id[0] >> 5, configs[_i].rotation);
				ck_assert_uint_eq((l->e[k].cid.id[0] & 31) + 1u, l->e[k].cid.len);
			}
		}
	}
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 9);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 3);
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_NO_CONN), 0);
	finish(&p);
}
END_TEST

START_TEST(bad_configs)
{
	struct ql_cid_config bad[2] = {configs[0], configs[0]};
	struct sim_job job = {0};
	struct ql_engine_config config = {.socket_id = -1, .cids = bad, .n_cids = 2};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	config.tx_pool = engine(&p, SIM_SERVER)->host.tx_pool;
	errno = 0;
	ck_assert_ptr_null(ql_engine_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	finish(&p);
}
END_TEST

static int set_cids(struct ql_engine *e, const struct ql_cid_config *config)
{
	unsigned int n = config != NULL;
	int rc = ql_engine_set_cids(e, config, n, QL_CIDS_CHECK);

	if (rc == 0)
		rc = ql_engine_set_cids(e, config, n, QL_CIDS_KNOW);
	return rc < 0 ? rc : ql_engine_set_cids(e, config, n, QL_CIDS_USE);
}

/* All IDs that the peer may use are of one rotation. */
static void only_of(struct sim_pair *p, unsigned int side, unsigned int rotation)
{
	const struct ql_local_cids *l = &conn_of(p, side)->local_cids;
	unsigned int n = 0;

	for (unsigned int k = 0; k < QL_LOCAL_CIDS_PLACES; k++) {
		if (!l->e[k].used)
			continue;
		n++;
		ck_assert_uint_eq(l->e[k].cid.id[0] >> 5, rotation);
		ck_assert(!l->e[k].old);
	}
	ck_assert_uint_eq(n, QL_LOCAL_CIDS);
}

/*
 * One configuration after the other, and none, in a transfer both ways over a bad link: the peer gets
 * new IDs and retires the old ones.
 */
START_TEST(set_cids_in_transfer)
{
	const struct sim_link link = {.rate = 20000000,
				      .delay = 10 * MS,
				      .loss = SIM_MILLION / 50,
				      .reorder = SIM_MILLION / 20,
				      .reorder_delay = 3 * MS};
	struct sim_job job = {.streams = 2, .download = 20 * MB, .upload = 20 * MB};
	struct sim_pair p;

	sim_pair_open(&p, _i + 1, NULL, NULL, &job);
	*sim_link(p.sim, SIM_SERVER) = *sim_link(p.sim, SIM_CLIENT) = link;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	for (unsigned int i = 0; i < 5; i++) {
		unsigned int side = i % 2;

		sim_run(p.sim, i == 0 ? 25 * MS : 1 * SEC, NULL, NULL); /* first in the handshake */
		ck_assert_int_eq(set_cids(engine(&p, side), &configs[i]), 0);
		/* changed again before the peer has heard of it */
		ck_assert_int_eq(set_cids(engine(&p, !side), &configs[(i + 1) % 5]), 0);
		sim_run(p.sim, 5 * MS, NULL, NULL);
		ck_assert_int_eq(set_cids(engine(&p, !side), NULL), 0);
		sim_run(p.sim, 2 * SEC, NULL, NULL);
		ck_assert_ptr_nonnull(p.app[SIM_SERVER].conn);
		only_of(&p, side, configs[i].rotation);
		only_of(&p, !side, QL_CID_NO_CONFIG);
		ck_assert_uint_eq(ql_peer_cid(&conn_of(&p, !side)->peer_cids)->id[0] >> 5,
				  configs[i].rotation);
	}
	run_out(&p, 120 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
	ck_assert_uint_eq(p.app[SIM_CLIENT].received, 40 * MB);
	ck_assert_uint_eq(p.app[SIM_SERVER].received, 40 * MB);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* Rotation bits keep their meaning as long as somebody has IDs with them. */
START_TEST(set_cids_busy)
{
	struct ql_cid_config other = configs[0], bad = {.rotation = 7, .server_id_len = 1};
	struct sim_job job = {.streams = 1, .download = 1 * MB};
	struct ql_engine *e;
	struct sim_pair p;

	other.server_id[0] = 0xbb;
	sim_pair_open(&p, 1, NULL, NULL, &job);
	e = engine(&p, SIM_SERVER);
	ck_assert_int_eq(set_cids(e, &bad), -EINVAL);
	ck_assert_int_eq(set_cids(e, &configs[0]), 0);
	ck_assert_int_eq(set_cids(e, &other), -EBUSY); /* new IDs have them */
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	ck_assert_int_eq(set_cids(e, &configs[2]), 0);
	ck_assert_int_eq(set_cids(e, &configs[0]), 0);
	ck_assert_int_eq(set_cids(e, &configs[2]), 0);
	ck_assert_int_eq(set_cids(e, &other), -EBUSY); /* the client has */
	ck_assert_int_eq(ql_engine_set_cids(e, &other, 1, QL_CIDS_USE), -EINVAL);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_int_eq(set_cids(e, &other), 0);
	ql_mem_fail_at(&e->mem, 1);
	ck_assert_int_eq(set_cids(e, &configs[3]), -ENOMEM);
	ql_mem_fail_at(&e->mem, 0);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* ---- Keys ---- */

/* All keys change again and again: connections go on, and new ones come; tokens are good for long. */
START_TEST(set_keys)
{
	struct ql_engine_keys keys = {.token_key = {1}, .ticket_key = {1}, .reset_key = {1}};
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1, .retry = QL_RETRY_ALWAYS},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 1, .download = 1 * MB};
	struct sim_pair p;

	sim_pair_open_with(&p, 1, config, NULL, &job);
	p.app[SIM_CLIENT].use_token = p.app[SIM_CLIENT].use_session = true;
	for (unsigned int i = 1; i <= 4; i++) {
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 45 * MS + i * MS, NULL, NULL); /* in the handshake, or after it */
		keys.token_key[0] = keys.ticket_key[0] = keys.reset_key[0] = (uint8_t)i;
		ck_assert_int_eq(ql_engine_set_keys(engine(&p, SIM_SERVER), &keys), 0);
		run_out(&p, 60 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, i);
		/* the token of the first visit, sealed with the key before, spares the rest a Retry */
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).retries, 1);
		ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, i - 1);
	}
	ck_assert_uint_eq(drops(&p, SIM_SERVER, QL_DROP_NO_CONN), 0);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* Not so often that a connection's IDs would be forgotten. */
START_TEST(set_keys_too_often)
{
	struct ql_engine_keys keys = {.reset_key = {1}}, none = {.token_key = {1}};
	struct sim_job job = {.streams = 1, .download = 1 * MB};
	struct ql_engine *e;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	e = engine(&p, SIM_SERVER);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ck_assert_int_eq(ql_engine_set_keys(e, &keys), 0);
	sim_run(p.sim, 10 * MS, NULL, NULL);
	keys.reset_key[0] = 2;
	ck_assert_int_eq(ql_engine_set_keys(e, &keys), -EBUSY);
	ck_assert_int_eq(ql_engine_set_keys(e, &none), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_int_eq(ql_engine_set_keys(e, &keys), 0);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/steer");
	TCase *tc = new_case(s, "steer");

	tcase_add_test(tc, owners);
	tcase_add_test(tc, stray);
	tcase_add_test(tc, full);
	tcase_add_test(tc, long_headers);
	tcase_add_test(tc, spread);
	tcase_add_test(tc, places);
	tcase_add_test(tc, generation);
	tcase_add_loop_test(tc, configured, 0, sizeof(configs) / sizeof(configs[0]));
	tcase_add_test(tc, bad_configs);
	tcase_add_loop_test(tc, set_cids_in_transfer, 0, 4);
	tcase_add_test(tc, set_cids_busy);
	tcase_add_test(tc, set_keys);
	tcase_add_test(tc, set_keys_too_often);
	return run_suite(s);
}
