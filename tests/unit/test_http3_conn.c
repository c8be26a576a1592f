// SPDX-License-Identifier: BSD-3-Clause
#include "http3/http.h"
#include "test_http3_util.h"

START_TEST(alpn_lists)
{
	static const struct {
		const char *list;
		int n;
		const char *first;
	} cases[] = {
		{NULL, 2, "h3"},
		{"h3", 1, "h3"},
		{"hq-interop", 1, "hq-interop"},
		{"h3,hq-interop", 2, "h3"},
		{"hq-interop,h3", 2, "hq-interop"},
		{"", -EINVAL, NULL},
		{"h2", -EINVAL, NULL},
		{"h3,", -EINVAL, NULL},
		{",h3", -EINVAL, NULL},
		{"h3,h3", -EINVAL, NULL},
		{"h3,hq-interop,h3", -EINVAL, NULL},
		{"h3 ", -EINVAL, NULL},
	};
	struct ql_proto protos[2];

	rig_server(NULL, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(ql_http_server_protos(rig.server, NULL, cases[i].list, protos),
				 cases[i].n);
		if (cases[i].n > 0) {
			ck_assert_str_eq(protos[0].alpn, cases[i].first);
			ck_assert_ptr_eq(protos[0].arg, rig.server);
		}
	}
}
END_TEST

START_TEST(create_and_listen)
{
	const struct ql_http_server_ops nothing = {0};
	struct ql_http_server *s;

	errno = 0;
	ck_assert_ptr_null(ql_http_server_create(NULL, NULL, NULL));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(ql_http_server_create(&nothing, NULL, NULL));
	s = ql_http_server_create(&server_ops, NULL, NULL);
	ck_assert_int_eq(ql_http_listen(s, NULL, 1, NULL, NULL, "smtp"), -EINVAL);
	fake.listen_error = -ENOMEM;
	ck_assert_int_eq(ql_http_listen(s, NULL, 1, NULL, NULL, NULL), -ENOMEM);
	fake.listen_error = 0;
	ck_assert_int_eq(ql_http_listen(s, NULL, 1, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ql_http_listen(s, NULL, 1, NULL, NULL, NULL), -EEXIST);
	ql_http_server_free(s);
}
END_TEST

START_TEST(connect_errors)
{
	const struct ql_path path = {0};
	const struct ql_http_client_ops nothing = {0};
	struct ql_http_conn *c = NULL;

	ck_assert_int_eq(
		ql_http_connect(NULL, &path, NULL, "a", NULL, NULL, NULL, NULL, NULL, 0, &c),
		-EINVAL);
	ck_assert_int_eq(
		ql_http_connect(NULL, &path, NULL, "a", NULL, NULL, &nothing, NULL, NULL, 0, &c),
		-EINVAL);
	ck_assert_int_eq(
		ql_http_connect(NULL, &path, NULL, "a", NULL, "h4", &client_ops, NULL, NULL, 0, &c),
		-EINVAL);
	fake.connect_error = -ENOSPC;
	ck_assert_int_eq(
		ql_http_connect(NULL, &path, NULL, "a", NULL, NULL, &client_ops, NULL, NULL, 0, &c),
		-ENOSPC);
	ck_assert_ptr_null(c);
}
END_TEST

/* The version is the one that both have, by the server's preference. */
START_TEST(agreement)
{
	rig_server(NULL, _i ? "hq-interop,h3" : "h3,hq-interop");
	rig_client(NULL, NULL);
	ck_assert_str_eq(ql_conn_alpn(rig.client), _i ? "hq-interop" : "h3");
	ck_assert_uint_eq(ql_http_server_conns(rig.server), 1);
	ck_assert_int_eq(rig_get(0, "/x"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].status, 200);
	ck_assert_int_eq(rig.at_client[0].error, 0);
}
END_TEST

START_TEST(before_and_after)
{
	const struct ql_path path = {0};

	rig_server(NULL, NULL);
	ck_assert_int_eq(ql_http_connect(NULL, &path, NULL, "a", NULL, NULL, &client_ops, &rig,
					 NULL, 0, &rig.http),
			 0);
	rig.client = ql_http_quic(rig.http);
	ck_assert_int_eq(rig_get(0, "/"), -ENOTCONN);
	rig.peer = fake_join(rig.client);
	fake_run(rig.client);
	ck_assert_int_eq(rig_get(0, "/"), 0);
	ql_http_close(rig.http);
	ck_assert_int_eq(rig_get(1, "/"), -ENOTCONN);
	ql_http_close(rig.http);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNABORTED);
	ck_assert_uint_eq(rig.at_client[1].done, 0);
}
END_TEST

