// SPDX-License-Identifier: BSD-3-Clause
/* lib/http3/h3.c against peers that write bytes of their own choice. */
#include "test_http3_raw.h"

START_TEST(our_control_streams)
{
	/* control stream with SETTINGS first, QPACK encoder and decoder stream: types 0, 2, 3 */
	unsigned int types = 0;

	for (unsigned int i = 0; i < n_raw; i++) {
		ck_assert(ql_stream_id_is_uni(raw[i].id));
		ck_assert_uint_ge(raw[i].len, 1);
		types |= 1u << raw[i].data[0];
		if (raw[i].data[0] == 0)
			ck_assert_uint_eq(raw[i].data[1], 4);
		ck_assert(fake_find(rig.peer, raw[i].id)->control);
	}
	ck_assert_uint_eq(types, 1u << 0 | 1u << 2 | 1u << 3);
}
END_TEST

START_TEST(plain_request)
{
	fake.piece = _i ? 1 : 1000;
	send_new(rig.client, true, B(REQUEST), true);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.n_server, 1);
	ck_assert_str_eq(rig.at_server[0].path, "/");
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert(raw[n_raw - 1].fin);
	/* HEADERS with nothing but ":status: 200", static entry 25 */
	ck_assert_uint_eq(raw[n_raw - 1].len, 5);
	ck_assert_mem_eq(raw[n_raw - 1].data, "\x01\x03\x00\x00\xd9", 5);
}
END_TEST

/* What ends only its stream, by a reset; the next request is served. */
static const struct {
	const char *bytes;
	size_t len;
	uint64_t code;
} bad_requests[] = {
	/* no :path */
	{B("\x01\x07\x00\x00\xd1\xd7\x50\x01"
	   "a"),
	 QL_H3_MESSAGE_ERROR},
	/* name in upper case */
	{B("\x01\x0e" FIELDS "\x23"
	   "Abc"
	   "\x01x"),
	 QL_H3_MESSAGE_ERROR},
	/* :method twice */
	{B("\x01\x09" FIELDS "\xd1"), QL_H3_MESSAGE_ERROR},
	/* connection-specific field */
	{B("\x01\x0e" FIELDS "\x22"
	   "te"
	   "\x02xy"),
	 QL_H3_MESSAGE_ERROR},
	/* content-length 1 (literal, static name 4), and 2 bytes */
	{B("\x01\x0b" FIELDS "\x54\x01"
	   "1"
	   "\x00\x02"
	   "ab"),
	 QL_H3_MESSAGE_ERROR},
	/* content-length 5, and the end after 2 bytes */
	{B("\x01\x0b" FIELDS "\x54\x01"
	   "5"
	   "\x00\x02"
	   "ab"),
	 QL_H3_MESSAGE_ERROR},
};

START_TEST(malformed)
{
	struct ql_stream *s;

	rig.wait = true;
	fake.piece = 1;
	s = send_new(rig.client, true, bad_requests[_i].bytes, bad_requests[_i].len, true);
	fake_run(rig.client);
	ck_assert_msg(!rig.peer->closed, "case %d: closed with %llx", _i,
		      (unsigned long long)rig.peer->info.error);
	ck_assert_msg(rig_stream(rig.peer, 0)->reset, "case %d: no reset", _i);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->reset_code, bad_requests[_i].code);
	ck_assert(s->closed);
	rig.wait = false;
	send_new(rig.client, true, B(REQUEST), true);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_int_eq(rig.at_server[rig.n_server - 1].error, 0);
	ck_assert_uint_eq(rig.at_server[rig.n_server - 1].done, 1);
}
END_TEST

/* What ends the connection: bytes on a new stream, or on the control stream. */
enum where { BIDI, UNI, CONTROL };

