// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connections that are open, or about to be: connection IDs (RFC 9000, 5.1), what is processed
 * and what is not (5.2, 12), acknowledgements (13.2), what is sent again (13.3), ECN (13.4).
 */
#include "conform.h"

/* ---- Connection IDs ---- */

/* The IDs that this side has from the other one. */
static unsigned int peer_cids(struct ql_conn *conn, const struct ql_peer_cid *out[QL_PEER_CIDS])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		if (conn->peer_cids.e[i].used)
			out[n++] = &conn->peer_cids.e[i];
	}
	return n;
}

/* Numbered one after the other, all different, as many as the peer keeps; each of them works. */
START_TEST(test_issued_ids)
{
	for (unsigned int side = 0; side < 2; side++) {
		const struct ql_peer_cid *ids[QL_PEER_CIDS];
		struct sim_pair p;
		unsigned int n;

		open_idle(&p);
		n = peer_cids(conn_of(&p, side), ids);
		ck_assert_uint_eq(n, QL_PEER_CIDS);
		for (unsigned int i = 0; i < n; i++) {
			struct ql_engine_stats before = sim_pair_stats(&p, !side);

			ck_assert_uint_eq(ids[i]->seq, i);
			for (unsigned int j = 0; j < i; j++) {
				ck_assert(!ql_cid_eq(&ids[i]->cid, &ids[j]->cid));
				ck_assert(!ids[i]->has_token || !ids[j]->has_token ||
					  memcmp(ids[i]->token, ids[j]->token, 16) != 0);
			}
			conn_of(&p, side)->peer_cids.current =
				(uint8_t)(ids[i] - conn_of(&p, side)->peer_cids.e);
			send_frames(&p, side, QL_SPACE_APP, "\x01", 1);
			ck_assert_uint_eq(sim_pair_stats(&p, !side).rx_packets,
					  before.rx_packets + 1);
		}
		close_idle(&p);
	}
}
END_TEST

/* A peer that keeps fewer gets fewer, and another one for each that it retires. */
START_TEST(test_id_limit)
{
	for (unsigned int limit = 2; limit <= QL_LOCAL_CIDS; limit++) {
		struct sim_job job = {.keep_open = true};
		const struct ql_peer_cid *ids[QL_PEER_CIDS];
		struct sim_pair p;
		unsigned int n;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 15 * MS, NULL, NULL); /* the server has the client's parameters */
		some_conn(&p, SIM_SERVER)->peer_cid_limit = limit;
		sim_run(p.sim, 500 * MS, NULL, NULL);
		n = peer_cids(conn_of(&p, SIM_CLIENT), ids);
		ck_assert_uint_eq(n, limit);
		/* The client drops one that it does not use. */
		conn_of(&p, SIM_CLIENT)->peer_cids.e[1].used = false;
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x19\x01", 2);
		sim_run(p.sim, 500 * MS, NULL, NULL);
		n = peer_cids(conn_of(&p, SIM_CLIENT), ids);
		ck_assert_uint_eq(n, limit);
		ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->peer_cids.e[1].seq, limit);
		close_idle(&p);
	}
}
END_TEST

/* A peer that has asked for packets without an ID cannot be given others (19.15). */
START_TEST(test_id_without_id)
{
	static const uint8_t frame[] = {0x18, 9, 0, 4, 1, 2,  3,  4,  1,  2,  3,  4,
					5,    6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct sim_pair p;

	open_idle(&p);
	conn_of(&p, SIM_SERVER)->peer_cids.e[0].cid.len = 0;
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frame, sizeof(frame));
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_SERVER].close.error, QL_ERR_PROTOCOL_VIOLATION);
	ck_assert_uint_eq(p.app[SIM_SERVER].close.frame_type, 0x18);
	finish(&p);
}
END_TEST

/* ---- What is processed ---- */

/* The spin bit says nothing (17.4), nor does the fixed bit of one who knows us (RFC 9287). */
START_TEST(test_first_byte)
{
	static const uint8_t flips[] = {0, QL_PKT_SPIN, QL_PKT_FIXED};
	struct ql_path path;
	struct sim_pair p;

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	for (unsigned int i = 0; i < 3; i++) {
		struct ql_engine_stats before = sim_pair_stats(&p, SIM_SERVER);
		uint8_t buf[2048];
		size_t n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, flips[i], buf);

		sim_inject(p.sim, SIM_SERVER, &path, buf, n);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).rx_packets, before.rx_packets + 1);
	}
	close_idle(&p);
}
END_TEST

