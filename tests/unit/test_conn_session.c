// SPDX-License-Identifier: BSD-3-Clause
/* Sessions: as bytes, and with the connections that leave and resume them. */
#include "unit/test_engine_util.h"

#include <stdlib.h>

/* ---- Bytes ---- */

static struct ql_session example(void)
{
	static const uint8_t params[] = {1, 2, 3}, tls[] = {4, 5, 6, 7, 8};

	return (struct ql_session){.version = QL_VERSION_1,
				   .early = true,
				   .verified = false,
				   .alpn = "h3",
				   .alpn_len = 2,
				   .name = "a.example",
				   .name_len = 9,
				   .params = params,
				   .params_len = sizeof(params),
				   .tls = tls,
				   .tls_len = sizeof(tls)};
}

START_TEST(codec)
{
	struct ql_session in = example(), out;
	uint8_t buf[QL_SESSION_MAX];
	size_t len = ql_session_encode(&in, buf);

	ck_assert_uint_eq(len, 6 + 1 + 2 + 1 + 9 + 2 + 3 + 2 + 5);
	ck_assert_int_eq(ql_session_decode(&out, buf, len), 0);
	ck_assert_uint_eq(out.version, in.version);
	ck_assert(out.early && !out.verified);
	ck_assert_uint_eq(out.alpn_len, 2);
	ck_assert_mem_eq(out.alpn, "h3", 2);
	ck_assert_uint_eq(out.name_len, 9);
	ck_assert_mem_eq(out.name, "a.example", 9);
	ck_assert_uint_eq(out.params_len, 3);
	ck_assert_mem_eq(out.params, in.params, 3);
	ck_assert_uint_eq(out.tls_len, 5);
	ck_assert_mem_eq(out.tls, in.tls, 5);
	in.early = false;
	in.verified = true;
	ql_session_encode(&in, buf);
	ck_assert_int_eq(ql_session_decode(&out, buf, len), 0);
	ck_assert(!out.early && out.verified);
	/* cut off, or with something behind */
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n + 1); /* the sanitizer sees what is read behind it */

		memcpy(copy, buf, n);
		ck_assert_int_eq(ql_session_decode(&out, copy, n), -EBADMSG);
		free(copy);
	}
	ck_assert_int_eq(ql_session_decode(&out, buf, len + 1), -EBADMSG);
	buf[0]++;
	ck_assert_int_eq(ql_session_decode(&out, buf, len), -EBADMSG);
	in.tls_len = QL_TLS_SESSION_MAX + 1;
	ck_assert_uint_eq(ql_session_encode(&in, buf), 0);
}
END_TEST

/* RFC 9000, 7.4.1: what a client must and must not remember. */
START_TEST(remembered)
{
	struct ql_tparams tp, back;
	uint8_t out[QL_SESSION_PARAMS];
	size_t len;

	ql_tparams_init(&tp);
	for (unsigned int i = 0; i < QL_TP_COUNT; i++)
		ql_tp_set(&tp, (enum ql_tp)i);
	tp.max_idle_timeout = 1001;
	tp.max_udp_payload_size = 1302;
	tp.initial_max_data = 1003;
	tp.initial_max_stream_data_bidi_local = 1004;
	tp.initial_max_stream_data_bidi_remote = 1005;
	tp.initial_max_stream_data_uni = 1006;
	tp.initial_max_streams_bidi = 1007;
	tp.initial_max_streams_uni = 1008;
	tp.active_connection_id_limit = 9;
	tp.max_datagram_frame_size = QL_VARINT_MAX;
	tp.ack_delay_exponent = 11;
	tp.max_ack_delay = 12;
	tp.preferred_address.cid.len = 4;
	len = ql_session_params(&tp, out);
	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(ql_tparams_decode(&back, true, out, len, NULL), 0);
	ck_assert_uint_eq(back.max_idle_timeout, 1001);
	ck_assert_uint_eq(back.max_udp_payload_size, 1302);
	ck_assert_uint_eq(back.initial_max_data, 1003);
	ck_assert_uint_eq(back.initial_max_stream_data_bidi_local, 1004);
	ck_assert_uint_eq(back.initial_max_stream_data_bidi_remote, 1005);
	ck_assert_uint_eq(back.initial_max_stream_data_uni, 1006);
	ck_assert_uint_eq(back.initial_max_streams_bidi, 1007);
	ck_assert_uint_eq(back.initial_max_streams_uni, 1008);
	ck_assert_uint_eq(back.active_connection_id_limit, 9);
	ck_assert_uint_eq(back.max_datagram_frame_size, QL_VARINT_MAX);
	ck_assert(ql_tp_has(&back, QL_TP_DISABLE_ACTIVE_MIGRATION));
	ck_assert_uint_eq(back.ack_delay_exponent, QL_TP_ACK_DELAY_EXPONENT_DEFAULT);
	ck_assert_uint_eq(back.max_ack_delay, QL_TP_MAX_ACK_DELAY_DEFAULT);
	ck_assert(!ql_tp_has(&back, QL_TP_PREFERRED_ADDRESS));
	ck_assert(!ql_tp_has(&back, QL_TP_STATELESS_RESET_TOKEN));
	ck_assert(!ql_tp_has(&back, QL_TP_INITIAL_SCID));
	ck_assert(!ql_tp_has(&back, QL_TP_ORIGINAL_DCID));
	ck_assert(!ql_tp_has(&back, QL_TP_RETRY_SCID));
}
END_TEST

