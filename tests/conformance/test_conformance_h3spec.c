// SPDX-License-Identifier: BSD-3-Clause
/*
 * The transport cases of h3spec (https://github.com/kazu-yamamoto/h3spec): what a server has to
 * answer to a client that breaks a rule.
 */
#include "conform.h"

#include "unit/test_conn_early_util.h"

/* ---- Transport parameters ---- */

#define CID8  1, 2, 3, 4, 5, 6, 7, 8
#define TOKEN 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

static const struct {
	const char *what;
	uint64_t id;
	const uint8_t *data;
	size_t len;
} params[] = {
	{"no initial_source_connection_id", 0x0f, NULL, 0},
	{"initial_source_connection_id of another packet", 0x0f, BYTES(CID8)},
	{"original_destination_connection_id", 0x00, BYTES(CID8)},
	{"preferred_address", 0x0d,
	 BYTES(192, 0, 2, 1, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, CID8,
	       TOKEN)},
	{"retry_source_connection_id", 0x10, BYTES(CID8)},
	{"stateless_reset_token", 0x02, BYTES(TOKEN)},
	{"max_udp_payload_size of 1199", 0x03, BYTES(0x44, 0xaf)},
	{"ack_delay_exponent of 21", 0x0a, BYTES(21)},
	{"max_ack_delay of 2^14", 0x0b, BYTES(0x80, 0, 0x40, 0)},
	{"active_connection_id_limit of 1", 0x0e, BYTES(1)},
	{"initial_max_streams_bidi above 2^60", 0x08, BYTES(0xd0, 0, 0, 0, 0, 0, 0, 1)},
	{"initial_max_streams_uni above 2^60", 0x09, BYTES(0xd0, 0, 0, 0, 0, 0, 0, 1)},
};

/* A client that has not sent anything, with its ClientHello. */
static void begin_hello(struct sim_pair *p, struct hello *h)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	hello_get(conn_of(p, SIM_CLIENT), QL_SPACE_INITIAL, h);
}

START_TEST(test_params)
{
	for (unsigned int i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct sim_pair p;
		struct hello h;

		begin_hello(&p, &h);
		hello_param(&h, params[i].id, params[i].data, params[i].len);
		hello_set(&h);
		expect_error(&p, SIM_CLIENT, QL_ERR_TRANSPORT_PARAMETER_ERROR, params[i].what);
	}
}
END_TEST

/* The same in good order, unknown ones among them: no error, but for the changed transcript. */
START_TEST(test_params_harmless)
{
	static const uint64_t ids[] = {0x1b, 0x3fff, 0x03};

	for (unsigned int i = 0; i < 3; i++) {
		struct sim_pair p;
		struct hello h;

		begin_hello(&p, &h);
		hello_param(&h, ids[i], BYTES(0x44, 0xb0)); /* 1200 */
		hello_set(&h);
		run_out(&p, 40 * SEC);
		/* Keys differ from there on, so that nothing more is understood on either side. */
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_HANDSHAKE);
		finish(&p);
	}
}
END_TEST

START_TEST(test_params_missing)
{
	static const uint16_t instead[] = {0, EXT_TRANSPORT_DRAFT};

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t old[1024];
		struct sim_pair p;
		struct hello h;
		size_t len;

		begin_hello(&p, &h);
		len = hello_take(&h, EXT_TRANSPORT, old);
		if (instead[i])
			hello_put(&h, instead[i], old, len);
		hello_set(&h);
		expect_error(&p, SIM_CLIENT, QL_ERR_CRYPTO(109), "no transport parameters");
	}
}
END_TEST

START_TEST(test_alpn)
{
	static const uint8_t unknown[] = {0, 5, 4, 'n', 'o', 'n', 'e'};

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t old[1024];
		struct sim_pair p;
		struct hello h;

		begin_hello(&p, &h);
		hello_take(&h, EXT_ALPN, old);
		if (i == 1)
			hello_put(&h, EXT_ALPN, unknown, sizeof(unknown));
		hello_set(&h);
		expect_error(&p, SIM_CLIENT, QL_ERR_CRYPTO(120), "no common protocol");
	}
}
END_TEST

