// SPDX-License-Identifier: BSD-3-Clause
/*
 * app/probe.c with app/echo.c, on two simulated engines: what is measured of a link is what the link
 * does.
 */
#include <check.h>
#include <string.h>

#include <qlane/stream.h>

#include "app/echo.h"
#include "app/options.h"
#include "app/probe.h"
#include "sim/sim.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC

enum { SERVER, CLIENT };

static struct sim *sim;
static struct ql_tls_ctx *tls[2];
static struct ql_echo *echo;
static struct ql_transport transport[2];

static void setup(void)
{
	const struct sim_link link = {.delay = 10 * MS};

	ql_program = "test";
	memset(transport, 0, sizeof(transport));
	transport[SERVER].max_datagram_frame_size = UINT16_MAX;
	sim = sim_new(1);
	for (unsigned int i = 0; i < 2; i++) {
		sim_add(sim, NULL);
		*sim_link(sim, i) = link;
	}
	tls[SERVER] = sim_env_tls_server();
	tls[CLIENT] = sim_env_tls_client();
	echo = ql_echo_create();
	ck_assert_ptr_nonnull(echo);
}

static void teardown(void)
{
	ck_assert_int_eq(sim_free(sim), 0);
	ql_echo_free(echo);
	ql_tls_ctx_free(tls[SERVER]);
	ql_tls_ctx_free(tls[CLIENT]);
}

static void serve(const struct ql_proto *proto)
{
	ck_assert_int_eq(
		ql_listen(sim_engine(sim, SERVER), 443, tls[SERVER], &transport[SERVER], proto, 1),
		0);
}

static void serve_echo(void)
{
	struct ql_proto proto = ql_echo_proto(echo);

	serve(&proto);
}

static struct ql_probe *start(const struct ql_probe_options *options)
{
	struct ql_path path = sim_path(sim, CLIENT, SERVER);
	struct ql_probe *p = ql_probe_start(options, sim_engine(sim, CLIENT), &path, tls[CLIENT],
					    SIM_NAME, &transport[CLIENT], sim_now(sim));

	ck_assert_ptr_nonnull(p);
	return p;
}

static bool is_closed(void *probe)
{
	return ql_probe_close(probe);
}

/* Until the connection is closed, and the server knows. */
static struct ql_probe_result run(struct ql_probe *p)
{
	while (!ql_probe_turn(p, sim_now(sim)))
		sim_run(sim, MS, NULL, NULL);
	ck_assert(sim_run(sim, SEC, is_closed, p));
	sim_run(sim, SEC, NULL, NULL);
	return ql_probe_result(p);
}

static struct ql_probe_result measure(const struct ql_probe_options *options)
{
	struct ql_probe *p = start(options);
	struct ql_probe_result r = run(p);

	ck_assert_msg(!ql_probe_failure(p), "%s", ql_probe_failure(p));
	ck_assert_uint_eq(r.sent, options->count);
	ck_assert_uint_eq(r.received + r.lost_there + r.lost_back, r.sent);
	ql_probe_free(p);
	return r;
}

static const struct ql_probe_options hundred = {
	.count = 100, .size = 64, .interval_ns = 5 * MS, .wait_ns = SEC};

START_TEST(test_clean)
{
	struct ql_probe_result r;

	serve_echo();
	r = measure(&hundred);
	ck_assert_uint_eq(r.received, 100);
	ck_assert_uint_eq(r.duplicates + r.damaged, 0);
	/* the turn of the loop above, 1 ms, and an ACK's delay at most */
	ck_assert_uint_ge(r.min, 20 * MS);
	ck_assert_uint_le(r.max, 22 * MS);
	ck_assert(r.min <= r.median && r.median <= r.p90 && r.p90 <= r.p99 && r.p99 <= r.max);
	ck_assert(r.min <= r.mean && r.mean <= r.max);
	ck_assert_uint_le(r.jitter, r.max - r.min);
	ck_assert_uint_ge(r.handshake_ns, 20 * MS);
	ck_assert_uint_ge(r.rtt_ns, 20 * MS);
	ck_assert_uint_eq(ql_echo_stats(echo)->returned, 100);
	ck_assert_uint_eq(ql_echo_stats(echo)->dropped, 0);
	ck_assert_uint_eq(ql_echo_stats(echo)->conns, 1);
	ck_assert_uint_eq(ql_echo_conns(echo), 0);
}
END_TEST