/* A client takes nothing from an address that is not its server's (9). */
START_TEST(test_unknown_server)
{
	struct ql_engine_stats before, after;
	struct ql_path path;
	uint8_t buf[2048];
	struct sim_pair p;
	uint64_t pn;
	size_t n;

	open_idle(&p);
	path = path_to(&p, SIM_SERVER);
	path.remote.ip[15] ^= 1;
	before = sim_pair_stats(&p, SIM_CLIENT);
	pn = ql_rec_next_pn(&conn_of(&p, SIM_SERVER)->rec, QL_SPACE_APP);
	n = make_packet(&p, SIM_SERVER, QL_SPACE_APP, "\x01", 1, 0, buf);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, n);
	after = sim_pair_stats(&p, SIM_CLIENT);
	ck_assert(!ql_ranges_seen(&conn_of(&p, SIM_CLIENT)->app.received, pn));
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->app.unacked, 0);
	ck_assert_uint_eq(after.drops[QL_DROP_PATH], before.drops[QL_DROP_PATH] + 1);
	close_idle(&p);
}
END_TEST

/* A copy is known as such only when it has been opened: forged copies are forgeries (12.3). */
START_TEST(test_forged_copy)
{
	struct ql_engine_stats before, after;
	uint8_t buf[2048], copy[2048];
	struct ql_path path;
	struct sim_pair p;
	size_t n;

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf);
	memcpy(copy, buf, n);
	sim_inject(p.sim, SIM_SERVER, &path, copy, n);
	before = sim_pair_stats(&p, SIM_SERVER);
	memcpy(copy, buf, n);
	copy[n - 1] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &path, copy, n);
	memcpy(copy, buf, n);
	sim_inject(p.sim, SIM_SERVER, &path, copy, n);
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.drops[QL_DROP_AUTH], before.drops[QL_DROP_AUTH] + 1);
	ck_assert_uint_eq(after.drops[QL_DROP_DUPLICATE], before.drops[QL_DROP_DUPLICATE] + 1);
	close_idle(&p);
}
END_TEST

static bool nothing_of_client(struct witness *w, unsigned int side,
			      const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_SERVER || w->counter++ == 0;
}

/*
 * 1-RTT packets before the handshake is complete: not processed, although the server has the keys
 * (RFC 9001, 5.7).
 */
START_TEST(test_early_one_rtt)
{
	struct sim_job job = {.keep_open = true};
	struct ql_engine_stats before, after;
	struct ql_path path;
	uint8_t buf[2048];
	struct witness w;
	struct sim_pair p;
	size_t n;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = nothing_of_client;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 30 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 1);
	ck_assert(some_conn(&p, SIM_SERVER)->app.rx.ready);
	ck_assert_int_eq(some_conn(&p, SIM_SERVER)->state, QL_CONN_HANDSHAKE);
	path = path_to(&p, SIM_CLIENT);
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, BYTES(0x08, 0x00, 0xaa), 0, buf);
	before = sim_pair_stats(&p, SIM_SERVER);
	sim_inject(p.sim, SIM_SERVER, &path, buf, n);
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets);
	ck_assert_uint_eq(after.drops[QL_DROP_NO_KEYS], before.drops[QL_DROP_NO_KEYS] + 1);
	ck_assert_uint_eq(p.app[SIM_SERVER].opened, 0);
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

static bool no_handshake_of_server(struct witness *w UNUSED, unsigned int side,
				   const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_CLIENT;
}