static const struct {
	const char *name;
	enum where where;
	const char *bytes;
	size_t len;
	bool fin;
	uint64_t code;
} violations[] = {
	{"DATA first", BIDI, B("\x00\x01x"), true, QL_H3_FRAME_UNEXPECTED},
	{"SETTINGS in a request", BIDI, B("\x04\x00"), true, QL_H3_FRAME_UNEXPECTED},
	{"GOAWAY in a request", BIDI, B("\x07\x01\x00"), true, QL_H3_FRAME_UNEXPECTED},
	{"HTTP/2's PRIORITY", BIDI, B("\x02\x00"), true, QL_H3_FRAME_UNEXPECTED},
	{"frame cut by the end", BIDI, B("\x01\x09" FIELDS), true, QL_H3_FRAME_ERROR},
	{"no dynamic table entry", BIDI, B("\x01\x03\x00\x00\x80"), true, 0x200},
	{"static entry 99", BIDI, B("\x01\x04\x00\x00\xff\x24"), true, 0x200},
	{"second control stream", UNI, B("\x00\x04\x00"), false, QL_H3_STREAM_CREATION_ERROR},
	{"push by a client", UNI, B("\x01\x00"), false, QL_H3_STREAM_CREATION_ERROR},
	{"bad encoder instruction", UNI, B("\x02\x80\x00"), false, 0x201},
	{"decoder's acknowledgement of nothing", UNI, B("\x03\x80"), false, 0x202},
	{"end of a QPACK stream", UNI, B("\x02"), true, QL_H3_CLOSED_CRITICAL_STREAM},
	{"second SETTINGS", CONTROL, B("\x04\x00"), false, QL_H3_FRAME_UNEXPECTED},
	{"DATA in the control stream", CONTROL, B("\x00\x00"), false, QL_H3_FRAME_UNEXPECTED},
	{"HEADERS in the control stream", CONTROL, B("\x01\x00"), false, QL_H3_FRAME_UNEXPECTED},
	{"its end", CONTROL, B(""), true, QL_H3_CLOSED_CRITICAL_STREAM},
	{"PRIORITY_UPDATE of a stream above the limit", CONTROL,
	 B("\x80\x0f\x07\x00\x05\x80\x00\xff\xfc"
	   "i"),
	 false, QL_H3_ID_ERROR},
	{"empty GOAWAY", CONTROL, B("\x07\x00\x21\x00"), false, QL_H3_FRAME_ERROR},
	{"GOAWAY and more", CONTROL, B("\x07\x02\x00\x00"), false, QL_H3_FRAME_ERROR},
	{"GOAWAY that is cut", CONTROL, B("\x07\x01\x40\x04"), false, QL_H3_FRAME_ERROR},
	{"empty MAX_PUSH_ID", CONTROL, B("\x0d\x00\x21\x00"), false, QL_H3_FRAME_ERROR},
	{"long CANCEL_PUSH", CONTROL, B("\x03\x3f"), false, QL_H3_FRAME_ERROR},
	{"empty PRIORITY_UPDATE", CONTROL, B("\x80\x0f\x07\x00\x00"), false, QL_H3_FRAME_ERROR},
	{"large PRIORITY_UPDATE", CONTROL, B("\x80\x0f\x07\x00\x41\x01"), false,
	 QL_H3_EXCESSIVE_LOAD},
	{"PRIORITY_UPDATE of no request", CONTROL,
	 B("\x80\x0f\x07\x00\x02\x01"
	   "i"),
	 false, QL_H3_ID_ERROR},
};

START_TEST(violation)
{
	fake.piece = 1;
	rig.wait = true;
	if (violations[_i].where == CONTROL)
		ql_stream_send(control, violations[_i].bytes, violations[_i].len,
			       violations[_i].fin ? QL_FIN : 0);
	else
		send_new(rig.client, violations[_i].where == BIDI, violations[_i].bytes,
			 violations[_i].len, violations[_i].fin);
	fake_run(rig.client);
	ck_assert_msg(rig.peer->closed, "%s", violations[_i].name);
	ck_assert_int_eq(rig.peer->info.cause, QL_CLOSE_LOCAL);
	ck_assert_msg(rig.peer->info.error == violations[_i].code, "%s: 0x%llx",
		      violations[_i].name, (unsigned long long)rig.peer->info.error);
}
END_TEST

