// SPDX-License-Identifier: BSD-3-Clause
/*
 * RFC 9001: what a ClientHello has, the life of keys, key updates and their limits.
 */
#include "conform.h"

#define EXT_SUPPORTED_VERSIONS 43

/* ---- ClientHello ---- */

static void begin_hello(struct sim_pair *p, struct hello *h)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	hello_get(conn_of(p, SIM_CLIENT), QL_SPACE_INITIAL, h);
}

static void give_up(struct sim_pair *p)
{
	ql_conn_close(conn_of(p, SIM_CLIENT), 0, "");
	run_out(p, 60 * SEC);
	finish(p);
}

/* TLS 1.3 and no older one (4.2), no compatibility mode (8.4), transport parameters once (8.2). */
START_TEST(test_hello)
{
	uint8_t ext[1024];
	struct sim_pair p;
	struct hello h;
	size_t len;

	begin_hello(&p, &h);
	ck_assert_uint_eq(h.b[HELLO_SESSION_ID_SIZE], 0);
	len = hello_take(&h, EXT_SUPPORTED_VERSIONS, ext);
	ck_assert_uint_eq(ext[0], len - 1);
	for (size_t i = 1; i + 1 < len; i += 2)
		ck_assert_uint_ge(ql_get_be16(ext + i), 0x0304);
	hello_take(&h, EXT_TRANSPORT, ext);
	for (size_t list = hello_extensions(&h), at = list + 2; at < h.len;
	     at += 4 + (size_t)ql_get_be16(h.b + at + 2)) {
		ck_assert_uint_ne(ql_get_be16(h.b + at), EXT_TRANSPORT);
		ck_assert_uint_ne(ql_get_be16(h.b + at), 42); /* early_data */
	}
	give_up(&p);
}
END_TEST

/* A server does not go below TLS 1.3. */
START_TEST(test_old_tls)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t old[1024];
		struct sim_pair p;
		struct hello h;

		begin_hello(&p, &h);
		hello_take(&h, EXT_SUPPORTED_VERSIONS, old);
		if (i == 1)
			hello_put(&h, EXT_SUPPORTED_VERSIONS, BYTES(2, 3, 3));
		hello_set(&h);
		run_out(&p, 60 * SEC);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_PEER);
		ck_assert_uint_eq(p.app[SIM_CLIENT].close.error >> 8, 1);
		ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
		finish(&p);
	}
}
END_TEST

/* Suites that nobody knows are no reason to refuse (5.3). */
START_TEST(test_unknown_suites)
{
	struct sim_pair p;
	struct hello h;
	size_t at, n;

	begin_hello(&p, &h);
	at = HELLO_SESSION_ID_SIZE + 1;
	n = ql_get_be16(h.b + at);
	memmove(h.b + at + 6, h.b + at + 2, h.len - at - 2);
	memcpy(h.b + at + 2, (const uint8_t[]){0xfa, 0xfa, 0x13, 0x77}, 4);
	ql_put_be16(h.b + at, (uint16_t)(n + 4));
	h.len += 4;
	hello_set(&h);
	sim_run(p.sim, 15 * MS, NULL, NULL);
	/* The server has keys and a flight to send, which the client cannot read: it said else. */
	ck_assert(some_conn(&p, SIM_SERVER)->app.tx.ready);
	ck_assert_int_eq(some_conn(&p, SIM_SERVER)->state, QL_CONN_HANDSHAKE);
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

/* ---- Keys of the handshake (4.9) ---- */

START_TEST(test_keys_dropped)
{
	struct sim_pair p;

	open_idle(&p);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(conn_of(&p, i)->state, QL_CONN_CONFIRMED);
		ck_assert_ptr_null(conn_of(&p, i)->early);
	}
	close_idle(&p);
}
END_TEST

static bool no_finished(struct witness *w UNUSED, unsigned int side, const struct noted *first,
			unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (side == SIM_CLIENT && first[i].type == QL_PKT_HANDSHAKE &&
		    HAS(&first[i], QL_FRAME_CRYPTO))
			return false;
	}
	return true;
}

