// SPDX-License-Identifier: BSD-3-Clause
#include "wire/frame.h"

#include "test_wire_util.h"

#define MAX	 2048
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- One of each: the call that writes it, its bytes by the RFC, and what is read back ---- */

struct sample {
	const char *bytes;
	bool to_end; /* the frame takes what is left of the packet */
	uint8_t *(*put)(uint8_t *p, const uint8_t *end);
	void (*check)(const struct ql_frame *f);
};

#define PUT(name, call)                                            \
	static uint8_t *put_##name(uint8_t *p, const uint8_t *end) \
	{                                                          \
		return call;                                       \
	}
#define CHECK(name)    static void check_##name(const struct ql_frame *f)
#define EQ(field, ...) ck_assert_uint_eq(f->field, __VA_ARGS__)

static const struct ql_cid cid = {.len = 5, .id = {1, 2, 3, 4, 5}};
static const uint8_t token[QL_RESET_TOKEN_LEN] = {0xf0, 1, 2,  3,  4,  5,  6,  7,
						  8,	9, 10, 11, 12, 13, 14, 15};

/* A header, if it and the data fit, and the data. */
static uint8_t *append(uint8_t *p, const uint8_t *end, size_t hdr, uint8_t *(*put)(uint8_t *p),
		       const char *data)
{
	size_t len = strlen(data);

	if ((size_t)(end - p) < hdr + len)
		return NULL;
	ck_assert_ptr_eq(put(p), p + hdr);
	return ql_put_bytes(p + hdr, data, len);
}

