// SPDX-License-Identifier: BSD-3-Clause
#include "wire/packet.h"

/* First byte, version, and the two lengths: what every long header has at least. */
#define LONG_MIN 7

static bool fits(const uint8_t *p, const uint8_t *end, size_t n)
{
	return end >= p && (size_t)(end - p) >= n;
}

/* The type bits of Initial, 0-RTT, Handshake and Retry: in this order, version 2 begins with Retry.
 */
static unsigned int type_to_bits(enum ql_pkt_type type, uint32_t version)
{
	return (type + (version == QL_VERSION_2)) & 3;
}

static enum ql_pkt_type type_from_bits(unsigned int bits, uint32_t version)
{
	return (enum ql_pkt_type)((bits - (version == QL_VERSION_2)) & 3);
}

static int get_cid(const uint8_t **p, const uint8_t *end, struct ql_cid_view *cid)
{
	if (*p == end || !fits(*p + 1, end, **p))
		return -EBADMSG;
	cid->len = **p;
	cid->p = *p + 1;
	*p += 1 + cid->len;
	return 0;
}

int ql_pkt_parse_long(const uint8_t *dgram, size_t len, struct ql_pkt_hdr *h)
{
	const uint8_t *end = dgram + len, *p = dgram;
	uint64_t n;

	if (len < LONG_MIN)
		return -EBADMSG;
	*h = (struct ql_pkt_hdr){
		.first = dgram[0],
		.version = ql_get_be32(dgram + 1),
		.pn_offset = len,
		.size = len,
	};
	p += 5;
	if (get_cid(&p, end, &h->dcid) || get_cid(&p, end, &h->scid))
		return -EBADMSG;

	h->token = p;
	h->token_len = (size_t)(end - p);
	if (h->version == 0) {
		h->type = QL_PKT_VERSION_NEGOTIATION;
		return h->token_len > 0 && h->token_len % 4 == 0 ? 0 : -EBADMSG;
	}
	if (!ql_version_supported(h->version)) {
		h->type = QL_PKT_UNKNOWN_VERSION;
		return 0;
	}
	if (h->dcid.len > QL_CID_MAX || h->scid.len > QL_CID_MAX)
		return -EBADMSG;
	h->type = type_from_bits(h->first >> 4, h->version);
	if (h->type == QL_PKT_RETRY) {
		if (h->token_len <= QL_RETRY_TAG)
			return -EBADMSG;
		h->token_len -= QL_RETRY_TAG;
		return 0;
	}

	h->token_len = 0;
	if (h->type == QL_PKT_INITIAL) {
		if (ql_varint_get(&p, end, &n) || n > (size_t)(end - p))
			return -EBADMSG;
		h->token = p;
		h->token_len = n;
		p += n;
	}
	if (ql_varint_get(&p, end, &n) || n > (size_t)(end - p))
		return -EBADMSG;
	h->pn_offset = (size_t)(p - dgram);
	h->size = h->pn_offset + n;
	return 0;
}

const char *ql_pkt_type_name(enum ql_pkt_type type)
{
	switch (type) {
	case QL_PKT_INITIAL:
		return "Initial";
	case QL_PKT_ZERO_RTT:
		return "0-RTT";
	case QL_PKT_HANDSHAKE:
		return "Handshake";
	case QL_PKT_RETRY:
		return "Retry";
	case QL_PKT_SHORT:
		return "1-RTT";
	case QL_PKT_VERSION_NEGOTIATION:
		return "Version Negotiation";
	case QL_PKT_UNKNOWN_VERSION:
		return "unknown version";
	}
	return "unknown";
}

static uint8_t *put_cid(uint8_t *p, struct ql_cid_view cid)
{
	*p++ = cid.len;
	return ql_put_bytes(p, cid.p, cid.len);
}

/* The part that all versions share; the caller has checked that it fits. */
static uint8_t *put_invariant(uint8_t *p, uint8_t first, uint32_t version, struct ql_cid_view dcid,
			      struct ql_cid_view scid)
{
	*p++ = first;
	p = ql_put_be32(p, version);
	p = put_cid(p, dcid);
	return put_cid(p, scid);
}

size_t ql_pkt_long_size(enum ql_pkt_type type, size_t dcid_len, size_t scid_len, size_t token_len,
			unsigned int pn_len)
{
	size_t size = LONG_MIN + dcid_len + scid_len + 2 + pn_len;

	return type == QL_PKT_INITIAL ? size + ql_varint_len(token_len) + token_len : size;
}

uint8_t *ql_pkt_put_long(uint8_t *p, const uint8_t *end, enum ql_pkt_type type, uint32_t version,
			 const struct ql_cid *dcid, const struct ql_cid *scid, const uint8_t *token,
			 size_t token_len, unsigned int pn_len, uint8_t **length)
{
	unsigned int first =
		QL_PKT_LONG | QL_PKT_FIXED | type_to_bits(type, version) << 4 | (pn_len - 1);

	if (!fits(p, end, ql_pkt_long_size(type, dcid->len, scid->len, token_len, pn_len)))
		return NULL;
	p = put_invariant(p, (uint8_t)first, version, ql_cid_view(dcid), ql_cid_view(scid));
	if (type == QL_PKT_INITIAL) {
		p = ql_varint_put(p, token_len);
		p = ql_put_bytes(p, token, token_len);
	}
	*length = p;
	return ql_varint_put_len(p, 0, 2);
}

uint8_t *ql_pkt_put_version_negotiation(uint8_t *p, const uint8_t *end, uint8_t random,
					struct ql_cid_view dcid, struct ql_cid_view scid,
					const uint32_t *versions, size_t n)
{
	/* The fixed bit is unused here, but set it is told from other protocols on the port. */
	uint8_t first = QL_PKT_LONG | QL_PKT_FIXED | random;

	if (!fits(p, end, LONG_MIN + dcid.len + scid.len + 4 * n))
		return NULL;
	p = put_invariant(p, first, 0, dcid, scid);
	for (size_t i = 0; i < n; i++)
		p = ql_put_be32(p, versions[i]);
	return p;
}

uint8_t *ql_pkt_put_retry(uint8_t *p, const uint8_t *end, uint8_t random, uint32_t version,
			  struct ql_cid_view dcid, struct ql_cid_view scid, const uint8_t *token,
			  size_t token_len)
{
	unsigned int first = QL_PKT_LONG | QL_PKT_FIXED | type_to_bits(QL_PKT_RETRY, version) << 4 |
			     (random & 0x0f);

	if (token_len == 0 ||
	    !fits(p, end, LONG_MIN + dcid.len + scid.len + token_len + QL_RETRY_TAG))
		return NULL;
	p = put_invariant(p, (uint8_t)first, version, dcid, scid);
	return ql_put_bytes(p, token, token_len);
}