/* ---- Frames of an open connection ---- */

static const struct {
	const char *what;
	const uint8_t *frames;
	size_t len;
	uint64_t error;
} frames[] = {
	/* Stream 0 is the client's, 1 the server's; 2 and 3 are unidirectional. 3 is open. */
	{"STREAM far beyond the credit", BYTES(0x0e, 0x00, 0xbf, 0xff, 0xff, 0xff, 0x01, 0xaa),
	 QL_ERR_FLOW_CONTROL_ERROR},
	{"stream beyond the limit", BYTES(0x08, 0x80, 0x01, 0x00, 0x00, 0xaa),
	 QL_ERR_STREAM_LIMIT_ERROR},
	{"unidirectional stream beyond the limit", BYTES(0x08, 0x80, 0x01, 0x00, 0x02, 0xaa),
	 QL_ERR_STREAM_LIMIT_ERROR},
	{"frame of unknown type", BYTES(0x40, 0xff), QL_ERR_FRAME_ENCODING_ERROR},
	{"no frames", (const uint8_t *)"", 0, QL_ERR_PROTOCOL_VIOLATION},
	{"RESET_STREAM for a stream the server sends on", BYTES(0x04, 0x03, 0x00, 0x00),
	 QL_ERR_STREAM_STATE_ERROR},
	{"STOP_SENDING for a stream the server has not opened", BYTES(0x05, 0x01, 0x00),
	 QL_ERR_STREAM_STATE_ERROR},
	{"STOP_SENDING for a stream the server only receives on", BYTES(0x05, 0x02, 0x00),
	 QL_ERR_STREAM_STATE_ERROR},
	{"NEW_TOKEN", BYTES(0x07, 0x01, 0xaa), QL_ERR_PROTOCOL_VIOLATION},
	{"STREAM for a stream the server has not opened", BYTES(0x08, 0x01, 0xaa),
	 QL_ERR_STREAM_STATE_ERROR},
	{"STREAM for a stream the server sends on", BYTES(0x08, 0x03, 0xaa),
	 QL_ERR_STREAM_STATE_ERROR},
	{"MAX_STREAM_DATA for a stream the server has not opened", BYTES(0x11, 0x01, 0x01),
	 QL_ERR_STREAM_STATE_ERROR},
	{"MAX_STREAM_DATA for a stream the server only receives on", BYTES(0x11, 0x02, 0x01),
	 QL_ERR_STREAM_STATE_ERROR},
	{"STREAM_DATA_BLOCKED for a stream the server sends on", BYTES(0x15, 0x03, 0x01),
	 QL_ERR_STREAM_STATE_ERROR},
	{"MAX_STREAMS above 2^60", BYTES(0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1),
	 QL_ERR_FRAME_ENCODING_ERROR},
	{"MAX_STREAMS above 2^60, unidirectional", BYTES(0x13, 0xd0, 0, 0, 0, 0, 0, 0, 1),
	 QL_ERR_FRAME_ENCODING_ERROR},
	{"STREAMS_BLOCKED above 2^60", BYTES(0x16, 0xd0, 0, 0, 0, 0, 0, 0, 1),
	 QL_ERR_FRAME_ENCODING_ERROR},
	{"STREAMS_BLOCKED above 2^60, unidirectional", BYTES(0x17, 0xd0, 0, 0, 0, 0, 0, 0, 1),
	 QL_ERR_FRAME_ENCODING_ERROR},
	{"NEW_CONNECTION_ID that retires later ones", BYTES(0x18, 9, 10, 8, CID8, TOKEN),
	 QL_ERR_FRAME_ENCODING_ERROR},
	{"NEW_CONNECTION_ID of no bytes", BYTES(0x18, 9, 0, 0, TOKEN), QL_ERR_FRAME_ENCODING_ERROR},
	{"HANDSHAKE_DONE", BYTES(0x1e), QL_ERR_PROTOCOL_VIOLATION},
	{"KeyUpdate", BYTES(0x06, 0x00, 0x05, 24, 0, 0, 1, 0), QL_ERR_CRYPTO(10)},
	{"EndOfEarlyData", BYTES(0x06, 0x00, 0x04, 5, 0, 0, 0), QL_ERR_CRYPTO(10)},
};

