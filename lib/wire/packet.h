// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packet headers of QUIC versions 1 and 2, both directions (RFC 9000, section 17; RFC 9369;
 * RFC 8999 for what holds in every version), and packet number coding (RFC 9000, appendix A).
 *
 * Parsing covers what header protection leaves readable; the packet number and the low bits of
 * the first byte come to light in crypto. Nothing is copied: a parsed header points into the
 * datagram. Sizes are bytes. Writers return where the next byte goes, or NULL when the header does
 * not fit before end.
 */
#ifndef QL_WIRE_PACKET_H
#define QL_WIRE_PACKET_H

#include <qlane/common.h>

#include "wire/cid.h"
#include "wire/varint.h"

/* First byte. The lower bits of a long header's type depend on the version. */
#define QL_PKT_LONG	 0x80
#define QL_PKT_FIXED	 0x40
#define QL_PKT_SPIN	 0x20
#define QL_PKT_KEY_PHASE 0x04
/* Reserved bits, zero once header protection is removed (else PROTOCOL_VIOLATION). */
#define QL_PKT_RESERVED_LONG  0x0c
#define QL_PKT_RESERVED_SHORT 0x18
#define QL_PKT_PN_LEN(first)  (((first)&0x03u) + 1)

#define QL_PN_MAX      QL_VARINT_MAX
#define QL_PN_NONE     UINT64_MAX /* "nothing acknowledged yet" */
#define QL_PN_MAX_LEN  4
#define QL_RETRY_TAG   16   /* bytes of the Retry Integrity Tag */
#define QL_INITIAL_MIN 1200 /* bytes of a datagram with an ack-eliciting Initial */

enum ql_pkt_type {
	QL_PKT_INITIAL,
	QL_PKT_ZERO_RTT,
	QL_PKT_HANDSHAKE,
	QL_PKT_RETRY,
	QL_PKT_SHORT, /* 1-RTT */
	QL_PKT_VERSION_NEGOTIATION,
	QL_PKT_UNKNOWN_VERSION, /* a long header of a version other than those above */
};

struct ql_pkt_hdr {
	enum ql_pkt_type type;
	uint32_t version; /* 0 in Version Negotiation and short headers */
	uint8_t first;	  /* first byte as received: its low bits are still protected */
	struct ql_cid_view dcid;
	struct ql_cid_view scid;
	/*
	 * Initial: the token. Retry: the token, never empty; the integrity tag is the QL_RETRY_TAG
	 * bytes behind it. Version Negotiation: the versions, for ql_pkt_vn_version(), at least
	 * one.
	 */
	const uint8_t *token;
	size_t token_len;
	/*
	 * Where the packet number starts; equal to size where a packet has none. From here to size
	 * may be less than a header protection sample needs, even nothing: crypto must check.
	 */
	size_t pn_offset;
	/* This packet's share of the datagram, never 0; another packet may follow at dgram + size.
	 */
	size_t size;
};

/* The long header's part of ql_pkt_parse(). */
int ql_pkt_parse_long(const uint8_t *dgram, size_t len, struct ql_pkt_hdr *h);

/*
 * Parses the header at the beginning of dgram, len bytes up to the datagram's end. short_dcid_len
 * is the length of our own connection IDs. The fixed bit is not looked at, since a peer may have
 * been told that it can grease it (RFC 9287): see ql_pkt_fixed(). Version and connection IDs are
 * read by the invariants, so QL_PKT_UNKNOWN_VERSION comes with both for a Version Negotiation
 * answer. 0, or -EBADMSG: drop the rest of the datagram.
 */
static inline int ql_pkt_parse(const uint8_t *dgram, size_t len, size_t short_dcid_len,
			       struct ql_pkt_hdr *h)
{
	if (len > 0 && (dgram[0] & QL_PKT_LONG))
		return ql_pkt_parse_long(dgram, len, h);
	if (len < 1 + short_dcid_len)
		return -EBADMSG;
	*h = (struct ql_pkt_hdr){
		.type = QL_PKT_SHORT,
		.first = dgram[0],
		.dcid = {.p = dgram + 1, .len = (uint8_t)short_dcid_len},
		.pn_offset = 1 + short_dcid_len,
		.size = len,
	};
	return 0;
}

/* Whether the fixed bit is set; without RFC 9287 a packet where it is not is dropped. */
static inline bool ql_pkt_fixed(const struct ql_pkt_hdr *h)
{
	return h->first & QL_PKT_FIXED;
}

static inline bool ql_version_supported(uint32_t version)
{
	return version == QL_VERSION_1 || version == QL_VERSION_2;
}

/* How many versions a Version Negotiation packet lists, and the i-th. */
static inline size_t ql_pkt_vn_count(const struct ql_pkt_hdr *h)
{
	return h->token_len / 4;
}

