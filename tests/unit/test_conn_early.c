// SPDX-License-Identifier: BSD-3-Clause
/* Early data (0-RTT): taken, refused, lost, overtaken, replayed. */
#include "unit/test_conn_early_util.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include <qlane/error.h>

#include "crypto/clock.h"

static const struct sim_job small = {.streams = 3, .download = 20 * KB, .upload = 2 * KB};

/* What was sent since watch(). */
static struct {
	unsigned int types[2][8]; /* packets seen, by type */
	uint32_t early_version;	  /* of 0-RTT packets */
	unsigned int n;
	bool (*pass)(unsigned int side, const struct ql_pkt_hdr *hdr, unsigned int n);
} seen;

static bool look(void *arg, struct ql_datagram *d, uint64_t now)
{
	unsigned int side = (unsigned int)(uintptr_t)arg;
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	size_t len = d->mbuf->data_len, off = 0;
	struct ql_pkt_hdr hdr;
	bool pass = true;

	(void)now;
	while (off < len && ql_pkt_parse(p + off, len - off, QL_LOCAL_CID_LEN, &hdr) == 0) {
		seen.types[side][hdr.type]++;
		if (hdr.type == QL_PKT_ZERO_RTT)
			seen.early_version = hdr.version;
		if (off == 0 && seen.pass)
			pass = seen.pass(side, &hdr, seen.n++);
		off += hdr.size;
	}
	return pass;
}

static void watch(struct sim_pair *p)
{
	memset(&seen, 0, sizeof(seen));
	for (uintptr_t i = 0; i < 2; i++) {
		sim_link(p->sim, (unsigned int)i)->filter = look;
		sim_link(p->sim, (unsigned int)i)->arg = (void *)i;
	}
}

/* How long it takes until there is an answer; then the ticket is waited for. */
static uint64_t answer_time(struct sim_pair *p)
{
	const struct sim_app *c = &p->app[SIM_CLIENT];
	uint64_t begun = sim_now(p->sim), received = c->received, took;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	while (c->received == received)
		sim_run(p->sim, MS, NULL, NULL);
	took = sim_now(p->sim) - begun;
	sim_run(p->sim, SEC, NULL, NULL);
	ql_conn_close(conn_of(p, SIM_CLIENT), 0, NULL);
	run_out(p, 60 * SEC);
	return took;
}

/* A round trip is saved each time, and all of the early data goes into 0-RTT packets. */
START_TEST(taken)
{
	struct sim_job job = {
		.streams = 1, .download = 1 * KB, .upload = 1 * KB, .keep_open = true};
	struct sim_pair p;
	uint64_t full;

	sim_pair_open(&p, 1, NULL, &(struct ql_transport){.early_data = true}, &job);
	p.app[SIM_CLIENT].use_session = true;
	full = answer_time(&p);
	for (unsigned int i = 1; i <= 3; i++) {
		watch(&p);
		ck_assert_uint_le(answer_time(&p) + 19 * MS, full);
		expect_early(&p, i, 0);
		ck_assert_uint_gt(seen.types[SIM_CLIENT][QL_PKT_ZERO_RTT], 0);
		ck_assert_uint_eq(seen.types[SIM_SERVER][QL_PKT_ZERO_RTT], 0);
	}
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 4);
	ck_assert_uint_eq(p.app[SIM_CLIENT].sessions, 4);
	finish(&p);
}
END_TEST

/* More than fits the first window, in both directions. */
START_TEST(much)
{
	struct sim_job job = {.streams = 20, .download = 100 * KB, .upload = 100 * KB};
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	one(&p);
	expect_early(&p, 1, 0);
	finish(&p);
}
END_TEST

/* The server changes its mind: all is sent again. */
START_TEST(refused)
{
	struct sim_job job = {.streams = 5, .download = 30 * KB, .upload = 10 * KB};
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	p.app[SIM_CLIENT].by_reference = _i;
	/* another server, which does not know the register */
	sim_pair_restart(
		&p, &(struct ql_engine_config){.name = "server 2", .socket_id = -1, .seed = {9}});
	watch(&p);
	one(&p);
	expect_early(&p, 0, 1);
	ck_assert_uint_gt(seen.types[SIM_CLIENT][QL_PKT_ZERO_RTT], 0);
	ck_assert_uint_gt(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY], 0);
	finish(&p);
}
END_TEST