/* The same at a client, whose server has 1-RTT keys from its first flight on. */
START_TEST(test_early_at_client)
{
	struct sim_job job = {.keep_open = true};
	struct ql_engine_stats before, after;
	struct ql_conn *server;
	struct ql_seal_job seal;
	struct ql_path path;
	uint8_t buf[2048], *q;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = no_handshake_of_server;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 30 * MS, NULL, NULL);
	server = some_conn(&p, SIM_SERVER);
	ck_assert(server->app.tx.ready);
	q = ql_pkt_put_short(buf, ql_peer_cid(&server->peer_cids), false, false, 4);
	q = ql_pn_put(q, 0, 4);
	memset(q, QL_FRAME_PING, 20);
	seal = (struct ql_seal_job){.aead = &server->app.tx.aead,
				    .hp = &server->app.tx.hp,
				    .hdr = buf,
				    .hdr_len = (uint16_t)(q - buf),
				    .payload_len = 20,
				    .pn_len = 4};
	ql_seal_one(&seal);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	before = sim_pair_stats(&p, SIM_CLIENT);
	sim_inject(p.sim, SIM_CLIENT, &path, buf, (size_t)(q - buf) + 20 + QL_TAG_LEN);
	after = sim_pair_stats(&p, SIM_CLIENT);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets);
	ck_assert_uint_eq(after.drops[QL_DROP_NO_KEYS], before.drops[QL_DROP_NO_KEYS] + 1);
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* A 0-RTT packet that comes to a client, or to a server that has taken none, is not opened. */
START_TEST(test_zero_rtt)
{
	for (unsigned int side = 0; side < 2; side++) {
		struct ql_engine_stats before, after;
		uint8_t buf[2048], *q, *length;
		struct ql_conn *to;
		struct ql_path path;
		struct sim_pair p;

		open_idle(&p);
		to = conn_of(&p, side);
		path = *ql_conn_path(to);
		q = ql_pkt_put_long(buf, buf + 200, QL_PKT_ZERO_RTT, QL_VERSION_1,
				    &to->local_cids.e[0].cid, ql_peer_cid(&to->peer_cids), NULL, 0,
				    4, &length);
		ck_assert_ptr_nonnull(q);
		memset(q, 0x55, 200);
		ql_pkt_put_length(length, 200);
		before = sim_pair_stats(&p, side);
		sim_inject(p.sim, side, &path, buf, (size_t)(q - buf) + 200);
		after = sim_pair_stats(&p, side);
		ck_assert_uint_eq(after.rx_packets, before.rx_packets);
		ck_assert_uint_eq(after.drops[QL_DROP_EARLY], before.drops[QL_DROP_EARLY] + 1);
		close_idle(&p);
	}
}
END_TEST

/* A packet that cannot be opened does not keep those behind it from being handled (12.2). */
START_TEST(test_behind_unreadable)
{
	uint8_t buf[4096], *q, *length;
	struct ql_engine_stats before, after;
	struct ql_conn *server;
	struct ql_path path;
	struct sim_pair p;
	size_t n;

	open_idle(&p);
	server = conn_of(&p, SIM_SERVER);
	path = path_to(&p, SIM_CLIENT);
	q = ql_pkt_put_long(buf, buf + 200, QL_PKT_HANDSHAKE, QL_VERSION_1,
			    ql_peer_cid(&conn_of(&p, SIM_CLIENT)->peer_cids),
			    &conn_of(&p, SIM_CLIENT)->local_cids.e[0].cid, NULL, 0, 4, &length);
	ck_assert_ptr_nonnull(q);
	memset(q, 0x55, 100);
	ql_pkt_put_length(length, 100);
	n = (size_t)(q - buf) + 100;
	n += make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf + n);
	ck_assert_int_eq(server->state, QL_CONN_CONFIRMED);
	before = sim_pair_stats(&p, SIM_SERVER);
	sim_inject(p.sim, SIM_SERVER, &path, buf, n);
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.drops[QL_DROP_NO_KEYS], before.drops[QL_DROP_NO_KEYS] + 1);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets + 1);
	close_idle(&p);
}
END_TEST

/* CRYPTO frames in the wrong order, 4096 bytes and more of them (7.5). */
START_TEST(test_crypto_reordered)
{
	struct sim_pair p;
	uint8_t frame[1200], *q;

	open_idle(&p);
	/* A ticket of 8000 bytes for the client, in pieces from the end to the start. */
	for (unsigned int at = 8000; at > 0; at -= 1000) {
		uint64_t offset = conn_of(&p, SIM_CLIENT)->late.in.offset + at - 1000;

		q = ql_frame_put_crypto_hdr(frame, offset, 1000);
		memset(q, 0, 1000);
		if (at == 1000)
			memcpy(q, (const uint8_t[]){4, 0, 0x1f, 0x3c}, 4);
		send_frames(&p, SIM_SERVER, QL_SPACE_APP, frame, (size_t)(q + 1000 - frame));
		ck_assert_int_eq(conn_of(&p, SIM_CLIENT)->state, QL_CONN_CONFIRMED);
	}
	ck_assert_uint_ge(conn_of(&p, SIM_CLIENT)->late.in.offset, 8000);
	close_idle(&p);
}
END_TEST