START_TEST(reduced)
{
	static const size_t limits[] = {
		offsetof(struct ql_tparams, initial_max_data),
		offsetof(struct ql_tparams, initial_max_stream_data_bidi_local),
		offsetof(struct ql_tparams, initial_max_stream_data_bidi_remote),
		offsetof(struct ql_tparams, initial_max_stream_data_uni),
		offsetof(struct ql_tparams, initial_max_streams_bidi),
		offsetof(struct ql_tparams, initial_max_streams_uni),
		offsetof(struct ql_tparams, active_connection_id_limit),
		offsetof(struct ql_tparams, max_datagram_frame_size),
	};
	struct ql_tparams before, after;

	ql_tparams_init(&before);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		*(uint64_t *)((char *)&before + limits[i]) = 100;
	ck_assert(!ql_session_reduced(&before, &before));
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		uint64_t *limit = (uint64_t *)((char *)&after + limits[i]);

		after = before;
		*limit = 101;
		ck_assert(!ql_session_reduced(&after, &before));
		*limit = 99;
		ck_assert(ql_session_reduced(&after, &before));
	}
	/* what early data does not rely on may change */
	after = before;
	after.max_idle_timeout = before.max_idle_timeout + 1;
	after.max_ack_delay = 1;
	ck_assert(!ql_session_reduced(&before, &after));
}
END_TEST

/* ---- Connections ---- */

static const struct sim_job small = {.streams = 3, .download = 20 * KB, .upload = 1 * KB};

/* One connection of the pair, to its end. */
static void one(struct sim_pair *p)
{
	struct sim_app *c = &p->app[SIM_CLIENT];
	unsigned int complete = c->complete;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	run_out(p, 40 * SEC);
	ck_assert_uint_eq(c->complete, complete + c->job.streams);
}

START_TEST(resumed)
{
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &small);
	p.app[SIM_CLIENT].use_session = true;
	for (unsigned int i = 0; i < 4; i++) {
		one(&p);
		ck_assert_uint_eq(p.app[SIM_CLIENT].sessions, i + 1);
		ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, i);
		ck_assert_uint_eq(p.app[SIM_SERVER].resumed, i);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).resumptions, i);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).resumptions, i);
	}
	finish(&p);
}
END_TEST

/* A session that cannot be used leads to a full handshake, whatever is wrong with it. */
START_TEST(passed_over)
{
	struct sim_pair p;
	struct sim_app *c = &p.app[SIM_CLIENT];
	struct ql_session s;
	uint8_t good[QL_SESSION_MAX];
	size_t len;

	sim_pair_open(&p, 1, NULL, NULL, &small);
	one(&p);
	len = c->session_len;
	memcpy(good, c->session, len);
	ck_assert_int_eq(ql_session_decode(&s, good, len), 0);
	ck_assert(s.verified && !s.early);
	ck_assert_uint_eq(s.name_len, strlen(SIM_NAME));
	c->use_session = true;
	for (int i = 0; i < 6; i++) {
		switch (i) {
		case 0: /* cut off */
			memcpy(c->session, good, len);
			c->session_len = len - 1;
			break;
		case 1: /* of another server */
			s.name = "server.exampl_";
			c->session_len = ql_session_encode(&s, c->session);
			break;
		case 2: /* not verified: whose it is nobody knows */
			ql_session_decode(&s, good, len);
			s.verified = false;
			c->session_len = ql_session_encode(&s, c->session);
			break;
		case 3: /* of another version of QUIC */
			s.verified = true;
			s.version++;
			c->session_len = ql_session_encode(&s, c->session);
			break;
		case 4:
			memset(c->session, 0xff, sizeof(c->session));
			c->session_len = sizeof(c->session);
			break;
		case 5: /* and as it was */
			memcpy(c->session, good, len);
			c->session_len = len;
		}
		one(&p);
		ck_assert_uint_eq(c->resumed, i == 5);
	}
	finish(&p);
}
END_TEST