/* Less is allowed than was, and early data is refused for that: streams live on within it. */
START_TEST(refused_with_less)
{
	struct ql_transport less = {.early_data = true,
				    .max_data = 40 * KB,
				    .max_stream_data = 3 * KB,
				    .max_streams_bidi = 4};
	struct sim_job job = {.streams = 4, .download = 5 * KB, .upload = 20 * KB};
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
	sim_engine(p.sim, SIM_SERVER)->listener.transport.max_data = less.max_data;
	sim_engine(p.sim, SIM_SERVER)->listener.transport.max_stream_data = less.max_stream_data;
	sim_engine(p.sim, SIM_SERVER)->listener.transport.max_streams_bidi = less.max_streams_bidi;
	sim_engine(p.sim, SIM_SERVER)->listening = true;
	sim_set_turn(p.sim, 5 * MS); /* what is sent at once comes before there is new credit */
	one(&p);
	expect_early(&p, 0, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, 1);
	finish(&p);
}
END_TEST

/* The client does not ask, or the server does not offer: nobody sends any. */
START_TEST(not_asked)
{
	struct sim_pair p;

	open_known(&p, 1, NULL, &small);
	p.transport[SIM_CLIENT].early_data = false;
	watch(&p);
	one(&p);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, 1);
	expect_early(&p, 0, 0);
	ck_assert_uint_eq(seen.types[SIM_CLIENT][QL_PKT_ZERO_RTT], 0);
	finish(&p);

	sim_pair_open(&p, 1, NULL, NULL, &small);
	p.app[SIM_CLIENT].use_session = true;
	p.transport[SIM_CLIENT].early_data = true;
	one(&p);
	one(&p);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, 1);
	expect_early(&p, 0, 0);
	finish(&p);
}
END_TEST

/* A Retry costs a round trip, and no early data. */
START_TEST(retried)
{
	struct sim_pair p;

	open_known(&p, 1, NULL, &small);
	sim_engine(p.sim, SIM_SERVER)->retry = QL_RETRY_ALWAYS;
	one(&p);
	expect_early(&p, 1, 0);
	finish(&p);
}
END_TEST

static bool drop_first_initial(unsigned int side, const struct ql_pkt_hdr *hdr, unsigned int n)
{
	return !(side == SIM_CLIENT && hdr->type == QL_PKT_INITIAL && n == 0);
}

/* The Initial packet is lost, with what came along: the rest is held until it comes, or not. */
START_TEST(initial_lost)
{
	struct sim_job job = {.streams = 5, .download = 5 * KB, .upload = 3 * KB};
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	watch(&p);
	seen.pass = drop_first_initial;
	one(&p);
	expect_early(&p, 1, 0);
	finish(&p);
}
END_TEST

/* The Initial packet comes last. */
static struct rte_mbuf *late;
static struct ql_path late_path;

static bool overtake(void *arg, struct ql_datagram *d, uint64_t now)
{
	(void)now;
	if (++*(unsigned int *)arg > 1)
		return true;
	late = rte_pktmbuf_copy(d->mbuf, d->mbuf->pool, 0, UINT32_MAX);
	late_path = (struct ql_path){.local = d->path.remote, .remote = d->path.local};
	return false;
}

START_TEST(overtaken)
{
	struct sim_job job = {.streams = 6, .download = 5 * KB, .upload = 3 * KB};
	struct sim_pair p;
	unsigned int n = 0;
	uint64_t dropped;

	open_known(&p, 1, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = overtake;
	sim_link(p.sim, SIM_CLIENT)->arg = &n;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 15 * MS, NULL, NULL);
	ck_assert_uint_gt(n, 3);
	ck_assert_uint_gt(sim_engine(p.sim, SIM_SERVER)->early->held.n, 3);
	dropped = sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY];
	sim_inject(p.sim, SIM_SERVER, &late_path, rte_pktmbuf_mtod(late, void *), late->data_len);
	rte_pktmbuf_free(late);
	ck_assert_uint_eq(sim_engine(p.sim, SIM_SERVER)->early->held.n, 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY], dropped);
	expect_early(&p, 1, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 12);
	finish(&p);
}
END_TEST

