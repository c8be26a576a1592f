// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "wire/packet.h"
#include "wire/tparams.h"

#include "test_wire_util.h"

#define MAX	    1024
#define FROM_CLIENT false
#define FROM_SERVER true

static int decode(const uint8_t *data, size_t len, bool from_server, struct ql_tparams *tp,
		  const char **bad)
{
	uint8_t *in = exact_copy(data, len);
	int rc = ql_tparams_decode(tp, from_server, in, len, bad);

	exact_free(in);
	return rc;
}

static int decode_hex(const char *text, bool from_server, struct ql_tparams *tp)
{
	uint8_t data[MAX];

	return decode(data, hex(text, data, sizeof(data)), from_server, tp, NULL);
}

/* Text is refused, and the parameter called name is said to be at fault. */
static void check_bad(const char *text, bool from_server, const char *name)
{
	uint8_t data[MAX];
	struct ql_tparams tp;
	const char *bad = "";

	ck_assert_int_eq(decode(data, hex(text, data, sizeof(data)), from_server, &tp, &bad),
			 -EBADMSG);
	ck_assert_str_eq(bad, name);
}

/* What the client of RFC 9001, appendix A.2, sends */
START_TEST(test_rfc)
{
	struct ql_tparams tp;
	static const uint8_t scid[] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};

	ck_assert_int_eq(decode_hex("0408ffffffffffffffff 05048000ffff 07048000ffff 080110"
				    "010480007530 090110 0f088394c8f03e515708 06048000ffff",
				    FROM_CLIENT, &tp),
			 0);
	ck_assert_uint_eq(tp.initial_max_data, QL_VARINT_MAX);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_local, 65535);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_remote, 65535);
	ck_assert_uint_eq(tp.initial_max_stream_data_uni, 65535);
	ck_assert_uint_eq(tp.initial_max_streams_bidi, 16);
	ck_assert_uint_eq(tp.initial_max_streams_uni, 16);
	ck_assert_uint_eq(tp.max_idle_timeout, 30000);
	ck_assert(ql_tp_has(&tp, QL_TP_INITIAL_SCID));
	ck_assert(ql_cid_is(&tp.initial_scid, scid, sizeof(scid)));
	ck_assert(!ql_tp_has(&tp, QL_TP_ORIGINAL_DCID));
}
END_TEST

/* RFC 9000, section 18.2: the values of what is not sent */
START_TEST(test_defaults)
{
	struct ql_tparams tp;

	memset(&tp, 0xff, sizeof(tp));
	ck_assert_int_eq(decode(NULL, 0, FROM_SERVER, &tp, NULL), 0);
	ck_assert_uint_eq(tp.present, 0);
	ck_assert_uint_eq(tp.max_idle_timeout, 0);
	ck_assert_uint_eq(tp.max_udp_payload_size, 65527);
	ck_assert_uint_eq(tp.initial_max_data, 0);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_local, 0);
	ck_assert_uint_eq(tp.initial_max_stream_data_bidi_remote, 0);
	ck_assert_uint_eq(tp.initial_max_stream_data_uni, 0);
	ck_assert_uint_eq(tp.initial_max_streams_bidi, 0);
	ck_assert_uint_eq(tp.initial_max_streams_uni, 0);
	ck_assert_uint_eq(tp.ack_delay_exponent, 3);
	ck_assert_uint_eq(tp.max_ack_delay, 25);
	ck_assert_uint_eq(tp.active_connection_id_limit, 2);
	ck_assert_uint_eq(tp.max_datagram_frame_size, 0);
	ck_assert(!ql_tp_has(&tp, QL_TP_DISABLE_ACTIVE_MIGRATION));
	ck_assert(!ql_tp_has(&tp, QL_TP_GREASE_QUIC_BIT));
}
END_TEST