/* A control stream whose type is written in more bytes than it needs. */
START_TEST(long_type)
{
	const struct ql_proto proto = {"h3", &raw_ops, NULL};

	fake_free(rig.client);
	rig.client = fake_conn(false, &proto, NULL);
	rig.client->alpn = "h3";
	rig.peer = fake_join(rig.client);
	fake.piece = 1;
	control = send_new(rig.client, false, B("\x40\x00\x04\x00"), false);
	send_new(rig.client, true, B(REQUEST), true);
	ql_stream_send(control, B("\xc0\x00\x00\x00\x00\x0f\x07\x00\x40\x04\x00u=1"), 0);
	rig.wait = true;
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->urgency, 1);
}
END_TEST

START_TEST(no_settings)
{
	const struct ql_proto proto = {"h3", &raw_ops, NULL};

	fake_free(rig.client);
	rig.client = fake_conn(false, &proto, NULL);
	rig.client->alpn = "h3";
	rig.peer = fake_join(rig.client);
	send_new(rig.client, false, B("\x00\x07\x01\x00"), false);
	fake_run(rig.client);
	ck_assert(rig.peer->closed);
	ck_assert_uint_eq(rig.peer->info.error, QL_H3_MISSING_SETTINGS);
}
END_TEST

/* Frames and streams of reserved and unknown types are skipped (RFC 9114, 9). */
START_TEST(unknown_types)
{
	fake.piece = _i ? 1 : 1000;
	send_new(rig.client, false, B("\x21grease"), false);
	send_new(rig.client, false,
		 B("\x40\x41"
		   "anything"),
		 true);
	ql_stream_send(control,
		       B("\x21\x03"
			 "abc"
			 "\x40\x42\x01x"),
		       0);
	send_new(rig.client, true, B("\x21\x02zz" REQUEST "\x40\x40\x01y"), true);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_uint_eq(rig.n_server, 1);
	ck_assert_int_eq(rig.at_server[0].error, 0);
}
END_TEST

START_TEST(priority_update)
{
	struct ql_stream *s;

	fake.piece = _i ? 1 : 1000;

	rig.wait = true;
	s = send_new(rig.client, true, B(REQUEST), true);
	fake_run(rig.client);
	(void)s;
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->urgency, 3);
	ql_stream_send(control, B("\x80\x0f\x07\x00\x06\x00u=1,i"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->urgency, 1);
	ck_assert(rig_stream(rig.peer, 0)->incremental);
	/* without a value: the defaults */
	ql_stream_send(control, B("\x80\x0f\x07\x00\x01\x00"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->urgency, 3);
	ck_assert(!rig_stream(rig.peer, 0)->incremental);
	/* for a stream that comes only later */
	ql_stream_send(control, B("\x80\x0f\x07\x00\x04\x04u=6"), 0);
	fake_run(rig.client);
	send_new(rig.client, true, B(REQUEST), true);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_uint_eq(rig_stream(rig.peer, 1)->urgency, 6);
	rig_respond(rig.at_server[0].req);
	rig_respond(rig.at_server[1].req);
	fake_run(rig.client);
}
END_TEST

/* A request that is reset before its end: what was announced is told, no response is sent. */
START_TEST(request_reset)
{
	static const size_t lens[] = {0, 1, 5, 10, 13};
	struct ql_stream *s = send_new(rig.client, true,
				       REQUEST "\x00\x05"
					       "abc",
				       lens[_i], false);

	rig.wait = true;
	fake_run(rig.client);
	ql_stream_reset(s, QL_H3_REQUEST_CANCELLED);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert(s->closed && rig_stream(rig.peer, 0)->closed);
	ck_assert_uint_eq(rig_stream(rig.peer, 0)->reset_code, QL_H3_REQUEST_INCOMPLETE);
	ck_assert_uint_eq(rig.n_server, lens[_i] >= 10);
	if (rig.n_server) {
		ck_assert_int_eq(rig.at_server[0].error, -ECONNRESET);
		ck_assert_uint_eq(rig.at_server[0].code, QL_H3_REQUEST_CANCELLED);
	}
}
END_TEST

/* A response that is complete does not suffer from the request's reset. */
START_TEST(request_reset_after_response)
{
	struct ql_stream *s = send_new(rig.client, true, B(REQUEST), false);

	rig.body = (struct ql_http_body){.data = "abc", .len = 3, .release = on_release};
	fake_run(rig.client);
	ql_stream_reset(s, QL_H3_NO_ERROR);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_server[0].error, 0);
	ck_assert(raw_of(s)->fin && !raw_of(s)->reset);
	ck_assert_uint_eq(rig.released, 1);
}
END_TEST