/* Losses, by seed. */
START_TEST(losses)
{
	struct sim_link link = sim_link_default;
	struct sim_job job = {.streams = 10, .download = 20 * KB, .upload = 20 * KB};
	unsigned int known = 0;
	struct sim_pair p;

	link.loss = 100000;
	link.reorder = 100000;
	link.reorder_delay = 15 * MS;
	link.duplicate = 50000;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		open_known(&p, seed, NULL, &job);
		sim_pair_link(&p, &link);
		for (int i = 0; i < 3; i++)
			one(&p);
		known += p.app[SIM_CLIENT].early_taken;
		ck_assert_uint_eq(p.app[SIM_CLIENT].early_taken, p.app[SIM_SERVER].early_taken);
		finish(&p);
	}
	ck_assert_uint_gt(known, 20);
}
END_TEST

/* Somebody records the client's datagrams and sends them again, from another address. */
static struct {
	uint8_t data[64][1500];
	size_t len[64];
	unsigned int n;
	struct ql_path path;
} tape;

static bool record(void *arg, struct ql_datagram *d, uint64_t now)
{
	(void)arg;
	(void)now;
	if (tape.n < 8) {
		tape.len[tape.n] = d->mbuf->data_len;
		memcpy(tape.data[tape.n++], rte_pktmbuf_mtod(d->mbuf, void *), d->mbuf->data_len);
		tape.path = (struct ql_path){.local = d->path.remote, .remote = d->path.local};
	}
	return true;
}

START_TEST(replayed)
{
	struct sim_pair p;
	struct sim_app *s = &p.app[SIM_SERVER];
	unsigned int accepted;
	uint64_t received;

	open_known(&p, 1, NULL, &small);
	tape.n = 0;
	sim_link(p.sim, SIM_CLIENT)->filter = record;
	one(&p);
	expect_early(&p, 1, 0);
	sim_link(p.sim, SIM_CLIENT)->filter = NULL;
	for (unsigned int i = 0; i < 6; i++) {
		accepted = s->accepted;
		received = s->received;
		tape.path.remote.port++;
		for (unsigned int k = 0; k < tape.n; k++)
			sim_inject(p.sim, SIM_SERVER, &tape.path, tape.data[k], tape.len[k]);
		sim_run(p.sim, 30 * SEC, NULL, NULL);
		/* nobody was told of it */
		ck_assert_uint_eq(s->accepted, accepted);
		ck_assert_uint_eq(s->received, received);
		ck_assert_uint_eq(s->early, 1);
		if (!ql_clock_attachable())
			break;
	}
	ck_assert_uint_ge(sim_pair_stats(&p, SIM_SERVER).early_replays, 1);
	run_out(&p, 60 * SEC);
	finish(&p);
}
END_TEST

