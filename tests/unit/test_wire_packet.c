// SPDX-License-Identifier: BSD-3-Clause
#include "wire/packet.h"

#include "test_wire_util.h"

#define MAX 2048

/* Parses len bytes that end with their allocation; what h points to is gone afterwards. */
static int parse(const uint8_t *data, size_t len, size_t short_len, struct ql_pkt_hdr *h)
{
	uint8_t *in = exact_copy(data, len);
	int rc = ql_pkt_parse(in, len, short_len, h);

	if (rc == 0) {
		REQUIRE(h->size > 0);
		REQUIRE(h->size <= len);
		REQUIRE(h->pn_offset <= h->size);
		REQUIRE(h->dcid.p >= in && h->dcid.p + h->dcid.len <= in + len);
		if (h->type != QL_PKT_SHORT) {
			REQUIRE(h->scid.p >= in && h->scid.p + h->scid.len <= in + len);
			REQUIRE(h->token >= in && h->token + h->token_len <= in + len);
		}
	}
	exact_free(in);
	return rc;
}

static int parse_hex(const char *text, size_t short_len)
{
	uint8_t data[MAX];
	struct ql_pkt_hdr h;

	return parse(data, hex(text, data, sizeof(data)), short_len, &h);
}

static void check_client_initial(const char *header, uint32_t version)
{
	static const uint8_t dcid[] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
	uint8_t data[1200] = {0};
	struct ql_pkt_hdr h;

	ck_assert_uint_eq(hex(header, data, sizeof(data)), 22);
	ck_assert_int_eq(ql_pkt_parse(data, sizeof(data), 8, &h), 0);
	ck_assert_int_eq(h.type, QL_PKT_INITIAL);
	ck_assert_uint_eq(h.version, version);
	ck_assert_uint_eq(h.first, data[0]);
	ck_assert(ql_pkt_fixed(&h));
	ck_assert_uint_eq(h.dcid.len, 8);
	ck_assert_mem_eq(h.dcid.p, dcid, 8);
	ck_assert_uint_eq(h.scid.len, 0);
	ck_assert_uint_eq(h.token_len, 0);
	ck_assert_uint_eq(h.pn_offset, 18);
	ck_assert_uint_eq(h.size, 1200);
	ck_assert_uint_eq(QL_PKT_PN_LEN(h.first), 4);
	ck_assert_uint_eq(ql_pn_get(data + h.pn_offset, 4), 2);
	/* One byte less and its Length reaches out of the datagram. */
	ck_assert_int_eq(parse(data, 1199, 8, &h), -EBADMSG);
}

/* RFC 9001 and 9369, appendix A.2: headers before protection */
START_TEST(test_rfc_initial)
{
	check_client_initial("c300000001088394c8f03e5157080000449e00000002", QL_VERSION_1);
	check_client_initial("d36b3343cf088394c8f03e5157080000449e00000002", QL_VERSION_2);
}
END_TEST

/* Appendix A.3: the server's Initial */
START_TEST(test_rfc_server_initial)
{
	static const char *const headers[] = {"c1000000010008f067a5502a4262b50040750001",
					      "d16b3343cf0008f067a5502a4262b50040750001"};

	for (int i = 0; i < 2; i++) {
		uint8_t data[135] = {0}, *out, *pn, *length;
		struct ql_cid dcid = {0}, scid;
		struct ql_pkt_hdr h;
		size_t n = hex(headers[i], data, sizeof(data));

		ck_assert_int_eq(ql_pkt_parse(data, sizeof(data), 0, &h), 0);
		ck_assert_int_eq(h.type, QL_PKT_INITIAL);
		ck_assert_uint_eq(h.dcid.len, 0);
		ck_assert_uint_eq(h.scid.len, 8);
		ck_assert_uint_eq(h.size, 135);

		/* And the writer makes the very same bytes. */
		ql_cid_set(&scid, h.scid.p, h.scid.len);
		out = exact_alloc(n);
		pn = ql_pkt_put_long(out, out + n, QL_PKT_INITIAL, h.version, &dcid, &scid, NULL, 0,
				     2, &length);
		ck_assert_ptr_nonnull(pn);
		ql_pkt_put_length(length, 0x75);
		ck_assert_ptr_eq(ql_pn_put(pn, 1, 2), out + n);
		ck_assert_mem_eq(out, data, n);
		exact_free(out);
	}
}
END_TEST

