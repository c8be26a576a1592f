// SPDX-License-Identifier: BSD-3-Clause
/*
 * The HTTP/3 and QPACK cases of h3spec (https://github.com/kazu-yamamoto/h3spec): what a server has
 * to answer to a client that breaks a rule. The transport's are tests/conformance's.
 */
#include "test_http3_raw.h"

#define QPACK_DECOMPRESSION_FAILED 0x200
#define QPACK_ENCODER_STREAM_ERROR 0x201
#define QPACK_DECODER_STREAM_ERROR 0x202

/* Where the bytes go: a request, behind SETTINGS, in place of them, on another stream. */
enum where { REQUEST_STREAM, CONTROL_STREAM, NEW_CONTROL_STREAM, UNI_STREAM };

static const struct {
	const char *what;
	enum where where;
	const char *bytes;
	size_t len;
	bool fin;
	uint64_t code; /* QL_H3_MESSAGE_ERROR ends the stream, all others the connection */
} cases[] = {
	{"DATA before HEADERS [HTTP/3 4.1]", REQUEST_STREAM, B("\x00\x01x"), true,
	 QL_H3_FRAME_UNEXPECTED},
	{"a pseudo-header is duplicated [HTTP/3 4.1.1]", REQUEST_STREAM,
	 B("\x01\x09" FIELDS "\xd1"), true, QL_H3_MESSAGE_ERROR},
	{"no :method [HTTP/3 4.1.3]", REQUEST_STREAM,
	 B("\x01\x07\x00\x00\xd7\xc1\x50\x01"
	   "a"),
	 true, QL_H3_MESSAGE_ERROR},
	{"no :scheme [HTTP/3 4.1.3]", REQUEST_STREAM,
	 B("\x01\x07\x00\x00\xd1\xc1\x50\x01"
	   "a"),
	 true, QL_H3_MESSAGE_ERROR},
	{"no :path [HTTP/3 4.1.3]", REQUEST_STREAM,
	 B("\x01\x07\x00\x00\xd1\xd7\x50\x01"
	   "a"),
	 true, QL_H3_MESSAGE_ERROR},
	{":status in a request [HTTP/3 4.1.3]", REQUEST_STREAM, B("\x01\x09" FIELDS "\xd9"), true,
	 QL_H3_MESSAGE_ERROR},
	{"a pseudo-header after a field [HTTP/3 4.1.3]", REQUEST_STREAM,
	 B("\x01\x0c\x00\x00\xd1\xd7\xc1\x21"
	   "a\x01x\x50\x01"
	   "a"),
	 true, QL_H3_MESSAGE_ERROR},
	{"the first control frame is not SETTINGS [HTTP/3 6.2.1]", NEW_CONTROL_STREAM,
	 B("\x00\x07\x01\x00"), false, QL_H3_MISSING_SETTINGS},
	{"DATA on a control stream [HTTP/3 7.2.1]", CONTROL_STREAM, B("\x00\x01x"), false,
	 QL_H3_FRAME_UNEXPECTED},
	{"HEADERS on a control stream [HTTP/3 7.2.2]", CONTROL_STREAM, B(REQUEST), false,
	 QL_H3_FRAME_UNEXPECTED},
	{"a second SETTINGS frame [HTTP/3 7.2.4]", CONTROL_STREAM, B("\x04\x00"), false,
	 QL_H3_FRAME_UNEXPECTED},
	{"duplicate setting identifiers [HTTP/3 7.2.4]", NEW_CONTROL_STREAM,
	 B("\x00\x04\x04\x06\x01\x06\x01"), false, QL_H3_SETTINGS_ERROR},
	{"HTTP/2's ENABLE_PUSH [HTTP/3 7.2.4.1]", NEW_CONTROL_STREAM, B("\x00\x04\x02\x02\x00"),
	 false, QL_H3_SETTINGS_ERROR},
	{"HTTP/2's MAX_CONCURRENT_STREAMS [HTTP/3 7.2.4.1]", NEW_CONTROL_STREAM,
	 B("\x00\x04\x02\x03\x01"), false, QL_H3_SETTINGS_ERROR},
	{"HTTP/2's INITIAL_WINDOW_SIZE [HTTP/3 7.2.4.1]", NEW_CONTROL_STREAM,
	 B("\x00\x04\x02\x04\x01"), false, QL_H3_SETTINGS_ERROR},
	{"HTTP/2's MAX_FRAME_SIZE [HTTP/3 7.2.4.1]", NEW_CONTROL_STREAM, B("\x00\x04\x02\x05\x01"),
	 false, QL_H3_SETTINGS_ERROR},
	{"CANCEL_PUSH in a request stream [HTTP/3 7.2.5]", REQUEST_STREAM, B("\x03\x01\x00"), true,
	 QL_H3_FRAME_UNEXPECTED},
	{"CANCEL_PUSH behind a request's HEADERS [HTTP/3 7.2.5]", REQUEST_STREAM,
	 B(REQUEST "\x03\x01\x00"), true, QL_H3_FRAME_UNEXPECTED},
	{"an invalid static table index [QPACK 3.1]", REQUEST_STREAM, B("\x01\x04\x00\x00\xff\x24"),
	 true, QPACK_DECOMPRESSION_FAILED},
	{"a dynamic table capacity above the limit [QPACK 4.1.3]", UNI_STREAM,
	 B("\x02\x3f\xe2\x1f"), false, QPACK_ENCODER_STREAM_ERROR},
	{"a control stream is closed [QPACK 4.2]", CONTROL_STREAM, B(""), true,
	 QL_H3_CLOSED_CRITICAL_STREAM},
	{"Insert Count Increment is 0 [QPACK 4.4.3]", UNI_STREAM, B("\x03\x00"), false,
	 QPACK_DECODER_STREAM_ERROR},
};