#define TOKEN	   "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define ADDRESS	   "c0a80001 01bb 20010db8000000000000000000000001 1f90 04 aabbccdd " TOKEN
#define ALL_SERVER "000411223344 0210" TOKEN " 0d2d" ADDRESS " 1003010203"
/* In the order of enum ql_tp, apart from what only servers send. */
#define ALL_BOTH                                                                              \
	"010480007530 03024800 0404800186a0 050480030d40 0604800493e0 07048000c350 08024064 " \
	"090103 0a0105 0b011e 0c00 0e0108 0f0455667788 2004800100 00 6ab200 "                 \
	"110c 6b3343cf 00000001 6b3343cf c0000000ff04de1b 0243e8"

static void check_both(const struct ql_tparams *tp)
{
	static const uint8_t scid[] = {0x55, 0x66, 0x77, 0x88};

	ck_assert_uint_eq(tp->max_idle_timeout, 30000);
	ck_assert_uint_eq(tp->max_udp_payload_size, 2048);
	ck_assert_uint_eq(tp->initial_max_data, 100000);
	ck_assert_uint_eq(tp->initial_max_stream_data_bidi_local, 200000);
	ck_assert_uint_eq(tp->initial_max_stream_data_bidi_remote, 300000);
	ck_assert_uint_eq(tp->initial_max_stream_data_uni, 50000);
	ck_assert_uint_eq(tp->initial_max_streams_bidi, 100);
	ck_assert_uint_eq(tp->initial_max_streams_uni, 3);
	ck_assert_uint_eq(tp->ack_delay_exponent, 5);
	ck_assert_uint_eq(tp->max_ack_delay, 30);
	ck_assert(ql_tp_has(tp, QL_TP_DISABLE_ACTIVE_MIGRATION));
	ck_assert_uint_eq(tp->active_connection_id_limit, 8);
	ck_assert(ql_tp_has(tp, QL_TP_INITIAL_SCID));
	ck_assert(ql_cid_is(&tp->initial_scid, scid, sizeof(scid)));
	ck_assert_uint_eq(tp->max_datagram_frame_size, 65536);
	ck_assert(ql_tp_has(tp, QL_TP_GREASE_QUIC_BIT));
	ck_assert(ql_tp_has(tp, QL_TP_VERSION_INFORMATION));
	ck_assert_uint_eq(tp->version_info.chosen, 0x6b3343cf);
	ck_assert_uint_eq(tp->version_info.n_available, 2);
	ck_assert_uint_eq(tp->version_info.available[0], 1);
	ck_assert_uint_eq(tp->version_info.available[1], 0x6b3343cf);
	ck_assert(ql_tp_has(tp, QL_TP_MIN_ACK_DELAY));
	ck_assert_uint_eq(tp->min_ack_delay, 1000);
}

static void check_server(const struct ql_tparams *tp)
{
	static const uint8_t ipv4[] = {192, 168, 0, 1};
	static const uint8_t ipv6[] = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	static const uint8_t odcid[] = {0x11, 0x22, 0x33, 0x44}, rscid[] = {1, 2, 3};
	static const uint8_t pcid[] = {0xaa, 0xbb, 0xcc, 0xdd};
	uint8_t token[QL_RESET_TOKEN_LEN];

	hex(TOKEN, token, sizeof(token));
	ck_assert(ql_tp_has(tp, QL_TP_ORIGINAL_DCID));
	ck_assert(ql_cid_is(&tp->original_dcid, odcid, sizeof(odcid)));
	ck_assert(ql_tp_has(tp, QL_TP_STATELESS_RESET_TOKEN));
	ck_assert_mem_eq(tp->stateless_reset_token, token, sizeof(token));
	ck_assert(ql_tp_has(tp, QL_TP_PREFERRED_ADDRESS));
	ck_assert_mem_eq(tp->preferred_address.ipv4, ipv4, sizeof(ipv4));
	ck_assert_uint_eq(tp->preferred_address.ipv4_port, 443);
	ck_assert_mem_eq(tp->preferred_address.ipv6, ipv6, sizeof(ipv6));
	ck_assert_uint_eq(tp->preferred_address.ipv6_port, 8080);
	ck_assert(ql_cid_is(&tp->preferred_address.cid, pcid, sizeof(pcid)));
	ck_assert_mem_eq(tp->preferred_address.reset_token, token, sizeof(token));
	ck_assert(ql_tp_has(tp, QL_TP_RETRY_SCID));
	ck_assert(ql_cid_is(&tp->retry_scid, rscid, sizeof(rscid)));
}