/* Appendix A.4: Retry packets, the token is "token" */
START_TEST(test_rfc_retry)
{
	static const struct {
		const char *text;
		uint32_t version;
	} cases[] = {
		{"ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba",
		 QL_VERSION_1},
		{"cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6",
		 QL_VERSION_2},
	};

	for (int i = 0; i < 2; i++) {
		uint8_t data[64], *out, *tag;
		struct ql_pkt_hdr h;
		size_t n = hex(cases[i].text, data, sizeof(data));

		ck_assert_int_eq(ql_pkt_parse(data, n, 0, &h), 0);
		ck_assert_int_eq(h.type, QL_PKT_RETRY);
		ck_assert_uint_eq(h.version, cases[i].version);
		ck_assert_uint_eq(h.token_len, 5);
		ck_assert_mem_eq(h.token, "token", 5);
		ck_assert_ptr_eq(h.token + h.token_len + QL_RETRY_TAG, data + n);
		ck_assert_uint_eq(h.size, n);
		ck_assert_uint_eq(h.pn_offset, n);

		for (size_t room = 0; room < n; room++) {
			out = exact_alloc(room);
			ck_assert_ptr_null(ql_pkt_put_retry(out, out + room, 0x0f, cases[i].version,
							    h.dcid, h.scid, h.token, h.token_len));
			ck_assert(exact_untouched(out, room));
			exact_free(out);
		}
		out = exact_alloc(n);
		tag = ql_pkt_put_retry(out, out + n, 0xff, cases[i].version, h.dcid, h.scid,
				       h.token, h.token_len);
		ck_assert_ptr_eq(tag, out + n - QL_RETRY_TAG);
		ck_assert_mem_eq(out, data, n - QL_RETRY_TAG);
		ck_assert_ptr_null(ql_pkt_put_retry(out, out + n, 0, cases[i].version, h.dcid,
						    h.scid, h.token, 0));
		exact_free(out);
	}
	/* An empty token, and not even a tag. */
	ck_assert_int_eq(parse_hex("f000000001000004a265ba2eff4d829058fb3f0f2496ba", 0), -EBADMSG);
	ck_assert_int_eq(parse_hex("f000000001000004a265ba", 0), -EBADMSG);
}
END_TEST

/* Type bits of RFC 9000, section 17.2, and RFC 9369, section 3.2 */
START_TEST(test_type_bits)
{
	static const struct {
		enum ql_pkt_type type;
		uint8_t v1, v2;
	} cases[] = {
		{QL_PKT_INITIAL, 0xc0, 0xd0},
		{QL_PKT_ZERO_RTT, 0xd0, 0xe0},
		{QL_PKT_HANDSHAKE, 0xe0, 0xf0},
		{QL_PKT_RETRY, 0xf0, 0xc0},
	};

	for (size_t i = 0; i < 4; i++) {
		for (int v2 = 0; v2 < 2; v2++) {
			uint32_t version = v2 ? QL_VERSION_2 : QL_VERSION_1;
			uint8_t first = v2 ? cases[i].v2 : cases[i].v1;
			uint8_t data[64] = {0}, out[64], *length;
			struct ql_cid cid = {0};
			struct ql_pkt_hdr h;

			data[0] = first;
			ql_put_be32(data + 1, version);
			ck_assert_int_eq(ql_pkt_parse(data, sizeof(data), 0, &h), 0);
			ck_assert_int_eq(h.type, cases[i].type);
			if (h.type == QL_PKT_RETRY)
				continue;
			ck_assert_ptr_nonnull(ql_pkt_put_long(out, out + sizeof(out), cases[i].type,
							      version, &cid, &cid, NULL, 0, 1,
							      &length));
			ck_assert_uint_eq(out[0], first);
		}
	}
}
END_TEST

