// SPDX-License-Identifier: BSD-3-Clause
/* Early data (0-RTT): RFC 9000, 7.4.1, 13.2.6 and 17.2.3; RFC 9001, 4.6, 4.9.3, 5.6 and 8.3. */
#include "conform.h"

#include "unit/test_conn_early_util.h"

#define FINISHED 20

static unsigned int count(const struct witness *w, unsigned int side, enum ql_pkt_type type)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n; i++)
		n += w->log[i].side == side && w->log[i].type == type;
	return n;
}

/* The first packet of this side and type; w->n if there is none. */
static unsigned int first_of(const struct witness *w, unsigned int side, enum ql_pkt_type type)
{
	unsigned int i = 0;

	while (i < w->n && (w->log[i].side != side || w->log[i].type != type))
		i++;
	return i;
}

/*
 * All 0-RTT packets are the client's, come before all of its 1-RTT packets and before any of the
 * server's arrives, are numbered with them, and hold only frames that they may (conform.h looks).
 */
static void check_order(const struct witness *w)
{
	uint64_t next = 0, arrives;
	bool one_rtt = false;

	arrives = w->log[first_of(w, SIM_SERVER, QL_PKT_SHORT)].time + 10 * MS;
	ck_assert_uint_eq(count(w, SIM_SERVER, QL_PKT_ZERO_RTT), 0);
	for (unsigned int i = 0; i < w->n; i++) {
		const struct noted *k = &w->log[i];

		if (k->side != SIM_CLIENT ||
		    (k->type != QL_PKT_ZERO_RTT && k->type != QL_PKT_SHORT))
			continue;
		ck_assert(k->opened);
		ck_assert_uint_ge(k->pn, next);
		next = k->pn + 1;
		if (k->type == QL_PKT_ZERO_RTT)
			ck_assert(!one_rtt && k->time < arrives);
		one_rtt |= k->type == QL_PKT_SHORT;
	}
	ck_assert(one_rtt);
}

START_TEST(test_taken)
{
	struct sim_job job = {
		.streams = 3, .download = 5 * KB, .upload = 2 * KB, .keep_open = true};
	struct ql_sendbuf *out;
	unsigned int at;
	struct witness w;
	struct sim_pair p;
	uint8_t type;

	open_known(&p, 1, NULL, &job);
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	while (p.app[SIM_CLIENT].connected < 2)
		sim_run(p.sim, MS, NULL, NULL);
	/* In the Handshake packets there is Finished, and no EndOfEarlyData (9001, 8.3). */
	out = &conn_of(&p, SIM_CLIENT)->hs->crypto_out[QL_SPACE_HANDSHAKE];
	ql_sendbuf_copy_out(out, 0, &type, 1);
	ck_assert_uint_eq(type, FINISHED);
	sim_run(p.sim, SEC, NULL, NULL);
	ck_assert_uint_ge(count(&w, SIM_CLIENT, QL_PKT_ZERO_RTT), 2);
	check_order(&w);
	/* They are acknowledged in 1-RTT packets, before there is anything else to (13.2.6). */
	at = find(&w, 0, SIM_SERVER, QL_PKT_SHORT, QL_FRAME_ACK);
	ck_assert_uint_lt(at, w.n);
	ck_assert_uint_lt(w.log[at].ack.largest, count(&w, SIM_CLIENT, QL_PKT_ZERO_RTT));
	ck_assert_uint_lt(w.log[at].time,
			  w.log[first_of(&w, SIM_CLIENT, QL_PKT_SHORT)].time + 10 * MS);
	/* And nothing was sent again. */
	ck_assert_uint_eq(p.app[SIM_SERVER].received, 2 * job.streams * job.upload);
	expect_early(&p, 1, 0);
	witness_end(&w);
	close_known(&p);
}
END_TEST