START_TEST(our_streams_stopped)
{
	struct ql_stream *s;

	TAILQ_FOREACH (s, &rig.client->streams, next) {
		if (ql_stream_id_by_server(s->id)) {
			ql_stream_stop(s, 7);
			break;
		}
	}
	fake_run(rig.client);
	ck_assert(rig.peer->closed);
	ck_assert_uint_eq(rig.peer->info.error, QL_H3_CLOSED_CRITICAL_STREAM);
}
END_TEST

START_TEST(control_stream_reset)
{
	ql_stream_reset(control, 0);
	fake_run(rig.client);
	ck_assert(rig.peer->closed);
	ck_assert_uint_eq(rig.peer->info.error, QL_H3_CLOSED_CRITICAL_STREAM);
}
END_TEST

/* Trailers are counted, too. */
START_TEST(endless_trailers)
{
	static char bytes[20000] = REQUEST;
	size_t len = 10;

	/* HEADERS of 16,000 bytes: "accept: star/star" by one byte each, 2 + 42 counted */
	memcpy(bytes + len, "\x01\x7e\x80\x00\x00", 5);
	memset(bytes + len + 5, 0xdd, 15998);
	rig.wait = true;
	send_new(rig.client, true, bytes, len + 5 + 15998, true);
	fake_run(rig.client);
	ck_assert(rig.peer->closed);
	ck_assert_uint_eq(rig.peer->info.error, QL_H3_EXCESSIVE_LOAD);
}
END_TEST

/* Our client and a raw server. */

static void setup_client(void)
{
	rig_setup();
	memset(raw, 0, sizeof(raw));
	n_raw = 0;
	fake.protos[0] = (struct ql_proto){"h3", &raw_ops, NULL};
	fake.n_protos = 1;
	rig_client(NULL, "h3");
	control = send_new(rig.peer, false, B(SETTINGS), false);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.connected, 1);
	ck_assert_int_eq(rig_get(0, "/"), 0);
	ck_assert_int_eq(rig_get(1, "/"), 0);
	fake_run(rig.client);
}

static void respond_raw(unsigned int n, const void *data, size_t len, bool fin)
{
	ck_assert_int_eq(ql_stream_send(rig_stream(rig.peer, n), data, len, fin ? QL_FIN : 0),
			 (ssize_t)len);
}

#define OK "\x01\x03\x00\x00\xd9"

START_TEST(interim_responses)
{
	/* 103 (static 24) twice, then 200 */
	respond_raw(0,
		    B("\x01\x03\x00\x00\xd8"
		      "\x01\x03\x00\x00\xd8" OK "\x00\x02hi"),
		    true);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].calls, 1);
	ck_assert_uint_eq(rig.at_client[0].status, 200);
	ck_assert_uint_eq(rig.at_client[0].len, 2);
	ck_assert_int_eq(rig.at_client[0].error, 0);
}
END_TEST

static const struct {
	const char *name, *bytes;
	size_t len;
} bad_responses[] = {
	{"no :status", B("\x01\x03\x00\x00\xdd")},
	{"a request's field", B("\x01\x04\x00\x00\xd9\xd1")},
	{"content-length that is not met", B("\x01\x06\x00\x00\xd9\x54\x01"
					     "9"
					     "\x00\x01x")},
	{"content after no content-length", B("\x01\x06\x00\x00\xd9\x54\x01"
					      "0"
					      "\x00\x01x")},
};