START_TEST(test_all)
{
	struct ql_tparams tp;

	ck_assert_int_eq(decode_hex(ALL_BOTH, FROM_CLIENT, &tp), 0);
	check_both(&tp);
	ck_assert_int_eq(decode_hex(ALL_BOTH ALL_SERVER, FROM_SERVER, &tp), 0);
	ck_assert_uint_eq(tp.present, (UINT32_C(1) << QL_TP_COUNT) - 1);
	check_both(&tp);
	check_server(&tp);
}
END_TEST

static uint32_t decoded_present(const uint8_t *data, size_t len, bool from_server)
{
	struct ql_tparams tp;

	ck_assert_int_eq(decode(data, len, from_server, &tp, NULL), 0);
	return tp.present;
}

/* Encoding gives back the values, and no byte more than it needs; a client keeps the server's back.
 */
START_TEST(test_round_trip)
{
	static const uint8_t value[] = {1, 2, 3};
	const struct ql_tp_grease grease = {.n = 5, .value = value, .len = sizeof(value)};
	struct ql_tparams tp, back;
	uint8_t big[MAX], *out, *end;
	size_t len;

	ck_assert_int_eq(decode_hex(ALL_BOTH ALL_SERVER, FROM_SERVER, &tp), 0);
	end = ql_tparams_encode(&tp, FROM_SERVER, NULL, big, big + sizeof(big));
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(decode(big, (size_t)(end - big), FROM_SERVER, &back, NULL), 0);
	ck_assert_uint_eq(back.present, tp.present);
	check_both(&back);
	check_server(&back);

	end = ql_tparams_encode(&tp, FROM_CLIENT, NULL, big, big + sizeof(big));
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(decode(big, (size_t)(end - big), FROM_CLIENT, &back, NULL), 0);
	check_both(&back);

	/* The parameter of the grease is the last one, and too little room is seen at every byte.
	 */
	end = ql_tparams_encode(&tp, FROM_SERVER, &grease, big, big + sizeof(big));
	ck_assert_ptr_nonnull(end);
	len = (size_t)(end - big);
	ck_assert_mem_eq(end - 6, ((const uint8_t[]){0x40, 31 * 5 + 27, 3, 1, 2, 3}), 6);
	ck_assert_uint_eq(decoded_present(big, len, FROM_SERVER), tp.present);
	for (size_t room = 0; room <= len; room++) {
		out = exact_alloc(room);
		end = ql_tparams_encode(&tp, FROM_SERVER, &grease, out, out + room);
		ck_assert_ptr_eq(end, room < len ? NULL : out + len);
		exact_free(out);
	}
}
END_TEST

/* The bytes themselves, in the order of enum ql_tp. */
START_TEST(test_encoded_bytes)
{
	struct ql_tparams tp;
	uint8_t want[MAX], out[MAX], *end;
	size_t len;

	ck_assert_int_eq(decode_hex(ALL_BOTH, FROM_CLIENT, &tp), 0);
	len = hex("010480007530 03024800 0404800186a0 050480030d40 0604800493e0 07048000c350 "
		  "08024064 090103 0a0105 0b011e 0c00 0e0108 0f0455667788 200480010000 6ab200 "
		  "110c6b3343cf000000016b3343cf c0000000ff04de1b0243e8",
		  want, sizeof(want));
	end = ql_tparams_encode(&tp, FROM_CLIENT, NULL, out, out + sizeof(out));
	ck_assert_uint_eq((size_t)(end - out), len);
	ck_assert_mem_eq(out, want, len);

	/* Nothing is set: nothing is written. A default that is marked present is. */
	ql_tparams_init(&tp);
	ck_assert_ptr_eq(ql_tparams_encode(&tp, FROM_SERVER, NULL, out, out), out);
	ql_tp_set(&tp, QL_TP_MAX_ACK_DELAY);
	end = ql_tparams_encode(&tp, FROM_SERVER, NULL, out, out + sizeof(out));
	ck_assert_uint_eq((size_t)(end - out), 3);
	ck_assert_mem_eq(out, ((const uint8_t[]){0x0b, 1, 25}), 3);
	/* A value that is not the default is written without a mark. */
	ql_tparams_init(&tp);
	tp.initial_max_data = 7;
	end = ql_tparams_encode(&tp, FROM_CLIENT, NULL, out, out + sizeof(out));
	ck_assert_uint_eq((size_t)(end - out), 3);
	ck_assert_mem_eq(out, ((const uint8_t[]){0x04, 1, 7}), 3);
}
END_TEST