/* Behind a Retry the data goes once more in 0-RTT packets, which have new numbers (17.2.3). */
START_TEST(test_retry)
{
	struct sim_job job = {
		.streams = 3, .download = 5 * KB, .upload = 2 * KB, .keep_open = true};
	unsigned int retry, before = 0, behind = 0;
	struct witness w;
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	sim_engine(p.sim, SIM_SERVER)->retry = QL_RETRY_ALWAYS;
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, SEC, NULL, NULL);
	retry = first_of(&w, SIM_SERVER, QL_PKT_RETRY);
	ck_assert_uint_lt(retry, w.n);
	for (unsigned int i = 0; i < w.n; i++) {
		if (w.log[i].type != QL_PKT_ZERO_RTT)
			continue;
		before += i < retry;
		behind += i > retry;
		ck_assert(ql_cid_eq(&w.log[i].dcid, &w.log[retry].scid) == (i > retry));
	}
	ck_assert_uint_ge(before, 2);
	ck_assert_uint_ge(behind, 2);
	check_order(&w);
	expect_early(&p, 1, 0);
	witness_end(&w);
	close_known(&p);
}
END_TEST

/*
 * 0-RTT keeps to what is remembered, though the server has more to give now; from the handshake on
 * its new values count. What must not be remembered is not (7.4.1).
 */
START_TEST(test_remembered)
{
	struct ql_transport t = {.early_data = true, .ack_delay_ns = 70 * MS};
	struct sim_job job = {
		.streams = 6, .download = 5 * KB, .upload = 4 * KB, .keep_open = true};
	uint8_t params[QL_SESSION_PARAMS], blob[QL_SESSION_MAX];
	struct ql_tparams tp, defaults;
	struct ql_session session;
	struct sim_app *c;
	struct ql_conn *conn;
	struct sim_pair p;

	open_known(&p, 1, &t, &job);
	c = &p.app[SIM_CLIENT];
	ck_assert_int_eq(ql_session_decode(&session, c->session, c->session_len), 0);
	ck_assert_int_eq(ql_tparams_decode(&tp, true, session.params, session.params_len, NULL), 0);
	/* all that a server's limits are, and nothing of what may not be used again */
	ck_assert_uint_eq(tp.initial_max_data, UINT64_C(16) << 20);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_local, UINT64_C(4) << 20);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_remote, UINT64_C(4) << 20);
	ck_assert_uint_eq(tp.initial_max_stream_data_uni, UINT64_C(4) << 20);
	ck_assert_uint_eq(tp.initial_max_streams_bidi, 128);
	ck_assert_uint_eq(tp.initial_max_streams_uni, 16);
	ck_assert_uint_eq(tp.active_connection_id_limit, QL_PEER_CIDS);
	ck_assert_uint_eq(tp.max_idle_timeout, 30000);
	ck_assert_uint_gt(tp.max_udp_payload_size, 1200);
	ql_tparams_init(&defaults);
	ck_assert_uint_eq(tp.ack_delay_exponent, defaults.ack_delay_exponent);
	ck_assert_uint_eq(tp.max_ack_delay, defaults.max_ack_delay);
	ck_assert(!ql_tp_has(&tp, QL_TP_STATELESS_RESET_TOKEN));
	ck_assert(!ql_tp_has(&tp, QL_TP_INITIAL_SCID));
	ck_assert(!ql_tp_has(&tp, QL_TP_ORIGINAL_DCID));
	ck_assert(!ql_tp_has(&tp, QL_TP_PREFERRED_ADDRESS));
	ck_assert(!ql_tp_has(&tp, QL_TP_RETRY_SCID));

	tp.initial_max_data = 3 * KB;
	tp.initial_max_stream_data_bidi_remote = 2 * KB;
	tp.initial_max_streams_bidi = 2;
	session.params_len = (uint16_t)ql_session_params(&tp, params);
	session.params = params;
	c->session_len = ql_session_encode(&session, blob);
	memcpy(c->session, blob, c->session_len);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 15 * MS, NULL, NULL); /* the server's answer is on its way */
	conn = conn_of(&p, SIM_CLIENT);
	ck_assert_int_eq(ql_conn_early(conn), QL_EARLY_OPEN);
	ck_assert_uint_eq(conn->streams.types[0].opened, 2);
	ck_assert_uint_eq(conn->streams.tx.limit, 3 * KB);
	ck_assert_uint_eq(conn->streams.tx.used, 3 * KB);
	ck_assert_uint_le(ql_streams_find(&conn->streams, 0)->send.sent, 2 * KB);
	ck_assert_uint_eq(conn->rec.max_ack_delay, 25 * MS);
	ck_assert(!conn->peer_cids.e[0].has_token);
	while (c->connected < 2)
		sim_run(p.sim, MS, NULL, NULL);
	ck_assert_uint_eq(conn->streams.tx.limit, UINT64_C(16) << 20);
	ck_assert_uint_eq(conn->rec.max_ack_delay, 71 * MS);
	ck_assert(conn->peer_cids.e[0].has_token);
	sim_run(p.sim, SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].received, 2 * job.streams * job.upload);
	expect_early(&p, 1, 0);
	close_known(&p);
}
END_TEST