START_TEST(rule)
{
	const uint64_t code = cases[_i].code;
	const char *what = cases[_i].what;

	rig.wait = true;
	if (cases[_i].where == NEW_CONTROL_STREAM) {
		const struct ql_proto proto = {"h3", &raw_ops, NULL};

		fake_free(rig.client);
		rig.client = fake_conn(false, &proto, NULL);
		rig.client->alpn = "h3";
		rig.peer = fake_join(rig.client);
	}
	if (cases[_i].where == CONTROL_STREAM)
		ql_stream_send(control, cases[_i].bytes, cases[_i].len, cases[_i].fin ? QL_FIN : 0);
	else
		send_new(rig.client, cases[_i].where == REQUEST_STREAM, cases[_i].bytes,
			 cases[_i].len, cases[_i].fin);
	fake_run(rig.client);
	if (code == QL_H3_MESSAGE_ERROR) {
		ck_assert_msg(!rig.peer->closed && rig_stream(rig.peer, 0)->reset, "%s", what);
		ck_assert_msg(rig_stream(rig.peer, 0)->reset_code == code, "%s", what);
		ck_assert_uint_eq(rig.n_server, 0);
		return;
	}
	ck_assert_msg(rig.peer->closed && rig.peer->info.cause == QL_CLOSE_LOCAL, "%s", what);
	ck_assert_msg(rig.peer->info.application && rig.peer->info.error == code, "%s: 0x%llx",
		      what, (unsigned long long)rig.peer->info.error);
}
END_TEST

/* The same without the fault: it is the fault that was answered. */
START_TEST(no_fault)
{
	send_new(rig.client, true, B(REQUEST), true);
	ql_stream_send(control, B("\x07\x01\x00"), 0);
	send_new(rig.client, false, B("\x02\x3f\xe1\x1f"), false);
	send_new(rig.client, false, B("\x03"), false);
	fake_run(rig.client);
	ck_assert(!rig.peer->closed);
	ck_assert_uint_eq(rig.n_server, 1);
	ck_assert_int_eq(rig.at_server[0].error, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/h3spec");
	TCase *tc = tcase_create("server");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup_server, rig_teardown);
	tcase_add_loop_test(tc, rule, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, no_fault);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
