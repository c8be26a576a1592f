// SPDX-License-Identifier: BSD-3-Clause
/*
 * Stateless reset, from both sides (RFC 9000, section 10.3).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

/* A server that keeps its reset key, and a client. */
static const struct ql_engine_config config[2] = {
	[SIM_SERVER] = {.socket_id = -1, .reset_key = {1, 2, 3}},
	[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
};

static void open_pair(struct sim_pair *p, uint64_t seed, const struct sim_job *job)
{
	sim_pair_open_with(p, seed, config, NULL, job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 200 * MS, NULL, NULL);
	ck_assert_ptr_nonnull(p->app[SIM_CLIENT].conn);
	ck_assert_uint_eq(p->app[SIM_CLIENT].connected, 1);
}

/* ---- The table ---- */

START_TEST(test_table)
{
	static const struct ql_sipkey key = {1, 2};
	struct ql_reset_entry e[50] = {0};
	uint8_t tokens[50][QL_RESET_TOKEN_LEN];
	struct ql_resets r;
	uint64_t seed = 1;

	/* few buckets: most are shared */
	ck_assert_int_eq(ql_resets_init(&r, 5, -1, &key), 0);
	for (unsigned int i = 0; i < 50; i++) {
		for (unsigned int k = 0; k < QL_RESET_TOKEN_LEN; k++)
			tokens[i][k] = (uint8_t)sim_random(&seed);
		ck_assert_ptr_null(ql_resets_find(&r, NULL, tokens[i]));
		ql_resets_set(&r, &e[i], i, tokens[i]);
	}
	for (unsigned int i = 0; i < 50; i++) {
		ck_assert_ptr_eq(ql_resets_find(&r, NULL, tokens[i]), &e[i]);
		ck_assert_ptr_null(ql_resets_find(&r, &e[i], tokens[i]));
		tokens[i][i % QL_RESET_TOKEN_LEN] ^= 1;
		ck_assert_ptr_null(ql_resets_find(&r, NULL, tokens[i]));
		tokens[i][i % QL_RESET_TOKEN_LEN] ^= 1;
	}
	/* another token, none, and one that two have */
	ql_resets_set(&r, &e[0], 1, tokens[1]);
	ck_assert_ptr_null(ql_resets_find(&r, NULL, tokens[0]));
	ck_assert_ptr_eq(ql_resets_find(&r, NULL, tokens[1]), &e[0]);
	ck_assert_ptr_eq(ql_resets_find(&r, &e[0], tokens[1]), &e[1]);
	ck_assert_ptr_null(ql_resets_find(&r, &e[1], tokens[1]));
	ql_resets_set(&r, &e[2], 9, NULL);
	ck_assert_ptr_null(ql_resets_find(&r, NULL, tokens[2]));
	ck_assert_uint_eq(e[2].seq, 9);
	for (unsigned int i = 0; i < 50; i++) {
		ql_resets_remove(&e[i]);
		ql_resets_remove(&e[i]);
		ck_assert_ptr_null(ql_resets_find(&r, NULL, tokens[i]));
	}
	ql_resets_fini(&r);
}
END_TEST

/* ---- A server that has forgotten ---- */

static void check_reset(struct sim_pair *p, uint64_t within)
{
	uint64_t start = sim_now(p->sim);

	run_out(p, 60 * SEC);
	ck_assert_uint_eq(p->app[SIM_CLIENT].closed, 1);
	ck_assert_int_eq(p->app[SIM_CLIENT].close.cause, QL_CLOSE_RESET);
	ck_assert_uint_le(p->app[SIM_CLIENT].closed_at - start, within);
	ck_assert_uint_ge(sim_pair_stats(p, SIM_SERVER).resets, 1);
	finish(p);
}

/* Started anew with the same key: the client is told with its next packets. */
START_TEST(test_restart)
{
	struct sim_job upload = {.streams = 1, .upload = 200 * MB};
	struct sim_pair p;

	for (uint64_t seed = 1; seed <= 10; seed++) {
		open_pair(&p, seed, &upload);
		sim_pair_restart(&p, &config[SIM_SERVER]);
		ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_ENGINE);
		check_reset(&p, 300 * MS);
	}
}
END_TEST

