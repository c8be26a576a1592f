// SPDX-License-Identifier: BSD-3-Clause
/* Sessions and early data: a first handshake, and others that come back with its ticket. */
#include <qlane/error.h>

#include "crypto/clock.h"
#include "wire/bytes.h"
#include "test_crypto_tls_util.h"

static uint8_t session[QL_TLS_SESSION_MAX];
static size_t session_len;

static struct ql_replay *new_replay(void)
{
	free(replay);
	replay = calloc(1, sizeof(*replay));
	ck_assert_ptr_nonnull(replay);
	return replay;
}

/* A first connection, whose session is kept. */
static void first(struct scene *s)
{
	s->session = NULL;
	begin(s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	ck_assert(!ql_tls_resumed(client.tls) && !ql_tls_resumed(server.tls));
	ck_assert_uint_eq(client.sessions, 1);
	ck_assert(client.session_early == s->server_early);
	ck_assert_int_eq(client.early, 0);
	session_len = client.session_len;
	memcpy(session, client.session, session_len);
	end();
}

/* Another one that shows it; what run() says. */
static int again(struct scene *s)
{
	s->session = session;
	s->session_len = session_len;
	s->seed++;
	begin(s);
	return run(STREAM_MAX);
}

static void check_resumed(bool resumed)
{
	check_complete(QL_AES128_GCM_SHA256);
	ck_assert(ql_tls_resumed(client.tls) == resumed);
	ck_assert(ql_tls_resumed(server.tls) == resumed);
}

/* early: 1 taken, -1 refused, 0 not sent. */
static void check_early(int early)
{
	ck_assert_int_eq(client.early, early);
	ck_assert(client.level[QL_LEVEL_EARLY].have_write == (early != 0));
	ck_assert(server.level[QL_LEVEL_EARLY].have_read == (early > 0));
	if (early > 0)
		ck_assert_mem_eq(&client.level[QL_LEVEL_EARLY].write,
				 &server.level[QL_LEVEL_EARLY].read, sizeof(struct ql_secret));
}

static void session_setup(void)
{
	setup();
	new_replay();
}

static void session_teardown(void)
{
	teardown();
	free(replay);
	replay = NULL;
}

/* ---- Resumption ---- */

START_TEST(resumption)
{
	struct scene s = {0};

	first(&s);
	/* and the session of a resumed connection is as good, in however long a row */
	for (int i = 0; i < 300; i++) {
		now += (i < 3 ? 3600 : 60) * QL_NSEC_PER_SEC;
		ck_assert_int_eq(again(&s), 0);
		check_resumed(true);
		check_early(0);
		ck_assert_uint_eq(client.sessions, 1);
		ck_assert(!client.session_early);
		session_len = client.session_len;
		memcpy(session, client.session, session_len);
		end();
	}
}
END_TEST

/* Byte by byte as well: the ticket is collected. */
START_TEST(resumption_in_portions)
{
	struct scene s = {.server_early = true, .client_early = true};

	begin(&s);
	ck_assert_int_eq(run(1), 0);
	ck_assert_uint_eq(client.sessions, 1);
	ck_assert(client.session_early);
	s.session = session;
	s.session_len = client.session_len;
	memcpy(session, client.session, client.session_len);
	end();
	begin(&s);
	ck_assert_int_eq(run(1), 0);
	check_resumed(true);
	check_early(1);
}
END_TEST

START_TEST(no_tickets)
{
	struct scene s = {.no_tickets = true};

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	check_complete(QL_AES128_GCM_SHA256);
	ck_assert_uint_eq(client.sessions, 0);
	ck_assert_uint_eq(server.level[QL_LEVEL_APP].sent, 0);
	end();
	/* and a ticket is of no use at such a server */
	s.no_tickets = false;
	first(&s);
	s.no_tickets = true;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(false);
}
END_TEST

/* Another server of the same secret takes the ticket; one of another does not. */
START_TEST(fleet)
{
	struct scene s = {0};

	first(&s);
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	end();
	ticket_secret[0]++;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(false);
}
END_TEST

/* Keys go by themselves, and a ticket gets old. */
START_TEST(age)
{
	static const struct {
		uint64_t later; /* s */
		bool good;
	} cases[] = {{1, true}, {12 * 3600 - 1, true}, {12 * 3600 + 1, false}, {48 * 3600, false}};
	struct scene s = {0};

	if (!ql_clock_attachable() && !cases[_i].good)
		return;
	now = 7 * QL_PERIOD + QL_PERIOD / 2;
	first(&s);
	now += cases[_i].later * QL_NSEC_PER_SEC;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(cases[_i].good);
}
END_TEST

/* A ticket with any byte of it altered leads to a full handshake, or to nothing. */
START_TEST(altered_ticket)
{
	struct scene s = {0};

	first(&s);
	for (size_t back = 40; back < 300; back += 13) {
		session[session_len - back] ^= 1;
		s.session = session;
		s.session_len = session_len;
		begin(&s);
		if (run(STREAM_MAX) == 0)
			ck_assert(!ql_tls_resumed(server.tls) || ql_tls_complete(server.tls));
		else /* the client's own secret: its binder is wrong */
			ck_assert_uint_eq(ql_tls_error(server.tls) & ~UINT64_C(0xff),
					  QL_ERR_CRYPTO_ERROR);
		ck_assert(!ql_tls_resumed(client.tls) || ql_tls_resumed(server.tls));
		end();
		session[session_len - back] ^= 1;
	}
}
END_TEST

/* A session that is cut, or is none, is passed over. */
START_TEST(useless_session)
{
	struct scene s = {.client_early = true, .server_early = true};
	size_t all;

	first(&s);
	all = session_len;
	for (session_len = 0; session_len < all; session_len += 1 + session_len / 16) {
		ck_assert_int_eq(again(&s), 0);
		check_complete(QL_AES128_GCM_SHA256);
		end();
	}
	session_len = all;
	session[0] ^= 1; /* another build of TLS */
	ck_assert_int_eq(again(&s), 0);
	check_resumed(false);
	check_early(0);
	end();
	memset(session, 0xff, sizeof(session));
	session_len = sizeof(session);
	ck_assert_int_eq(again(&s), 0);
	check_resumed(false);
}
END_TEST

/* The server has another certificate by now: a session it does not know proves nothing. */
START_TEST(refused_session_is_verified)
{
	struct scene s = {0};

	first(&s);
	ticket_secret[0]++;
	s.cert = CERT_NAMELESS;
	s.key = KEY_NAMELESS;
	ck_assert_int_eq(again(&s), -EPROTO);
	ck_assert_uint_eq(ql_tls_error(client.tls), ALERT(42));
	ck_assert(!ql_tls_complete(client.tls));
}
END_TEST

/* ---- Early data ---- */

START_TEST(early)
{
	struct scene s = {.server_early = true, .client_early = true, .keylog = true};

	first(&s);
	keylog_lines = 0;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(1);
	ck_assert_uint_eq(strncmp(keylog[0], "CLIENT_EARLY_TRAFFIC_SECRET ", 28), 0);
	/* which can be done again and again, each time with a new ticket */
	for (int i = 0; i < 3; i++) {
		ck_assert(client.session_early);
		session_len = client.session_len;
		memcpy(session, client.session, session_len);
		end();
		ck_assert_int_eq(again(&s), 0);
		check_early(1);
	}
	ck_assert_uint_eq(server.tickets.replays, 0);
}
END_TEST

/* Nobody gets early data who did not ask for it (RFC 9001, 5.6). */
START_TEST(early_not_wanted)
{
	struct scene s = {.server_early = true};

	first(&s);
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(0);
	end();
	/* the server has changed its mind: it resumes, and says in the next ticket so */
	first(&s);
	s.server_early = false;
	s.client_early = true;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(-1);
	ck_assert(!client.session_early);
	session_len = client.session_len;
	memcpy(session, client.session, session_len);
	end();
	/* and back again */
	s.server_early = true;
	s.client_early = false;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	ck_assert(client.session_early);
}
END_TEST

/* What was promised for early data has changed. */
START_TEST(early_promise)
{
	struct scene s = {.server_early = true, .client_early = true};

	first(&s);
	s.promise++;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(-1);
}
END_TEST

START_TEST(early_other_protocol)
{
	struct scene s = {.server_early = true,
			  .client_early = true,
			  .client_protos = {{.alpn = "h3"}, {.alpn = "hq"}},
			  .server_protos = {{.alpn = "h3"}, {.alpn = "hq"}}};

	first(&s);
	memset(&s.client_protos[1], 0, sizeof(s.client_protos[1]));
	s.client_protos[0].alpn = "hq";
	ck_assert_int_eq(again(&s), 0);
	check_complete(QL_AES128_GCM_SHA256);
	check_early(-1);
}
END_TEST

/* The server wants another ClientHello, and early data is over (RFC 8446, 4.2.10). */
START_TEST(early_retry)
{
	struct scene s = {.server_early = true, .client_early = true};

	first(&s);
	s.retry = true;
	ck_assert_int_eq(again(&s), 0);
	check_complete(QL_AES128_GCM_SHA256);
	check_early(-1);
}
END_TEST

/* ---- Replay ---- */

/* A ClientHello that the server gets once more; the client is not there. */
static void replayed(const struct scene *s, const struct end *of)
{
	server.ctx = make_ctx(s, true);
	ck_assert_int_eq(start_end(s, &server, true), 0);
	ck_assert_int_eq(
		ql_tls_recv(server.tls, QL_LEVEL_INITIAL, of->level[0].out, of->level[0].sent), 0);
}

START_TEST(replay_refused)
{
	struct scene s = {.server_early = true, .client_early = true};
	struct end of;

	first(&s);
	ck_assert_int_eq(again(&s), 0);
	check_early(1);
	of = client;
	end();
	/* at once, and as long as its time is right; from then on by its time */
	for (int i = 0; i < 40; i++) {
		replayed(&s, &of);
		ck_assert(!server.level[QL_LEVEL_EARLY].have_read);
		end();
		now += QL_NSEC_PER_SEC;
	}
	/* a register that has forgotten it would take it again while its time is right */
	now -= 35 * QL_NSEC_PER_SEC;
	new_replay();
	replay->begun = true;
	replayed(&s, &of);
	ck_assert(server.level[QL_LEVEL_EARLY].have_read);
	end();
	if (!ql_clock_attachable())
		return;
	now += 10 * QL_NSEC_PER_SEC;
	new_replay();
	replay->begun = true;
	replayed(&s, &of);
	ck_assert(!server.level[QL_LEVEL_EARLY].have_read);
}
END_TEST

/* The ticket alone, in another ClientHello, is not good for more, either; and it is counted. */
START_TEST(ticket_used_twice)
{
	struct scene s = {.server_early = true, .client_early = true};

	first(&s);
	ck_assert_int_eq(again(&s), 0);
	check_early(1);
	end();
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(-1);
	ck_assert_uint_eq(server.tickets.replays, 1);
}
END_TEST

/* A server that starts anew knows nothing of what the one before has taken. */
START_TEST(replay_after_restart)
{
	struct scene s = {.server_early = true, .client_early = true};

	first(&s);
	now += QL_NSEC_PER_SEC;
	new_replay();
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(-1);
	end();
	now += QL_REPLAY_WINDOW;
	ck_assert_int_eq(again(&s), 0);
	check_early(1);
	end();
	/* without a register, never */
	first(&s);
	free(replay);
	replay = NULL;
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	check_early(-1);
}
END_TEST

/* Somebody shows a ticket that is not his: it is not used up by that. */
START_TEST(stolen_ticket)
{
	struct scene s = {.server_early = true, .client_early = true};
	struct end of;

	first(&s);
	s.session = session;
	s.session_len = session_len;
	client.ctx = make_ctx(&s, false);
	ck_assert_int_eq(start_end(&s, &client, false), 0);
	of = client;
	end();
	of.level[0].out[of.level[0].sent - 1] ^= 1; /* of the binder */
	server.ctx = make_ctx(&s, true);
	ck_assert_int_eq(start_end(&s, &server, true), 0);
	ck_assert_int_eq(
		ql_tls_recv(server.tls, QL_LEVEL_INITIAL, of.level[0].out, of.level[0].sent),
		-EPROTO);
	ck_assert(!server.level[QL_LEVEL_EARLY].have_read);
	end();
	ck_assert_int_eq(again(&s), 0);
	check_early(1);
}
END_TEST

/* ---- Tickets at the client ---- */

/* NewSessionTicket: lifetime, age_add, nonce, ticket, extensions. */
static size_t put_ticket(uint8_t *p, const char *extensions, size_t len)
{
	static const uint8_t body[] = {0, 0, 1, 0, 1, 2, 3, 4, 1, 9, 0, 4, 't', 'i', 'c', 'k'};
	size_t all = sizeof(body) + 2 + len;

	p[0] = 4;
	p[1] = 0;
	p[2] = 0;
	p[3] = (uint8_t)all;
	memcpy(p + 4, body, sizeof(body));
	p[4 + sizeof(body)] = 0;
	p[5 + sizeof(body)] = (uint8_t)len;
	memcpy(p + 6 + sizeof(body), extensions, len);
	return 4 + all;
}

/* RFC 9001, 4.6.1: early_data is 0xffffffff, or the connection ends. */
START_TEST(early_size)
{
	static const struct {
		const char *extensions;
		size_t len;
		uint64_t error;
		bool early;
	} cases[] = {
		{"", 0, 0, false},
		{"\0\x2a\0\4\xff\xff\xff\xff", 8, 0, true},
		{"\0\x2a\0\4\0\0\x40\0", 8, QL_ERR_PROTOCOL_VIOLATION, false},
		{"\0\x2a\0\4\xff\xff\xff\xfe", 8, QL_ERR_PROTOCOL_VIOLATION, false},
		{"\x7a\x7a\0\1x\0\x2a\0\4\0\0\0\1", 13, QL_ERR_PROTOCOL_VIOLATION, false},
		{"\0\x2a\0\5\xff\xff\xff\xff", 8, ALERT(50), false}, /* decode_error */
	};
	struct scene s = {.no_tickets = true};
	uint8_t ticket[256];
	size_t len = put_ticket(ticket, cases[_i].extensions, cases[_i].len);

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	ck_assert_int_eq(ql_tls_recv(client.tls, QL_LEVEL_APP, ticket, len),
			 cases[_i].error ? -EPROTO : 0);
	ck_assert_uint_eq(ql_tls_error(client.tls), cases[_i].error);
	ck_assert_uint_eq(client.sessions, cases[_i].error == 0);
	ck_assert(client.session_early == cases[_i].early);
}
END_TEST

/* More tickets on one connection: each is told. */
START_TEST(many_tickets)
{
	struct scene s = {0};
	uint8_t ticket[256];
	size_t len = put_ticket(ticket, "", 0);

	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(ql_tls_recv(client.tls, QL_LEVEL_APP, ticket, len), 0);
		ck_assert_uint_eq(client.sessions, 2 + i);
	}
}
END_TEST