/* The server has less to give than it promised, and says that it takes the data (7.4.1). */
START_TEST(promise_broken)
{
	struct ql_session session;
	struct sim_pair p;
	struct ql_tparams tp;
	struct sim_app *c = &p.app[SIM_CLIENT];
	uint8_t params[QL_SESSION_PARAMS], blob[QL_SESSION_MAX];

	open_known(&p, 1, NULL, &small);
	ck_assert_int_eq(ql_session_decode(&session, c->session, c->session_len), 0);
	ck_assert(session.early);
	ck_assert_int_eq(ql_tparams_decode(&tp, true, session.params, session.params_len, NULL), 0);
	tp.initial_max_streams_uni++; /* the client remembers more */
	session.params_len = (uint16_t)ql_session_params(&tp, params);
	session.params = params;
	c->session_len = ql_session_encode(&session, blob);
	memcpy(c->session, blob, c->session_len);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_int_eq(c->close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(c->close.error, QL_ERR_PROTOCOL_VIOLATION);
	finish(&p);
}
END_TEST

/* Keys for early data go when they are not needed any more (RFC 9001, 4.9.3). */
START_TEST(keys_go)
{
	struct sim_job job = {
		.streams = 1, .download = 1 * KB, .upload = 1 * KB, .keep_open = true};
	struct sim_pair p;
	struct ql_conn *conn;

	sim_pair_open(&p, 1, NULL, &(struct ql_transport){.early_data = true}, &job);
	p.app[SIM_CLIENT].use_session = true;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 24 * MS, NULL, NULL);
		conn = conn_of(&p, SIM_CLIENT);
		ck_assert(!conn->hs->zero_rtt.ready);
		sim_run(p.sim, 12 * MS, NULL, NULL);
		conn = conn_of(&p, SIM_SERVER);
		ck_assert_int_eq(conn->state, QL_CONN_CONFIRMED);
		if (i == 1)
			ck_assert(conn->hs->zero_rtt.ready);
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		ck_assert_ptr_null(conn->hs);
		ck_assert_ptr_null(conn_of(&p, SIM_CLIENT)->hs);
		ql_conn_close(conn_of(&p, SIM_CLIENT), 0, NULL);
		run_out(&p, 40 * SEC);
	}
	expect_early(&p, 1, 0);
	finish(&p);
}
END_TEST

/* Only 0-RTT packets of the first flight, and only so many of them, come later than they should. */
static struct {
	unsigned int n, from;
	uint64_t by;
	struct rte_mbuf *m;
	struct ql_path path;
	struct sim *sim;
} slow;

static void slow_arrives(void *arg)
{
	(void)arg;
	sim_inject(slow.sim, SIM_SERVER, &slow.path, rte_pktmbuf_mtod(slow.m, void *),
		   slow.m->data_len);
	rte_pktmbuf_free(slow.m);
}

static bool slow_down(void *arg, struct ql_datagram *d, uint64_t now)
{
	(void)arg;
	if (slow.n++ != slow.from)
		return true;
	slow.m = rte_pktmbuf_copy(d->mbuf, d->mbuf->pool, 0, UINT32_MAX);
	slow.path = (struct ql_path){.local = d->path.remote, .remote = d->path.local};
	sim_at(slow.sim, now + slow.by, slow_arrives, NULL);
	return false;
}

static void slow_start(struct sim_pair *p, unsigned int from, uint64_t by)
{
	memset(&slow, 0, sizeof(slow));
	slow.from = from;
	slow.by = by;
	slow.sim = p->sim;
	sim_link(p->sim, SIM_CLIENT)->filter = slow_down;
}

/* A packet that comes when the handshake is over is still taken, for a while (9001, 4.9.3). */
START_TEST(late_packet)
{
	struct sim_job job = {
		.streams = 4, .download = 1 * KB, .upload = 2 * KB, .keep_open = true};
	struct ql_conn *server;
	uint64_t dropped;
	struct sim_pair p;

	open_known(&p, 1, NULL, &job);
	slow_start(&p, 2, 33 * MS);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	dropped = sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY];
	sim_run(p.sim, 32 * MS, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	ck_assert_int_eq(server->state, QL_CONN_CONFIRMED);
	ck_assert(!ql_ranges_seen(&server->app.received, 2));
	sim_run(p.sim, 2 * MS, NULL, NULL);
	ck_assert(ql_ranges_seen(&server->app.received, 2));
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY], dropped);
	sim_run(p.sim, SEC, NULL, NULL);
	expect_early(&p, 1, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2 * job.streams);
	close_known(&p);
}
END_TEST

/*
 * A ClientHello that takes two packets, with a long name of the protocol and a token: what comes
 * between them waits for the second.
 */
