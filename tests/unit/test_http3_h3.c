// SPDX-License-Identifier: BSD-3-Clause
#include "test_http3_util.h"

static void setup(void)
{
	rig_setup();
	rig_start("h3");
}

START_TEST(get_by_reference)
{
	static const struct {
		size_t len, piece;
	} cases[] = {{0, 1}, {1, 1}, {3000, 1}, {300000, 999}, {3000000, 100000}};
	size_t len = cases[_i].len;
	uint8_t *bytes = pattern(len);

	rig.body = (struct ql_http_body){.data = bytes, .len = len, .release = on_release};
	fake.piece = cases[_i].piece;
	ck_assert_int_eq(rig_get(0, "/a/b?c=d"), 0);
	fake_run(rig.client);
	ck_assert_str_eq(rig.at_server[0].path, "/a/b?c=d");
	ck_assert_uint_eq(rig.at_server[0].complete, 1);
	ck_assert_uint_eq(rig.at_server[0].done, 1);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert_uint_eq(rig.at_client[0].calls, 1);
	ck_assert_uint_eq(rig.at_client[0].status, 200);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_uint_eq(rig.at_client[0].len, len);
	if (len)
		ck_assert_mem_eq(rig.at_client[0].body, bytes, len);
	ck_assert_uint_eq(rig.released, 1);
	/* every byte went back to flow control, headers and frames too, on both sides */
	ck_assert_uint_eq(rig_stream(rig.client, 0)->credited, rig_stream(rig.client, 0)->received);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->credited, rig_stream(rig.peer, 0)->received);
	free(bytes);
}
END_TEST

/* More than may run at once, with QPACK's dynamic table in use, everything in crumbs. */
START_TEST(many_requests)
{
	unsigned int started = 0, done = 0, n;
	uint8_t *bytes = pattern(5000);
	bool asked[400] = {false};
	char path[32];

	rig.body = (struct ql_http_body){.data = bytes, .len = 5000, .release = on_release};
	rig.fields[0] = (struct ql_http_field){"x-custom", "always the same value"};
	rig.fields[1] = (struct ql_http_field){"content-length", "5000"};
	rig.n_fields = 2;
	fake.piece = 700;
	for (int turn = 0; turn < 10000 && done < 400; turn++) {
		int rc = 0;

		while (started < 400 && rc == 0) {
			snprintf(path, sizeof(path), "/file-%u", started);
			rc = rig_get(started, path);
			if (rc == 0)
				started++;
			else
				ck_assert_int_eq(rc, -EAGAIN);
		}
		fake_turn(rig.client);
		done = 0;
		for (unsigned int i = 0; i < started; i++)
			done += rig.at_client[i].done;
		if (done * 2 > started && started < 400)
			fake_allow(rig.client, 100);
	}
	fake_run(rig.client);
	ck_assert_uint_eq(done, 400);
	ck_assert_uint_ge(rig.available, 1);
	ck_assert_uint_eq(rig.released, 400);
	for (unsigned int i = 0; i < 400; i++) {
		ck_assert_int_eq(rig.at_client[i].error, 0);
		ck_assert_uint_eq(rig.at_client[i].len, 5000);
		ck_assert_mem_eq(rig.at_client[i].body, bytes, 5000);
		ck_assert_int_eq(rig.at_server[i].error, 0);
		/* each once, in whatever order QPACK let them through */
		ck_assert_int_eq(strncmp(rig.at_server[i].path, "/file-", 6), 0);
		n = (unsigned int)atoi(rig.at_server[i].path + 6);
		ck_assert_uint_lt(n, 400);
		ck_assert(!asked[n]);
		asked[n] = true;
	}
	free(bytes);
}
END_TEST