/* With another key it knows nothing of the IDs, and the idle time-out is what ends it. */
START_TEST(test_other_key)
{
	struct sim_job upload = {.streams = 1, .upload = 200 * MB};
	struct ql_engine_config other = config[SIM_SERVER];
	struct sim_pair p;

	other.reset_key[31]++;
	open_pair(&p, 1, &upload);
	sim_pair_restart(&p, &other);
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_IDLE);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).resets, 0);
	finish(&p);
}
END_TEST

/* The other way: a client that starts anew says so to the server, that has switched to an ID with a
 * token; seen from the server's engine, which has two peers behind one address. */
START_TEST(test_server_told)
{
	struct sim_job job = {.streams = 1, .download = 200 * MB};
	struct ql_path path;
	struct ql_conn *conn;
	uint8_t buf[100];
	struct sim_pair p;

	open_pair(&p, 1, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 200 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 2);
	conn = conn_of(&p, SIM_SERVER);
	path = *ql_conn_path(conn);
	/* The client asks for another ID: retire the first. */
	ck_assert_uint_gt(conn->peer_cids.e[1].seq, 0);
	ck_assert(conn->peer_cids.e[1].has_token);
	conn->peer_cids.current = 1;
	sim_run(p.sim, 5 * MS, NULL, NULL);

	memset(buf, 0x55, sizeof(buf));
	/* a token of an ID that is not in use means nothing */
	memcpy(buf + 60 - 16, conn->peer_cids.e[2].token, 16);
	sim_inject(p.sim, SIM_SERVER, &path, buf, 60);
	ck_assert_int_lt(conn->state, QL_CONN_CLOSING);
	memcpy(buf + 60 - 16, conn->peer_cids.e[1].token, 16);
	sim_inject(p.sim, SIM_SERVER, &path, buf, 60);
	ck_assert_int_ge(conn->state, QL_CONN_CLOSING);
	sim_run(p.sim, 5 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 1);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_RESET);
	/* It is drained, silently (10.2), and then forgotten. */
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 2);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 1);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* ---- What is a reset, and what is not ---- */

/* The client's token for what it sends to. */
static const uint8_t *client_token(struct sim_pair *p)
{
	const struct ql_peer_cids *c = &conn_of(p, SIM_CLIENT)->peer_cids;

	ck_assert(c->e[c->current].has_token);
	return c->e[c->current].token;
}

/* Any datagram that ends in the token and is of no other use: short or long, to our ID or not. */
START_TEST(test_forms)
{
	struct sim_job job = {.streams = 1, .keep_open = true};

	for (unsigned int form = 0; form < 6; form++) {
		for (size_t len = 21; len < 1400; len += len < 60 ? 1 : 233) {
			struct ql_path path;
			struct sim_pair p;
			uint8_t buf[1500];
			const struct ql_conn *c;

			open_pair(&p, len, &job);
			c = conn_of(&p, SIM_CLIENT);
			path = *ql_conn_path(c);
			for (size_t i = 0; i < len; i++)
				buf[i] = (uint8_t)sim_random(sim_seed(p.sim));
			buf[0] = form == 0 || form == 5 ? 0x41 : form == 1 ? 0x7f : 0xc5;
			if (form == 3) /* a Handshake packet's beginning */
				memcpy(buf, "\xe0\0\0\0\x01", 5);
			if (form == 4) /* a Version Negotiation packet's */
				memset(buf + 1, 0, 6);
			if (form == 5) {
				if (len < 33 + 12)
					len = 33 + 12;
				memcpy(buf + 1, c->local_cids.e[0].cid.id, QL_LOCAL_CID_LEN);
			}
			memcpy(buf + len - 16, client_token(&p), 16);
			/* one bit off, from elsewhere: no */
			buf[len - 1] ^= 1;
			sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
			buf[len - 1] ^= 1;
			if (form != 5) {
				path.remote.ip[15] ^= 1;
				sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
				path.remote.ip[15] ^= 1;
			}
			ck_assert_int_lt(c->state, QL_CONN_CLOSING);
			sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
			ck_assert_msg(c->state >= QL_CONN_CLOSING, "form %u, %zu bytes", form, len);
			/* nothing is sent any more */
			sim_link_stats(p.sim, SIM_CLIENT);
			sim_run(p.sim, 2 * MS, NULL, NULL);
			ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 1);
			ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_RESET);
			ck_assert_int_eq(sim_pair_close(&p), 0);
		}
	}
}
END_TEST