/* ---- Acknowledgements ---- */

/* Initial and Handshake packets at once: with the next datagram, which is sent in the same turn. */
START_TEST(test_ack_at_once)
{
	struct sim_job job = {.keep_open = true};
	unsigned int checked = 0;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];
		unsigned int j;

		/* The server's keys for the client's Finished are gone once it is there. */
		if (!k->eliciting || k->type == QL_PKT_SHORT ||
		    (k->type == QL_PKT_HANDSHAKE && k->side == SIM_CLIENT))
			continue;
		for (j = i; j < w.n; j++) {
			if (w.log[j].side != k->side && w.log[j].type == k->type &&
			    HAS(&w.log[j], QL_FRAME_ACK) && w.log[j].ack.largest >= k->pn)
				break;
		}
		if (k->type == QL_PKT_INITIAL && k->side == SIM_SERVER && j == w.n)
			continue; /* the client's Initial keys went with its first Handshake packet
				   */
		ck_assert_uint_lt(j, w.n);
		ck_assert_uint_le(w.log[j].time, k->time + 11 * MS);
		checked++;
	}
	ck_assert_uint_ge(checked, 2);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/*
 * A side that only receives: no more packets than it gets, not all of them ask for an ACK, and the
 * delay that it reports is one that it made.
 */
START_TEST(test_receiver)
{
	struct sim_job job = {.streams = 1, .download = 3 * MB};
	unsigned int sent[2] = {0, 0}, eliciting = 0;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		if (k->type != QL_PKT_SHORT)
			continue;
		sent[k->side]++;
		if (k->side != SIM_CLIENT)
			continue;
		eliciting += k->eliciting;
		/* in us after shifting by 3; the client waits 5 ms at most */
		if (HAS(k, QL_FRAME_ACK))
			ck_assert_uint_le(k->ack.delay << 3, 6000);
	}
	ck_assert_uint_gt(sent[SIM_SERVER], 2000);
	ck_assert_uint_lt(sent[SIM_CLIENT], sent[SIM_SERVER]);
	ck_assert_uint_lt(eliciting, sent[SIM_CLIENT] / 2);
	witness_end(&w);
	finish(&p);
}
END_TEST

/* What is not opened is not acknowledged (13.1). */
START_TEST(test_no_ack_for_forged)
{
	struct ql_path path;
	struct witness w;
	uint8_t buf[2048];
	struct sim_pair p;
	uint64_t pn;
	size_t n;

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	witness_start(&w, &p);
	pn = ql_rec_next_pn(&conn_of(&p, SIM_CLIENT)->rec, QL_SPACE_APP);
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf);
	buf[n - 1] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &path, buf, n);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert(!ql_ranges_seen(&conn_of(&p, SIM_SERVER)->app.received, pn));
	ck_assert(ql_ranges_seen(&conn_of(&p, SIM_SERVER)->app.received, pn + 1));
	sim_run(p.sim, 50 * MS, NULL, NULL);
	n = find(&w, 0, SIM_SERVER, QL_PKT_SHORT, QL_FRAME_ACK);
	ck_assert_uint_lt(n, w.n);
	ck_assert_uint_eq(w.log[n].ack.largest, pn + 1);
	ck_assert_uint_eq(w.log[n].ack.first_range, 0);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

static bool mark(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	static const uint8_t marks[] = {QL_ECN_ECT0, QL_ECN_ECT1, QL_ECN_CE};
	unsigned int *n = arg;

	d->ecn = marks[(*n)++ % 3];
	return true;
}