START_TEST(fields_both_ways)
{
	const struct ql_http_field fields[] = {{"x-one", "1"}, {"x-two", ""}, {"x-one", "again"}};
	const struct ql_http_submit s = {
		.method = "PUT", .authority = "a:1", .path = "/p", .fields = fields, .n_fields = 3};
	static const char *const expected[][2] = {
		{":method", "PUT"}, {":scheme", "https"}, {":authority", "a:1"}, {":path", "/p"},
		{"x-one", "1"},	    {"x-two", ""},	  {"x-one", "again"}};
	struct ql_http_field f;
	struct seen *c = &rig.at_client[0];
	size_t at = 0, n = 0;

	rig.wait = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	fake_run(rig.client);
	while (ql_http_next_header(rig.at_server[0].req, &at, &f)) {
		ck_assert_str_eq(f.name, expected[n][0]);
		ck_assert_str_eq(f.value, expected[n++][1]);
	}
	ck_assert_uint_eq(n, 7);
	ck_assert_str_eq(ql_http_header(rig.at_server[0].req, "x-one"), "1");
	ck_assert_ptr_null(ql_http_header(rig.at_server[0].req, "x-three"));
	ck_assert_ptr_eq(ql_http_quic(ql_http_request_conn(rig.at_server[0].req)), rig.peer);
	rig.status = 503;
	rig.n_fields = 1;
	rig.fields[0] = (struct ql_http_field){"retry-after", "7"};
	rig_respond(rig.at_server[0].req);
	fake_turn(rig.client);
	ck_assert_uint_eq(c->status, 503);
	fake_run(rig.client);
	ck_assert_int_eq(c->error, 0);
}
END_TEST

START_TEST(bad_arguments)
{
	struct ql_http_field bad[] = {
		{"Upper", "x"}, {"name", "a\nb"}, {":status", "200"}, {"", "x"}, {"a b", "x"}};
	struct ql_http_request *req;

	rig.wait = true;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	req = rig.at_server[0].req;
	rig.body = (struct ql_http_body){.data = "x", .len = 1, .release = on_release};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ql_http_submit s = {
			.authority = "a", .path = "/", .fields = &bad[i], .n_fields = 1};

		ck_assert_int_eq(ql_http_respond(req, 200, &bad[i], 1, &rig.body), -EINVAL);
		ck_assert_int_eq(
			ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[1], NULL),
			-EINVAL);
	}
	ck_assert_int_eq(ql_http_respond(req, 100, NULL, 0, &rig.body), -EINVAL);
	ck_assert_int_eq(ql_http_respond(req, 1000, NULL, 0, &rig.body), -EINVAL);
	ck_assert_int_eq(ql_http_respond(req, 200, rig.fields, 65, &rig.body), -EINVAL);
	ck_assert_int_eq(ql_http_get(rig.http, NULL, "/", &response_ops, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ql_http_get(rig.http, "a", NULL, &response_ops, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ql_http_get(rig.http, "a", "/", NULL, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(rig.released, 0);
	ck_assert_int_eq(ql_http_respond(req, 200, NULL, 0, &rig.body), 0);
	ck_assert_int_eq(ql_http_respond(req, 200, NULL, 0, &rig.body), -EALREADY);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert_uint_eq(rig.at_client[1].done, 0);
	ck_assert_int_eq(rig.at_client[0].error, 0);
}
END_TEST

START_TEST(request_body)
{
	uint8_t *bytes = pattern(200000);
	const struct ql_http_body body = {.data = bytes, .len = 200000, .release = on_release};
	const struct ql_http_submit s = {
		.method = "POST", .authority = "a", .path = "/", .body = &body};
	struct seen *c = &rig.at_client[0];

	rig.wait = true;
	rig.no_credit = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_server[0].len, 200000);
	ck_assert_mem_eq(rig.at_server[0].body, bytes, 200000);
	ck_assert_uint_eq(rig.at_server[0].complete, 1);
	/* only frames and fields were given back so far */
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->received - rig_stream(rig.peer, 0)->credited,
			  200000);
	ql_http_credit(rig.at_server[0].req, 200000);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->received, rig_stream(rig.peer, 0)->credited);
	ck_assert_uint_eq(rig.released, 1);
	rig_respond(rig.at_server[0].req);
	fake_run(rig.client);
	ck_assert_int_eq(c->error, 0);
	free(bytes);
}
END_TEST

/* A response that does not wait for the request's body. */
static ssize_t endless(void *arg, void *buf, size_t room, bool *last)
{
	(void)arg;
	*last = false;
	memset(buf, 'e', room);
	return (ssize_t)room;
}

START_TEST(early_response)
{
	const struct ql_http_body body = {.read = endless, .release = on_release};
	const struct ql_http_submit s = {
		.method = "POST", .authority = "a", .path = "/", .body = &body};
	struct seen *c = &rig.at_client[0];

	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	fake_run(rig.client);
	ck_assert_int_eq(c->error, 0);
	ck_assert_uint_eq(c->status, 200);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert(rig_stream(rig.client, 0)->closed && rig_stream(rig.peer, 0)->closed);
	ck_assert(!rig.client->closed && !rig.peer->closed);
}
END_TEST