/* The longest of everything fits in QL_TPARAMS_MAX_SIZE. */
START_TEST(test_max_size)
{
	uint8_t id[QL_CID_MAX] = {0}, *out = exact_alloc(QL_TPARAMS_MAX_SIZE);
	struct ql_tparams tp;

	memset(&tp, 0, sizeof(tp));
	tp.present = (UINT32_C(1) << QL_TP_COUNT) - 1;
	tp.max_idle_timeout = tp.max_udp_payload_size = tp.initial_max_data = QL_VARINT_MAX;
	tp.initial_max_stream_data_bidi_local = tp.initial_max_stream_data_bidi_remote =
		tp.initial_max_stream_data_uni = tp.initial_max_streams_bidi =
			tp.initial_max_streams_uni = QL_VARINT_MAX;
	tp.ack_delay_exponent = tp.max_ack_delay = tp.active_connection_id_limit =
		tp.max_datagram_frame_size = tp.min_ack_delay = QL_VARINT_MAX;
	ql_cid_set(&tp.original_dcid, id, sizeof(id));
	ql_cid_set(&tp.initial_scid, id, sizeof(id));
	ql_cid_set(&tp.retry_scid, id, sizeof(id));
	ql_cid_set(&tp.preferred_address.cid, id, sizeof(id));
	tp.version_info.n_available = QL_TP_VERSIONS_MAX;
	ck_assert_ptr_nonnull(
		ql_tparams_encode(&tp, FROM_SERVER, NULL, out, out + QL_TPARAMS_MAX_SIZE));
	exact_free(out);
}
END_TEST

/* A prefix is good exactly when it ends between two parameters. */
START_TEST(test_prefixes)
{
	uint8_t data[MAX];
	size_t len = hex(ALL_BOTH ALL_SERVER, data, sizeof(data)), boundaries = 0;
	const uint8_t *next = data;
	struct ql_tparams tp;

	for (size_t cut = 0; cut <= len; cut++) {
		bool boundary = data + cut == next;

		ck_assert_int_eq(decode(data, cut, FROM_SERVER, &tp, NULL),
				 boundary ? 0 : -EBADMSG);
		if (boundary && cut < len) {
			uint64_t id, value_len;

			ck_assert_int_eq(ql_varint_get(&next, data + len, &id), 0);
			ck_assert_int_eq(ql_varint_get(&next, data + len, &value_len), 0);
			next += value_len;
			boundaries++;
		}
	}
	ck_assert_uint_eq(boundaries, QL_TP_COUNT);
}
END_TEST

