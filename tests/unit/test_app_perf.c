// SPDX-License-Identifier: BSD-3-Clause
/* The performance protocol (app/perf.h), between two engines of the simulator. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <qlane/stream.h>

#include "perf.h"
#include "sim/sim.h"

#define SEC QL_NSEC_PER_SEC
#define ASK 40 /* streams of a client of the test's own */

static struct sim *s;
static struct ql_tls_ctx *tls[2];
static struct ql_perf_server server;
static struct ql_perf_network network;
static struct ql_path path;

static void setup(void)
{
	const struct ql_transport transport = {0};
	struct ql_proto proto = ql_perf_proto(&server);

	sim_env_init();
	s = sim_new(1);
	sim_add(s, NULL);
	sim_add(s, NULL);
	tls[0] = sim_env_tls_server();
	tls[1] = sim_env_tls_client();
	ck_assert_int_eq(ql_listen(sim_engine(s, 0), 443, tls[0], &transport, &proto, 1), 0);
	for (unsigned int i = 0; i < 2; i++)
		sim_link(s, i)->rate = 10000000;
	path = sim_path(s, 1, 0);
	network = (struct ql_perf_network){.engine = sim_engine(s, 1), .tls = tls[1]};
	network.ip.n = 1;
	network.ip.at[0].addr = path.local;
}

static void teardown(void)
{
	ck_assert_uint_eq(server.n_conns, 0);
	ck_assert_int_eq(sim_free(s), 0);
	ql_tls_ctx_free(tls[0]);
	ql_tls_ctx_free(tls[1]);
}

static bool ended(void *arg)
{
	return ql_perf_ended(arg);
}

static bool served(void *arg)
{
	(void)arg;
	return server.n_conns == 0;
}

/* Every byte of every stream, both ways, in the time that the link takes for it. */
START_TEST(measures)
{
	const struct ql_perf_options o = {.to = path.remote,
					  .sni = SIM_NAME,
					  .upload = 30000,
					  .download = 100000,
					  .connections = 2,
					  .streams = 20,
					  .parallel = 7};
	struct ql_perf *p = ql_perf_new(&o);
	const struct ql_perf_stats *stats = ql_perf_stats(p);

	ck_assert(ql_perf_start(p, &network, sim_now(s)));
	ck_assert(sim_run(s, 60 * SEC, ended, p));
	ck_assert_uint_eq(stats->connected, 2);
	ck_assert_uint_eq(stats->failed, 0);
	ck_assert_uint_eq(stats->up.streams, 40);
	ck_assert_uint_eq(stats->down.streams, 40);
	ck_assert_uint_eq(stats->up.bytes, 40 * 30000);
	ck_assert_uint_eq(stats->down.bytes, 40 * 100000);
	/* 0.96 s and 3.2 s at least */
	ck_assert_double_ge((double)stats->up.ns, 0.96 * SEC);
	ck_assert_double_lt((double)stats->up.ns, 3. * SEC);
	ck_assert_double_ge((double)stats->down.ns, 3.2 * SEC);
	ck_assert_double_lt((double)stats->down.ns, 5. * SEC);
	ck_assert_uint_eq(server.received, stats->up.bytes);
	ck_assert_uint_eq(server.sent, stats->down.bytes);
	ck_assert_uint_eq(server.streams, 80);
	ck_assert(!ql_perf_close(p));
	ck_assert(sim_run(s, 10 * SEC, served, NULL));
	ck_assert(ql_perf_close(p));
	ql_perf_free(p);
}
END_TEST

/* One direction alone; and a server that ends. */
START_TEST(broken_off)
{
	const struct ql_perf_options o = {.to = path.remote,
					  .sni = SIM_NAME,
					  .download = UINT64_C(1) << 40,
					  .connections = 1,
					  .streams = 1,
					  .parallel = 1};
	struct ql_perf *p = ql_perf_new(&o);
	const struct ql_perf_stats *stats = ql_perf_stats(p);
	uint64_t bytes;

	ck_assert(ql_perf_start(p, &network, sim_now(s)));
	ck_assert(!sim_run(s, 1 * SEC, ended, p));
	ck_assert_str_eq(ql_perf_progress(p, &bytes), "down");
	ck_assert_uint_gt(bytes, 500000);
	ql_perf_server_close(&server);
	ck_assert(sim_run(s, 10 * SEC, ended, p));
	ck_assert(sim_run(s, 10 * SEC, served, NULL));
	ck_assert_uint_eq(stats->up.streams, 0);
	ck_assert_uint_eq(stats->down.streams, 0);
	ck_assert_uint_eq(stats->failed, 1);
	ck_assert(ql_perf_close(p));
	ql_perf_free(p);
}
END_TEST

/* ---- A client that does as it likes ---- */

static struct {
	struct ql_conn *conn;
	uint64_t got[4 * ASK];
	unsigned int ended, opened, reset;
	uint64_t stop_at; /* STOP_SENDING after so many bytes; 0: never */
	uint64_t error;
	bool connected;
} me;

static void on_connected(struct ql_conn *conn)
{
	(void)conn;
	me.connected = true;
}

static void on_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	(void)conn;
	me.conn = NULL;
	me.error = info->application ? info->error : UINT64_MAX;
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	uint64_t *got = &me.got[ql_stream_id(stream)];

	(void)data;
	ql_stream_credit(stream, len);
	*got += len;
	me.ended += fin;
	if (me.stop_at && *got >= me.stop_at)
		ql_stream_stop(stream, 7);
}