static size_t reads, to_read;

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

/* ---- Trailers ---- */

static const struct ql_http_field *give;
static size_t n_give;
static unsigned int asked;

static size_t give_trailers(void *arg, struct ql_http_field *fields, size_t max)
{
	(void)arg;
	ck_assert_uint_le(n_give, max);
	if (n_give > 0)
		memcpy(fields, give, n_give * sizeof(fields[0]));
	asked++;
	return n_give;
}

static void check_trailers(const struct ql_http_request *req)
{
	struct ql_http_field f;
	size_t at = 0;

	for (size_t i = 0; i < n_give; i++) {
		ck_assert(ql_http_next_trailer(req, &at, &f));
		ck_assert_str_eq(f.name, give[i].name);
		ck_assert_str_eq(f.value, give[i].value);
	}
	ck_assert(!ql_http_next_trailer(req, &at, &f));
	ck_assert_ptr_null(ql_http_trailer(req, "x-none"));
	ck_assert_ptr_null(ql_http_header(req, "digest"));
	if (n_give > 0)
		ck_assert_str_eq(ql_http_trailer(req, "digest"), "sha-256=:abc=:");
}

static void trailers_at_client(struct ql_http_request *req, int error)
{
	ck_assert_int_eq(error, 0);
	check_trailers(req);
	client_done(req, error);
}

/* Both ways: behind all of a body, behind a source's, behind nothing; and none after all. */
START_TEST(trailers)
{
	static const struct ql_http_field two[] = {{"digest", "sha-256=:abc=:"}, {"x-more", ""}};
	const struct ql_http_response_ops ops = {
		.headers = client_headers, .data = client_data, .done = trailers_at_client};
	uint8_t *bytes = pattern(100000);
	const struct ql_http_body bodies[] = {
		{.data = bytes, .len = 100000, .trailers = give_trailers},
		{.read = read_some, .trailers = give_trailers, .release = on_release},
		{.trailers = give_trailers, .release = on_release},
		{.data = bytes, .len = 100000, .trailers = give_trailers},
	};
	const struct ql_http_submit s = {
		.method = "PUT", .authority = "a", .path = "/", .body = &bodies[_i]};
	struct seen *c = &rig.at_client[0];

	give = two;
	n_give = _i == 3 ? 0 : 2;
	asked = 0;
	to_read = 100000;
	rig.wait = true;
	fake.piece = 3000;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &ops, c, &c->req), 0);
	for (unsigned int i = 0; i < 100; i++) {
		fake_run(rig.client);
		if (c->req)
			ql_http_resume(c->req);
	}
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_eq(rig.at_server[0].complete, 1);
	ck_assert_uint_eq(rig.at_server[0].len, _i == 2 ? 0 : 100000);
	check_trailers(rig.at_server[0].req);
	to_read = 100000;
	rig.body = bodies[_i];
	rig_respond(rig.at_server[0].req);
	ck_assert_int_eq(rig.respond, 0);
	for (unsigned int i = 0; i < 100; i++) {
		fake_run(rig.client);
		if (rig.at_server[0].req)
			ql_http_resume(rig.at_server[0].req);
	}
	ck_assert_uint_eq(asked, 2);
	ck_assert_uint_eq(c->done, 1);
	ck_assert_uint_eq(c->len, _i == 2 ? 0 : 100000);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	free(bytes);
}
END_TEST

/* What cannot be sent ends the request, and not the connection. */
START_TEST(bad_trailers)
{
	static const struct ql_http_field bad[] = {
		{":path", "/"}, {"Upper", "x"}, {"name", "a\nb"}, {"", "x"}};
	const struct ql_http_body body = {
		.data = "x", .len = 1, .trailers = give_trailers, .release = on_release};
	const struct ql_http_submit s = {
		.method = "PUT", .authority = "a", .path = "/", .body = &body};
	struct seen *c = &rig.at_client[0];

	give = &bad[_i];
	n_give = 1;
	rig.wait = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	fake_run(rig.client);
	ck_assert_int_eq(c->error, -ECANCELED);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert(!rig.client->closed && !rig.peer->closed);
}
END_TEST