/* Every parameter twice, in every position relative to the others that matters: at the end. */
START_TEST(test_duplicates)
{
	uint8_t data[MAX];
	size_t len = hex(ALL_BOTH ALL_SERVER, data, sizeof(data));
	const uint8_t *p = data, *end = data + len;
	struct ql_tparams tp;
	const char *bad;
	unsigned int n = 0;

	for (; p < end; n++) {
		const uint8_t *start = p;
		uint8_t twice[2 * MAX];
		uint64_t id, value_len;
		bool named = false;

		ck_assert_int_eq(ql_varint_get(&p, end, &id), 0);
		ck_assert_int_eq(ql_varint_get(&p, end, &value_len), 0);
		p += value_len;
		memcpy(twice, data, len);
		memcpy(twice + len, start, (size_t)(p - start));
		bad = NULL;
		ck_assert_int_eq(decode(twice, len + (size_t)(p - start), FROM_SERVER, &tp, &bad),
				 -EBADMSG);
		ck_assert_ptr_nonnull(bad);
		for (unsigned int i = 0; i < QL_TP_COUNT; i++)
			named |= strcmp(bad, ql_tp_name(i)) == 0;
		ck_assert(named);
	}
	ck_assert_uint_eq(n, QL_TP_COUNT);
	check_bad("010105 010105", FROM_CLIENT, "max_idle_timeout");
	check_bad("0c00 0c00", FROM_CLIENT, "disable_active_migration");
	/* A default value counts as much as any other. */
	check_bad("0a0103 040100 0a0103", FROM_SERVER, "ack_delay_exponent");
}
END_TEST

/* RFC 9000, section 18.2: four that a client must not send */
START_TEST(test_server_only)
{
	struct ql_tparams tp;

	check_bad("00040102 0304", FROM_CLIENT, "original_destination_connection_id");
	check_bad("0210" TOKEN, FROM_CLIENT, "stateless_reset_token");
	check_bad("0d2d" ADDRESS, FROM_CLIENT, "preferred_address");
	check_bad("1003010203", FROM_CLIENT, "retry_source_connection_id");
	ck_assert_int_eq(decode_hex("000401020304", FROM_SERVER, &tp), 0);
	ck_assert_int_eq(decode_hex("0210" TOKEN, FROM_SERVER, &tp), 0);
	ck_assert_int_eq(decode_hex("0d2d" ADDRESS, FROM_SERVER, &tp), 0);
	ck_assert_int_eq(decode_hex("1003010203", FROM_SERVER, &tp), 0);
}
END_TEST

START_TEST(test_ranges)
{
	struct ql_tparams tp;

	check_bad("030244af", FROM_SERVER, "max_udp_payload_size"); /* 1199 */
	ck_assert_int_eq(decode_hex("030244b0", FROM_SERVER, &tp), 0);
	ck_assert_int_eq(decode_hex("0308ffffffffffffffff", FROM_SERVER, &tp), 0);
	check_bad("0a0115", FROM_CLIENT, "ack_delay_exponent"); /* 21 */
	ck_assert_int_eq(decode_hex("0a0114", FROM_CLIENT, &tp), 0);
	check_bad("0b0480004000", FROM_CLIENT, "max_ack_delay"); /* 2^14 */
	ck_assert_int_eq(decode_hex("0b027fff", FROM_CLIENT, &tp), 0);
	check_bad("0e0101", FROM_CLIENT, "active_connection_id_limit");
	check_bad("0e0100", FROM_CLIENT, "active_connection_id_limit");
	ck_assert_int_eq(decode_hex("0e0102", FROM_CLIENT, &tp), 0);
	check_bad("0808d000000000000001", FROM_CLIENT, "initial_max_streams_bidi"); /* 2^60 + 1 */
	check_bad("0908d000000000000001", FROM_CLIENT, "initial_max_streams_uni");
	ck_assert_int_eq(decode_hex("0808d000000000000000 0908d000000000000000", FROM_CLIENT, &tp),
			 0);
	ck_assert_uint_eq(tp.initial_max_streams_bidi, UINT64_C(1) << 60);
	/* min_ack_delay in us up to max_ack_delay in ms, in either order */
	check_bad("c0000000ff04de1b 04800061a9", FROM_CLIENT, "min_ack_delay"); /* 25001 */
	ck_assert_int_eq(decode_hex("c0000000ff04de1b 04800061a8", FROM_CLIENT, &tp), 0);
	check_bad("c0000000ff04de1b 0243e9 0b0101", FROM_CLIENT, "min_ack_delay"); /* 1001 */
	check_bad("0b0101 c0000000ff04de1b 0243e9", FROM_CLIENT, "min_ack_delay");
	ck_assert_int_eq(decode_hex("c0000000ff04de1b 0243e8 0b0101", FROM_CLIENT, &tp), 0);
}
END_TEST