/* A client whose handshake fails: closed() is the only callback. */
START_TEST(never_connected)
{
	const struct ql_path path = {0};

	rig_server(NULL, NULL);
	ck_assert_int_eq(ql_http_connect(NULL, &path, NULL, "a", NULL, NULL, &client_ops, &rig,
					 NULL, 0, &rig.http),
			 0);
	rig.client = ql_http_quic(rig.http);
	rig.client->closed = true;
	rig.client->info.cause = QL_CLOSE_HANDSHAKE;
	rig.peer = rig.client->peer = fake_conn(true, &fake.protos[0], rig.server);
	rig.peer->peer = rig.client;
	fake_end(rig.client);
	ck_assert_uint_eq(rig.connected, 0);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_int_eq(rig.info.cause, QL_CLOSE_HANDSHAKE);
}
END_TEST

/* RFC 9114, 6.2: a peer must allow three unidirectional streams. */
START_TEST(too_few_streams)
{
	fake.limit[0] = (uint64_t)_i;
	rig_server(NULL, "h3");
	rig_client(NULL, "h3");
	fake_run(rig.client);
	if (_i < 3) {
		ck_assert_uint_eq(rig.closed, 1);
		ck_assert_uint_eq(rig.connected, 0);
		ck_assert_uint_eq(rig.info.error, QL_H3_GENERAL_PROTOCOL_ERROR);
	} else {
		ck_assert_uint_eq(rig.connected, 1);
		ck_assert(!rig.client->closed);
	}
}
END_TEST

START_TEST(available)
{
	fake.limit[1] = 2;
	rig_server(NULL, _i ? "h3" : "hq-interop");
	rig_client(NULL, _i ? "h3" : "hq-interop");
	fake_run(rig.client);
	ck_assert_int_eq(rig_get(0, "/"), 0);
	ck_assert_int_eq(rig_get(1, "/"), 0);
	fake_allow(rig.client, 1); /* nobody has asked */
	ck_assert_uint_eq(rig.available, 0);
	ck_assert_int_eq(rig_get(2, "/"), 0);
	ck_assert_int_eq(rig_get(3, "/"), -EAGAIN);
	fake_allow(rig.client, 1);
	ck_assert_uint_eq(rig.available, 1);
	fake_allow(rig.client, 1);
	ck_assert_uint_eq(rig.available, 1);
	ck_assert_int_eq(rig_get(3, "/"), 0);
	fake_run(rig.client);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(rig.at_client[i].error, 0);
}
END_TEST

/* Without callbacks for them, bodies are dropped and their credit given back. */
static void only_respond(struct ql_http_request *req, void *arg)
{
	(void)arg;
	ql_http_respond(req, 200, NULL, 0, NULL);
}

static unsigned int dones;

static void count_done(struct ql_http_request *req, int error)
{
	(void)req;
	ck_assert_int_eq(error, 0);
	dones++;
}

