// SPDX-License-Identifier: BSD-3-Clause
/*
 * The end of connections, and what each side is told of it.
 */
#include "test_engine_util.h"

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include <qlane/error.h>

#include "conn/conn.h"

/* Nothing gets through. */
static bool black_hole(void *arg UNUSED, struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	return false;
}

/* A connection with all streams done that stays open. */
static void open_pair(struct sim_pair *p, const struct ql_transport *t)
{
	struct sim_job job = {.streams = 3, .download = 1000, .upload = 1000, .keep_open = true};

	sim_pair_open(p, 1, NULL, t, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_CLIENT].complete, 3);
	ck_assert_uint_eq(p->app[SIM_SERVER].complete, 3);
	ck_assert_ptr_nonnull(p->app[SIM_SERVER].conn);
}

static void check_told(const struct sim_app *app, int cause, bool application, uint64_t error,
		       const char *reason)
{
	ck_assert_uint_eq(app->closed, 1);
	ck_assert_int_eq(app->close.cause, cause);
	ck_assert_int_eq(app->close.application, application);
	ck_assert_uint_eq(app->close.error, error);
	ck_assert_str_eq(app->close.reason, reason);
}

/* Code and reason reach the peer, from either side; its printable part, that is. */
START_TEST(test_by_application)
{
	static const struct {
		uint64_t code;
		const char *reason, *seen;
	} cases[] = {
		{0, "bye", "bye"},
		{0x100, NULL, ""},
		{(UINT64_C(1) << 62) - 1, "", ""},
		{7, "a\n\x1b[31mb\xff", "a??[31mb?"},
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int side = 0; side < 2; side++) {
			struct sim_pair p;
			uint64_t start;

			open_pair(&p, NULL);
			start = sim_now(p.sim);
			ql_conn_close(p.app[side].conn, cases[i].code, cases[i].reason);
			/* a second one changes nothing */
			ql_conn_close(p.app[side].conn, 99, "again");
			ck_assert_uint_eq(p.app[side].closed, 0);
			run_out(&p, 5 * SEC);
			check_told(&p.app[side], QL_CLOSE_LOCAL, true, cases[i].code,
				   cases[i].seen);
			check_told(&p.app[!side], QL_CLOSE_PEER, true, cases[i].code,
				   cases[i].seen);
			ck_assert_uint_le(p.app[!side].closed_at - start, 11 * MS);
			/* Closing takes three PTOs, of a round trip of 20 ms. */
			ck_assert_uint_ge(sim_now(p.sim) - start, 60 * MS);
			ck_assert_uint_le(sim_now(p.sim) - start, 400 * MS);
			finish(&p);
		}
	}
}
END_TEST

START_TEST(test_long_reason)
{
	struct sim_pair p;
	char text[400];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	open_pair(&p, NULL);
	ql_conn_close(p.app[SIM_CLIENT].conn, 1, text);
	run_out(&p, 5 * SEC);
	text[QL_CONN_REASON] = '\0';
	check_told(&p.app[SIM_SERVER], QL_CLOSE_PEER, true, 1, text);
	finish(&p);
}
END_TEST

/* In the middle of transfers, with streams open on both sides. */
START_TEST(test_while_busy)
{
	for (unsigned int side = 0; side < 2; side++) {
		for (unsigned int ms = 35; ms < 135; ms += 7) {
			struct sim_job job = {.streams = 20, .download = 5 * MB, .upload = 5 * MB};
			struct sim_pair p;

			sim_pair_open(&p, ms, NULL, NULL, &job);
			p.app[0].by_reference = p.app[1].by_reference = ms & 1;
			ck_assert_int_eq(sim_pair_connect(&p), 0);
			sim_run(p.sim, ms * MS, NULL, NULL);
			ck_assert_ptr_nonnull(p.app[side].conn);
			ql_conn_close(p.app[side].conn, 5, "busy");
			run_out(&p, 15 * SEC);
			check_told(&p.app[side], QL_CLOSE_LOCAL, true, 5, "busy");
			check_told(&p.app[!side], QL_CLOSE_PEER, true, 5, "busy");
			ck_assert_uint_gt(p.app[side].opened, 0);
			for (unsigned int i = 0; i < 2; i++)
				ck_assert_uint_eq(p.app[i].opened, p.app[i].ended);
			finish(&p);
		}
	}
}
END_TEST