START_TEST(test_lengths)
{
	struct ql_tparams tp;

	/* integers: empty, cut off, with a byte too many */
	check_bad("0100", FROM_CLIENT, "max_idle_timeout");
	check_bad("010140", FROM_CLIENT, "max_idle_timeout");
	check_bad("01020101", FROM_CLIENT, "max_idle_timeout");
	/* flags with a value */
	check_bad("0c0101", FROM_CLIENT, "disable_active_migration");
	check_bad("6ab20100", FROM_CLIENT, "grease_quic_bit");
	/* tokens of 15 and 17 bytes */
	check_bad("020f000102030405060708090a0b0c0d0e", FROM_SERVER, "stateless_reset_token");
	check_bad("0211000102030405060708090a0b0c0d0e0f10", FROM_SERVER, "stateless_reset_token");
	/* connection IDs: none and 20 bytes are allowed, 21 are not */
	check_bad("0f15000102030405060708090a0b0c0d0e0f1011121314", FROM_CLIENT,
		  "initial_source_connection_id");
	check_bad("0015000102030405060708090a0b0c0d0e0f1011121314", FROM_SERVER,
		  "original_destination_connection_id");
	check_bad("1015000102030405060708090a0b0c0d0e0f1011121314", FROM_SERVER,
		  "retry_source_connection_id");
	ck_assert_int_eq(
		decode_hex("0f14000102030405060708090a0b0c0d0e0f10111213", FROM_CLIENT, &tp), 0);
	ck_assert_uint_eq(tp.initial_scid.len, 20);
	ck_assert_int_eq(decode_hex("0f00", FROM_CLIENT, &tp), 0);
	ck_assert(ql_tp_has(&tp, QL_TP_INITIAL_SCID));
	ck_assert_uint_eq(tp.initial_scid.len, 0);
	/* no length, a length beyond the end, a length of 2^62 - 1 */
	check_bad("01", FROM_CLIENT, "transport parameters");
	check_bad("40", FROM_CLIENT, "transport parameters");
	check_bad("010201", FROM_CLIENT, "transport parameters");
	check_bad("01ffffffffffffffff", FROM_CLIENT, "transport parameters");
	check_bad("010105 1bffffffffffffffff00", FROM_CLIENT, "transport parameters");
	/* nobody asked which */
	ck_assert_int_eq(decode_hex("0101", FROM_CLIENT, &tp), -EBADMSG);
}
END_TEST

START_TEST(test_preferred_address)
{
	static const char head[] = "c0a80001 01bb 20010db8000000000000000000000001 1f90 ";
	char text[256];
	struct ql_tparams tp;

	/* connection IDs of 0, 1, 20 and 21 bytes; one that is longer or shorter than it says */
	snprintf(text, sizeof(text), "0d29 %s 00 %s", head, TOKEN);
	check_bad(text, FROM_SERVER, "preferred_address");
	snprintf(text, sizeof(text), "0d2a %s 00 %s 00", head, TOKEN);
	check_bad(text, FROM_SERVER, "preferred_address");
	snprintf(text, sizeof(text), "0d2a %s 01 aa %s", head, TOKEN);
	ck_assert_int_eq(decode_hex(text, FROM_SERVER, &tp), 0);
	snprintf(text, sizeof(text), "0d3d %s 14 000102030405060708090a0b0c0d0e0f10111213 %s", head,
		 TOKEN);
	ck_assert_int_eq(decode_hex(text, FROM_SERVER, &tp), 0);
	ck_assert_uint_eq(tp.preferred_address.cid.len, 20);
	snprintf(text, sizeof(text), "0d3e %s 15 000102030405060708090a0b0c0d0e0f1011121314 %s",
		 head, TOKEN);
	check_bad(text, FROM_SERVER, "preferred_address");
	snprintf(text, sizeof(text), "0d2b %s 01 aabb %s", head, TOKEN);
	check_bad(text, FROM_SERVER, "preferred_address");
	snprintf(text, sizeof(text), "0d2a %s ff aa %s", head, TOKEN);
	check_bad(text, FROM_SERVER, "preferred_address");
	check_bad("0d00", FROM_SERVER, "preferred_address");

	/* A server without connection IDs has no preferred address, in either order. */
	check_bad("0f00 0d2d" ADDRESS, FROM_SERVER, "preferred_address");
	check_bad("0d2d" ADDRESS "0f00", FROM_SERVER, "preferred_address");
	ck_assert_int_eq(decode_hex("0f0101 0d2d" ADDRESS, FROM_SERVER, &tp), 0);
}
END_TEST