/* More than the peer's limit for header sections. */
START_TEST(trailers_limit)
{
	static char value[20000];
	const struct ql_http_field large = {"x-large", value};
	const struct ql_http_body body = {.data = "x", .len = 1, .trailers = give_trailers};
	const struct ql_http_submit s = {
		.method = "PUT", .authority = "a", .path = "/", .body = &body};
	struct seen *c = &rig.at_client[0];

	memset(value, 'v', sizeof(value) - 1);
	give = &large;
	n_give = 1;
	rig.wait = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_server[0].error, -EMSGSIZE);
	ck_assert_uint_eq(rig.at_server[0].complete, 0);
	ck_assert_int_eq(c->error, -ECONNRESET);
	ck_assert_uint_eq(c->code, QL_H3_EXCESSIVE_LOAD);
	ck_assert(!rig.client->closed && !rig.peer->closed);
}
END_TEST

/*
 * A server that wants no more of a body (RFC 9114, 4.1), from the first byte on or in the middle:
 * what it answers arrives, and what is under way is dropped.
 */
START_TEST(refused_body)
{
	uint8_t *bytes = pattern(1000000);
	const struct ql_http_body body = {.data = bytes, .len = 1000000, .release = on_release};
	const struct ql_http_submit s = {
		.method = "PUT", .authority = "a", .path = "/", .body = &body};
	struct seen *c = &rig.at_client[0];
	struct ql_http_request *req;
	size_t taken;

	rig.wait = true;
	fake.piece = 1000;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, c, &c->req), 0);
	while (!rig.at_server[0].req || (_i && rig.at_server[0].len < 50000))
		ck_assert(fake_turn(rig.client));
	req = rig.at_server[0].req;
	taken = rig.at_server[0].len;
	rig.status = 413;
	ql_http_stop(req);
	ql_http_stop(req); /* again: nothing */
	rig_respond(req);
	ck_assert_int_eq(rig.respond, 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_server[0].len, taken);
	ck_assert_uint_eq(rig.at_server[0].complete, 0);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert(rig_stream(rig.peer, 0)->stopped);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->stop_code, QL_H3_NO_ERROR);
	ck_assert_uint_lt(rig_stream(rig.client, 0)->delivered, 100000);
	ck_assert_uint_eq(c->status, 413);
	ck_assert_int_eq(c->error, 0);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert(rig_stream(rig.client, 0)->closed && rig_stream(rig.peer, 0)->closed);
	free(bytes);
}
END_TEST

START_TEST(body_from_a_source)
{
	uint64_t most = 0;

	reads = 0;
	to_read = 1000000;
	rig.body = (struct ql_http_body){.read = read_some, .release = on_release};
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake.piece = 3000;
	for (int i = 0; i < 100000 && !rig.at_client[0].done; i++) {
		struct ql_stream *s = rig_stream(rig.peer, 0);

		fake_turn(rig.client);
		if (rig.at_server[0].req)
			ql_http_resume(rig.at_server[0].req);
		if (s && s->sent - s->acked > most)
			most = s->sent - s->acked;
	}
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].len, 1000000);
	for (size_t i = 0; i < 1000000; i += 1000)
		ck_assert_uint_eq(rig.at_client[0].body[i], 'r');
	ck_assert_int_eq(rig.at_client[0].error, 0);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert_uint_eq(rig.released, 1);
	ck_assert_uint_le(most, 256 * 1024 + 1000);
	ck_assert_uint_ge(most, 128 * 1024);
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
	ck_assert(!rig.client->closed && !rig.peer->closed);
}
END_TEST