static inline uint32_t ql_pkt_vn_version(const struct ql_pkt_hdr *h, size_t i)
{
	return ql_get_be32(h->token + 4 * i);
}

const char *ql_pkt_type_name(enum ql_pkt_type type);

/* Size of a long header up to and including the packet number. */
size_t ql_pkt_long_size(enum ql_pkt_type type, size_t dcid_len, size_t scid_len, size_t token_len,
			unsigned int pn_len);

/*
 * Writes the header of an Initial, 0-RTT or Handshake packet up to the packet number, for which
 * pn_len (1..4) bytes are left: the return value is where it goes. *length is the two-byte Length
 * field, to be filled in by ql_pkt_put_length(). token is written in Initial packets only.
 */
uint8_t *ql_pkt_put_long(uint8_t *p, const uint8_t *end, enum ql_pkt_type type, uint32_t version,
			 const struct ql_cid *dcid, const struct ql_cid *scid, const uint8_t *token,
			 size_t token_len, unsigned int pn_len, uint8_t **length);

#define QL_PKT_LENGTH_MAX 16383

/* len: packet number, payload and AEAD tag; at most QL_PKT_LENGTH_MAX. */
static inline void ql_pkt_put_length(uint8_t *length, size_t len)
{
	ql_varint_put_len(length, len, 2);
}

/* Bytes that must be writable where ql_pkt_put_short() writes. */
#define QL_PKT_SHORT_ROOM (1 + QL_CID_MAX + QL_PN_MAX_LEN)

/*
 * Writes a short header up to the packet number and returns where that goes. Does not check:
 * QL_PKT_SHORT_ROOM bytes are there, and bytes behind the header are overwritten.
 */
static inline uint8_t *ql_pkt_put_short(uint8_t *p, const struct ql_cid *dcid, bool spin,
					bool key_phase, unsigned int pn_len)
{
	*p++ = (uint8_t)(QL_PKT_FIXED | (spin ? QL_PKT_SPIN : 0) |
			 (key_phase ? QL_PKT_KEY_PHASE : 0) | (pn_len - 1));
	memcpy(p, dcid->id, QL_CID_MAX);
	return p + dcid->len;
}

/*
 * Writes a Version Negotiation packet (RFC 9000, section 17.2.1). The answer to h carries
 * dcid = h->scid, scid = h->dcid. random fills the unused bits of the first byte.
 */
uint8_t *ql_pkt_put_version_negotiation(uint8_t *p, const uint8_t *end, uint8_t random,
					struct ql_cid_view dcid, struct ql_cid_view scid,
					const uint32_t *versions, size_t n);

/*
 * Writes a Retry packet without its integrity tag, for which QL_RETRY_TAG bytes are left at the
 * pointer returned. random fills the unused bits of the first byte. An empty token returns NULL.
 */
uint8_t *ql_pkt_put_retry(uint8_t *p, const uint8_t *end, uint8_t random, uint32_t version,
			  struct ql_cid_view dcid, struct ql_cid_view scid, const uint8_t *token,
			  size_t token_len);

/*
 * Bytes (1..4) that packet number pn needs when largest_acked, or QL_PN_NONE, is the largest the
 * peer acknowledged: a range more than twice the distance (RFC 9000, section 17.1).
 */
static inline unsigned int ql_pn_encode_len(uint64_t pn, uint64_t largest_acked)
{
	uint64_t unacked = pn - largest_acked; /* QL_PN_NONE is -1: pn + 1 */

	if (unacked < (UINT64_C(1) << 7))
		return 1;
	if (unacked < (UINT64_C(1) << 15))
		return 2;
	return unacked < (UINT64_C(1) << 23) ? 3 : 4;
}

/* Writes the low len (1..4) bytes of pn; returns the byte after them. */
static inline uint8_t *ql_pn_put(uint8_t *p, uint64_t pn, unsigned int len)
{
	for (unsigned int shift = 8 * len; shift > 0; shift -= 8)
		*p++ = (uint8_t)(pn >> (shift - 8));
	return p;
}

/* The truncated packet number of len (1..4) bytes at p. */
static inline uint32_t ql_pn_get(const uint8_t *p, unsigned int len)
{
	uint32_t v = 0;

	while (len-- > 0)
		v = v << 8 | *p++;
	return v;
}

/*
 * The packet number whose low len bytes are truncated and that lies nearest to expected: the
 * largest one that was successfully opened in this number space plus 1, or 0 (appendix A.3).
 */
static inline uint64_t ql_pn_decode(uint32_t truncated, unsigned int len, uint64_t expected)
{
	uint64_t window = UINT64_C(1) << (8 * len);
	uint64_t pn = (expected & ~(window - 1)) | truncated;

	if (pn + window / 2 <= expected && pn + window <= QL_PN_MAX)
		return pn + window;
	if (pn > expected + window / 2 && pn >= window)
		return pn - window;
	return pn;
}

#endif