START_TEST(least_callbacks)
{
	static const struct ql_http_server_ops ops = {.request = only_respond};
	static const struct ql_http_response_ops response = {.done = count_done};
	uint8_t *bytes = pattern(100000);
	const struct ql_http_body body = {.data = bytes, .len = 100000};
	const struct ql_http_submit s = {
		.method = "POST", .authority = "a", .path = "/", .body = &body};
	struct ql_http_server *server = ql_http_server_create(&ops, NULL, NULL);

	dones = 0;
	ck_assert_int_eq(ql_http_listen(server, NULL, 1, NULL, NULL, "h3"), 0);
	rig_client(NULL, "h3");
	fake_run(rig.client);
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response, NULL, NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->credited, rig_stream(rig.peer, 0)->received);
	ck_assert_uint_gt(rig_stream(rig.peer, 0)->received, 100000);
	fake_free(rig.client);
	rig.client = NULL;
	ql_http_server_free(server);
	free(bytes);
}
END_TEST

/* ---- The end of a server (RFC 9114, 5.2) ---- */

static const char *const either[] = {"h3", "hq-interop"};

static void check_drained(void)
{
	/* closed, but not before the client has had time to read */
	fake.now += QL_HTTP_LINGER_NS - 1;
	ql_http_server_drain(rig.server);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 0);
	fake.now++;
	ql_http_server_drain(rig.server);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_int_eq(rig.info.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(rig.info.error, QL_H3_NO_ERROR);
	ck_assert_uint_eq(ql_http_server_conns(rig.server), 0);
}

START_TEST(drain_idle)
{
	rig_start(either[_i]);
	ql_http_server_drain(rig.server);
	ql_http_server_drain(rig.server); /* again: nothing */
	fake_run(rig.client);
	ck_assert(rig.http->goaway == (_i == 0));
	check_drained();
}
END_TEST

/* What runs is answered, however long that takes. */
START_TEST(drain_running)
{
	rig_start(either[_i]);
	rig.wait = true;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ql_http_server_drain(rig.server);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 0);
	ck_assert_uint_eq(ql_http_server_conns(rig.server), 1);
	rig_respond(rig.at_server[0].req);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].status, 200);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	check_drained();
}
END_TEST

/* So is what a client sends that does not know yet; HTTP/0.9 has no way to tell it. */
START_TEST(drain_meanwhile)
{
	rig_start(either[_i]);
	ql_http_server_drain(rig.server);
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	if (_i == 0) {
		ck_assert_uint_eq(rig.at_client[0].status, 200);
		ck_assert_int_eq(rig.at_client[0].error, 0);
	} else {
		ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
		ck_assert_uint_eq(rig.at_client[0].code, QL_H3_REQUEST_REJECTED);
	}
	check_drained();
}
END_TEST

/* What is begun after all is rejected, so that the client knows that nothing was done of it. */
START_TEST(drain_rejects)
{
	/* HEADERS: GET https / localhost */
	static const char get[] = "\x01\x0e\x00\x00\xd1\xd7\xc1\x50\x09"
				  "localhost";
	struct ql_stream *s;

	rig_start(either[_i]);
	rig.wait = true;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ql_http_server_drain(rig.server);
	fake_run(rig.client);
	if (_i == 0)
		ck_assert_int_eq(rig_get(1, "/"), -ENOTCONN);
	ck_assert_int_eq(ql_stream_open(rig.client, true, &s), 0);
	ck_assert_int_eq(ql_stream_send(s, _i ? "GET /\r\n" : get, _i ? 7 : 18, QL_FIN),
			 _i ? 7 : 18);
	fake_run(rig.client);
	ck_assert(s->peer->reset && s->recv_end);
	ck_assert_uint_eq(s->peer->reset_code, QL_H3_REQUEST_REJECTED);
	ck_assert_uint_eq(rig.n_server, 1);
	ck_assert_uint_eq(rig.closed, 0);
	rig_respond(rig.at_server[0].req);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	check_drained();
}
END_TEST

/* Connections whose handshake ends after that. */
START_TEST(drain_refuses)
{
	rig_server(NULL, either[_i]);
	ql_http_server_drain(rig.server);
	rig_client(NULL, either[_i]);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_uint_eq(rig.info.error, QL_H3_NO_ERROR);
	ck_assert_uint_eq(rig.n_server, 0);
}
END_TEST

