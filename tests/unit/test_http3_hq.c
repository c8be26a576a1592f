// SPDX-License-Identifier: BSD-3-Clause
#include "test_http3_util.h"

static void setup(void)
{
	rig_setup();
	rig_start("hq-interop");
}

START_TEST(get_by_reference)
{
	uint8_t *bytes = pattern(300000);

	rig.body = (struct ql_http_body){.data = bytes, .len = 300000, .release = on_release};
	fake.piece = _i ? 1000 : 1;
	if (!_i)
		rig.body.len = 5000;
	ck_assert_int_eq(rig_get(0, "/a/b?c"), 0);
	fake_run(rig.client);
	ck_assert_str_eq(rig.at_server[0].path, "/a/b?c");
	ck_assert_uint_eq(rig.at_server[0].complete, 1);
	ck_assert_uint_eq(rig.at_server[0].done, 1);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert_uint_eq(rig.at_client[0].calls, 1);
	ck_assert_uint_eq(rig.at_client[0].status, 200);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_uint_eq(rig.at_client[0].len, rig.body.len);
	ck_assert_mem_eq(rig.at_client[0].body, bytes, rig.body.len);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert_uint_eq(rig_stream(rig.client, 0)->credited, rig.body.len);
	free(bytes);
}
END_TEST

START_TEST(empty_response)
{
	rig.body = (struct ql_http_body){.data = "", .release = on_release};
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].calls, 1);
	ck_assert_uint_eq(rig.at_client[0].len, 0);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert_uint_eq(rig.released, 1);
}
END_TEST

START_TEST(status_is_a_reset)
{
	rig.status = 404;
	ck_assert_int_eq(rig_get(0, "/none"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].calls, 0);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
	ck_assert_uint_eq(rig.at_client[0].code, 404);
	ck_assert_uint_eq(rig.at_server[0].done, 1);
}
END_TEST

START_TEST(what_it_cannot_say)
{
	const struct ql_http_body body = {.data = "x", .len = 1, .release = on_release};
	struct ql_http_submit s = {.path = "/", .method = "HEAD"};
	char path[5000] = "/";

	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[0], NULL),
			 -ENOTSUP);
	s.method = "GET";
	s.body = &body;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[0], NULL),
			 -ENOTSUP);
	ck_assert_int_eq(rig_get(0, "/a b"), -EINVAL);
	ck_assert_int_eq(rig_get(0, "/a\r\nGET /b"), -EINVAL);
	memset(path + 1, 'a', sizeof(path) - 2);
	ck_assert_int_eq(rig_get(0, path), -EINVAL);
	fake.room = 10;
	ck_assert_int_eq(rig_get(0, "/does-not-fit"), -ENOMEM);
	fake.room = 100000;
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].done, 0);
	ck_assert_uint_eq(rig.released, 0);
	ck_assert_uint_eq(rig.n_server, 0);
	/* and the connection is as good as before */
	ck_assert_int_eq(rig_get(1, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[1].error, 0);
	ck_assert_uint_eq(rig.at_client[1].done, 1);
}
END_TEST

/* Request lines as a stranger writes them. */
static const struct {
	const char *line;
	const char *path; /* NULL: refused */
} lines[] = {
	{"GET /", "/"},
	{"GET /\r\n", "/"},
	{"GET /\n", "/"},
	{"GET /x HTTP/0.9\r\n", "/x"},
	{"GET /x\r\nmore that nobody reads\r\n", "/x"},
	{"GET /x\r", "/x"},
	{"GET", NULL},
	{"GET ", NULL},
	{"GET x", NULL},
	{"", NULL},
	{"\r\n", NULL},
	{"get /\r\n", NULL},
	{"POST /\r\n", NULL},
};

START_TEST(request_lines)
{
	struct ql_stream *s;

	fake.piece = 1;
	ck_assert_int_eq(ql_stream_open(rig.client, true, &s), 0);
	ql_stream_send(s, lines[_i].line, strlen(lines[_i].line), QL_FIN);
	fake_run(rig.client);
	if (lines[_i].path) {
		ck_assert_uint_eq(rig.n_server, 1);
		ck_assert_str_eq(rig.at_server[0].path, lines[_i].path);
		ck_assert(!rig_stream(rig.peer, 0)->reset);
	} else {
		ck_assert_uint_eq(rig.n_server, 0);
		ck_assert(rig_stream(rig.peer, 0)->reset);
	}
	ck_assert(!rig.peer->closed);
}
END_TEST