/* Nonces of others are longer than ours: each is told, and can be shown again. */
START_TEST(long_nonce)
{
	static const uint8_t sizes[] = {1, 8, 9, 32, 255};
	struct scene s = {.no_tickets = true};
	uint8_t ticket[512] = {4, 0};
	size_t len = sizes[_i], all = 4 + 4 + 1 + len + 2 + 4 + 2;

	ql_put_be16(ticket + 2, (uint16_t)all);
	ql_put_be32(ticket + 4, 256);	     /* lifetime, s */
	ql_put_be32(ticket + 8, 0x01020304); /* age_add */
	ticket[12] = (uint8_t)len;
	memset(ticket + 13, 0xab, len);
	ql_put_be16(ticket + 13 + len, 4);
	memcpy(ticket + 15 + len, "tick", 4);
	ql_put_be16(ticket + 19 + len, 0);
	begin(&s);
	ck_assert_int_eq(run(STREAM_MAX), 0);
	ck_assert_int_eq(ql_tls_recv(client.tls, QL_LEVEL_APP, ticket, 4 + all), 0);
	ck_assert_uint_eq(client.sessions, 1);
	session_len = client.session_len;
	memcpy(session, client.session, session_len);
	end();
	ck_assert_int_eq(again(&s), 0);
	check_resumed(false); /* nobody knows the ticket; it was sent */
	ck_assert_ptr_nonnull(memmem(client.level[0].out, client.level[0].sent, "tick", 4));
}
END_TEST