/* Every type, version and connection ID length; too little room for each; every prefix of each. */
START_TEST(test_long_round_trip)
{
	static const enum ql_pkt_type types[] = {QL_PKT_INITIAL, QL_PKT_ZERO_RTT, QL_PKT_HANDSHAKE};
	static const uint32_t versions[] = {QL_VERSION_1, QL_VERSION_2};
	uint64_t seed = 7;

	for (int round = 0; round < 400; round++) {
		enum ql_pkt_type type = types[rnd(&seed) % 3];
		uint32_t version = versions[rnd(&seed) % 2];
		uint8_t random[QL_CID_MAX], token[100], *out, *pn, *length;
		size_t token_len = rnd(&seed) % sizeof(token), n;
		size_t payload = 20 + rnd(&seed) % 30;
		unsigned int pn_len = 1 + (unsigned int)(rnd(&seed) % 4);
		struct ql_cid dcid, scid;
		struct ql_pkt_hdr h;

		for (size_t i = 0; i < sizeof(random); i++)
			random[i] = (uint8_t)rnd(&seed);
		for (size_t i = 0; i < sizeof(token); i++)
			token[i] = (uint8_t)rnd(&seed);
		ql_cid_set(&dcid, random, rnd(&seed) % (QL_CID_MAX + 1));
		ql_cid_set(&scid, random, rnd(&seed) % (QL_CID_MAX + 1));

		n = ql_pkt_long_size(type, dcid.len, scid.len, token_len, pn_len);
		for (size_t room = 0; room < n; room++) {
			out = exact_alloc(room);
			ck_assert_ptr_null(ql_pkt_put_long(out, out + room, type, version, &dcid,
							   &scid, token, token_len, pn_len,
							   &length));
			ck_assert(exact_untouched(out, room));
			exact_free(out);
		}

		out = exact_alloc(n + payload);
		pn = ql_pkt_put_long(out, out + n, type, version, &dcid, &scid, token, token_len,
				     pn_len, &length);
		ck_assert_ptr_eq(pn + pn_len, out + n);
		ck_assert_ptr_eq(length, pn - 2);
		ql_pkt_put_length(length, pn_len + payload);
		ql_pn_put(pn, 0x01020304, pn_len);

		ck_assert_int_eq(ql_pkt_parse(out, n + payload, 0, &h), 0);
		ck_assert_int_eq(h.type, type);
		ck_assert_uint_eq(h.version, version);
		ck_assert(ql_pkt_fixed(&h));
		ck_assert(!(h.first & QL_PKT_RESERVED_LONG));
		ck_assert_uint_eq(QL_PKT_PN_LEN(h.first), pn_len);
		ck_assert(ql_cid_is(&dcid, h.dcid.p, h.dcid.len));
		ck_assert(ql_cid_is(&scid, h.scid.p, h.scid.len));
		if (type == QL_PKT_INITIAL) {
			ck_assert_uint_eq(h.token_len, token_len);
			ck_assert_mem_eq(h.token, token, token_len);
		} else {
			ck_assert_uint_eq(h.token_len, 0);
		}
		ck_assert_uint_eq(h.pn_offset, (size_t)(pn - out));
		ck_assert_uint_eq(h.size, n + payload);

		for (size_t cut = 0; cut < n + payload; cut++)
			ck_assert_int_eq(parse(out, cut, 0, &h), -EBADMSG);
		exact_free(out);
	}
}
END_TEST

/* Three packets in one datagram, found one behind the other. */
START_TEST(test_coalesced)
{
	uint8_t data[256] = {0}, *p = data, *end = data + sizeof(data), *length;
	static const enum ql_pkt_type order[] = {QL_PKT_INITIAL, QL_PKT_HANDSHAKE, QL_PKT_SHORT};
	static const size_t payload[] = {30, 40, 50};
	struct ql_cid cid = {.len = 4, .id = {1, 2, 3, 4}};
	struct ql_pkt_hdr h;
	size_t at = 0, len;

	for (int i = 0; i < 3; i++) {
		if (order[i] == QL_PKT_SHORT) {
			p = ql_pkt_put_short(p, &cid, false, false, 1);
		} else {
			p = ql_pkt_put_long(p, end, order[i], QL_VERSION_1, &cid, &cid, NULL, 0, 1,
					    &length);
			ck_assert_ptr_nonnull(p);
			ql_pkt_put_length(length, payload[i]);
		}
		memset(p, 0xee, payload[i]);
		p += payload[i];
	}
	len = (size_t)(p - data);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ql_pkt_parse(data + at, len - at, 4, &h), 0);
		ck_assert_int_eq(h.type, order[i]);
		ck_assert_uint_eq(h.size - h.pn_offset, payload[i]);
		ck_assert(ql_cid_is(&cid, h.dcid.p, h.dcid.len));
		at += h.size;
	}
	ck_assert_uint_eq(at, len);
}
END_TEST