/* The server's Initial keys go with the first Handshake packet, the others not yet. */
START_TEST(test_initial_keys_dropped)
{
	struct sim_job job = {.keep_open = true};
	struct ql_conn *server;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = no_finished;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 15 * MS, NULL, NULL);
	server = some_conn(&p, SIM_SERVER);
	ck_assert(server->early[QL_SPACE_INITIAL].rx.ready);
	sim_run(p.sim, 35 * MS, NULL, NULL);
	send_frames(&p, SIM_CLIENT, QL_SPACE_HANDSHAKE, "\x01", 1);
	ck_assert_int_eq(server->state, QL_CONN_HANDSHAKE);
	ck_assert(!server->early[QL_SPACE_INITIAL].rx.ready);
	ck_assert(!server->early[QL_SPACE_INITIAL].tx.ready);
	ck_assert(server->early[QL_SPACE_HANDSHAKE].rx.ready);
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* Forged Handshake packets count, too (6.6): over all keys of a connection. */
START_TEST(test_forged_handshake)
{
	struct sim_job job = {.keep_open = true};
	struct ql_conn *server;
	struct ql_path path;
	uint8_t buf[2048];
	struct witness w;
	struct sim_pair p;
	uint64_t before;
	size_t n;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = no_finished;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	server = some_conn(&p, SIM_SERVER);
	path = path_to(&p, SIM_CLIENT);
	before = server->auth_failures;
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_HANDSHAKE, "\x01", 1, 0, buf);
	buf[n - 1] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &path, buf, n);
	ck_assert_uint_eq(server->auth_failures, before + 1);
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* ---- Key updates (6) ---- */

/* On request, by both sides again and again while data flows both ways, with losses. */
START_TEST(test_update)
{
	for (unsigned int loss = 0; loss < 2; loss++) {
		struct sim_job job = {.streams = 2, .download = 8 * MB, .upload = 8 * MB};
		unsigned int changes[2] = {0, 0};
		bool phase[2] = {false, false};
		struct ql_engine_stats s, c;
		struct witness w;
		struct sim_pair p;

		sim_pair_open(&p, 3, NULL, NULL, &job);
		for (unsigned int i = 0; i < 2; i++) {
			sim_link(p.sim, i)->loss = loss ? SIM_MILLION / 50 : 0;
			sim_link(p.sim, i)->reorder = SIM_MILLION / 20;
			sim_link(p.sim, i)->reorder_delay = 3 * MS;
		}
		witness_start(&w, &p);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 60 * MS, NULL, NULL);
		while (p.app[0].conn && p.app[1].conn && sim_now(p.sim) < 100 * SEC) {
			ql_conn_update_keys(p.app[0].conn);
			ql_conn_update_keys(p.app[1].conn);
			sim_run(p.sim, 10 * MS, NULL, NULL);
		}
		run_out(&p, 100 * SEC);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (k->type != QL_PKT_SHORT)
				continue;
			/* in the order of their numbers, so keys never go back (6.4) */
			if (!!(k->first & QL_PKT_KEY_PHASE) != phase[k->side]) {
				phase[k->side] = !phase[k->side];
				changes[k->side]++;
			}
			ck_assert(!HAS(k, QL_FRAME_CRYPTO) || k->side == SIM_SERVER);
		}
		ck_assert_uint_gt(changes[0], 2);
		ck_assert_uint_le(changes[0], changes[1] + 1);
		ck_assert_uint_le(changes[1], changes[0] + 1);
		ck_assert_uint_eq(p.app[SIM_CLIENT].received, 16 * MB);
		ck_assert_uint_eq(p.app[SIM_SERVER].received, 16 * MB);
		s = sim_pair_stats(&p, SIM_SERVER);
		c = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_eq(s.drops[QL_DROP_AUTH] + c.drops[QL_DROP_AUTH], 0);
		witness_end(&w);
		finish(&p);
	}
}
END_TEST

static bool no_done(struct witness *w UNUSED, unsigned int side, const struct noted *first,
		    unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (side == SIM_SERVER && HAS(&first[i], QL_FRAME_HANDSHAKE_DONE))
			return false;
	}
	return true;
}