/* QUIC's room for copies is small: headers wait, and all comes right. */
START_TEST(little_room)
{
	uint8_t *bytes = pattern(20000);
	char big[3000];

	memset(big, 'v', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	fake.room = 50;
	rig.body = (struct ql_http_body){.data = bytes, .len = 20000, .release = on_release};
	rig.fields[0] = (struct ql_http_field){"x-big", big};
	rig.n_fields = 1;
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(rig_get(i, "/a-path-that-is-longer-than-the-room-there-is-left"),
				 0);
	fake_run(rig.client);
	for (unsigned int i = 0; i < 10; i++) {
		ck_assert_int_eq(rig.at_client[i].error, 0);
		ck_assert_uint_eq(rig.at_client[i].len, 20000);
		ck_assert_mem_eq(rig.at_client[i].body, bytes, 20000);
	}
	ck_assert_uint_eq(rig.released, 10);
	free(bytes);
}
END_TEST

START_TEST(no_memory_for_a_reference)
{
	rig.body = (struct ql_http_body){.data = "abc", .len = 3, .release = on_release};
	fake.send_error = -ENOMEM;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	ck_assert_int_eq(rig_get(1, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
	ck_assert_int_eq(rig.at_client[1].error, 0);
	ck_assert_uint_eq(rig.released, 2);
}
END_TEST

/* Cancelling, in every phase and from both sides: the body is released, both are told once. */
START_TEST(cancelled)
{
	bool by_server = _i & 1;
	unsigned int turns = (unsigned int)_i >> 1;
	uint8_t *bytes = pattern(100000);
	struct ql_http_request *req;

	rig.body = (struct ql_http_body){.data = bytes, .len = 100000, .release = on_release};
	fake.piece = 500;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	for (unsigned int i = 0; i < turns; i++)
		fake_turn(rig.client);
	req = by_server ? rig.at_server[0].req : rig.at_client[0].req;
	if (req)
		ql_http_cancel(req, QL_H3_REQUEST_CANCELLED);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	if (req && by_server) {
		ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
		ck_assert_uint_eq(rig.at_client[0].code, QL_H3_REQUEST_CANCELLED);
		ck_assert_int_eq(rig.at_server[0].error, -ECANCELED);
	} else if (req) {
		ck_assert_int_eq(rig.at_client[0].error, -ECANCELED);
		if (rig.n_server)
			ck_assert_int_eq(rig.at_server[0].error, -ECONNRESET);
	}
	ck_assert_uint_eq(rig.released, rig.n_server);
	ck_assert(!rig.client->closed && !rig.peer->closed);
	/* the next one is not affected, QPACK included */
	ck_assert_int_eq(rig_get(1, "/next"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[1].error, 0);
	ck_assert_uint_eq(rig.at_client[1].len, 100000);
	free(bytes);
}
END_TEST

START_TEST(response_to_nobody)
{
	rig.wait = true;
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ql_http_cancel(rig.at_client[0].req, QL_H3_REQUEST_CANCELLED);
	fake_turn(rig.client);
	if (rig.at_server[0].req) {
		rig.body = (struct ql_http_body){.data = "x", .len = 1, .release = on_release};
		rig_respond(rig.at_server[0].req);
		ck_assert_int_eq(rig.respond, -EPIPE);
	}
	fake_run(rig.client);
	ck_assert_uint_eq(rig.released, 0);
	ck_assert_int_eq(rig.at_server[0].error, -ECONNRESET);
}
END_TEST

START_TEST(connection_ends_under_way)
{
	uint8_t *bytes = pattern(100000);

	rig.body = (struct ql_http_body){.data = bytes, .len = 100000, .release = on_release};
	fake.piece = 500;
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(rig_get(i, "/"), 0);
	for (int i = 0; i < 20; i++)
		fake_turn(rig.client);
	if (_i == 0)
		ql_http_close(rig.http);
	else
		ql_http_server_close(rig.server);
	ck_assert_int_eq(rig_get(9, "/"), _i == 0 ? -ENOTCONN : 0);
	fake_run(rig.client);
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_uint_eq(rig.at_client[i].done, 1);
		ck_assert_int_eq(rig.at_client[i].error, -ECONNABORTED);
		ck_assert_int_eq(rig.at_server[i].error, -ECONNABORTED);
	}
	ck_assert_uint_eq(rig.released, rig.n_server);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_uint_eq(rig.info.error, QL_H3_NO_ERROR);
	ck_assert_uint_eq(ql_http_server_conns(rig.server), 0);
	free(bytes);
}
END_TEST

static void add_fields(unsigned int n, const char *value)
{
	for (unsigned int i = 0; i < n; i++)
		rig.fields[i] = (struct ql_http_field){"x-field", value};
	rig.n_fields = n;
}

START_TEST(request_header_limit)
{
	static char value[2001];
	struct ql_http_submit s = {.authority = "a", .path = "/", .fields = rig.fields};
	struct seen *c = rig.at_client;

	/* 16 KiB in all: 7 of these pass, 9 are answered with 431, 40 end the connection */
	memset(value, 'v', 2000);
	add_fields(40, value);
	rig.n_fields = 0;
	s.n_fields = 7;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &c[0], NULL), 0);
	s.n_fields = 9;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &c[1], NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(c[0].status, 200);
	ck_assert_uint_eq(c[1].status, 431);
	ck_assert_int_eq(c[1].error, 0);
	ck_assert_uint_eq(rig.n_server, 1);
	ck_assert(!rig.peer->closed);
	s.n_fields = 40;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &c[2], NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_uint_eq(rig.info.error, QL_H3_EXCESSIVE_LOAD);
	ck_assert_int_eq(c[2].error, -ECONNABORTED);
}
END_TEST

START_TEST(response_header_limit)
{
	static char value[2001];

	memset(value, 'v', 2000);
	add_fields(9, value);
	ck_assert_int_eq(rig_get(0, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -EMSGSIZE);
	ck_assert_uint_eq(rig.at_client[0].calls, 0);
	rig.n_fields = 7;
	ck_assert_int_eq(rig_get(1, "/"), 0);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[1].error, 0);
}
END_TEST

START_TEST(priority_of_a_header)
{
	static const struct {
		const char *value;
		unsigned int urgency;
		bool incremental;
	} cases[] = {{"u=0", 0, false},
		     {"u=7, i", 7, true},
		     {"i", 3, true},
		     {"u=9", 3, false},
		     {"rubbish", 3, false}};
	const struct ql_http_field f = {"priority", cases[_i].value};
	const struct ql_http_submit s = {
		.authority = "a", .path = "/", .fields = &f, .n_fields = 1};

	rig.wait = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[0], NULL), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->urgency, cases[_i].urgency);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->incremental, cases[_i].incremental);
	rig_respond(rig.at_server[0].req);
	fake_run(rig.client);
}
END_TEST