START_TEST(zero_byte_and_length)
{
	static char line[5000] = "GET /";
	struct ql_stream *s;

	ck_assert_int_eq(ql_stream_open(rig.client, true, &s), 0);
	ql_stream_send(s, "GET /a\0b\r\n", 10, QL_FIN);
	fake_run(rig.client);
	ck_assert(rig_stream(rig.peer, 0)->reset);
	memset(line + 5, 'a', sizeof(line) - 6);
	ck_assert_int_eq(ql_stream_open(rig.client, true, &s), 0);
	ql_stream_send(s, line, sizeof(line) - 1, 0);
	fake.piece = 100;
	fake_run(rig.client);
	ck_assert(rig_stream(rig.peer, 1)->reset);
	ck_assert_uint_eq(rig_stream(rig.peer, 1)->reset_code, QL_H3_EXCESSIVE_LOAD);
	ck_assert_uint_eq(rig.n_server, 0);
}
END_TEST

START_TEST(stray_streams)
{
	struct ql_stream *s;

	/* a unidirectional one has no meaning, a server's bidirectional one is an error */
	ck_assert_int_eq(ql_stream_open(rig.client, false, &s), 0);
	ql_stream_send(s, "hello", 5, QL_FIN);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_int_eq(ql_stream_open(rig.peer, true, &s), 0);
	ql_stream_send(s, "hello", 5, QL_FIN);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_uint_eq(rig.info.error, QL_H3_STREAM_CREATION_ERROR);
}
END_TEST

/* read() gives pieces, pauses, and its memory stays bounded. */
static size_t reads, to_read, most_held;

static ssize_t read_some(void *arg, void *buf, size_t room, bool *last)
{
	size_t n = 1 + fake_random(20000);

	(void)arg;
	if (reads++ % 5 == 4)
		return -EAGAIN;
	if (n > room)
		n = room;
	if (n > to_read)
		n = to_read;
	memset(buf, 'r', n);
	to_read -= n;
	*last = to_read == 0;
	return (ssize_t)n;
}

START_TEST(body_from_a_source)
{
	struct ql_stream *s;

	reads = 0;
	to_read = 1000000;
	rig.body = (struct ql_http_body){.read = read_some, .release = on_release};
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake.piece = 3000;
	for (int i = 0; i < 100000 && !rig.at_client[0].done; i++) {
		fake_turn(rig.client);
		if (rig.at_server[0].req)
			ql_http_resume(rig.at_server[0].req);
		s = rig_stream(rig.peer, 0);
		if (s && s->sent - s->acked > most_held)
			most_held = s->sent - s->acked;
	}
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].len, 1000000);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert_uint_le(most_held, 256 * 1024);
	ck_assert_uint_ge(most_held, 128 * 1024);
}
END_TEST

static ssize_t read_fails(void *arg, void *buf, size_t room, bool *last)
{
	(void)buf, (void)last;
	return arg ? (ssize_t)room + 1 : -EIO;
}

START_TEST(source_that_fails)
{
	rig.body = (struct ql_http_body){
		.read = read_fails, .release = on_release, .arg = _i ? &rig : NULL};
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
	ck_assert_uint_eq(rig.at_client[0].code, QL_H3_INTERNAL_ERROR);
	ck_assert_int_eq(rig.at_server[0].error, -ECANCELED);
	ck_assert_uint_eq(rig.released, 1);
}
END_TEST

START_TEST(no_memory_for_a_reference)
{
	rig.body = (struct ql_http_body){.data = "abc", .len = 3, .release = on_release};
	fake.send_error = -ENOMEM;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
	ck_assert_uint_eq(rig.released, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/hq");
	TCase *t = tcase_create("hq");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_loop_test(t, get_by_reference, 0, 2);
	tcase_add_test(t, empty_response);
	tcase_add_test(t, status_is_a_reset);
	tcase_add_test(t, what_it_cannot_say);
	tcase_add_loop_test(t, request_lines, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_test(t, zero_byte_and_length);
	tcase_add_test(t, stray_streams);
	tcase_add_test(t, body_from_a_source);
	tcase_add_loop_test(t, source_that_fails, 0, 2);
	tcase_add_test(t, no_memory_for_a_reference);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