/* RFC 9368, section 4 */
START_TEST(test_version_information)
{
	struct ql_tparams tp;
	char text[256] = "11404c 00000001 00000001 ";

	check_bad("1100", FROM_SERVER, "version_information");
	check_bad("1103 000000", FROM_SERVER, "version_information");
	check_bad("1106 00000001 0000", FROM_SERVER, "version_information");
	check_bad("1104 00000000", FROM_SERVER, "version_information");
	check_bad("1108 00000000 00000001", FROM_SERVER, "version_information");
	check_bad("110c 00000001 00000001 00000000", FROM_CLIENT, "version_information");
	/* A client's list has its chosen version, a server's may be empty. */
	check_bad("1104 00000001", FROM_CLIENT, "version_information");
	check_bad("1108 00000001 6b3343cf", FROM_CLIENT, "version_information");
	ck_assert_int_eq(decode_hex("1108 00000001 6b3343cf", FROM_SERVER, &tp), 0);
	ck_assert_int_eq(decode_hex("1104 00000001", FROM_SERVER, &tp), 0);
	ck_assert_uint_eq(tp.version_info.n_available, 0);

	/* 18 versions: the last two are checked and left out. */
	for (int i = 0; i < 16; i++)
		strcat(text, "0a1a2a3a ");
	strcat(text, "00000002");
	ck_assert_int_eq(decode_hex(text, FROM_CLIENT, &tp), 0);
	ck_assert_uint_eq(tp.version_info.n_available, QL_TP_VERSIONS_MAX);
	ck_assert_uint_eq(tp.version_info.available[0], 1);
	ck_assert_uint_eq(tp.version_info.available[15], 0x0a1a2a3a);
	text[strlen(text) - 1] = '0';
	check_bad(text, FROM_CLIENT, "version_information");
	/* But for one that we know. */
	text[strlen(text) - 8] = 0;
	strcat(text, "6b3343cf");
	ck_assert_int_eq(decode_hex(text, FROM_CLIENT, &tp), 0);
	ck_assert_uint_eq(tp.version_info.n_available, QL_TP_VERSIONS_MAX);
	ck_assert_uint_eq(tp.version_info.available[14], 0x0a1a2a3a);
	ck_assert_uint_eq(tp.version_info.available[15], QL_VERSION_2);
	/* The chosen one may be among those left out. */
	strcpy(text, "11404c 00000002 00000001 ");
	for (int i = 0; i < 16; i++)
		strcat(text, "0a1a2a3a ");
	strcat(text, "00000002");
	ck_assert_int_eq(decode_hex(text, FROM_CLIENT, &tp), 0);
}
END_TEST

/* Unknown ones are skipped, even twice; also in more bytes than necessary, as varints may be. */
START_TEST(test_unknown)
{
	struct ql_tparams tp;

	ck_assert_int_eq(decode_hex("1b03010203 1b00 c00000000000001b00 010105", FROM_CLIENT, &tp),
			 0);
	ck_assert_uint_eq(tp.present, 1u << QL_TP_MAX_IDLE_TIMEOUT);
	ck_assert_int_eq(decode_hex("4001 4002 4005", FROM_CLIENT, &tp), 0);
	ck_assert_uint_eq(tp.max_idle_timeout, 5);
	/* IDs next to known ones, and the largest */
	ck_assert_int_eq(decode_hex("1200 1f00 2100 6ab100 6ab300 c0000000ff04de1a00 "
				    "c0000000ff04de1c00 ffffffffffffffff00",
				    FROM_CLIENT, &tp),
			 0);
	ck_assert_uint_eq(tp.present, 0);
}
END_TEST