/* Other servers know the ticket if they have the secret; by default none does. */
START_TEST(shared_secret)
{
	struct ql_engine_config config[2] = {
		{.name = "server", .socket_id = -1, .seed = {1}, .ticket_key = {(uint8_t)_i}},
		{.name = "client", .lcore_index = 1, .socket_id = -1, .seed = {2}}};
	struct sim_pair p;

	sim_pair_open_with(&p, 1, config, NULL, &small);
	p.app[SIM_CLIENT].use_session = true;
	one(&p);
	config[SIM_SERVER].seed[0] = 3;
	config[SIM_SERVER].name = "server 2";
	sim_pair_restart(&p, &config[SIM_SERVER]);
	one(&p);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, _i);
	one(&p);
	ck_assert_uint_eq(p.app[SIM_CLIENT].resumed, (unsigned int)_i + 1);
	finish(&p);
}
END_TEST

static bool tls_is_gone(void *arg)
{
	const struct ql_conn *conn = conn_of(arg, SIM_CLIENT);

	return conn->state == QL_CONN_CONFIRMED && (!conn->hs || !conn->hs->tls);
}

/* Loses what the server says of tickets: here all packets of one kind, for a while. */
struct loser {
	unsigned int from, n;
};

static bool lose(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct loser *l = arg;

	(void)d;
	(void)now;
	l->n++;
	return l->n <= l->from || l->n > l->from + 3;
}

/*
 * TLS's memory goes when the ticket has come, and if none comes, too. A ticket that comes behind
 * that is ignored.
 */
START_TEST(tls_freed)
{
	struct sim_job job = {.keep_open = true};
	struct loser loser = {0};
	struct sim_pair p;
	uint64_t before;

	for (loser.from = 0; loser.from < 6; loser.from++) {
		sim_pair_open(&p, 1, NULL, NULL, &job);
		loser.n = 0;
		sim_link(p.sim, SIM_SERVER)->filter = lose;
		sim_link(p.sim, SIM_SERVER)->arg = &loser;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		ck_assert(sim_run(p.sim, 20 * SEC, tls_is_gone, &p));
		before = sim_pair_stats(&p, SIM_CLIENT).memory_used;
		sim_run(p.sim, 5 * SEC, NULL, NULL);
		ck_assert(tls_is_gone(&p));
		ck_assert_uint_le(sim_pair_stats(&p, SIM_CLIENT).memory_used, before);
		ql_conn_close(conn_of(&p, SIM_CLIENT), 0, NULL);
		run_out(&p, 40 * SEC);
		finish(&p);
	}
}
END_TEST

/* From a server that gives no ticket. */
START_TEST(no_ticket_comes)
{
	struct sim_job job = {.keep_open = true};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	((struct ql_engine *)sim_engine(p.sim, SIM_SERVER))->host.tickets = NULL;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 45 * MS, NULL, NULL);
	ck_assert_int_eq(conn_of(&p, SIM_CLIENT)->state, QL_CONN_CONFIRMED);
	ck_assert_ptr_nonnull(conn_of(&p, SIM_CLIENT)->hs);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_ptr_null(conn_of(&p, SIM_CLIENT)->hs);
	ck_assert_uint_eq(p.app[SIM_CLIENT].sessions, 0);
	ql_conn_close(conn_of(&p, SIM_CLIENT), 0, NULL);
	run_out(&p, 40 * SEC);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/session");
	TCase *tc = new_case(s, "all");

	tcase_add_test(tc, codec);
	tcase_add_test(tc, remembered);
	tcase_add_test(tc, reduced);
	tcase_add_test(tc, resumed);
	tcase_add_test(tc, passed_over);
	tcase_add_loop_test(tc, shared_secret, 0, 2);
	tcase_add_test(tc, tls_freed);
	tcase_add_test(tc, no_ticket_comes);
	return run_suite(s);
}