/* Enough is enough. */
START_TEST(drain_cut_off)
{
	rig_start(either[_i]);
	rig.wait = true;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ql_http_server_drain(rig.server);
	fake_run(rig.client);
	ql_http_server_close(rig.server);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNABORTED);
	ck_assert_int_eq(rig.at_server[0].error, -ECONNABORTED);
	ck_assert_uint_eq(rig.closed, 1);
}
END_TEST

/* ---- Early data ---- */

static void early_client(const char *alpns)
{
	const struct ql_path path = {0};
	const struct ql_transport t = {.session = rig.session, .session_len = rig.session_len};

	rig.connected = 0;
	ck_assert_int_eq(ql_http_connect(NULL, &path, NULL, "qlane.test", &t, alpns, &client_ops,
					 &rig, NULL, 0, &rig.http),
			 0);
	rig.client = ql_http_quic(rig.http);
	rig.peer = fake_accept(rig.client, QL_EARLY_OPEN);
	rig.client->ops->early(rig.client);
	ck_assert_uint_eq(rig.early, 1);
}

static int ask(unsigned int i, const char *method, const struct ql_http_body *body)
{
	const struct ql_http_submit s = {
		.method = method, .authority = "a", .path = "/", .body = body};

	return ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[i], NULL);
}

/* What may be done twice goes before the handshake is complete, everything else after it. */
START_TEST(early_requests)
{
	const struct ql_http_body body = {.data = "x", .len = 1};

	rig_server(NULL, NULL);
	early_client(_i ? "h3" : "hq-interop");
	ck_assert_int_eq(ask(9, "POST", NULL), -ENOTCONN);
	ck_assert_int_eq(ask(9, "get", NULL), -ENOTCONN);
	ck_assert_int_eq(ask(9, NULL, &body), -ENOTCONN);
	ck_assert_int_eq(ask(0, NULL, NULL), 0);
	if (_i)
		ck_assert_int_eq(ask(1, "HEAD", NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.n_server, 1u + (unsigned int)_i);
	for (int i = 0; i < 1 + _i; i++) {
		ck_assert_uint_eq(rig.at_client[i].status, 200);
		ck_assert_int_eq(rig.at_client[i].error, 0);
	}
	ck_assert_uint_eq(rig.connected, 0);
	fake_complete(rig.client);
	ck_assert_uint_eq(rig.connected, 1);
	if (_i)
		ck_assert_int_eq(ask(2, "POST", &body), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[2].status, _i ? 200 : 0);
	ck_assert(!rig.client->closed);
}
END_TEST

/* A server does not rely on its clients for that: 425, and the application is not asked. */
START_TEST(too_early)
{
	const struct ql_http_body body = {.data = "x", .len = 1};

	rig_server(NULL, "h3");
	early_client("h3");
	rig.client->early = QL_EARLY_NONE; /* a client that does not care */
	ck_assert_int_eq(ask(0, "POST", NULL), 0);
	ck_assert_int_eq(ask(1, "DELETE", &body), 0);
	ck_assert_int_eq(ask(2, "GET", NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].status, 425);
	ck_assert_uint_eq(rig.at_client[1].status, 425);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_uint_eq(rig.at_client[2].status, 200);
	ck_assert_uint_eq(rig.n_server, 1);
	fake_complete(rig.client);
	ck_assert_int_eq(ask(3, "POST", NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[3].status, 200);
}
END_TEST

/* A session waits for the SETTINGS, which go with it; HTTP/0.9 has none. */
START_TEST(sessions)
{
	struct ql_http_settings s;
	size_t len;

	rig_server(NULL, _i ? "h3" : "hq-interop");
	rig_client(NULL, _i ? "h3" : "hq-interop");
	rig.client->ops->new_session(rig.client, (const uint8_t *)"first", 5);
	rig.client->ops->new_session(rig.client, (const uint8_t *)"second", 6);
	ck_assert_uint_eq(rig.sessions, _i ? 0 : 2);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.sessions, _i ? 1 : 2);
	len = rig.session_len;
	ck_assert(ql_http_settings_take(&s, rig.session, &len) == (bool)_i);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(rig.session, "second", 6);
	if (_i)
		ck_assert_uint_eq(s.max_field_section_size, 16 * 1024);
	rig.client->ops->new_session(rig.client, (const uint8_t *)"third", 5);
	ck_assert_uint_eq(rig.sessions, _i ? 2 : 3);
	fake_free(rig.client);

	/* the next connection gets QUIC's part of it */
	early_client(_i ? "h3" : "hq-interop");
	ck_assert_uint_eq(fake.transport.session_len, 5);
	fake_complete(rig.client);
	fake_run(rig.client);
	ck_assert(!rig.client->closed);
}
END_TEST

/* A session that ends with its connection, before there were SETTINGS. */
START_TEST(session_lost)
{
	rig_server(NULL, "h3");
	rig_client(NULL, "h3");
	rig.client->ops->new_session(rig.client, (const uint8_t *)"first", 5);
	ql_http_close(rig.http);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.sessions, 0);
}
END_TEST