/* The client closes before its handshake is complete: the server must not keep half of one. */
START_TEST(test_in_handshake)
{
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	for (unsigned int ms = 0; ms < 40; ms += 3) {
		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, ms * MS, NULL, NULL);
		if (p.app[SIM_CLIENT].conn)
			ql_conn_close(p.app[SIM_CLIENT].conn, 3, "changed my mind");
		run_out(&p, 40 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 1);
		ck_assert_uint_eq(p.app[SIM_SERVER].closed, p.app[SIM_SERVER].accepted);
		finish(&p);
	}
}
END_TEST

/* accepted() says no. */
START_TEST(test_refused)
{
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	p.app[SIM_SERVER].refuse = 0x77;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 1);
	ck_assert_uint_eq(p.app[SIM_SERVER].connected, 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 0);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_PEER, true, 0x77, "refused");
	finish(&p);
}
END_TEST

/* Both at the same time, so that the CONNECTION_CLOSEs meet. */
START_TEST(test_both)
{
	struct sim_pair p;

	open_pair(&p, NULL);
	ql_conn_close(p.app[SIM_CLIENT].conn, 1, "client");
	ql_conn_close(p.app[SIM_SERVER].conn, 2, "server");
	run_out(&p, 5 * SEC);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_LOCAL, true, 1, "client");
	check_told(&p.app[SIM_SERVER], QL_CLOSE_LOCAL, true, 2, "server");
	finish(&p);
}
END_TEST

/* The first CONNECTION_CLOSE is lost: it is sent again as long as packets come. */
static bool lose_one(void *arg, struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	unsigned int *n = arg;

	return (*n)++ > 0;
}

START_TEST(test_close_lost)
{
	struct sim_job job = {.streams = 1, .download = 50 * MB};
	unsigned int n = 0;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	sim_link(p.sim, SIM_CLIENT)->filter = lose_one;
	sim_link(p.sim, SIM_CLIENT)->arg = &n;
	ql_conn_close(p.app[SIM_CLIENT].conn, 4, "lost");
	run_out(&p, 60 * SEC);
	check_told(&p.app[SIM_SERVER], QL_CLOSE_PEER, true, 4, "lost");
	/* Not one answer to each packet: 1, 2, 4, ... */
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, 14);
	finish(&p);
}
END_TEST

/* Silence: the smaller one of both time-outs counts, for both. */
START_TEST(test_idle)
{
	struct ql_transport t = {.idle_timeout_ns = 3 * SEC};
	struct sim_pair p;
	uint64_t start;

	open_pair(&p, &t);
	start = p.app[SIM_CLIENT].connected_at;
	run_out(&p, 10 * SEC);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_IDLE, false, 0, "");
	check_told(&p.app[SIM_SERVER], QL_CLOSE_IDLE, false, 0, "");
	ck_assert_uint_ge(p.app[SIM_CLIENT].closed_at - start, 3 * SEC);
	ck_assert_uint_le(p.app[SIM_CLIENT].closed_at - start, 3300 * MS);
	ck_assert_uint_le(p.app[SIM_SERVER].closed_at - start, 3300 * MS);
	finish(&p);

	/* The client's own is 2 s, the server's 30. */
	sim_pair_open(&p, 1, NULL, NULL, &(struct sim_job){.streams = 1, .keep_open = true});
	p.transport[SIM_CLIENT].idle_timeout_ns = 2 * SEC;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 10 * SEC);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_IDLE, false, 0, "");
	check_told(&p.app[SIM_SERVER], QL_CLOSE_IDLE, false, 0, "");
	ck_assert_uint_lt(p.app[SIM_SERVER].closed_at, 4 * SEC);
	finish(&p);
}
END_TEST

/* A peer that vanishes while data is on its way: probes go out, but do not keep it alive. */
START_TEST(test_vanished)
{
	struct ql_transport t = {.idle_timeout_ns = 5 * SEC};
	struct sim_job job = {.streams = 1, .download = 50 * MB};

	for (unsigned int side = 0; side < 2; side++) {
		const struct sim_link_stats *st;
		struct sim_pair p;
		uint64_t sent;

		sim_pair_open(&p, 1, NULL, &t, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 100 * MS, NULL, NULL);
		sim_link(p.sim, side)->filter = black_hole;
		sim_link(p.sim, !side)->filter = black_hole;
		st = sim_link_stats(p.sim, SIM_SERVER);
		sim_run(p.sim, 100 * MS, NULL, NULL);
		sent = st->datagrams;
		run_out(&p, 20 * SEC);
		ck_assert_uint_lt(st->datagrams - sent, 30);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_IDLE);
		ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_IDLE);
		finish(&p);
	}
}
END_TEST