/* As many parameters as a TLS extension can hold. */
START_TEST(test_maximal)
{
	size_t len = 65535;
	uint8_t *data = exact_alloc(len);
	struct ql_tparams tp;

	for (size_t i = 0; i + 1 < len; i += 2) {
		data[i] = 0x1b;
		data[i + 1] = 0;
	}
	ck_assert_int_eq(ql_tparams_decode(&tp, FROM_CLIENT, data, len - 1, NULL), 0);
	data[len - 1] = 0x1b;
	ck_assert_int_eq(ql_tparams_decode(&tp, FROM_CLIENT, data, len, NULL), -EBADMSG);
	/* one unknown parameter that fills it all, and a list of versions that does */
	data[0] = 0x1b;
	ql_varint_put_len(data + 1, len - 5, 4);
	ck_assert_int_eq(ql_tparams_decode(&tp, FROM_CLIENT, data, len, NULL), 0);
	memset(data, 0x01, len);
	data[0] = 0x11;
	ql_varint_put_len(data + 1, (len - 5) / 4 * 4, 4);
	ck_assert_int_eq(ql_tparams_decode(&tp, FROM_CLIENT, data, 5 + (len - 5) / 4 * 4, NULL), 0);
	ck_assert_uint_eq(tp.version_info.n_available, QL_TP_VERSIONS_MAX);
	exact_free(data);
}
END_TEST

/* Valid parameters with a few bytes changed, and bytes without any sense. */
START_TEST(test_random)
{
	uint8_t valid[MAX], data[MAX];
	size_t len = hex(ALL_BOTH ALL_SERVER, valid, sizeof(valid));
	uint64_t seed = 11;
	unsigned int good = 0;

	for (int i = 0; i < 100000; i++) {
		bool from_server = rnd(&seed) & 1;
		size_t n = 1 + rnd(&seed) % len;
		struct ql_tparams tp;

		memcpy(data, valid, len);
		for (int k = (int)(rnd(&seed) % 4); k >= 0; k--)
			data[rnd(&seed) % n] = (uint8_t)rnd(&seed);
		if (i % 8 == 0) {
			n = rnd(&seed) % 16;
			for (size_t k = 0; k < n; k++)
				data[k] = (uint8_t)rnd(&seed) & 0x1f;
		}
		if (decode(data, n, from_server, &tp, NULL))
			continue;
		good++;
		REQUIRE(tp.max_udp_payload_size >= 1200);
		REQUIRE(tp.ack_delay_exponent <= 20);
		REQUIRE(tp.max_ack_delay < 1 << 14);
		REQUIRE(tp.active_connection_id_limit >= 2);
		REQUIRE(tp.version_info.n_available <= QL_TP_VERSIONS_MAX);
		REQUIRE(tp.initial_scid.len <= QL_CID_MAX);
	}
	REQUIRE(good > 500);
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(ql_tp_name(QL_TP_ORIGINAL_DCID), "original_destination_connection_id");
	ck_assert_str_eq(ql_tp_name(QL_TP_MAX_ACK_DELAY), "max_ack_delay");
	ck_assert_str_eq(ql_tp_name(QL_TP_MIN_ACK_DELAY), "min_ack_delay");
	for (unsigned int i = 0; i < QL_TP_COUNT; i++)
		ck_assert_ptr_nonnull(ql_tp_name(i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/tparams");
	TCase *tc = tcase_create("tparams");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_rfc);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_all);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_encoded_bytes);
	tcase_add_test(tc, test_max_size);
	tcase_add_test(tc, test_prefixes);
	tcase_add_test(tc, test_duplicates);
	tcase_add_test(tc, test_server_only);
	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_lengths);
	tcase_add_test(tc, test_preferred_address);
	tcase_add_test(tc, test_version_information);
	tcase_add_test(tc, test_unknown);
	tcase_add_test(tc, test_maximal);
	tcase_add_test(tc, test_random);
	tcase_add_test(tc, test_names);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