/* An ACK of what was rejected is a lie (9001, 4.6.2). */
START_TEST(test_rejected_acked)
{
	struct sim_job job = {
		.streams = 1, .download = 1 * KB, .upload = 1 * KB, .keep_open = true};
	struct sim_app *s;
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	sim_pair_restart(
		&p, &(struct ql_engine_config){.name = "server 2", .socket_id = -1, .seed = {9}});
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, SEC, NULL, NULL);
	expect_early(&p, 0, 1);
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, "\x02\x00\x00\x00\x00", 5); /* of packet 0 */
	run_out(&p, 40 * SEC);
	s = &p.app[SIM_SERVER];
	ck_assert_int_eq(s->close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(s->close.error, QL_ERR_PROTOCOL_VIOLATION);
	finish(&p);
}
END_TEST

/*
 * A rejected client begins all streams anew, from offset 0 (9001, 4.6.2), and the server has looked
 * at none of it.
 */
START_TEST(test_rejected)
{
	struct sim_job job = {
		.streams = 3, .download = 5 * KB, .upload = 2 * KB, .keep_open = true};
	struct ql_conn *conn;
	unsigned int at;
	struct witness w;
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	sim_pair_restart(
		&p, &(struct ql_engine_config){.name = "server 2", .socket_id = -1, .seed = {9}});
	witness_start(&w, &p);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 15 * MS, NULL, NULL);
	conn = conn_of(&p, SIM_CLIENT);
	ck_assert_uint_gt(conn->streams.tx.used, job.upload);
	ck_assert_uint_eq(p.app[SIM_SERVER].early, 0);
	ck_assert_ptr_null(ql_streams_find(&some_conn(&p, SIM_SERVER)->streams, 0));
	at = w.n;
	while (p.app[SIM_CLIENT].connected < 2)
		sim_run(p.sim, MS, NULL, NULL);
	ck_assert_uint_eq(count(&w, SIM_CLIENT, QL_PKT_ZERO_RTT), conn->early_end_pn);
	sim_run(p.sim, SEC, NULL, NULL);
	for (; at < w.n; at++) /* none behind the answer (5.6) */
		ck_assert_int_ne(w.log[at].type, QL_PKT_ZERO_RTT);
	ck_assert_uint_eq(conn->streams.tx.used, job.streams * (16 + job.upload));
	ck_assert_uint_eq(p.app[SIM_SERVER].received, 2 * job.streams * job.upload);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2 * job.streams);
	expect_early(&p, 0, 1);
	witness_end(&w);
	close_known(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/early");
	TCase *tc = new_case(s, "early");

	tcase_add_test(tc, test_taken);
	tcase_add_test(tc, test_retry);
	tcase_add_test(tc, test_remembered);
	tcase_add_test(tc, test_rejected_acked);
	tcase_add_test(tc, test_rejected);
	return run_suite(s);
}