START_TEST(malformed_response)
{
	fake.piece = 1;
	respond_raw(0, bad_responses[_i].bytes, bad_responses[_i].len, true);
	respond_raw(1, B(OK "\x00\x02hi"), true);
	fake_run(rig.client);
	ck_assert_msg(!rig.client->closed, "%s", bad_responses[_i].name);
	ck_assert_msg(rig.at_client[0].error == -EPROTO, "%s: %d", bad_responses[_i].name,
		      rig.at_client[0].error);
	ck_assert_int_eq(rig.at_client[1].error, 0);
	ck_assert_uint_eq(rig.at_client[1].len, 2);
}
END_TEST

/* :status 200 and the dynamic table's first entry, which an instruction inserts */
#define BLOCKED "\x01\x04\x02\x00\xd9\x80"
#define INSERT	"\x02\x3f\xbd\x01\x41\x61\x01\x62"

/* The streams of two responses close before the table has what their fields refer to. */
START_TEST(response_waits_for_the_table)
{
	for (unsigned int i = 0; i < 2; i++)
		respond_raw(i, B(BLOCKED "\x00\x02hi"), true);
	fake_run(rig.client);
	ck_assert(rig_stream(rig.client, 0)->closed);
	ck_assert_uint_eq(rig.at_client[0].calls + rig.at_client[0].done, 0);
	if (_i == 1) { /* one of them is given up meanwhile */
		ql_http_cancel(rig.at_client[1].req, QL_H3_REQUEST_CANCELLED);
		fake_run(rig.client);
		ck_assert_uint_eq(rig.at_client[1].done, 1);
	}
	if (_i == 2) { /* the entry never comes */
		ql_http_close(rig.http);
		fake_run(rig.client);
		ck_assert_uint_eq(rig.at_client[0].done, 1);
		ck_assert_int_eq(rig.at_client[0].error, -ECONNABORTED);
		return;
	}
	send_new(rig.peer, false, B(INSERT), false);
	fake_run(rig.client);
	ck_assert(!rig.client->closed);
	for (unsigned int i = 0; i < 2; i++) {
		const struct seen *s = &rig.at_client[i];
		bool cancelled = _i == 1 && i == 1;

		ck_assert_uint_eq(s->done, 1);
		ck_assert_int_eq(s->error, cancelled ? -ECANCELED : 0);
		ck_assert_uint_eq(s->status, cancelled ? 0 : 200);
		ck_assert_uint_eq(s->len, cancelled ? 0 : 2);
	}
}
END_TEST

START_TEST(cut_response)
{
	/* an end without a response, and within a frame */
	fake.piece = 1;
	if (_i == 0)
		respond_raw(0, B(""), true);
	else
		respond_raw(0, B(OK "\x00\x05hi"), true);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	ck_assert_int_ne(rig.at_client[0].error, 0);
}
END_TEST

START_TEST(goaway)
{
	/* the second request will not be looked at, the first one will */
	ql_stream_send(control, B("\x07\x01\x04"), 0);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].done, 0);
	ck_assert_int_eq(rig.at_client[1].error, -ECONNRESET);
	ck_assert_uint_eq(rig.at_client[1].code, QL_H3_REQUEST_REJECTED);
	ck_assert_int_eq(rig_get(2, "/"), -ENOTCONN);
	respond_raw(0, B(OK), true);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.at_client[0].done, 1);
	ck_assert_int_eq(rig.at_client[0].error, 0);
}
END_TEST

START_TEST(reset_response)
{
	ql_stream_reset(rig_stream(rig.peer, 0), 0x1234);
	respond_raw(1, B(OK "\x00\x05hi"), false);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNRESET);
	ck_assert_uint_eq(rig.at_client[0].code, 0x1234);
	ql_stream_reset(rig_stream(rig.peer, 1), 0x55);
	fake_run(rig.client);
	ck_assert_int_eq(rig.at_client[1].error, -ECONNRESET);
	ck_assert_uint_eq(rig.at_client[1].code, 0x55);
	ck_assert_uint_eq(rig.at_client[1].len, 2);
	ck_assert(!rig.client->closed);
}
END_TEST