START_TEST(test_short)
{
	for (uint8_t cid_len = 0; cid_len <= QL_CID_MAX; cid_len++) {
		for (unsigned int i = 0; i < 16; i++) {
			bool spin = i & 1, key_phase = i & 2;
			unsigned int pn_len = 1 + (i >> 2);
			uint8_t *out = exact_alloc(QL_PKT_SHORT_ROOM), *pn;
			struct ql_cid cid = {.len = cid_len};
			struct ql_pkt_hdr h;
			size_t n = 1u + cid_len + pn_len;

			memset(cid.id, 0xc0 + cid_len, cid_len);
			pn = ql_pkt_put_short(out, &cid, spin, key_phase, pn_len);
			ck_assert_ptr_eq(ql_pn_put(pn, 0x0a0b0c0d, pn_len), out + n);
			/* Fixed bit, and reserved bits zero. */
			ck_assert_uint_eq(out[0], 0x40u | (spin ? 0x20u : 0) |
							  (key_phase ? 0x04u : 0) | (pn_len - 1));
			ck_assert_int_eq(ql_pkt_parse(out, n, cid_len, &h), 0);
			ck_assert_int_eq(h.type, QL_PKT_SHORT);
			ck_assert_uint_eq(h.version, 0);
			ck_assert(ql_cid_is(&cid, h.dcid.p, h.dcid.len));
			ck_assert_uint_eq(h.scid.len, 0);
			ck_assert_uint_eq(h.token_len, 0);
			ck_assert_uint_eq(h.pn_offset, 1u + cid_len);
			ck_assert_uint_eq(h.size, n);
			ck_assert_uint_eq(ql_pn_get(out + h.pn_offset, pn_len),
					  0x0a0b0c0d & (UINT32_MAX >> (32 - 8 * pn_len)));
			for (size_t cut = 0; cut < 1u + cid_len; cut++)
				ck_assert_int_eq(parse(out, cut, cid_len, &h), -EBADMSG);
			ck_assert_int_eq(parse(out, 1u + cid_len, cid_len, &h), 0);
			exact_free(out);
		}
	}
}
END_TEST

/* A cleared fixed bit is no error here, long or short, but can be seen. */
START_TEST(test_fixed_bit)
{
	uint8_t data[64] = {0x80, 0, 0, 0, 1};
	struct ql_pkt_hdr h;

	ck_assert_int_eq(ql_pkt_parse(data, sizeof(data), 0, &h), 0);
	ck_assert_int_eq(h.type, QL_PKT_INITIAL);
	ck_assert(!ql_pkt_fixed(&h));
	data[0] = 0;
	ck_assert_int_eq(ql_pkt_parse(data, sizeof(data), 0, &h), 0);
	ck_assert_int_eq(h.type, QL_PKT_SHORT);
	ck_assert(!ql_pkt_fixed(&h));
}
END_TEST