/* Nobody there: the handshake's time-out, and closed() although no protocol was agreed on. */
START_TEST(test_handshake_timeout)
{
	struct ql_transport t = {.handshake_timeout_ns = 4 * SEC};
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, &t, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = black_hole;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 20 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_HANDSHAKE, false, 0, "");
	ck_assert_uint_ge(p.app[SIM_CLIENT].closed_at, 5 * SEC);
	ck_assert_uint_le(p.app[SIM_CLIENT].closed_at, 5 * SEC + MS);
	/* Backing off: 1 + 2 + 2 probes of 333 ms estimate */
	ck_assert_uint_le(sim_link_stats(p.sim, SIM_CLIENT)->datagrams, 6);
	finish(&p);

	/* The server's side of it: its answers are lost. It tells nobody, having announced nothing.
	 */
	sim_pair_open(&p, 1, NULL, &t, &job);
	sim_link(p.sim, SIM_SERVER)->filter = black_hole;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 20 * SEC);
	check_told(&p.app[SIM_CLIENT], QL_CLOSE_HANDSHAKE, false, 0, "");
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns_accepted, 1);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 0);
	/* and never more than three times what it got */
	ck_assert_uint_le(sim_link_stats(p.sim, SIM_SERVER)->bytes,
			  3 * sim_link_stats(p.sim, SIM_CLIENT)->bytes);
	finish(&p);
}
END_TEST

/* What TLS finds reaches both sides as CRYPTO_ERROR. */
START_TEST(test_tls_errors)
{
	struct sim_job job = {.streams = 1};
	struct ql_tls_config config = {.ca_file = sim_env_cert()}; /* not an authority of ours */
	char text[QL_TLS_ERRLEN];
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ql_tls_ctx_free(p.tls[SIM_CLIENT]);
	p.tls[SIM_CLIENT] = ql_tls_ctx_create(&config, text);
	ck_assert_msg(p.tls[SIM_CLIENT] != NULL, "%s", text);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].connected, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 1);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.application, false);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error & ~UINT64_C(0xff), 0x100);
	ck_assert_uint_gt(strlen(p.app[SIM_CLIENT].close.reason), 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
	/* It need not wait for the time-out. */
	ck_assert_uint_lt(sim_now(p.sim), 8 * SEC);
	finish(&p);
}
END_TEST

/* Engines freed with connections in every state: closed() of each, and nothing leaks. */
START_TEST(test_engine_freed)
{
	struct sim_job job = {.streams = 10, .download = 1 * MB, .upload = 1 * MB};

	for (unsigned int us = 0; us < 200000; us += 4300) {
		struct sim_pair p;
		struct ql_engine *e;

		sim_pair_open(&p, us, NULL, NULL, &job);
		p.app[0].by_reference = p.app[1].by_reference = us & 1;
		for (unsigned int i = 0; i < 5; i++) {
			ck_assert_int_eq(sim_pair_connect(&p), 0);
			sim_run(p.sim, us * QL_NSEC_PER_USEC / 5, NULL, NULL);
		}
		e = sim_engine(p.sim, SIM_SERVER);
		ck_assert_ptr_nonnull(e);
		ck_assert_int_eq(sim_free(p.sim), 0);
		ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 5);
		ck_assert_uint_eq(p.app[SIM_SERVER].closed, p.app[SIM_SERVER].accepted);
		ck_assert_uint_eq(p.app[SIM_CLIENT].opened, p.app[SIM_CLIENT].ended);
		ck_assert_uint_eq(p.app[SIM_SERVER].opened, p.app[SIM_SERVER].ended);
		ck_assert_msg(p.app[0].errors + p.app[1].errors == 0, "%s%s", p.app[0].error,
			      p.app[1].error);
		if (p.app[SIM_CLIENT].close.cause != QL_CLOSE_ENGINE)
			ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
		ql_tls_ctx_free(p.tls[0]);
		ql_tls_ctx_free(p.tls[1]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/close");
	TCase *tc = new_case(s, "close");

	tcase_add_test(tc, test_by_application);
	tcase_add_test(tc, test_long_reason);
	tcase_add_test(tc, test_while_busy);
	tcase_add_test(tc, test_in_handshake);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_both);
	tcase_add_test(tc, test_close_lost);
	tcase_add_test(tc, test_idle);
	tcase_add_test(tc, test_vanished);
	tcase_add_test(tc, test_handshake_timeout);
	tcase_add_test(tc, test_tls_errors);
	tcase_add_test(tc, test_engine_freed);
	return run_suite(s);
}