static const struct {
	enum where where;
	const char *bytes;
	size_t len;
} client_seeds[] = {
	{CONTROL, B("\x07\x01\x04\x21\x01x")},
	{CONTROL, B("\x03\x01\x00\x07\x01\x00")},
	{UNI, B("\x02\x3f\xe1\x1f\xc1\x01x\x43"
		"abc"
		"\x02yz\x00\x81\x01q")},
	{UNI, B("\x03\x80\x01\x41\x84")},
	{UNI, B("\x01\x00" OK)}, /* push */
	{BIDI, B(OK "\x00\x04"
		    "body")},
	{BIDI, B("\x01\x03\x00\x00\xd8" OK "\x00\x02hi\x01\x03\x00\x00\xdd")},
	{BIDI, B("\x01\x06\x02\x00\xd9\x80\x80\xdd")},
	{BIDI, B("\x01\x06\x00\x00\xd9\x54\x01"
		 "2"
		 "\x00\x02hi")},
};

START_TEST(mutations_of_a_server)
{
	for (uint64_t seed = 0; seed < 300; seed++) {
		fake.rng = (uint64_t)_i * 1000 + seed;
		fake.piece = fake_random(2) ? 1 : 20;
		for (unsigned int i = 0; i < 8; i++) {
			uint8_t bytes[64];
			unsigned int which = (unsigned int)fake_random(sizeof(client_seeds) /
								       sizeof(client_seeds[0]));
			size_t len = client_seeds[which].len;
			struct ql_stream *s = NULL;

			memcpy(bytes, client_seeds[which].bytes, len);
			for (uint64_t n = fake_random(4); n > 0; n--)
				bytes[fake_random(len)] =
					(uint8_t)fake_random(fake_random(2) ? 8 : 256);
			if (client_seeds[which].where == CONTROL)
				s = control;
			else if (client_seeds[which].where == BIDI)
				s = rig_stream(rig.peer, (unsigned int)fake_random(2));
			else if (ql_stream_open(rig.peer, false, &s) < 0)
				continue;
			ql_stream_send(s, bytes, len, fake_random(4) || s == control ? 0 : QL_FIN);
			if (fake_random(16) == 0)
				ql_stream_reset(s, 1);
			if (fake_random(16) == 0 && rig.http && rig.at_client[0].req)
				ql_http_cancel(rig.at_client[0].req, 1);
		}
		fake_run(rig.client);
		rig_teardown();
		/* each of the two was told of its end, once */
		ck_assert_uint_eq(rig.at_client[0].done, 1);
		ck_assert_uint_eq(rig.at_client[1].done, 1);
		setup_client();
	}
}
END_TEST

START_TEST(stream_by_the_server)
{
	send_new(rig.peer, true, B("x"), false);
	fake_run(rig.client);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_uint_eq(rig.info.error, QL_H3_STREAM_CREATION_ERROR);
	ck_assert_int_eq(rig.at_client[0].error, -ECONNABORTED);
}
END_TEST

/*
 * Streams of all kinds with some bytes changed, in pieces of all sizes: whatever the server makes
 * of them, it goes on or closes the connection, and everything is told and released once.
 */
static const struct {
	enum where where;
	const char *bytes;
	size_t len;
} seeds[] = {
	{CONTROL, B("\x80\x0f\x07\x00\x06\x00u=1,i")},
	{CONTROL, B("\x80\x0f\x07\x00\x04\x04u=6")},
	{CONTROL, B("\x07\x00\x0d\x00")},
	{CONTROL, B("\x07\x01\x00\x0d\x01\x05\x21\x02zz")},
	{UNI, B("\x02\x3f\xe1\x1f\xc1\x01x\x43"
		"abc"
		"\x02yz\x00\x81\x01q")},  /* encoder */
	{UNI, B("\x03\x80\x01\x41\x84")}, /* decoder */
	{UNI, B("\x21grease")},
	{BIDI, B(REQUEST "\x00\x04"
			 "body")},
	{BIDI, B("\x01\x0b"
		 "\x02\x00\xd1\xd7\xc1\x50\x01"
		 "a\x80\x80\xdd")}, /* dynamic */
	{BIDI, B("\x01\x10" FIELDS "\x54\x01"
		 "4\x23"
		 "abc\x00"
		 "\x00\x04"
		 "body"
		 "\x01\x03\x00\x00\xdd")},
	{BIDI, B("\x21\x02zz" REQUEST "\x40\x40\x01y")},
};