/* Not before the handshake is confirmed (6.1). */
START_TEST(test_update_unconfirmed)
{
	struct sim_job job = {.keep_open = true};
	struct ql_conn *client;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = no_done;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	client = conn_of(&p, SIM_CLIENT);
	ck_assert_int_eq(client->state, QL_CONN_COMPLETE);
	ql_conn_update_keys(client);
	for (unsigned int i = 0; i < 5; i++) {
		send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
		sim_run(p.sim, 30 * MS, NULL, NULL);
		ck_assert(!client->key_phase);
	}
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	ck_assert(client->key_phase);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

static bool nothing_of_server(struct witness *w UNUSED, unsigned int side,
			      const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_CLIENT;
}

/*
 * A second one waits until the first is answered; the old keys stay as long, however long that
 * takes, and open what was sent under them.
 */
START_TEST(test_update_answered)
{
	struct ql_path path;
	uint8_t late[2048];
	struct ql_conn *client;
	struct witness w;
	struct sim_pair p;
	size_t n;

	open_idle(&p);
	client = conn_of(&p, SIM_CLIENT);
	path = path_to(&p, SIM_SERVER);
	witness_start(&w, &p);
	n = make_packet(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1, 0, late);
	ql_conn_update_keys(client);
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
	ck_assert(client->key_phase);
	w.pass = nothing_of_server;
	/* The client's packets arrive, the answers do not; and it wants more. */
	ql_conn_update_keys(client);
	sim_run(p.sim, 2 * SEC, NULL, NULL);
	ck_assert(client->key_phase);
	ck_assert(conn_of(&p, SIM_SERVER)->key_phase);
	ck_assert_ptr_nonnull(client->rx_old.schedule);
	sim_inject(p.sim, SIM_CLIENT, &path, late, n);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_AUTH], 0);
	ck_assert(client->key_phase);
	w.pass = NULL;
	/* Answered: three PTOs later the old keys are gone, and the second update comes. */
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
	ck_assert(client->key_phase);
	ck_assert_uint_le(client->rx_old_until, sim_now(p.sim) + 3 * ql_conn_pto(client));
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_ptr_null(client->rx_old.schedule);
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
	ck_assert(!client->key_phase);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* No second one before a packet of the current phase is acknowledged (6.1). */
START_TEST(test_update_acknowledged)
{
	struct ql_conn *client;
	struct sim_pair p;

	open_idle(&p);
	client = conn_of(&p, SIM_CLIENT);
	ql_conn_update_keys(client);
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
	ck_assert(client->key_phase);
	/* as if everything but the acknowledgement were there */
	ql_aead_fini(&client->rx_old, client->host->mem);
	ql_conn_update_keys(client);
	ql_handshake_initiate_update(client);
	ck_assert(client->key_phase);
	client->rec.space[QL_SPACE_APP].largest_acked = client->tx_phase_pn;
	ql_handshake_initiate_update(client);
	ck_assert(!client->key_phase);
	client->key_phase = true; /* the server knows nothing of all this */
	ql_conn_close(client, 0, "");
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

/* The one that answers has new keys before it acknowledges (6.2). */
START_TEST(test_update_answer)
{
	struct ql_conn *client;
	struct witness w;
	struct sim_pair p;
	unsigned int ack;

	open_idle(&p);
	client = conn_of(&p, SIM_CLIENT);
	ql_conn_update_keys(client);
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1);
	ck_assert(client->key_phase);
	witness_start(&w, &p);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert(conn_of(&p, SIM_SERVER)->key_phase);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ack = find(&w, 0, SIM_SERVER, QL_PKT_SHORT, QL_FRAME_ACK);
	ck_assert_uint_lt(ack, w.n);
	ck_assert(w.log[ack].first & QL_PKT_KEY_PHASE);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* A burst in which old keys come behind new ones ends the connection (6.4). */
START_TEST(test_old_keys_again)
{
	struct rte_mempool *pool;
	struct ql_datagram in[3];
	struct ql_conn *client;
	struct ql_path path;
	uint8_t buf[3][2048];
	struct sim_pair p;
	size_t n[3];

	open_idle(&p);
	pool = sim_env_pool("burst", 15, 2048);
	client = conn_of(&p, SIM_CLIENT);
	path = path_to(&p, SIM_CLIENT);
	/* two packets under the old keys, of which the second has the higher number... */
	n[0] = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf[0]);
	client->rec.space[QL_SPACE_APP].sent.next += 1;
	n[2] = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf[2]);
	/* ...than one under the new ones */
	client->rec.space[QL_SPACE_APP].sent.next -= 2;
	ck_assert_int_eq(ql_handshake_next_keys(client), 0);
	ck_assert_int_eq(ql_handshake_update_keys(client, QL_PN_NONE), 0);
	n[1] = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf[1]);
	for (unsigned int i = 0; i < 3; i++) {
		in[i] = (struct ql_datagram){.mbuf = rte_pktmbuf_alloc(pool), .path = path};
		memcpy(rte_pktmbuf_append(in[i].mbuf, (uint16_t)n[i]), buf[i], n[i]);
	}
	ql_engine_rx(sim_engine(p.sim, SIM_SERVER), in, 3, sim_now(p.sim));
	ck_assert_int_ge(conn_of(&p, SIM_SERVER)->state, QL_CONN_CLOSING);
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_SERVER].close.error, QL_ERR_KEY_UPDATE_ERROR);
	finish(&p);
}
END_TEST