/* One that takes longer than the others: the figures tell it from them. */
START_TEST(test_late)
{
	struct ql_probe_options o = hundred;
	struct ql_probe_result r;
	struct ql_probe *p;

	serve_echo();
	o.count = 10;
	o.interval_ns = 100 * MS;
	p = start(&o);
	for (unsigned int i = 0; i < 500; i++) {
		ql_probe_turn(p, sim_now(sim));
		sim_run(sim, MS, NULL, NULL);
	}
	sim_link(sim, SERVER)->delay = 60 * MS;
	for (unsigned int i = 0; i < 100; i++) {
		ql_probe_turn(p, sim_now(sim));
		sim_run(sim, MS, NULL, NULL);
	}
	sim_link(sim, SERVER)->delay = 10 * MS;
	r = run(p);
	ck_assert_uint_eq(r.received, 10);
	ck_assert_uint_le(r.median, 22 * MS);
	ck_assert_uint_le(r.p90, 22 * MS);
	ck_assert(r.p99 == r.max && r.max >= 70 * MS && r.max <= 72 * MS);
	ck_assert(r.mean >= 25 * MS && r.mean <= 27 * MS);
	/* twice 50 ms in nine steps */
	ck_assert(r.jitter >= 11 * MS && r.jitter <= 12 * MS);
	ql_probe_free(p);
}
END_TEST

/* Which way they were lost. */
START_TEST(test_loss)
{
	struct ql_probe_result r;

	serve_echo();
	sim_link(sim, _i)->loss = SIM_MILLION / 5;
	r = measure(&hundred);
	ck_assert_uint_ge(r.received, 60);
	ck_assert_uint_ge(_i == CLIENT ? r.lost_there : r.lost_back, 10);
	/* the last ones' ACKs may be lost for good */
	ck_assert_uint_le(_i == CLIENT ? r.lost_back : r.lost_there, 2);
}
END_TEST

START_TEST(test_fast)
{
	const struct ql_probe_options o = {.count = 2000, .size = 1000, .wait_ns = SEC};
	struct ql_probe_result r;

	serve_echo();
	sim_link(sim, SERVER)->rate = sim_link(sim, CLIENT)->rate = 1000000000;
	r = measure(&o);
	ck_assert_uint_eq(r.received, 2000);
}
END_TEST

/* The way back is slower: what has no room is dropped by the server, not kept. */
START_TEST(test_full)
{
	const struct ql_probe_options o = {.count = 5000, .size = 1000, .wait_ns = 5 * SEC};
	struct ql_probe_result r;

	serve_echo();
	sim_link(sim, SERVER)->rate = 1000000;
	sim_link(sim, SERVER)->queue = 10;
	r = measure(&o);
	ck_assert_uint_ge(r.lost_back, 1000);
	ck_assert_uint_ge(ql_echo_stats(echo)->dropped, 1000);
}
END_TEST

static void fails(const struct ql_probe_options *o, const char *why)
{
	struct ql_probe *p = start(o);

	run(p);
	ck_assert_ptr_nonnull(ql_probe_failure(p));
	ck_assert_msg(strstr(ql_probe_failure(p), why) != NULL, "%s", ql_probe_failure(p));
	ck_assert(ql_probe_turn(p, sim_now(sim)));
	ql_probe_free(p);
}

START_TEST(test_no_echo)
{
	struct ql_proto proto = ql_echo_proto(echo);

	proto.alpn = "h3";
	serve(&proto);
	fails(&hundred, "--echo");
}
END_TEST

START_TEST(test_no_datagrams)
{
	transport[SERVER].max_datagram_frame_size = 0;
	serve_echo();
	fails(&hundred, "takes no datagrams");
}
END_TEST

START_TEST(test_size)
{
	struct ql_probe_options o = hundred;

	serve_echo();
	o.size = 1500;
	fails(&o, "--size 1500: at most ");
	o.size = QL_PROBE_MIN_SIZE;
	ck_assert_uint_eq(measure(&o).received, 100);
}
END_TEST

static void cut(void *arg)
{
	(void)arg;
	sim_link(sim, SERVER)->down = true;
}