/* Marks are counted and reported by a side that makes none itself (13.4.1). */
START_TEST(test_ecn_feedback)
{
	struct ql_ecn_counts last = {0};
	unsigned int marked = 0;
	struct sim_job job = {.streams = 1, .download = 100 * KB};
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	sim_link(p.sim, SIM_SERVER)->filter = mark;
	sim_link(p.sim, SIM_SERVER)->arg = &marked;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		if (k->side != SIM_CLIENT || k->type != QL_PKT_SHORT || !HAS(k, QL_FRAME_ACK))
			continue;
		ck_assert(k->ack.has_ecn);
		ck_assert(k->ack.ecn.ect0 >= last.ect0 && k->ack.ecn.ect1 >= last.ect1 &&
			  k->ack.ecn.ce >= last.ce);
		last = k->ack.ecn;
	}
	ck_assert_uint_gt(last.ect0 + last.ect1 + last.ce, 70);
	ck_assert_uint_le(last.ect0 + last.ect1 + last.ce, marked);
	ck_assert(last.ect0 > 20 && last.ect1 > 20 && last.ce > 20);
	witness_end(&w);
	finish(&p);
}
END_TEST

/* ---- HANDSHAKE_DONE (13.3, 19.20; RFC 9001, 4.1.2) ---- */

static bool no_done_for_a_while(struct witness *w, unsigned int side, const struct noted *first,
				unsigned int n)
{
	for (unsigned int i = 0; side == SIM_SERVER && i < n; i++) {
		if (HAS(&first[i], QL_FRAME_HANDSHAKE_DONE) && w->counter < 4) {
			w->counter++;
			return false;
		}
	}
	return true;
}

/* With the server's first packet behind the client's Finished, and again until it arrives. */
START_TEST(test_handshake_done)
{
	struct sim_job job = {.keep_open = true};
	unsigned int done, finished;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = no_done_for_a_while;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 20 * SEC, NULL, NULL);
	ck_assert_uint_eq(w.counter, 4);
	done = find(&w, 0, SIM_SERVER, QL_PKT_SHORT, QL_FRAME_HANDSHAKE_DONE);
	finished = find(&w, 0, SIM_CLIENT, QL_PKT_HANDSHAKE, QL_FRAME_CRYPTO);
	ck_assert_uint_lt(finished, done);
	ck_assert_uint_lt(done, w.n);
	/* 10 ms for the Finished to arrive, and no delay of the server's. */
	ck_assert_uint_le(w.log[done].time, w.log[finished].time + 11 * MS);
	ck_assert_int_eq(conn_of(&p, SIM_CLIENT)->state, QL_CONN_CONFIRMED);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* ---- The end of all numbers (12.3) ---- */

START_TEST(test_numbers_end)
{
	struct ql_conn *client;
	struct witness w;
	struct sim_pair p;

	open_idle(&p);
	client = conn_of(&p, SIM_CLIENT);
	client->tx_end_pn = QL_CONN_PN_END;
	/* as if they had all been sent */
	client->rec.space[QL_SPACE_APP].sent.next = QL_CONN_PN_END;
	witness_start(&w, &p);
	ql_conn_wake(client);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 1);
	for (unsigned int i = 0; i < w.n; i++)
		ck_assert_uint_ne(w.log[i].side, SIM_CLIENT);
	witness_end(&w);
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_IDLE);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/open");
	TCase *tc = new_case(s, "ids");

	tcase_add_test(tc, test_issued_ids);
	tcase_add_test(tc, test_id_limit);
	tcase_add_test(tc, test_id_without_id);
	tc = new_case(s, "processed");
	tcase_add_test(tc, test_first_byte);
	tcase_add_test(tc, test_unknown_server);
	tcase_add_test(tc, test_forged_copy);
	tcase_add_test(tc, test_early_one_rtt);
	tcase_add_test(tc, test_early_at_client);
	tcase_add_test(tc, test_zero_rtt);
	tcase_add_test(tc, test_behind_unreadable);
	tcase_add_test(tc, test_crypto_reordered);
	tc = new_case(s, "acks");
	tcase_add_test(tc, test_ack_at_once);
	tcase_add_test(tc, test_receiver);
	tcase_add_test(tc, test_no_ack_for_forged);
	tcase_add_test(tc, test_ecn_feedback);
	tc = new_case(s, "sent");
	tcase_add_test(tc, test_handshake_done);
	tcase_add_test(tc, test_numbers_end);
	return run_suite(s);
}