static void send_mutated(int which)
{
	uint8_t bytes[64];
	size_t len = seeds[which].len;
	bool fin = fake_random(2);
	struct ql_stream *s;

	ck_assert_uint_le(len, sizeof(bytes));
	memcpy(bytes, seeds[which].bytes, len);
	for (uint64_t n = fake_random(4); n > 0; n--)
		bytes[fake_random(len)] = (uint8_t)fake_random(fake_random(2) ? 8 : 256);
	if (fake_random(8) == 0)
		len = fake_random(len);
	if (rig.client->closed)
		return;
	if (seeds[which].where == CONTROL) {
		ql_stream_send(control, bytes, len, 0);
		return;
	}
	if (ql_stream_open(rig.client, seeds[which].where == BIDI, &s) < 0)
		return;
	ql_stream_send(s, bytes, len, fin ? QL_FIN : 0);
	if (fake_random(8) == 0)
		ql_stream_reset(s, 1);
	if (fake_random(8) == 0)
		ql_stream_stop(s, 1);
}

START_TEST(mutations)
{
	uint8_t *bytes = pattern(2000);

	for (uint64_t seed = 0; seed < 300; seed++) {
		fake.rng = (uint64_t)_i * 1000 + seed;
		rig.body = (struct ql_http_body){.data = bytes, .len = 2000, .release = on_release};
		rig.wait = fake_random(2);
		fake.piece = fake_random(2) ? 1 : 20;
		for (int i = 0; i < 8; i++)
			send_mutated((int)fake_random(sizeof(seeds) / sizeof(seeds[0])));
		for (int i = 0; i < 100; i++)
			fake_turn(rig.client);
		if (rig.n_server && rig.at_server[0].req)
			rig_respond(rig.at_server[0].req);
		fake_run(rig.client);
		rig_teardown();
		ck_assert_uint_le(rig.released, rig.n_server);
		setup_server();
	}
	free(bytes);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("http3/h3 and strangers");
	TCase *t = tcase_create("server"), *c = tcase_create("client");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup_server, rig_teardown);
	tcase_add_test(t, our_control_streams);
	tcase_add_loop_test(t, plain_request, 0, 2);
	tcase_add_loop_test(t, malformed, 0, COUNT(bad_requests));
	tcase_add_loop_test(t, violation, 0, COUNT(violations));
	tcase_add_test(t, long_type);
	tcase_add_test(t, no_settings);
	tcase_add_loop_test(t, unknown_types, 0, 2);
	tcase_add_loop_test(t, priority_update, 0, 2);
	tcase_add_loop_test(t, request_reset, 0, 5);
	tcase_add_test(t, request_reset_after_response);
	tcase_add_test(t, our_streams_stopped);
	tcase_add_test(t, control_stream_reset);
	tcase_add_test(t, endless_trailers);
	tcase_add_loop_test(t, mutations, 0, 10);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(c, setup_client, rig_teardown);
	tcase_add_test(c, interim_responses);
	tcase_add_loop_test(c, malformed_response, 0, COUNT(bad_responses));
	tcase_add_loop_test(c, response_waits_for_the_table, 0, 3);
	tcase_add_loop_test(c, cut_response, 0, 2);
	tcase_add_test(c, goaway);
	tcase_add_test(c, reset_response);
	tcase_add_test(c, stream_by_the_server);
	tcase_add_loop_test(c, mutations_of_a_server, 0, 10);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