START_TEST(test_frames)
{
	for (unsigned int i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct ql_stream *stream;
		struct sim_pair p;

		open_idle(&p);
		ck_assert_int_eq(ql_stream_open(conn_of(&p, SIM_SERVER), false, &stream), 0);
		ck_assert_uint_eq(ql_stream_id(stream), 3);
		conn_of(&p, SIM_SERVER)->ops->stream_opened(stream);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frames[i].frames, frames[i].len);
		expect_error(&p, SIM_CLIENT, frames[i].error, frames[i].what);
	}
}
END_TEST

START_TEST(test_reserved_short)
{
	static const uint8_t bits[] = {0x08, 0x10, 0x18};

	for (unsigned int i = 0; i < sizeof(bits); i++) {
		struct ql_path path;
		uint8_t buf[2048];
		struct sim_pair p;
		size_t size;

		open_idle(&p);
		path = path_to(&p, SIM_CLIENT);
		size = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, bits[i], buf);
		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
		expect_error(&p, SIM_CLIENT, QL_ERR_PROTOCOL_VIOLATION, "reserved bits");
	}
}
END_TEST

/* ---- Handshake packets ---- */

static bool no_handshake_from_client(struct witness *w UNUSED, unsigned int side,
				     const struct noted *first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (side == SIM_CLIENT && first[i].type != QL_PKT_INITIAL)
			return false;
	}
	return true;
}

static const struct {
	const char *what;
	uint8_t flip;
	const uint8_t *frames;
	size_t len;
	uint64_t error;
} handshake[] = {
	{"reserved bit 0x04", 0x04, BYTES(0x01), QL_ERR_PROTOCOL_VIOLATION},
	{"reserved bit 0x08", 0x08, BYTES(0x01), QL_ERR_PROTOCOL_VIOLATION},
	{"PATH_CHALLENGE", 0, BYTES(0x1a, CID8), QL_ERR_PROTOCOL_VIOLATION},
	{"STREAM", 0, BYTES(0x08, 0x00, 0xaa), QL_ERR_PROTOCOL_VIOLATION},
	{"CONNECTION_CLOSE of the application", 0, BYTES(0x1d, 0x00, 0x00),
	 QL_ERR_PROTOCOL_VIOLATION},
	{"no frames", 0, (const uint8_t *)"", 0, QL_ERR_PROTOCOL_VIOLATION},
	{"KeyUpdate", 0, BYTES(0x06, 0x00, 0x05, 24, 0, 0, 1, 0), QL_ERR_CRYPTO(10)},
	{"EndOfEarlyData", 0, BYTES(0x06, 0x00, 0x04, 5, 0, 0, 0), QL_ERR_CRYPTO(10)},
};

/* The server has sent all it has to say and waits for the client's Finished. */
START_TEST(test_handshake)
{
	for (unsigned int i = 0; i < sizeof(handshake) / sizeof(handshake[0]); i++) {
		struct sim_job job = {.keep_open = true};
		struct ql_path path;
		struct witness w;
		struct sim_pair p;
		uint8_t buf[2048];
		size_t size;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		witness_start(&w, &p);
		w.pass = no_handshake_from_client;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 50 * MS, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
		path = path_to(&p, SIM_CLIENT);
		size = make_packet(&p, SIM_CLIENT, QL_SPACE_HANDSHAKE, handshake[i].frames,
				   handshake[i].len, handshake[i].flip, buf);
		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
		sim_run(p.sim, 50 * MS, NULL, NULL);
		witness_end(&w);
		expect_error(&p, SIM_CLIENT, handshake[i].error, handshake[i].what);
	}
}
END_TEST

/* ---- 0-RTT packets ---- */