/* A datagram that is of use stays so, whatever it ends in. */
START_TEST(test_coincidence)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	struct ql_path path;
	uint8_t buf[2048];
	struct sim_pair p;
	size_t n;

	open_pair(&p, 1, &job);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	n = make_packet(&p, SIM_SERVER, QL_SPACE_APP, "\x01\x01\x01", 3, 0, buf);
	/* the token is what the packet happens to end in */
	memcpy(conn_of(&p, SIM_CLIENT)->peer_cids.e[0].token, buf + n - 16, 16);
	ql_resets_set(&sim_engine(p.sim, SIM_CLIENT)->resets,
		      &ql_engine_conn_of(conn_of(&p, SIM_CLIENT))->reset, 0, buf + n - 16);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, n);
	ck_assert_int_lt(conn_of(&p, SIM_CLIENT)->state, QL_CONN_CLOSING);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* ---- What is answered ---- */

/* A packet to an ID that the server, or an engine with its key, has made, and does not know. */
static void unknown(struct sim_pair *p, uint8_t *buf, size_t len, uint16_t lcore)
{
	struct ql_cid_scheme scheme = sim_engine(p->sim, SIM_SERVER)->host.cids;
	struct ql_cid id;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)sim_random(sim_seed(p->sim));
	buf[0] = (uint8_t)(0x40 | (buf[0] & 0x3f));
	scheme.lcore = (uint8_t)lcore;
	ql_local_cid_make(&scheme, sim_engine(p->sim, SIM_SERVER)->host.rng, 7, &id);
	memcpy(buf + 1, id.id, id.len);
}

START_TEST(test_sizes)
{
	struct sim_job job = {0};
	unsigned int seen[100] = {0};
	struct ql_datagram out[4];
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[1500];

	sim_pair_open_with(&p, 1, config, NULL, &job);
	path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	path = (struct ql_path){.local = path.remote, .remote = path.local};
	for (size_t len = 21; len < 1500; len++) {
		unsigned int n;

		unknown(&p, buf, len, 0);
		sim_run(p.sim, 2 * MS, NULL, NULL);
		sim_inject(p.sim, SIM_SERVER, &path, buf, len);
		n = sim_take(p.sim, SIM_SERVER, out, 4);
		ck_assert_uint_eq(n, len >= QL_RESET_TRIGGER);
		if (n == 0)
			continue;
		ck_assert_uint_lt(out[0].mbuf->data_len, len);
		ck_assert_uint_lt(out[0].mbuf->data_len, QL_RESET_TRIGGER);
		ck_assert_uint_ge(out[0].mbuf->data_len, 38);
		ck_assert_uint_eq(*rte_pktmbuf_mtod(out[0].mbuf, uint8_t *) & 0xc0, 0x40);
		ck_assert(ql_path_eq(&out[0].path, &path));
		seen[out[0].mbuf->data_len]++;
		/* It is answered by nobody. */
		sim_inject(p.sim, SIM_SERVER, &path, rte_pktmbuf_mtod(out[0].mbuf, void *),
			   out[0].mbuf->data_len);
		rte_pktmbuf_free(out[0].mbuf);
		ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 0);
	}
	ck_assert_uint_gt(seen[42], 100);
	ck_assert_uint_gt(seen[39], 100);

	/* not of our making: another length, a bit that is wrong; another lcore's; a long header */
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	unknown(&p, buf, 100, 0);
	buf[1]--;
	sim_inject(p.sim, SIM_SERVER, &path, buf, 100);
	for (unsigned int bit = 8; bit < 8 * (1 + QL_LOCAL_CID_LEN); bit++) {
		unknown(&p, buf, 100, 0);
		if (bit / 8 >= 1 + 1 + 6 && bit / 8 < 1 + 1 + 9)
			continue; /* the slot, which only the connection's own IDs prove */
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sim_inject(p.sim, SIM_SERVER, &path, buf, 100);
	}
	unknown(&p, buf, 100, 1);
	sim_inject(p.sim, SIM_SERVER, &path, buf, 100);
	unknown(&p, buf, 100, 0);
	buf[0] = 0xc0;
	sim_inject(p.sim, SIM_SERVER, &path, buf, 100);
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 0);
	finish(&p);
}
END_TEST