/* The server has less to give than when it gave the ticket (RFC 9114, 7.2.4.2). */
START_TEST(settings_reduced)
{
	struct ql_http_limits less = {.header_bytes = 1000};

	rig_server(NULL, "h3");
	rig_client(NULL, "h3");
	fake_run(rig.client);
	rig.client->ops->new_session(rig.client, (const uint8_t *)"first", 5);
	fake_free(rig.client);
	ql_http_server_free(rig.server);
	rig_server(&less, "h3");
	early_client("h3");
	if (_i) /* refused: then nothing was promised */
		rig.client->early = QL_EARLY_REJECTED;
	fake_complete(rig.client);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.client->closed, !_i);
	if (!_i)
		ck_assert_uint_eq(rig.client->info.error, QL_H3_SETTINGS_ERROR);
}
END_TEST

/* Servers with other settings do not take each other's early data. */
START_TEST(promises)
{
	struct ql_http_limits other = {.header_bytes = 1000};
	struct ql_proto a[2], b[2], c[2];
	struct ql_http_server *second = ql_http_server_create(&server_ops, NULL, &other);

	rig_server(NULL, NULL);
	ck_assert_int_eq(ql_http_server_protos(rig.server, NULL, NULL, a), 2);
	ck_assert_int_eq(ql_http_server_protos(rig.server, NULL, NULL, b), 2);
	ck_assert_int_eq(ql_http_server_protos(second, NULL, NULL, c), 2);
	ck_assert_uint_eq(a[0].promise, b[0].promise);
	ck_assert_uint_ne(a[0].promise, c[0].promise);
	ck_assert_uint_eq(a[1].promise, c[1].promise); /* HTTP/0.9 promises nothing */
	ql_http_server_free(second);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/conn");
	TCase *t = tcase_create("conn");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, rig_setup, rig_teardown);
	tcase_add_test(t, alpn_lists);
	tcase_add_test(t, create_and_listen);
	tcase_add_test(t, connect_errors);
	tcase_add_loop_test(t, agreement, 0, 2);
	tcase_add_test(t, before_and_after);
	tcase_add_test(t, never_connected);
	tcase_add_loop_test(t, too_few_streams, 0, 4);
	tcase_add_loop_test(t, available, 0, 2);
	tcase_add_test(t, least_callbacks);
	tcase_add_loop_test(t, drain_idle, 0, 2);
	tcase_add_loop_test(t, drain_running, 0, 2);
	tcase_add_loop_test(t, drain_meanwhile, 0, 2);
	tcase_add_loop_test(t, drain_rejects, 0, 2);
	tcase_add_loop_test(t, drain_refuses, 0, 2);
	tcase_add_loop_test(t, drain_cut_off, 0, 2);
	tcase_add_loop_test(t, early_requests, 0, 2);
	tcase_add_test(t, too_early);
	tcase_add_loop_test(t, sessions, 0, 2);
	tcase_add_test(t, session_lost);
	tcase_add_loop_test(t, settings_reduced, 0, 2);
	tcase_add_test(t, promises);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