#define DATA_FRAME(name, hdr, call, data)      \
	static uint8_t *hdr_##name(uint8_t *p) \
	{                                      \
		return call;                   \
	}                                      \
	PUT(name, append(p, end, hdr, hdr_##name, data))

PUT(padding, ql_frame_put_padding(p, end, 19))
CHECK(padding)
{
	EQ(type, QL_FRAME_PADDING);
	EQ(padding.count, 19);
}

PUT(ping, ql_frame_put_ping(p, end))
CHECK(ping)
{
	EQ(type, QL_FRAME_PING);
}

static const struct ql_ack_range ranges[] = {{98, 100}, {90, 96}, {20, 20}, {0, 0}};
static const struct ql_ecn_counts ecn = {.ect0 = 1, .ect1 = 64, .ce = QL_VARINT_MAX};

static void check_ranges(const struct ql_frame_ack *ack, size_t n)
{
	struct ql_ack_iter it;
	struct ql_ack_range r;

	ck_assert_uint_eq(ack->range_count, n - 1);
	ql_ack_iter_init(&it, ack);
	for (size_t i = 0; i < n; i++) {
		ck_assert(ql_ack_iter_next(&it, &r));
		ck_assert_uint_eq(r.start, ranges[i].start);
		ck_assert_uint_eq(r.end, ranges[i].end);
	}
	ck_assert(!ql_ack_iter_next(&it, &r));
	ck_assert(!ql_ack_iter_next(&it, &r));
}

PUT(ack1, ql_frame_put_ack(p, end, ranges, 1, 1000, NULL))
CHECK(ack1)
{
	EQ(type, QL_FRAME_ACK);
	EQ(ack.largest, 100);
	EQ(ack.delay, 1000);
	EQ(ack.first_range, 2);
	EQ(ack.has_ecn, false);
	EQ(ack.ecn.ect0 + f->ack.ecn.ect1 + f->ack.ecn.ce, 0);
	check_ranges(&f->ack, 1);
}

/* Not written by all ranges, or the end of the room would show only as a shorter frame. */
static uint8_t *put_all_ranges(uint8_t *p, const uint8_t *end, const char *bytes,
			       const struct ql_ecn_counts *counts)
{
	uint8_t want[64];
	size_t len = hex(bytes, want, sizeof(want));

	return (size_t)(end - p) < len ? NULL
				       : ql_frame_put_ack(p, end, ranges, COUNT(ranges), 3, counts);
}

#define ACK4	 "02 4064 03 03 02 00 06 4044 00 12 00"
#define ACK4_ECN "03 4064 03 03 02 00 06 4044 00 12 00 01 4040 ffffffffffffffff"
PUT(ack4, put_all_ranges(p, end, ACK4, NULL))
CHECK(ack4)
{
	EQ(type, QL_FRAME_ACK);
	EQ(ack.delay, 3);
	check_ranges(&f->ack, 4);
}

PUT(ack4_ecn, put_all_ranges(p, end, ACK4_ECN, &ecn))
CHECK(ack4_ecn)
{
	EQ(type, QL_FRAME_ACK);
	EQ(ack.has_ecn, true);
	EQ(ack.ecn.ect0, 1);
	EQ(ack.ecn.ect1, 64);
	EQ(ack.ecn.ce, QL_VARINT_MAX);
	check_ranges(&f->ack, 4);
}

PUT(reset_stream, ql_frame_put_reset_stream(p, end, 4, 0x10c, 70000))
CHECK(reset_stream)
{
	EQ(type, QL_FRAME_RESET_STREAM);
	EQ(reset_stream.id, 4);
	EQ(reset_stream.code, 0x10c);
	EQ(reset_stream.final_size, 70000);
}

PUT(stop_sending, ql_frame_put_stop_sending(p, end, 64, 5))
CHECK(stop_sending)
{
	EQ(type, QL_FRAME_STOP_SENDING);
	EQ(stop_sending.id, 64);
	EQ(stop_sending.code, 5);
}

DATA_FRAME(crypto, 1 + 2 + 1, ql_frame_put_crypto_hdr(p, 1200, 5), "hello")
CHECK(crypto)
{
	EQ(type, QL_FRAME_CRYPTO);
	EQ(crypto.offset, 1200);
	EQ(crypto.len, 5);
	ck_assert_mem_eq(f->crypto.data, "hello", 5);
}

PUT(new_token, ql_frame_put_new_token(p, end, token, sizeof(token)))
CHECK(new_token)
{
	EQ(type, QL_FRAME_NEW_TOKEN);
	EQ(new_token.len, sizeof(token));
	ck_assert_mem_eq(f->new_token.data, token, sizeof(token));
}

static void check_stream(const struct ql_frame *f, uint64_t id, uint64_t offset, const char *data,
			 bool fin)
{
	EQ(type, QL_FRAME_STREAM);
	EQ(stream.id, id);
	EQ(stream.offset, offset);
	EQ(stream.len, strlen(data));
	ck_assert_mem_eq(f->stream.data, data, strlen(data));
	EQ(stream.fin, fin);
}

#define STREAM(name, id, offset, data, fin, with_len)                                         \
	DATA_FRAME(name, ql_frame_stream_hdr_size(id, offset, strlen(data), with_len),        \
		   ql_frame_put_stream_hdr(p, id, offset, strlen(data), fin, with_len), data) \
	CHECK(name)                                                                           \
	{                                                                                     \
		check_stream(f, id, offset, data, fin);                                       \
	}

STREAM(stream08, 4, 0, "abc", false, false)
STREAM(stream09, 4, 0, "abc", true, false)
STREAM(stream0a, 4, 0, "abc", false, true)
STREAM(stream0b, 4, 0, "", true, true)
STREAM(stream0c, 400, 16384, "abc", false, false)
STREAM(stream0d, 4, 1, "abc", true, false)
STREAM(stream0e, 4, 63, "abc", false, true)
STREAM(stream0f, QL_VARINT_MAX, QL_VARINT_MAX - 3, "abc", true, true)

PUT(max_data, ql_frame_put_max_data(p, end, 1 << 20))
CHECK(max_data)
{
	EQ(type, QL_FRAME_MAX_DATA);
	EQ(max_data.limit, 1 << 20);
}

PUT(max_stream_data, ql_frame_put_max_stream_data(p, end, 8, 1 << 20))
CHECK(max_stream_data)
{
	EQ(type, QL_FRAME_MAX_STREAM_DATA);
	EQ(max_stream_data.id, 8);
	EQ(max_stream_data.limit, 1 << 20);
}

PUT(max_streams_bidi, ql_frame_put_max_streams(p, end, false, 100))
CHECK(max_streams_bidi)
{
	EQ(type, QL_FRAME_MAX_STREAMS);
	EQ(max_streams.uni, false);
	EQ(max_streams.limit, 100);
}

PUT(max_streams_uni, ql_frame_put_max_streams(p, end, true, QL_STREAMS_MAX))
CHECK(max_streams_uni)
{
	EQ(type, QL_FRAME_MAX_STREAMS);
	EQ(max_streams.uni, true);
	EQ(max_streams.limit, QL_STREAMS_MAX);
}

PUT(data_blocked, ql_frame_put_data_blocked(p, end, 70000))
CHECK(data_blocked)
{
	EQ(type, QL_FRAME_DATA_BLOCKED);
	EQ(data_blocked.limit, 70000);
}

PUT(stream_data_blocked, ql_frame_put_stream_data_blocked(p, end, 12, 70000))
CHECK(stream_data_blocked)
{
	EQ(type, QL_FRAME_STREAM_DATA_BLOCKED);
	EQ(stream_data_blocked.id, 12);
	EQ(stream_data_blocked.limit, 70000);
}

PUT(streams_blocked_bidi, ql_frame_put_streams_blocked(p, end, false, QL_STREAMS_MAX))
CHECK(streams_blocked_bidi)
{
	EQ(type, QL_FRAME_STREAMS_BLOCKED);
	EQ(streams_blocked.uni, false);
	EQ(streams_blocked.limit, QL_STREAMS_MAX);
}

PUT(streams_blocked_uni, ql_frame_put_streams_blocked(p, end, true, 3))
CHECK(streams_blocked_uni)
{
	EQ(type, QL_FRAME_STREAMS_BLOCKED);
	EQ(streams_blocked.uni, true);
	EQ(streams_blocked.limit, 3);
}

PUT(new_cid, ql_frame_put_new_cid(p, end, 300, 300, &cid, token))
CHECK(new_cid)
{
	EQ(type, QL_FRAME_NEW_CONNECTION_ID);
	EQ(new_cid.seq, 300);
	EQ(new_cid.retire_prior_to, 300);
	ck_assert(ql_cid_eq(&f->new_cid.cid, &cid));
	ck_assert_mem_eq(f->new_cid.reset_token, token, sizeof(token));
}

PUT(retire_cid, ql_frame_put_retire_cid(p, end, 299))
CHECK(retire_cid)
{
	EQ(type, QL_FRAME_RETIRE_CONNECTION_ID);
	EQ(retire_cid.seq, 299);
}

PUT(path_challenge, ql_frame_put_path_challenge(p, end, token))
CHECK(path_challenge)
{
	EQ(type, QL_FRAME_PATH_CHALLENGE);
	ck_assert_mem_eq(f->path_challenge.data, token, QL_PATH_DATA_LEN);
}

PUT(path_response, ql_frame_put_path_response(p, end, token))
CHECK(path_response)
{
	EQ(type, QL_FRAME_PATH_RESPONSE);
	ck_assert_mem_eq(f->path_response.data, token, QL_PATH_DATA_LEN);
}

/* As with ACK: all of the reason, or nothing. */
static uint8_t *put_whole_close(uint8_t *p, const uint8_t *end, bool app, size_t size)
{
	if ((size_t)(end - p) < size)
		return NULL;
	return ql_frame_put_close(p, end, app, app ? 0x100 : QL_ERR_PROTOCOL_VIOLATION, 0x06,
				  (const uint8_t *)"why", 3);
}

PUT(close, put_whole_close(p, end, false, 7))
CHECK(close)
{
	EQ(type, QL_FRAME_CONNECTION_CLOSE);
	EQ(close.app, false);
	EQ(close.code, 0x0a);
	EQ(close.frame_type, 6);
	EQ(close.reason_len, 3);
	ck_assert_mem_eq(f->close.reason, "why", 3);
}

PUT(close_app, put_whole_close(p, end, true, 7))
CHECK(close_app)
{
	EQ(type, QL_FRAME_CONNECTION_CLOSE);
	EQ(close.app, true);
	EQ(close.code, 0x100);
	EQ(close.frame_type, 0);
	EQ(close.reason_len, 3);
	ck_assert_mem_eq(f->close.reason, "why", 3);
}

PUT(handshake_done, ql_frame_put_handshake_done(p, end))
CHECK(handshake_done)
{
	EQ(type, QL_FRAME_HANDSHAKE_DONE);
}

PUT(immediate_ack, ql_frame_put_immediate_ack(p, end))
CHECK(immediate_ack)
{
	EQ(type, QL_FRAME_IMMEDIATE_ACK);
}

static const struct ql_frame_ack_frequency frequency = {5, 299, 20000, 3};
PUT(ack_frequency, ql_frame_put_ack_frequency(p, end, &frequency))
CHECK(ack_frequency)
{
	EQ(type, QL_FRAME_ACK_FREQUENCY);
	EQ(ack_frequency.seq, 5);
	EQ(ack_frequency.threshold, 299);
	EQ(ack_frequency.delay, 20000);
	EQ(ack_frequency.reorder, 3);
}

DATA_FRAME(datagram30, ql_frame_datagram_hdr_size(4, false), ql_frame_put_datagram_hdr(p, 4, false),
	   "data")
DATA_FRAME(datagram31, ql_frame_datagram_hdr_size(4, true), ql_frame_put_datagram_hdr(p, 4, true),
	   "data")
CHECK(datagram)
{
	EQ(type, QL_FRAME_DATAGRAM);
	EQ(datagram.len, 4);
	ck_assert_mem_eq(f->datagram.data, "data", 4);
}

static const struct sample samples[] = {
	{"00000000000000000000000000000000000000", true, put_padding, check_padding},
	{"01", false, put_ping, check_ping},
	{"02 4064 43e8 00 02", false, put_ack1, check_ack1},
	{ACK4, false, put_ack4, check_ack4},
	{ACK4_ECN, false, put_ack4_ecn, check_ack4_ecn},
	{"04 04 410c 80011170", false, put_reset_stream, check_reset_stream},
	{"05 4040 05", false, put_stop_sending, check_stop_sending},
	{"06 44b0 05 68656c6c6f", false, put_crypto, check_crypto},
	{"07 10 f00102030405060708090a0b0c0d0e0f", false, put_new_token, check_new_token},
	{"08 04 616263", true, put_stream08, check_stream08},
	{"09 04 616263", true, put_stream09, check_stream09},
	{"0a 04 03 616263", false, put_stream0a, check_stream0a},
	{"0b 04 00", false, put_stream0b, check_stream0b},
	{"0c 4190 80004000 616263", true, put_stream0c, check_stream0c},
	{"0d 04 01 616263", true, put_stream0d, check_stream0d},
	{"0e 04 3f 03 616263", false, put_stream0e, check_stream0e},
	{"0f ffffffffffffffff fffffffffffffffc 03 616263", false, put_stream0f, check_stream0f},
	{"10 80100000", false, put_max_data, check_max_data},
	{"11 08 80100000", false, put_max_stream_data, check_max_stream_data},
	{"12 4064", false, put_max_streams_bidi, check_max_streams_bidi},
	{"13 d000000000000000", false, put_max_streams_uni, check_max_streams_uni},
	{"14 80011170", false, put_data_blocked, check_data_blocked},
	{"15 0c 80011170", false, put_stream_data_blocked, check_stream_data_blocked},
	{"16 d000000000000000", false, put_streams_blocked_bidi, check_streams_blocked_bidi},
	{"17 03", false, put_streams_blocked_uni, check_streams_blocked_uni},
	{"18 412c 412c 05 0102030405 f00102030405060708090a0b0c0d0e0f", false, put_new_cid,
	 check_new_cid},
	{"19 412b", false, put_retire_cid, check_retire_cid},
	{"1f", false, put_immediate_ack, check_immediate_ack},
	{"40af 05 412b 80004e20 03", false, put_ack_frequency, check_ack_frequency},
	{"1a f001020304050607", false, put_path_challenge, check_path_challenge},
	{"1b f001020304050607", false, put_path_response, check_path_response},
	{"1c 0a 06 03 776879", false, put_close, check_close},
	{"1d 4100 03 776879", false, put_close_app, check_close_app},
	{"1e", false, put_handshake_done, check_handshake_done},
	{"30 64617461", true, put_datagram30, check_datagram},
	{"31 04 64617461", false, put_datagram31, check_datagram},
};

static int decode(const uint8_t *data, size_t len, struct ql_frame *f, size_t *used)
{
	uint8_t *in = exact_copy(data, len);
	const uint8_t *p = in;
	int rc = ql_frame_decode(&p, in + len, f);

	*used = (size_t)(p - in);
	REQUIRE(*used <= len);
	if (rc)
		REQUIRE(*used == 0);
	else
		REQUIRE(*used > 0);
	exact_free(in);
	return rc;
}

START_TEST(test_encode)
{
	const struct sample *s = &samples[_i];
	uint8_t want[MAX], *out;
	size_t len = hex(s->bytes, want, sizeof(want));

	for (size_t room = 0; room < len; room++) {
		out = exact_alloc(room);
		ck_assert_ptr_null(s->put(out, out + room));
		ck_assert(exact_untouched(out, room));
		exact_free(out);
	}
	out = exact_alloc(len);
	ck_assert_ptr_eq(s->put(out, out + len), out + len);
	ck_assert_mem_eq(out, want, len);
	exact_free(out);
}
END_TEST

START_TEST(test_decode)
{
	const struct sample *s = &samples[_i];
	uint8_t data[MAX];
	size_t len = hex(s->bytes, data, sizeof(data)), used;
	uint8_t *in = exact_copy(data, len);
	const uint8_t *p = in;
	size_t type_len = data[0] == 0x40 ? 2 : 1;
	unsigned int type = data[type_len - 1];
	struct ql_frame f;

	ck_assert_int_eq(ql_frame_decode(&p, in + len, &f), 0);
	ck_assert_ptr_eq(p, in + len);
	ck_assert_uint_eq(f.wire_type, type);
	s->check(&f);
	exact_free(in);

	/* Another frame behind it changes nothing, unless the frame has no end of its own. */
	data[len] = QL_FRAME_PING;
	ck_assert_int_eq(decode(data, len + 1, &f, &used), 0);
	ck_assert_uint_eq(used, s->to_end && data[0] != QL_FRAME_PADDING ? len + 1 : len);

	/* Every prefix. Where the end of the packet ends the data, only the fields can be cut. */
	for (size_t cut = 0; cut < len; cut++) {
		int rc = decode(data, cut, &f, &used);

		if (rc == 0) {
			ck_assert(s->to_end);
			ck_assert_uint_eq(used, cut);
		} else {
			ck_assert_int_eq(rc, -EBADMSG);
			ck_assert_uint_eq(f.wire_type, cut < type_len ? 0 : type);
		}
	}
}
END_TEST

/* All of them in one packet. */
START_TEST(test_sequence)
{
	uint8_t data[MAX], *end = data;
	const uint8_t *p = data;
	struct ql_frame f;

	for (size_t i = 0; i < COUNT(samples); i++)
		if (!samples[i].to_end || i == 0)
			end = samples[i].put(end, data + sizeof(data));
	end = put_datagram30(end, data + sizeof(data));
	for (size_t i = 0; i < COUNT(samples); i++) {
		if (samples[i].to_end && i != 0)
			continue;
		ck_assert_int_eq(ql_frame_decode(&p, end, &f), 0);
		samples[i].check(&f);
	}
	ck_assert_int_eq(ql_frame_decode(&p, end, &f), 0);
	check_datagram(&f);
	ck_assert_ptr_eq(p, end);
}
END_TEST

/* ---- What must be refused ---- */

static void check_refused(const char *text, int want, uint64_t wire_type)
{
	uint8_t data[MAX];
	struct ql_frame f;
	size_t used;

	ck_assert_int_eq(decode(data, hex(text, data, sizeof(data)), &f, &used), want);
	ck_assert_uint_eq(f.wire_type, wire_type);
}

static void check_accepted(const char *text)
{
	uint8_t data[MAX];
	struct ql_frame f;
	size_t used, len = hex(text, data, sizeof(data));

	ck_assert_int_eq(decode(data, len, &f, &used), 0);
	ck_assert_uint_eq(used, len);
}

START_TEST(test_malformed_ack)
{
	check_accepted("02 05 00 00 05");
	check_refused("02 05 00 00 06", -EBADMSG, 2); /* below 0 in the first range */
	/* 8..10, then a gap down to 0 and -1 */
	check_accepted("02 0a 00 01 02 06 00");
	check_refused("02 0a 00 01 02 07 00", -EBADMSG, 2);
	check_refused("02 0a 00 01 02 05 02", -EBADMSG, 2); /* its length reaches below 0 */
	check_accepted("02 0a 00 01 02 05 01");
	/* a gap and a length of 2^62 - 1 */
	check_refused("02 0a 00 01 02 ffffffffffffffff 00", -EBADMSG, 2);
	check_refused("02 0a 00 01 02 00 ffffffffffffffff", -EBADMSG, 2);
	/* counts beyond the bytes that are there */
	check_refused("02 4064 00 03 00 00 00 00 00", -EBADMSG, 2);
	check_refused("02 4064 00 ffffffffffffffff 00 00 00 00 00", -EBADMSG, 2);
	/* no ECN counts, or two of three */
	check_refused("03 05 00 00 05", -EBADMSG, 3);
	check_refused("03 05 00 00 05 01 01", -EBADMSG, 3);
	check_accepted("03 05 00 00 05 01 01 01");
	/* all packets that there can be */
	check_accepted("02 ffffffffffffffff 00 00 ffffffffffffffff");
}
END_TEST

START_TEST(test_malformed)
{
	/* CRYPTO and STREAM beyond 2^62 - 1, and as far as that */
	check_refused("06 ffffffffffffffff 01 00", -EBADMSG, 6);
	check_accepted("06 ffffffffffffffff 00");
	check_accepted("06 fffffffffffffffe 01 00");
	check_refused("0e 00 ffffffffffffffff 01 00", -EBADMSG, 0x0e);
	check_refused("0c 00 ffffffffffffffff 00", -EBADMSG, 0x0c);
	check_accepted("0e 00 fffffffffffffffe 01 00");
	check_accepted("0c 00 fffffffffffffffe 00");
	check_accepted("0d 00 ffffffffffffffff");
	/* lengths beyond the end */
	check_refused("06 00 02 00", -EBADMSG, 6);
	check_refused("06 00 ffffffffffffffff 00", -EBADMSG, 6);
	check_refused("0a 00 02 00", -EBADMSG, 0x0a);
	check_refused("0a 00 ffffffffffffffff 00", -EBADMSG, 0x0a);
	check_refused("07 02 00", -EBADMSG, 7);
	check_refused("1c 00 00 02 00", -EBADMSG, 0x1c);
	check_refused("1d 00 ffffffffffffffff 00", -EBADMSG, 0x1d);
	check_refused("31 02 00", -EBADMSG, 0x31);
	/* NEW_TOKEN without one */
	check_refused("07 00", -EBADMSG, 7);
	check_accepted("07 01 00");
	/* more than 2^60 streams */
	check_refused("12 d000000000000001", -EBADMSG, 0x12);
	check_refused("13 d000000000000001", -EBADMSG, 0x13);
	check_refused("16 d000000000000001", -EBADMSG, 0x16);
	check_refused("17 ffffffffffffffff", -EBADMSG, 0x17);
	/* empty DATAGRAM frames are frames */
	check_accepted("30");
	check_accepted("31 00");
	/* no type at all */
	check_refused("", -EBADMSG, 0);
}
END_TEST

START_TEST(test_malformed_new_cid)
{
#define RT "000102030405060708090a0b0c0d0e0f"
	check_refused("18 01 00 00 " RT, -EBADMSG, 0x18);
	check_refused("18 01 00 00 00" RT, -EBADMSG, 0x18);
	check_accepted("18 01 00 01 aa" RT);
	check_accepted("18 01 00 14 000102030405060708090a0b0c0d0e0f10111213" RT);
	check_refused("18 01 00 15 000102030405060708090a0b0c0d0e0f1011121314" RT, -EBADMSG, 0x18);
	/* 0x4001 would be 1 as a varint, but the length is one byte */
	check_refused("18 01 00 4001 aa" RT, -EBADMSG, 0x18);
	check_refused("18 01 00 ff aa" RT, -EBADMSG, 0x18);
	/* Retire Prior To above the sequence number, and equal */
	check_refused("18 01 02 01 aa" RT, -EBADMSG, 0x18);
	check_accepted("18 01 01 01 aa" RT);
}
END_TEST

/* RFC 9000, section 12.4: a type in more bytes than necessary */
START_TEST(test_long_type)
{
	for (unsigned int type = 0; type < 64; type++) {
		for (unsigned int len = 2; len <= 8; len *= 2) {
			uint8_t data[40] = {0};
			struct ql_frame f;
			size_t used;

			ql_varint_put_len(data, type, len);
			ck_assert_int_eq(decode(data, sizeof(data), &f, &used), -EPROTO);
			ck_assert_uint_eq(f.wire_type, type);
			/* cut off within the type */
			ck_assert_int_eq(decode(data, len - 1, &f, &used), -EBADMSG);
			ck_assert_uint_eq(f.wire_type, 0);
		}
	}
	check_refused("80000040", -EPROTO, 0x40);
}
END_TEST

START_TEST(test_unknown_type)
{
	static const uint64_t types[] = {
		0x32,	      0x3f,	  0x40,		 0xae,	  0xb0,
		0x4000,	      0x15228c00, 0x7fffffffULL, 1 << 30, 0x2000000000000000U,
		QL_VARINT_MAX};

	for (unsigned int type = 0x20; type < 0x30; type++) {
		uint8_t data[40] = {(uint8_t)type};
		struct ql_frame f;
		size_t used;

		ck_assert_int_eq(decode(data, sizeof(data), &f, &used), -EPROTONOSUPPORT);
		ck_assert_uint_eq(f.wire_type, type);
	}
	for (size_t i = 0; i < COUNT(types); i++) {
		uint8_t data[40] = {0};
		struct ql_frame f;
		size_t used;

		ql_varint_put(data, types[i]);
		ck_assert_int_eq(decode(data, sizeof(data), &f, &used), -EPROTONOSUPPORT);
		ck_assert_uint_eq(f.wire_type, types[i]);
	}
	ck_assert_int_eq(ql_frame_err(-EPROTONOSUPPORT), QL_ERR_FRAME_ENCODING_ERROR);
	ck_assert_int_eq(ql_frame_err(-EBADMSG), QL_ERR_FRAME_ENCODING_ERROR);
	ck_assert_int_eq(ql_frame_err(-EPROTO), QL_ERR_PROTOCOL_VIOLATION);
}
END_TEST

/*
 * ---- Table 3 of RFC 9000, copied by hand; RFC 9221 adds DATAGRAM, draft-ietf-quic-ack-frequency
 * IMMEDIATE_ACK and ACK_FREQUENCY ----
 */

START_TEST(test_table)
{
	static const struct {
		uint64_t first, last;
		const char *name, *pkts, *spec;
	} table[] = {
		{0x00, 0x00, "PADDING", "IH01", "NP"},
		{0x01, 0x01, "PING", "IH01", ""},
		{0x02, 0x03, "ACK", "IH_1", "NC"},
		{0x04, 0x04, "RESET_STREAM", "__01", ""},
		{0x05, 0x05, "STOP_SENDING", "__01", ""},
		{0x06, 0x06, "CRYPTO", "IH_1", ""},
		{0x07, 0x07, "NEW_TOKEN", "___1", "s"},
		{0x08, 0x0f, "STREAM", "__01", "F"},
		{0x10, 0x10, "MAX_DATA", "__01", ""},
		{0x11, 0x11, "MAX_STREAM_DATA", "__01", ""},
		{0x12, 0x13, "MAX_STREAMS", "__01", ""},
		{0x14, 0x14, "DATA_BLOCKED", "__01", ""},
		{0x15, 0x15, "STREAM_DATA_BLOCKED", "__01", ""},
		{0x16, 0x17, "STREAMS_BLOCKED", "__01", ""},
		{0x18, 0x18, "NEW_CONNECTION_ID", "__01", "P"},
		{0x19, 0x19, "RETIRE_CONNECTION_ID", "__01", ""},
		{0x1a, 0x1a, "PATH_CHALLENGE", "__01", "P"},
		{0x1b, 0x1b, "PATH_RESPONSE", "___1", "P"},
		{0x1c, 0x1c, "CONNECTION_CLOSE", "IH01", "N"},
		{0x1d, 0x1d, "CONNECTION_CLOSE", "__01", "N"},
		{0x1e, 0x1e, "HANDSHAKE_DONE", "___1", "s"},
		{0x1f, 0x1f, "IMMEDIATE_ACK", "___1", ""},
		{0x20, 0x2f, NULL, "____", ""},
		{0x30, 0x31, "DATAGRAM", "__01", ""},
		{0x32, 0xae, NULL, "____", ""},
		{0xaf, 0xaf, "ACK_FREQUENCY", "___1", ""},
		{0xb0, 0x100, NULL, "____", ""},
		{QL_VARINT_MAX, QL_VARINT_MAX, NULL, "____", ""},
	};
	static const enum ql_pkt_type order[] = {QL_PKT_INITIAL, QL_PKT_HANDSHAKE, QL_PKT_ZERO_RTT,
						 QL_PKT_SHORT};
	static const enum ql_pkt_type without_frames[] = {QL_PKT_RETRY, QL_PKT_VERSION_NEGOTIATION,
							  QL_PKT_UNKNOWN_VERSION};
	uint64_t covered = 0;

	for (size_t i = 0; i < COUNT(table); i++) {
		for (uint64_t t = table[i].first; t <= table[i].last; t++) {
			const char *spec = table[i].spec;
			unsigned int flags = ql_frame_flags(t);

			for (size_t k = 0; k < 4; k++)
				ck_assert_msg(ql_frame_allowed(t, order[k]) ==
						      (table[i].pkts[k] != '_'),
					      "type 0x%x, packet %zu", (unsigned int)t, k);
			for (size_t k = 0; k < COUNT(without_frames); k++)
				ck_assert(!ql_frame_allowed(t, without_frames[k]));
			if (table[i].name == NULL) {
				ck_assert_uint_eq(flags, 0);
				ck_assert_str_eq(ql_frame_name(t), "UNKNOWN");
				continue;
			}
			covered++;
			ck_assert_str_eq(ql_frame_name(t), table[i].name);
			ck_assert(flags & QL_FRAME_F_KNOWN);
			ck_assert_int_eq(!(flags & QL_FRAME_F_ACKED), strchr(spec, 'N') != NULL);
			ck_assert_int_eq(!(flags & QL_FRAME_F_FLIGHT), strchr(spec, 'C') != NULL);
			ck_assert_int_eq(!!(flags & QL_FRAME_F_PROBE), strchr(spec, 'P') != NULL);
			ck_assert_int_eq(!!(flags & QL_FRAME_F_FLOW), strchr(spec, 'F') != NULL);
			ck_assert_int_eq(!!(flags & QL_FRAME_F_SERVER), strchr(spec, 's') != NULL);
		}
	}
	ck_assert_uint_eq(covered, 0x20 + 2 + 1);
}
END_TEST

START_TEST(test_padding_runs)
{
	uint8_t data[64];
	struct ql_frame f;
	size_t used;

	for (size_t n = 1; n < sizeof(data); n++) {
		memset(data, 0, sizeof(data));
		data[n] = QL_FRAME_PING;
		ck_assert_int_eq(decode(data, n, &f, &used), 0);
		ck_assert_uint_eq(f.padding.count, n);
		ck_assert_int_eq(decode(data, n + 1, &f, &used), 0);
		ck_assert_uint_eq(f.padding.count, n);
		ck_assert_uint_eq(used, n);
	}
	ck_assert_ptr_eq(ql_frame_put_padding(data, data, 0), data);
}
END_TEST

/* ---- Anything at all ---- */

/* What a decoded frame points to lies within its packet. */
static void check_within(const struct ql_frame *f, const uint8_t *in, const uint8_t *end)
{
	const uint8_t *data = in;
	size_t len = 0;

	switch (f->type) {
	case QL_FRAME_STREAM:
		data = f->stream.data;
		len = f->stream.len;
		REQUIRE(f->stream.offset + len <= QL_VARINT_MAX);
		break;
	case QL_FRAME_CRYPTO:
		data = f->crypto.data;
		len = f->crypto.len;
		break;
	case QL_FRAME_NEW_TOKEN:
		data = f->new_token.data;
		len = f->new_token.len;
		break;
	case QL_FRAME_NEW_CONNECTION_ID:
		data = f->new_cid.reset_token;
		len = QL_RESET_TOKEN_LEN;
		break;
	case QL_FRAME_PATH_CHALLENGE:
	case QL_FRAME_PATH_RESPONSE:
		data = f->path_challenge.data;
		len = QL_PATH_DATA_LEN;
		break;
	case QL_FRAME_CONNECTION_CLOSE:
		data = f->close.reason;
		len = f->close.reason_len;
		break;
	case QL_FRAME_DATAGRAM:
		data = f->datagram.data;
		len = f->datagram.len;
		break;
	default:
		break;
	}
	REQUIRE(data >= in && data <= end && len <= (size_t)(end - data));
}

/* Ranges come in descending order, as many as announced, none below 0. */
static void check_iteration(const struct ql_frame_ack *ack)
{
	struct ql_ack_iter it;
	struct ql_ack_range r, last = {.start = ack->largest + 2};
	uint64_t n = 0;

	for (ql_ack_iter_init(&it, ack); ql_ack_iter_next(&it, &r); n++) {
		REQUIRE(r.start <= r.end);
		REQUIRE(r.end + 2 <= last.start);
		last = r;
	}
	REQUIRE(n == ack->range_count + 1);
}

static unsigned int decode_all(const uint8_t *data, size_t len)
{
	uint8_t *in = exact_copy(data, len);
	const uint8_t *p = in, *before;
	struct ql_frame f;
	unsigned int n = 0;

	while (p < in + len) {
		before = p;
		if (ql_frame_decode(&p, in + len, &f)) {
			REQUIRE(p == before);
			break;
		}
		REQUIRE(p > before);
		check_within(&f, in, in + len);
		if (f.type == QL_FRAME_ACK)
			check_iteration(&f.ack);
		n++;
	}
	exact_free(in);
	return n;
}

START_TEST(test_random_bytes)
{
	uint64_t seed = 6;
	unsigned int good = 0;

	for (int i = 0; i < 200000; i++) {
		uint8_t data[96];
		size_t len = rnd(&seed) % (sizeof(data) + 1);

		/* Half of the rounds: small bytes only, which are types and short numbers. */
		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)rnd(&seed) & (i % 2 ? 0x1f : 0xff);
		good += decode_all(data, len);
	}
	ck_assert_uint_gt(good, 100000);
}
END_TEST

START_TEST(test_mutations)
{
	uint64_t seed = 8;
	unsigned int good = 0;

	for (int i = 0; i < 100000; i++) {
		uint8_t data[512];
		size_t len = 0;

		for (int k = 0; k < 4; k++)
			len += hex(samples[rnd(&seed) % COUNT(samples)].bytes, data + len,
				   sizeof(data) - len);
		for (int k = (int)(rnd(&seed) % 4); k > 0; k--)
			data[rnd(&seed) % len] ^= (uint8_t)(1 << rnd(&seed) % 8);
		good += decode_all(data, len - rnd(&seed) % 2);
	}
	ck_assert_uint_gt(good, 100000);
}
END_TEST

/* The work of an ACK frame is bounded by its bytes, and a full packet of them is decoded. */
START_TEST(test_ack_of_a_packet)
{
	uint8_t data[1500] = {0};
	size_t len = 0;
	struct ql_frame f;
	const uint8_t *p = data;

	data[len++] = QL_FRAME_ACK;
	len = (size_t)(ql_varint_put(data + len, 100000) - data);
	data[len++] = 0;
	len = (size_t)(ql_varint_put(data + len, 700) - data);
	data[len++] = 0;
	len += 2 * 700; /* zeros: one number acknowledged, one missing, and so on */
	ck_assert_int_eq(ql_frame_decode(&p, data + len, &f), 0);
	ck_assert_uint_eq(f.ack.range_count, 700);
	check_iteration(&f.ack);
	p = data;
	ck_assert_int_eq(ql_frame_decode(&p, data + len - 1, &f), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/frame");
	TCase *tc = tcase_create("frame");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_encode, 0, (int)COUNT(samples));
	tcase_add_loop_test(tc, test_decode, 0, (int)COUNT(samples));
	tcase_add_test(tc, test_sequence);
	tcase_add_test(tc, test_malformed_ack);
	tcase_add_test(tc, test_malformed);
	tcase_add_test(tc, test_malformed_new_cid);
	tcase_add_test(tc, test_long_type);
	tcase_add_test(tc, test_unknown_type);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_padding_runs);
	tcase_add_test(tc, test_random_bytes);
	tcase_add_test(tc, test_mutations);
	tcase_add_test(tc, test_ack_of_a_packet);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