START_TEST(half_a_hello)
{
	static char alpn[251];
	struct sim_job job = {
		.streams = 4, .download = 1 * KB, .upload = 2 * KB, .keep_open = true};
	uint64_t dropped;
	struct sim_pair p;

	memset(alpn, 'a', sizeof(alpn) - 1);
	sim_pair_open(&p, 1, NULL, &(struct ql_transport){.early_data = true}, &job);
	p.app[SIM_CLIENT].alpn = p.app[SIM_SERVER].alpn = alpn;
	sim_engine(p.sim, SIM_SERVER)->listener.protos[0].alpn = alpn;
	p.app[SIM_CLIENT].use_session = p.app[SIM_CLIENT].use_token = true;
	one(&p);
	sim_run(p.sim, SEC, NULL, NULL);
	/* too long to be one of the server's, which then passes over it */
	ck_assert_uint_gt(p.app[SIM_CLIENT].token_len, 0);
	p.app[SIM_CLIENT].token_len = 500;
	slow_start(&p, 1, 13 * MS);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 12 * MS, NULL, NULL);
	dropped = sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY];
	ck_assert_uint_gt(sim_engine(p.sim, SIM_SERVER)->early->held.n, 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].early, 0);
	sim_run(p.sim, 2 * MS, NULL, NULL);
	ck_assert_uint_eq(sim_engine(p.sim, SIM_SERVER)->early->held.n, 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].early, 1);
	sim_run(p.sim, SEC, NULL, NULL);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_EARLY], dropped);
	expect_early(&p, 1, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2 * job.streams);
	close_known(&p);
}
END_TEST

/* ---- Other versions of QUIC ---- */

static void known_in(struct sim_pair *p, uint32_t version, const struct sim_job *job)
{
	struct ql_transport t = {.early_data = true, .first_version = version};

	open_known(p, 1, &t, job);
	watch(p);
}

static void server_speaks(struct sim_pair *p, uint32_t first, uint32_t second)
{
	uint32_t *list = sim_engine(p->sim, SIM_SERVER)->listener.transport.versions;

	list[0] = first;
	list[1] = second;
}

/*
 * The server takes up version 2 of what the client offers (RFC 9368). 0-RTT packets stay in the
 * version that they began in (RFC 9369, 4.1), and either way nothing is lost.
 */
START_TEST(another_version)
{
	struct sim_job job = {.streams = 4, .download = 2 * KB, .upload = 3 * KB};
	struct sim_app *app;
	struct sim_pair p;

	known_in(&p, QL_VERSION_1, &job);
	server_speaks(&p, QL_VERSION_2, QL_VERSION_1);
	app = p.app;
	one(&p);
	ck_assert_uint_gt(seen.types[SIM_CLIENT][QL_PKT_ZERO_RTT], 0);
	ck_assert_uint_eq(seen.early_version, QL_VERSION_1);
	ck_assert_uint_eq(app[SIM_CLIENT].early, 1);
	ck_assert_uint_eq(app[SIM_CLIENT].early_taken, app[SIM_SERVER].early_taken);
	ck_assert_uint_eq(app[SIM_CLIENT].early_taken + app[SIM_CLIENT].early_refused, 1);
	finish(&p);
}
END_TEST

/* A Version Negotiation packet: early data is none, and its streams begin anew. */
START_TEST(unknown_version)
{
	struct sim_job job = {.streams = 4, .download = 2 * KB, .upload = 3 * KB};
	struct sim_pair p;

	known_in(&p, QL_VERSION_2, &job);
	server_speaks(&p, QL_VERSION_1, 0);
	one(&p);
	ck_assert_uint_gt(seen.types[SIM_CLIENT][QL_PKT_ZERO_RTT], 0);
	ck_assert_uint_eq(seen.early_version, QL_VERSION_2);
	expect_early(&p, 0, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, 0);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/early");
	TCase *tc = new_case(s, "all");

	tcase_add_test(tc, taken);
	tcase_add_test(tc, much);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_test(tc, refused_with_less);
	tcase_add_test(tc, not_asked);
	tcase_add_test(tc, retried);
	tcase_add_test(tc, initial_lost);
	tcase_add_test(tc, overtaken);
	tcase_add_test(tc, losses);
	tcase_add_test(tc, replayed);
	tcase_add_test(tc, promise_broken);
	tcase_add_test(tc, keys_go);
	tcase_add_test(tc, late_packet);
	tcase_add_test(tc, half_a_hello);
	tcase_add_test(tc, another_version);
	tcase_add_test(tc, unknown_version);
	return run_suite(s);
}