static void on_opened(struct ql_stream *stream)
{
	me.opened++;
	ck_assert(ql_stream_id_is_uni(ql_stream_id(stream)));
}

static void on_reset(struct ql_stream *stream, uint64_t error)
{
	(void)stream;
	(void)error;
	me.reset++;
}

static bool connected(void *arg)
{
	(void)arg;
	return me.connected;
}

static void connect_me(uint64_t uni)
{
	static const struct ql_conn_ops ops = {.connected = on_connected,
					       .closed = on_closed,
					       .stream_data = on_data,
					       .stream_opened = on_opened,
					       .stream_reset = on_reset};
	const struct ql_proto proto = {.alpn = QL_PERF_ALPN, .ops = &ops};
	const struct ql_transport transport = {.max_streams_uni = uni};

	ck_assert_int_eq(ql_connect(sim_engine(s, 1), &path, tls[1], SIM_NAME, &transport, &proto,
				    1, NULL, sim_now(s), &me.conn),
			 0);
	ck_assert(sim_run(s, 5 * SEC, connected, NULL));
}

static struct ql_stream *ask(bool bidi, const char *bytes, size_t len, unsigned int flags)
{
	struct ql_stream *stream;

	ck_assert_int_eq(ql_stream_open(me.conn, bidi, &stream), 0);
	ck_assert_int_eq(ql_stream_send(stream, bytes, len, flags), (ssize_t)len);
	return stream;
}

static void leave(void)
{
	if (me.conn)
		ql_conn_close(me.conn, 0, NULL);
	ck_assert(sim_run(s, 60 * SEC, served, NULL));
}

/* 2.3.1: fewer than 8 bytes ask for nothing; nor does 0; and what follows them is no part of it. */
START_TEST(requests)
{
	connect_me(0);
	ask(true, "\0\0\0\0\0\0\377", 7, QL_FIN);
	ask(true, "", 0, QL_FIN);
	ask(true, "\0\0\0\0\0\0\0\0", 8, QL_FIN);
	ask(true, "\0\0\0\0\0\0\1\2and more", 16, QL_FIN);
	ask(true, "\0\0\0\0\0\1\0\0", 8, 0); /* no end: no answer yet */
	sim_run(s, 1 * SEC, NULL, NULL);
	ck_assert_uint_eq(me.ended, 4);
	ck_assert_uint_eq(me.got[0] + me.got[4] + me.got[8], 0);
	ck_assert_uint_eq(me.got[12], 258);
	ck_assert_uint_eq(me.got[16], 0);
	ck_assert_uint_eq(server.received, 8);
	leave();
}
END_TEST

/* Without an end, until the client has enough; and one that is broken off has no answer. */
START_TEST(unlimited)
{
	struct ql_stream *stream;

	connect_me(0);
	me.stop_at = 500000;
	ask(true, "\377\377\377\377\377\377\377\377", 8, QL_FIN);
	stream = ask(true, "\377\377\377\377\377\377\377\377", 8, 0);
	ck_assert_int_eq(ql_stream_reset(stream, 5), 0);
	sim_run(s, 5 * SEC, NULL, NULL);
	ck_assert_uint_ge(me.got[0], me.stop_at);
	ck_assert_uint_eq(me.got[4], 0);
	ck_assert_uint_eq(me.ended, 0);
	/* it stops soon: no more is given to the stream than goes ahead */
	ck_assert_uint_lt(server.sent, 8 << 20);
	leave();
}
END_TEST

/* 2.3.2: a unidirectional stream is answered on another one, when the client lets us open it. */
START_TEST(unidirectional)
{
	connect_me(2);
	for (unsigned int i = 0; i < 10; i++)
		ask(false, "\0\0\0\0\0\1\0\0", 8, QL_FIN);
	ask(false, "\0\0\0\0\0\0\0\0", 8, QL_FIN); /* nothing: no stream */
	sim_run(s, 5 * SEC, NULL, NULL);
	ck_assert_uint_eq(me.opened, 10);
	ck_assert_uint_eq(me.ended, 10);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_uint_eq(me.got[4 * i + 3], 65536);
	ck_assert_ptr_nonnull(me.conn);
	leave();
}
END_TEST

/* No more than QL_PERF_WAITING answers are kept for a client that does not let them go. */
START_TEST(waiting)
{
	connect_me(1);
	for (unsigned int i = 0; i < 1 + QL_PERF_WAITING; i++) {
		ask(false, "\0\0\0\1\0\0\0\0", 8, QL_FIN);
		sim_run(s, 1 * SEC / 10, NULL, NULL);
		ck_assert_ptr_nonnull(me.conn);
	}
	ask(false, "\0\0\0\1\0\0\0\0", 8, QL_FIN);
	sim_run(s, 5 * SEC, NULL, NULL);
	ck_assert_ptr_null(me.conn);
	ck_assert_uint_eq(me.error, 1);
	leave();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("app/perf");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, measures);
	tcase_add_test(tc, broken_off);
	tcase_add_test(tc, requests);
	tcase_add_test(tc, unlimited);
	tcase_add_test(tc, unidirectional);
	tcase_add_test(tc, waiting);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