/* So many a turn, and so many a second. */
START_TEST(test_rate)
{
	struct sim_job job = {0};
	struct ql_datagram out[QL_REPLIES + 1];
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[100];
	uint64_t total = 0;

	sim_pair_open_with(&p, 1, config, NULL, &job);
	path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	path = (struct ql_path){.local = path.remote, .remote = path.local};
	for (unsigned int turn = 0; turn < 1000; turn++) {
		unsigned int n;

		for (unsigned int i = 0; i < 2 * QL_REPLIES; i++) {
			unknown(&p, buf, sizeof(buf), 0);
			sim_inject(p.sim, SIM_SERVER, &path, buf, sizeof(buf));
		}
		n = sim_take(p.sim, SIM_SERVER, out, QL_REPLIES + 1);
		ck_assert_uint_le(n, QL_REPLIES);
		for (unsigned int i = 0; i < n; i++)
			rte_pktmbuf_free(out[i].mbuf);
		total += n;
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ck_assert_uint_ge(total, 990);
	ck_assert_uint_le(total, 1000 + QL_REPLY_BURST);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).resets, total);
	finish(&p);
}
END_TEST

/* Two ends that both have forgotten: one packet causes one answer, and that is the end of it. */
START_TEST(test_no_loop)
{
	struct sim_job job = {0};
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[1400];

	for (size_t len = 30; len < sizeof(buf); len += 9) {
		uint64_t sent;

		sim_pair_open_with(&p, len, config, NULL, &job);
		path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
		path = (struct ql_path){.local = path.remote, .remote = path.local};
		for (unsigned int i = 0; i < 20; i++) {
			unknown(&p, buf, len, 0);
			sim_inject(p.sim, SIM_SERVER, &path, buf, len);
		}
		sim_run(p.sim, 10 * SEC, NULL, NULL);
		sent = sim_link_stats(p.sim, SIM_SERVER)->datagrams +
		       sim_link_stats(p.sim, SIM_CLIENT)->datagrams;
		ck_assert_uint_eq(sent, len < QL_RESET_TRIGGER ? 0 : 20);
		finish(&p);
	}
}
END_TEST

/* The token of an ID is what the connection was told, in either role. */
START_TEST(test_tokens)
{
	struct sim_job job = {.streams = 1, .keep_open = true};
	struct sim_pair p;

	open_pair(&p, 1, &job);
	for (unsigned int side = 0; side < 2; side++) {
		const struct ql_local_cids *own = &conn_of(&p, side)->local_cids;
		const struct ql_peer_cids *peer = &conn_of(&p, !side)->peer_cids;
		unsigned int n = 0;

		for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
			for (unsigned int k = 0; k < QL_PEER_CIDS; k++) {
				uint8_t token[QL_RESET_TOKEN_LEN];

				if (!peer->e[k].has_token || own->e[i].seq != peer->e[k].seq)
					continue;
				ql_reset_token(&sim_engine(p.sim, side)->host.cids, &own->e[i].cid,
					       token);
				ck_assert_mem_eq(token, peer->e[k].token, sizeof(token));
				ck_assert_uint_eq(own->e[i].cid.id[2], side);
				n++;
			}
		}
		ck_assert_uint_ge(n, 3);
	}
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/resets");
	TCase *tc = new_case(s, "resets");

	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_restart);
	tcase_add_test(tc, test_other_key);
	tcase_add_test(tc, test_server_told);
	tcase_add_test(tc, test_forms);
	tcase_add_test(tc, test_coincidence);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_rate);
	tcase_add_test(tc, test_no_loop);
	tcase_add_test(tc, test_tokens);
	return run_suite(s);
}