/* RFC 8999: other versions have connection IDs of up to 255 bytes and we know no more of them. */
START_TEST(test_unknown_version)
{
	uint8_t data[5 + 2 + 2 * 255 + 3];
	struct ql_pkt_hdr h;
	size_t len = sizeof(data);

	memset(data, 0x77, sizeof(data));
	data[0] = 0x80;
	ql_put_be32(data + 1, 0x1a2a3a4a);
	data[5] = 255;
	data[6 + 255] = 255;
	ck_assert_int_eq(ql_pkt_parse(data, len, 8, &h), 0);
	ck_assert_int_eq(h.type, QL_PKT_UNKNOWN_VERSION);
	ck_assert_uint_eq(h.version, 0x1a2a3a4a);
	ck_assert_ptr_eq(h.dcid.p, data + 6);
	ck_assert_uint_eq(h.dcid.len, 255);
	ck_assert_ptr_eq(h.scid.p, data + 7 + 255);
	ck_assert_uint_eq(h.scid.len, 255);
	ck_assert_uint_eq(h.size, len);
	ck_assert_uint_eq(h.pn_offset, len);
	for (size_t cut = 0; cut < len - 3; cut++)
		ck_assert_int_eq(parse(data, cut, 8, &h), -EBADMSG);
	for (size_t cut = len - 3; cut < len; cut++)
		ck_assert_int_eq(parse(data, cut, 8, &h), 0);
	ck_assert(!ql_version_supported(0x1a2a3a4a));
	ck_assert(!ql_version_supported(0));
	ck_assert(ql_version_supported(QL_VERSION_1));
	ck_assert(ql_version_supported(QL_VERSION_2));
}
END_TEST