START_TEST(test_gone)
{
	struct ql_probe_options o = hundred;

	serve_echo();
	transport[CLIENT].idle_timeout_ns = SEC;
	o.wait_ns = 10 * SEC;
	sim_at(sim, 200 * MS, cut, NULL);
	fails(&o, "does not answer any more");
}
END_TEST

/* A server that answers twice, too short, and what it was never sent. */
static void on_datagram(struct ql_conn *conn, const uint8_t *data, size_t len)
{
	static const uint8_t never[64] = {0xff};
	uint8_t wrong[64];

	memcpy(wrong, data, sizeof(wrong));
	wrong[63] ^= 1;
	ck_assert_int_eq(ql_datagram_send(conn, data, len, 0, 0), 0);
	ck_assert_int_eq(ql_datagram_send(conn, data, len, 0, 0), 0);
	ck_assert_int_eq(ql_datagram_send(conn, data, 7, 0, 0), 0);
	ck_assert_int_eq(ql_datagram_send(conn, never, sizeof(never), 0, 0), 0);
	ck_assert_int_eq(ql_datagram_send(conn, wrong, sizeof(wrong), 0, 0), 0);
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	(void)stream, (void)data, (void)len, (void)fin;
}

START_TEST(test_bad_server)
{
	static const struct ql_conn_ops ops = {.datagram = on_datagram, .stream_data = on_data};
	const struct ql_proto proto = {QL_ECHO_ALPN, &ops, NULL};
	struct ql_probe_options o = hundred;
	struct ql_probe_result r;

	serve(&proto);
	o.count = 10;
	r = measure(&o);
	ck_assert_uint_eq(r.received, 10);
	ck_assert_uint_ge(r.duplicates, 9); /* the end comes with the last answer */
	ck_assert_uint_ge(r.damaged, 27);
}
END_TEST

/* A client that opens a stream is told that there are none. */
static struct ql_close_info seen;
static bool ended;

static void stream_connected(struct ql_conn *conn)
{
	struct ql_stream *stream;

	ck_assert_int_eq(ql_stream_open(conn, true, &stream), 0);
	ck_assert_int_gt(ql_stream_send(stream, "GET /\r\n", 7, true), 0);
}

static void stream_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	(void)conn;
	seen = *info;
	ended = true;
}

static bool is_ended(void *arg)
{
	(void)arg;
	return ended;
}

START_TEST(test_streams)
{
	static const struct ql_conn_ops ops = {
		.connected = stream_connected, .closed = stream_closed, .stream_data = on_data};
	const struct ql_proto proto = {QL_ECHO_ALPN, &ops, NULL};
	struct ql_path path = sim_path(sim, CLIENT, SERVER);
	struct ql_conn *conn;

	serve_echo();
	ck_assert_int_eq(ql_connect(sim_engine(sim, CLIENT), &path, tls[CLIENT], SIM_NAME,
				    &transport[CLIENT], &proto, 1, NULL, sim_now(sim), &conn),
			 0);
	ck_assert(sim_run(sim, SEC, is_ended, NULL));
	ck_assert(seen.application && seen.cause == QL_CLOSE_PEER);
	ck_assert_uint_eq(seen.error, 1);
	sim_run(sim, 10 * SEC, NULL, NULL);
	ck_assert_uint_eq(ql_echo_conns(echo), 0);
}
END_TEST

/* The server ends: its connections are told. */
START_TEST(test_server_ends)
{
	struct ql_probe *p;

	serve_echo();
	p = start(&hundred);
	sim_run(sim, 100 * MS, NULL, NULL);
	ck_assert_uint_eq(ql_echo_conns(echo), 1);
	ql_echo_close(echo);
	run(p);
	ck_assert_str_eq(ql_probe_failure(p),
			 "connection closed by the server with code 0x0: the server ends");
	ck_assert_uint_eq(ql_echo_conns(echo), 0);
	ql_probe_free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/probe");
	TCase *tc = tcase_create("probe");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, sim_env_init, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_clean);
	tcase_add_test(tc, test_late);
	tcase_add_loop_test(tc, test_loss, SERVER, CLIENT + 1);
	tcase_add_test(tc, test_fast);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_no_echo);
	tcase_add_test(tc, test_no_datagrams);
	tcase_add_test(tc, test_size);
	tcase_add_test(tc, test_gone);
	tcase_add_test(tc, test_bad_server);
	tcase_add_test(tc, test_streams);
	tcase_add_test(tc, test_server_ends);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