static const struct {
	const char *what;
	const uint8_t *frames;
	size_t len;
	uint64_t error;
} zero_rtt[] = {
	{"CRYPTO", BYTES(0x06, 0x00, 0x04, 5, 0, 0, 0), QL_ERR_PROTOCOL_VIOLATION},
	{"ACK", BYTES(0x02, 0, 0, 0, 0), QL_ERR_PROTOCOL_VIOLATION},
	{"NEW_TOKEN", BYTES(0x07, 1, 0xaa), QL_ERR_PROTOCOL_VIOLATION},
	{"RETIRE_CONNECTION_ID", BYTES(0x19, 0), QL_ERR_PROTOCOL_VIOLATION},
	{"PATH_RESPONSE", BYTES(0x1b, CID8), QL_ERR_PROTOCOL_VIOLATION},
	{"HANDSHAKE_DONE", BYTES(0x1e), QL_ERR_PROTOCOL_VIOLATION},
	{"no frames", (const uint8_t *)"", 0, QL_ERR_PROTOCOL_VIOLATION},
	{"a stream above the limit", BYTES(0x08, 0x42, 0x00, 0xaa), QL_ERR_STREAM_LIMIT_ERROR},
	{"data above the limit", BYTES(0x0e, 0x04, 0x80, 0x50, 0, 0, 0x01, 0xaa),
	 QL_ERR_FLOW_CONTROL_ERROR},
};

/* The server takes early data; the client sends one packet more of it than it should. */
START_TEST(test_zero_rtt)
{
	struct sim_job job = {.streams = 1, .upload = 10, .keep_open = true};

	for (unsigned int i = 0; i < sizeof(zero_rtt) / sizeof(zero_rtt[0]); i++) {
		struct ql_seal_job seal;
		uint8_t buf[2048], *q, *length;
		struct ql_conn *client;
		struct ql_path path;
		struct sim_app *of;
		struct sim_pair p;
		size_t size;

		open_known(&p, 1, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 5 * MS, NULL, NULL);
		client = conn_of(&p, SIM_CLIENT);
		ck_assert(client->hs->zero_rtt.ready);
		q = ql_pkt_put_long(buf, buf + 100, QL_PKT_ZERO_RTT, QL_VERSION_1,
				    ql_peer_cid(&client->peer_cids), &client->local_cids.e[0].cid,
				    NULL, 0, 4, &length);
		q = ql_pn_put(q, 77, 4);
		memcpy(q, zero_rtt[i].frames, zero_rtt[i].len);
		seal = (struct ql_seal_job){.aead = &client->hs->zero_rtt.aead,
					    .hp = &client->hs->zero_rtt.hp,
					    .hdr = buf,
					    .pn = 77,
					    .hdr_len = (uint16_t)(q - buf),
					    .payload_len = (uint16_t)zero_rtt[i].len,
					    .pn_len = 4};
		ql_pkt_put_length(length, 4 + zero_rtt[i].len + QL_TAG_LEN);
		ql_seal_one(&seal);
		size = (size_t)(q - buf) + zero_rtt[i].len + QL_TAG_LEN;
		sim_run(p.sim, 6 * MS, NULL, NULL); /* the server has the ClientHello */
		path = path_to(&p, SIM_CLIENT);
		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
		run_out(&p, 40 * SEC);
		of = &p.app[SIM_CLIENT];
		ck_assert_msg(of->close.cause == QL_CLOSE_PEER && !of->close.application &&
				      of->close.error == zero_rtt[i].error,
			      "%s: cause %d, error %llx", zero_rtt[i].what, (int)of->close.cause,
			      (unsigned long long)of->close.error);
		finish(&p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/h3spec");
	TCase *tc = new_case(s, "h3spec");

	tcase_add_test(tc, test_params);
	tcase_add_test(tc, test_params_harmless);
	tcase_add_test(tc, test_params_missing);
	tcase_add_test(tc, test_alpn);
	tcase_add_test(tc, test_frames);
	tcase_add_test(tc, test_reserved_short);
	tcase_add_test(tc, test_handshake);
	tcase_add_test(tc, test_zero_rtt);
	return run_suite(s);
}
