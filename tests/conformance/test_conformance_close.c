// SPDX-License-Identifier: BSD-3-Clause
/*
 * How connections end: RFC 9000, section 10.
 */
#include "conform.h"

static bool nothing_of_server(struct witness *w UNUSED, unsigned int side,
			      const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_CLIENT;
}

static bool nothing(struct witness *w UNUSED, unsigned int side UNUSED,
		    const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return false;
}

/* Packets and bytes of this side's datagrams from `from` on. */
static unsigned int sent_by(const struct witness *w, unsigned int from, unsigned int side,
			    uint64_t *bytes)
{
	unsigned int n = 0;

	*bytes = 0;
	for (unsigned int i = from; i < w->n; i++) {
		if (w->log[i].side != side)
			continue;
		n++;
		if (i == 0 || w->log[i].datagram != w->log[i - 1].datagram)
			*bytes += w->log[i].datagram_size;
	}
	return n;
}

/* However short a time-out was agreed on, three PTOs pass before it ends a connection (10.1). */
START_TEST(test_idle_least)
{
	struct ql_transport t = {.idle_timeout_ns = 1 * MS};
	struct sim_job job = {.keep_open = true};
	uint64_t pto, start;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, &t, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 45 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 1);
	witness_start(&w, &p);
	w.pass = nothing;
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	start = sim_now(p.sim);
	pto = ql_conn_pto(conn_of(&p, SIM_SERVER));
	ck_assert_uint_gt(pto, 20 * MS);
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_IDLE);
	ck_assert_uint_ge(p.app[SIM_SERVER].closed_at, start + 3 * pto);
	ck_assert_uint_le(p.app[SIM_SERVER].closed_at, start + 8 * pto);
	witness_end(&w);
	finish(&p);
}
END_TEST

/* One answer to CONNECTION_CLOSE, and then silence, whatever comes (10.2.2). */
START_TEST(test_draining)
{
	struct ql_path path;
	uint8_t packet[8][2048];
	uint64_t bytes;
	struct witness w;
	struct sim_pair p;
	size_t sizes[8];

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	for (unsigned int i = 0; i < 8; i++)
		sizes[i] = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, packet[i]);
	witness_start(&w, &p);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x1c\0\0\0", 4);
	for (unsigned int i = 0; i < 8; i++) {
		sim_run(p.sim, 1 * MS, NULL, NULL);
		sim_inject(p.sim, SIM_SERVER, &path, packet[i], sizes[i]);
	}
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 1);
	ck_assert_uint_le(sent_by(&w, 0, SIM_SERVER, &bytes), 1);
	witness_end(&w);
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

/* While closing at most three times what comes, and to the old address only (10.2.1). */
START_TEST(test_closing_amplification)
{
	struct ql_path path, other;
	uint64_t bytes, in = 0;
	struct ql_cid cid;
	uint8_t buf[2048];
	struct witness w;
	struct sim_pair p;
	unsigned int from;

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	other = path;
	other.remote.port++;
	cid = *ql_peer_cid(&conn_of(&p, SIM_CLIENT)->peer_cids);
	witness_start(&w, &p);
	w.pass = nothing_of_server;
	ql_engine_tick(sim_engine(p.sim, SIM_SERVER), sim_now(p.sim));
	ql_conn_close(conn_of(&p, SIM_SERVER), 7, "A reason, so that what is sent is longer");
	sim_run(p.sim, 1 * MS, NULL, NULL);
	ck_assert_uint_eq(sent_by(&w, 0, SIM_SERVER, &bytes), 1);
	ck_assert_uint_gt(bytes, 70);
	from = w.n;
	for (unsigned int i = 0; i < 300; i++) {
		ql_pkt_put_short(buf, &cid, false, false, 4);
		memset(buf + 1 + cid.len, (int)i, 30);
		sim_inject(p.sim, SIM_SERVER, i % 3 == 2 ? &other : &path, buf, 21);
		in += 21;
		sim_run(p.sim, 10 * QL_NSEC_PER_USEC, NULL, NULL);
		sent_by(&w, from, SIM_SERVER, &bytes);
		ck_assert_uint_le(bytes, 3 * in);
	}
	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_le(sent_by(&w, from, SIM_SERVER, &bytes), 10);
	for (unsigned int i = from; i < w.n; i++) {
		if (w.log[i].side == SIM_SERVER)
			ck_assert_uint_eq(w.log[i].path.remote.port, path.remote.port);
	}
	w.pass = NULL;
	run_out(&p, 60 * SEC);
	witness_end(&w);
	finish(&p);
}
END_TEST

/* Once the handshake is confirmed a CONNECTION_CLOSE is a 1-RTT packet and nothing else (10.2.3).
 */
START_TEST(test_close_confirmed)
{
	for (unsigned int side = 0; side < 2; side++) {
		struct witness w;
		struct sim_pair p;
		uint64_t bytes;

		open_idle(&p);
		ck_assert_int_eq(conn_of(&p, side)->state, QL_CONN_CONFIRMED);
		witness_start(&w, &p);
		ql_engine_tick(sim_engine(p.sim, side), sim_now(p.sim));
		ql_conn_close(conn_of(&p, side), 77, "why");
		sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert_uint_eq(sent_by(&w, 0, side, &bytes), 1);
		ck_assert_int_eq(w.log[0].type, QL_PKT_SHORT);
		ck_assert(w.log[0].opened && w.log[0].close_app);
		ck_assert_uint_eq(w.log[0].close_code, 77);
		witness_end(&w);
		run_out(&p, 60 * SEC);
		finish(&p);
	}
}
END_TEST

static void close_now(struct sim_app *app UNUSED, struct ql_conn *conn)
{
	ql_conn_close(conn, 77, "not for everyone's eyes");
}

/*
 * Before that it goes into the packets that the peer can read as well, and there the application's
 * code and reason are hidden.
 */
START_TEST(test_close_unconfirmed)
{
	struct sim_job job = {.keep_open = true};
	unsigned int hidden = 0, open = 0;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	p.app[SIM_CLIENT].on_connected = close_now;
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		if (k->side != SIM_CLIENT || (!HAS(k, 0x1c) && !HAS(k, 0x1d)))
			continue;
		if (k->type == QL_PKT_SHORT) {
			ck_assert(k->close_app);
			ck_assert_uint_eq(k->close_code, 77);
			open++;
		} else {
			ck_assert(!k->close_app);
			ck_assert_uint_eq(k->close_code, QL_ERR_APPLICATION_ERROR);
			ck_assert_uint_eq(k->reason_len, 0);
			hidden++;
		}
	}
	ck_assert_uint_ge(hidden, 1);
	ck_assert_uint_ge(open, 1);
	witness_end(&w);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/close");
	TCase *tc = new_case(s, "close");

	tcase_add_test(tc, test_idle_least);
	tcase_add_test(tc, test_draining);
	tcase_add_test(tc, test_closing_amplification);
	tcase_add_test(tc, test_close_confirmed);
	tcase_add_test(tc, test_close_unconfirmed);
	return run_suite(s);
}