/* Ours are small: a client whose buffer for a ClientHello has 1 kB can show one. */
START_TEST(small_ticket)
{
	struct scene s = {.server_early = true, .client_early = true};

	first(&s);
	ck_assert_int_eq(again(&s), 0);
	check_resumed(true);
	ck_assert_uint_lt(server.level[QL_LEVEL_APP].sent, 400);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/tls_session");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, session_setup, session_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, resumption);
	tcase_add_test(tc, resumption_in_portions);
	tcase_add_test(tc, no_tickets);
	tcase_add_test(tc, fleet);
	tcase_add_loop_test(tc, age, 0, 4);
	tcase_add_test(tc, altered_ticket);
	tcase_add_test(tc, useless_session);
	tcase_add_test(tc, refused_session_is_verified);
	tcase_add_test(tc, early);
	tcase_add_test(tc, early_not_wanted);
	tcase_add_test(tc, early_promise);
	tcase_add_test(tc, early_other_protocol);
	tcase_add_test(tc, early_retry);
	tcase_add_test(tc, replay_refused);
	tcase_add_test(tc, ticket_used_twice);
	tcase_add_test(tc, replay_after_restart);
	tcase_add_test(tc, stolen_ticket);
	tcase_add_loop_test(tc, early_size, 0, 6);
	tcase_add_test(tc, many_tickets);
	tcase_add_loop_test(tc, long_nonce, 0, 5);
	tcase_add_test(tc, small_ticket);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