START_TEST(test_version_negotiation)
{
	static const uint32_t versions[] = {QL_VERSION_1, 0x0a1a2a3a, QL_VERSION_2};
	uint8_t long_id[255], want[] = {0xc5, 0, 0, 0, 0, 2, 8, 9, 1, 7, 0, 0, 0, 1};
	struct ql_cid_view dcid = {(const uint8_t[]){8, 9}, 2}, scid = {(const uint8_t[]){7}, 1};
	struct ql_pkt_hdr h;
	uint8_t *out, *p;
	size_t n;

	out = exact_alloc(sizeof(want));
	p = ql_pkt_put_version_negotiation(out, out + sizeof(want), 0x05, dcid, scid, versions, 1);
	ck_assert_ptr_eq(p, out + sizeof(want));
	ck_assert_mem_eq(out, want, sizeof(want));
	exact_free(out);

	/* The answer to a client of another version, with the longest connection IDs. */
	memset(long_id, 0x33, sizeof(long_id));
	dcid = scid = (struct ql_cid_view){long_id, 255};
	n = 7 + 2 * 255 + 4 * 3;
	for (size_t room = 0; room < n; room++) {
		out = exact_alloc(room);
		ck_assert_ptr_null(ql_pkt_put_version_negotiation(out, out + room, 0, dcid, scid,
								  versions, 3));
		ck_assert(exact_untouched(out, room));
		exact_free(out);
	}
	out = exact_alloc(n);
	ck_assert_ptr_eq(ql_pkt_put_version_negotiation(out, out + n, 0, dcid, scid, versions, 3),
			 out + n);
	ck_assert_int_eq(ql_pkt_parse(out, n, 8, &h), 0);
	ck_assert_int_eq(h.type, QL_PKT_VERSION_NEGOTIATION);
	ck_assert_uint_eq(h.version, 0);
	ck_assert_uint_eq(h.dcid.len, 255);
	ck_assert_uint_eq(h.scid.len, 255);
	ck_assert_uint_eq(ql_pkt_vn_count(&h), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(ql_pkt_vn_version(&h, i), versions[i]);
	ck_assert_uint_eq(h.size, n);
	ck_assert_uint_eq(h.pn_offset, n);

	/* No version, or part of one: ignored (RFC 8999, section 6). */
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(parse(out, cut, 8, &h),
				 cut == n - 4 || cut == n - 8 ? 0 : -EBADMSG);
	exact_free(out);
}
END_TEST

START_TEST(test_malformed)
{
	/* 21 bytes of connection ID, destination and source, in a version that allows 20 */
	ck_assert_int_eq(parse_hex("c0 00000001 15 000102030405060708090a0b0c0d0e0f1011121314 00"
				   "00 05 0000000000",
				   0),
			 -EBADMSG);
	ck_assert_int_eq(parse_hex("c0 00000001 00 15 000102030405060708090a0b0c0d0e0f1011121314"
				   "00 05 0000000000",
				   0),
			 -EBADMSG);
	/* 20 are fine */
	ck_assert_int_eq(parse_hex("c0 00000001 00 14 000102030405060708090a0b0c0d0e0f10111213"
				   "00 05 0000000000",
				   0),
			 0);
	/* a token longer than the packet, and one of 2^62 - 1 bytes */
	ck_assert_int_eq(parse_hex("c0 00000001 00 00 05 01020304", 0), -EBADMSG);
	ck_assert_int_eq(parse_hex("c0 00000001 00 00 ffffffffffffffff 01020304", 0), -EBADMSG);
	/* a Length of 2^62 - 1, one that is cut off, and none */
	ck_assert_int_eq(parse_hex("c0 00000001 00 00 00 ffffffffffffffff 01020304", 0), -EBADMSG);
	ck_assert_int_eq(parse_hex("c0 00000001 00 00 00 40", 0), -EBADMSG);
	ck_assert_int_eq(parse_hex("e0 00000001 00 00", 0), -EBADMSG);
	/* a Length of nothing is for crypto to refuse: the packet behind it can still be found */
	ck_assert_int_eq(parse_hex("e0 00000001 00 00 00", 0), 0);
	/* an empty datagram */
	ck_assert_int_eq(parse(NULL, 0, 0, &(struct ql_pkt_hdr){0}), -EBADMSG);
}
END_TEST

START_TEST(test_random_bytes)
{
	uint64_t seed = 42;
	unsigned int good = 0;

	for (int i = 0; i < 200000; i++) {
		uint8_t data[80];
		struct ql_pkt_hdr h;
		size_t len = rnd(&seed) % (sizeof(data) + 1);

		for (size_t k = 0; k < sizeof(data); k++)
			data[k] = (uint8_t)rnd(&seed);
		/* Mostly long headers of known versions with short connection IDs. */
		if (i % 4 != 0) {
			data[0] |= QL_PKT_LONG;
			ql_put_be32(data + 1, i % 4 == 1   ? QL_VERSION_1
					      : i % 4 == 2 ? QL_VERSION_2
							   : 0);
			data[5] &= 0x0f;
		}
		good += parse(data, len, rnd(&seed) % (QL_CID_MAX + 1), &h) == 0;
	}
	/* Else the bytes are too random to test anything. */
	ck_assert_uint_gt(good, 10000);
}
END_TEST

/* RFC 9000, appendix A.2 */
START_TEST(test_pn_len)
{
	ck_assert_uint_eq(ql_pn_encode_len(0xac5c02, 0xabe8b3), 2);
	ck_assert_uint_eq(ql_pn_encode_len(0xace8fe, 0xabe8b3), 3);
	ck_assert_uint_eq(ql_pn_encode_len(0, QL_PN_NONE), 1);
	ck_assert_uint_eq(ql_pn_encode_len(126, QL_PN_NONE), 1);
	ck_assert_uint_eq(ql_pn_encode_len(127, QL_PN_NONE), 2);
	ck_assert_uint_eq(ql_pn_encode_len(1000, 999), 1);
	ck_assert_uint_eq(ql_pn_encode_len(1127, 1000), 1);
	ck_assert_uint_eq(ql_pn_encode_len(1128, 1000), 2);
	ck_assert_uint_eq(ql_pn_encode_len(1000 + 32767, 1000), 2);
	ck_assert_uint_eq(ql_pn_encode_len(1000 + 32768, 1000), 3);
	ck_assert_uint_eq(ql_pn_encode_len(1000 + (1 << 23) - 1, 1000), 3);
	ck_assert_uint_eq(ql_pn_encode_len(1000 + (1 << 23), 1000), 4);
	ck_assert_uint_eq(ql_pn_encode_len(QL_PN_MAX, QL_PN_MAX - 1), 1);
}
END_TEST

/* RFC 9000, appendix A.3, and the ends of the number space */
START_TEST(test_pn_decode)
{
	ck_assert_uint_eq(ql_pn_decode(0x9b32, 2, 0xa82f30ea + 1), 0xa82f9b32);
	/* RFC 9001, appendix A.5: 654360564 in three bytes */
	ck_assert_uint_eq(ql_pn_decode(0x00bff4, 3, 654360563), 654360564);
	ck_assert_uint_eq(ql_pn_decode(0, 1, 0), 0);
	ck_assert_uint_eq(ql_pn_decode(255, 1, 0), 255);
	ck_assert_uint_eq(ql_pn_decode(255, 1, 1), 255);
	ck_assert_uint_eq(ql_pn_decode(0xff, 1, 0x100), 0xff);
	ck_assert_uint_eq(ql_pn_decode(0x80, 1, 0x100), 0x180);
	ck_assert_uint_eq(ql_pn_decode(0x81, 1, 0x100), 0x81);
	ck_assert_uint_eq(ql_pn_decode(0x00, 1, 0x180), 0x200);
	ck_assert_uint_eq(ql_pn_decode(0xff, 1, QL_PN_MAX), QL_PN_MAX);
	/* What would lie behind the last number stays below it. */
	ck_assert_uint_eq(ql_pn_decode(0x00, 1, QL_PN_MAX), QL_PN_MAX - 0xff);
}
END_TEST

/* Nearest to expected: the window is (expected - half, expected + half]. */
START_TEST(test_pn_window)
{
	uint64_t seed = 3;

	for (int i = 0; i < 200000; i++) {
		unsigned int len = 1 + (unsigned int)(rnd(&seed) % 4);
		uint64_t half = UINT64_C(1) << (8 * len - 1);
		uint64_t expected = rnd_varint(&seed), low, pn;
		uint8_t buf[4];

		low = expected >= half ? expected - half + 1 : 0;
		switch (i % 4) {
		case 0:
			pn = low;
			break;
		case 1:
			pn = expected + half;
			break;
		default:
			pn = low + rnd(&seed) % (expected + half - low + 1);
		}
		if (pn > QL_PN_MAX)
			continue;
		REQUIRE(ql_pn_put(buf, pn, len) == buf + len);
		REQUIRE(ql_pn_decode(ql_pn_get(buf, len), len, expected) == pn);
	}
}
END_TEST

/* Whatever of the packets up to pn has arrived, the sender's choice of length decodes. */
START_TEST(test_pn_end_to_end)
{
	uint64_t seed = 4;

	for (int i = 0; i < 200000; i++) {
		uint64_t acked = rnd_varint(&seed) >> 1, pn, received;
		unsigned int len;

		pn = acked + 1 + (rnd(&seed) & ((UINT64_C(1) << (rnd(&seed) % 31)) - 1));
		received = acked + rnd(&seed) % (pn - acked);
		len = ql_pn_encode_len(pn, acked);
		REQUIRE(ql_pn_decode((uint32_t)(pn & (UINT32_MAX >> (32 - 8 * len))), len,
				     received + 1) == pn);
	}
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_INITIAL), "Initial");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_ZERO_RTT), "0-RTT");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_HANDSHAKE), "Handshake");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_RETRY), "Retry");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_SHORT), "1-RTT");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_VERSION_NEGOTIATION), "Version Negotiation");
	ck_assert_str_eq(ql_pkt_type_name(QL_PKT_UNKNOWN_VERSION), "unknown version");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/packet");
	TCase *tc = tcase_create("packet");

	tcase_add_test(tc, test_rfc_initial);
	tcase_add_test(tc, test_rfc_server_initial);
	tcase_add_test(tc, test_rfc_retry);
	tcase_add_test(tc, test_type_bits);
	tcase_add_test(tc, test_long_round_trip);
	tcase_add_test(tc, test_coalesced);
	tcase_add_test(tc, test_short);
	tcase_add_test(tc, test_fixed_bit);
	tcase_add_test(tc, test_unknown_version);
	tcase_add_test(tc, test_version_negotiation);
	tcase_add_test(tc, test_malformed);
	tcase_add_test(tc, test_random_bytes);
	tcase_add_test(tc, test_pn_len);
	tcase_add_test(tc, test_pn_decode);
	tcase_add_test(tc, test_pn_window);
	tcase_add_test(tc, test_pn_end_to_end);
	tcase_add_test(tc, test_names);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