/* A late packet of the new phase moves its start, behind which old keys open nothing (5.5, 6.4). */
START_TEST(test_phase_start)
{
	struct ql_conn *client, *server;
	uint8_t buf[2][2048];
	struct ql_path path;
	struct sim_pair p;
	uint64_t first;
	size_t n[2];

	open_idle(&p);
	client = conn_of(&p, SIM_CLIENT);
	server = conn_of(&p, SIM_SERVER);
	path = path_to(&p, SIM_CLIENT);
	ck_assert_int_eq(ql_handshake_next_keys(client), 0);
	ck_assert_int_eq(ql_handshake_update_keys(client, QL_PN_NONE), 0);
	first = ql_rec_next_pn(&client->rec, QL_SPACE_APP);
	for (unsigned int i = 0; i < 2; i++)
		n[i] = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf[i]);
	sim_inject(p.sim, SIM_SERVER, &path, buf[1], n[1]);
	ck_assert(server->key_phase);
	ck_assert_uint_eq(server->phase_first_pn, first + 1);
	sim_inject(p.sim, SIM_SERVER, &path, buf[0], n[0]);
	ck_assert_uint_eq(server->phase_first_pn, first);
	close_idle(&p);
}
END_TEST

/* ---- Limits (6.6) ---- */

/* New keys when half of what a cipher allows is used up. */
START_TEST(test_confidentiality)
{
	struct sim_job job = {.streams = 1, .download = 3 * MB};
	struct ql_conn *server;
	struct sim_pair p;
	uint64_t limit;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 60 * MS, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	limit = ql_suites[server->app.tx.aead.suite].confidentiality_limit;
	ck_assert_uint_eq(limit, UINT64_C(1) << 23);
	ck_assert_uint_le(server->tx_update_pn, limit / 2);
	ck_assert_uint_lt(server->tx_end_pn, limit);
	ck_assert(!server->key_phase);
	/* as if it had been reached */
	server->tx_update_pn = ql_rec_next_pn(&server->rec, QL_SPACE_APP) + 10;
	sim_run(p.sim, 60 * MS, NULL, NULL);
	ck_assert(server->key_phase);
	ck_assert(conn_of(&p, SIM_CLIENT)->key_phase);
	ck_assert_uint_gt(server->tx_phase_pn, 10);
	ck_assert_uint_eq(server->tx_update_pn, server->tx_phase_pn + limit / 2);
	ck_assert_uint_gt(server->tx_end_pn, server->tx_update_pn);
	ck_assert_uint_lt(server->tx_end_pn, server->tx_phase_pn + limit);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* A peer that answers no update: the connection ends before the limit. */
START_TEST(test_confidentiality_end)
{
	struct sim_job job = {.streams = 1, .download = 3 * MB};
	struct ql_conn *server;
	struct witness w;
	struct sim_pair p;
	uint64_t limit;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 60 * MS, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	limit = ql_rec_next_pn(&server->rec, QL_SPACE_APP) + 100;
	server->tx_end_pn = limit;
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_AEAD_LIMIT_REACHED);
	for (unsigned int i = 0; i < w.n; i++) {
		if (w.log[i].side == SIM_SERVER && w.log[i].type == QL_PKT_SHORT)
			ck_assert_uint_lt(w.log[i].pn, limit + QL_CONN_PN_SPARE);
	}
	witness_end(&w);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/tls");
	TCase *tc = new_case(s, "hello");

	tcase_add_test(tc, test_hello);
	tcase_add_test(tc, test_old_tls);
	tcase_add_test(tc, test_unknown_suites);
	tc = new_case(s, "keys");
	tcase_add_test(tc, test_keys_dropped);
	tcase_add_test(tc, test_initial_keys_dropped);
	tcase_add_test(tc, test_forged_handshake);
	tc = new_case(s, "update");
	tcase_add_test(tc, test_update);
	tcase_add_test(tc, test_update_unconfirmed);
	tcase_add_test(tc, test_update_answered);
	tcase_add_test(tc, test_update_acknowledged);
	tcase_add_test(tc, test_update_answer);
	tcase_add_test(tc, test_old_keys_again);
	tcase_add_test(tc, test_phase_start);
	tc = new_case(s, "limits");
	tcase_add_test(tc, test_confidentiality);
	tcase_add_test(tc, test_confidentiality_end);
	return run_suite(s);
}