static void check_priority(struct ql_stream *s, unsigned int urgency, bool incremental)
{
	ck_assert_uint_eq(s->urgency, urgency);
	ck_assert_uint_eq(s->incremental, incremental);
}

/* Given with the request, changed while it runs; on a server its own word is the last. */
START_TEST(priority_of_a_request)
{
	const struct ql_http_priority first = {.urgency = 5, .incremental = true},
				      then = {1, false}, last = {6, true}, none = {.urgency = 8};
	struct ql_http_submit s = {.authority = "a", .path = "/", .priority = &none};
	struct ql_http_request *req;

	rig.wait = true;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[0], &req),
			 -EINVAL);
	s.priority = &first;
	ck_assert_int_eq(ql_http_submit(rig.http, &s, &response_ops, &rig.at_client[0], &req), 0);
	fake_run(rig.client);
	ck_assert_str_eq(ql_http_header(rig.at_server[0].req, "priority"), "u=5,i");
	check_priority(rig_stream(rig.client, 0), 5, true);
	check_priority(rig_stream(rig.peer, 0), 5, true);

	ck_assert_int_eq(ql_http_set_priority(req, &none), -EINVAL);
	ck_assert_int_eq(ql_http_set_priority(req, &then), 0);
	fake_run(rig.client);
	check_priority(rig_stream(rig.client, 0), 1, false);
	check_priority(rig_stream(rig.peer, 0), 1, false);

	ck_assert_int_eq(ql_http_set_priority(rig.at_server[0].req, &last), 0);
	check_priority(rig_stream(rig.peer, 0), 6, true);
	ck_assert_int_eq(ql_http_set_priority(req, &first), 0);
	fake_run(rig.client);
	check_priority(rig_stream(rig.peer, 0), 6, true);
	rig_respond(rig.at_server[0].req);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/h3");
	TCase *t = tcase_create("h3");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_loop_test(t, get_by_reference, 0, 5);
	tcase_add_test(t, many_requests);
	tcase_add_test(t, fields_both_ways);
	tcase_add_test(t, bad_arguments);
	tcase_add_test(t, request_body);
	tcase_add_test(t, early_response);
	tcase_add_loop_test(t, trailers, 0, 4);
	tcase_add_loop_test(t, bad_trailers, 0, 4);
	tcase_add_test(t, trailers_limit);
	tcase_add_loop_test(t, refused_body, 0, 2);
	tcase_add_test(t, body_from_a_source);
	tcase_add_loop_test(t, source_that_fails, 0, 2);
	tcase_add_test(t, little_room);
	tcase_add_test(t, no_memory_for_a_reference);
	tcase_add_loop_test(t, cancelled, 0, 60);
	tcase_add_test(t, response_to_nobody);
	tcase_add_loop_test(t, connection_ends_under_way, 0, 2);
	tcase_add_test(t, request_header_limit);
	tcase_add_test(t, response_header_limit);
	tcase_add_loop_test(t, priority_of_a_header, 0, 5);
	tcase_add_test(t, priority_of_a_request);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
