// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames of RFC 9000 (section 19), DATAGRAM frames of RFC 9221 and those of
 * draft-ietf-quic-ack-frequency, both directions.
 *
 * Decoding copies no data: what a frame carries stays in the packet, and the frame points there.
 * Encoders return the byte after what they wrote, or NULL, with nothing written, when the frame
 * does not fit before end or cannot be expressed. Their integers are at most QL_VARINT_MAX.
 * Sizes and offsets are bytes; error codes are as on the wire.
 */
#ifndef QL_WIRE_FRAME_H
#define QL_WIRE_FRAME_H

#include <qlane/error.h>

#include "wire/cid.h"
#include "wire/packet.h"
#include "wire/varint.h"

/* Families of frame types, named by the first type of each; the others follow it. */
enum ql_frame_type {
	QL_FRAME_PADDING = 0x00,
	QL_FRAME_PING = 0x01,
	QL_FRAME_ACK = 0x02, /* to 0x03 */
	QL_FRAME_RESET_STREAM = 0x04,
	QL_FRAME_STOP_SENDING = 0x05,
	QL_FRAME_CRYPTO = 0x06,
	QL_FRAME_NEW_TOKEN = 0x07,
	QL_FRAME_STREAM = 0x08, /* to 0x0f */
	QL_FRAME_MAX_DATA = 0x10,
	QL_FRAME_MAX_STREAM_DATA = 0x11,
	QL_FRAME_MAX_STREAMS = 0x12, /* to 0x13 */
	QL_FRAME_DATA_BLOCKED = 0x14,
	QL_FRAME_STREAM_DATA_BLOCKED = 0x15,
	QL_FRAME_STREAMS_BLOCKED = 0x16, /* to 0x17 */
	QL_FRAME_NEW_CONNECTION_ID = 0x18,
	QL_FRAME_RETIRE_CONNECTION_ID = 0x19,
	QL_FRAME_PATH_CHALLENGE = 0x1a,
	QL_FRAME_PATH_RESPONSE = 0x1b,
	QL_FRAME_CONNECTION_CLOSE = 0x1c, /* to 0x1d */
	QL_FRAME_HANDSHAKE_DONE = 0x1e,
	QL_FRAME_IMMEDIATE_ACK = 0x1f,
	QL_FRAME_DATAGRAM = 0x30, /* to 0x31 */
	QL_FRAME_ACK_FREQUENCY = 0xaf,
};

/* Bits within a family. */
#define QL_FRAME_ACK_ECN    0x01
#define QL_FRAME_STREAM_FIN 0x01
#define QL_FRAME_STREAM_LEN 0x02
#define QL_FRAME_STREAM_OFF 0x04
#define QL_FRAME_UNI	    0x01 /* MAX_STREAMS, STREAMS_BLOCKED */
#define QL_FRAME_CLOSE_APP  0x01
#define QL_FRAME_DGRAM_LEN  0x01

#define QL_STREAMS_MAX	 (UINT64_C(1) << 60) /* most streams of one type ever */
#define QL_PATH_DATA_LEN 8		     /* PATH_CHALLENGE, PATH_RESPONSE */

struct ql_ecn_counts {
	uint64_t ect0;
	uint64_t ect1;
	uint64_t ce;
};

struct ql_frame_ack {
	uint64_t largest;
	uint64_t delay; /* in units of the sender's ack_delay_exponent */
	uint64_t first_range;
	uint64_t range_count;  /* ranges behind the first */
	const uint8_t *ranges; /* those, checked already; for ql_ack_iter_init() */
	const uint8_t *ranges_end;
	bool has_ecn;
	struct ql_ecn_counts ecn; /* zero without has_ecn */
};

struct ql_frame_stream {
	uint64_t id;
	uint64_t offset;
	const uint8_t *data;
	size_t len;
	bool fin;
};

struct ql_frame_new_cid {
	uint64_t seq;
	uint64_t retire_prior_to;
	struct ql_cid cid;	    /* never empty */
	const uint8_t *reset_token; /* QL_RESET_TOKEN_LEN bytes */
};

struct ql_frame_ack_frequency {
	uint64_t seq;
	uint64_t threshold; /* ack-eliciting packets that need no acknowledgement yet */
	uint64_t delay;	    /* the max_ack_delay that is wanted, us */
	uint64_t reorder;   /* 1: gaps are acknowledged at once; 0: never because of them */
};

struct ql_frame_close {
	uint64_t code;
	uint64_t frame_type; /* 0 when app */
	const uint8_t *reason;
	size_t reason_len;
	bool app; /* code is the application's; else enum ql_error */
};

struct ql_frame {
	enum ql_frame_type type; /* the family */
	uint64_t wire_type;	 /* as received; set too when decoding fails behind it */
	union {
		struct {
			size_t count; /* of consecutive PADDING frames */
		} padding;
		struct ql_frame_ack ack;
		struct {
			uint64_t id;
			uint64_t code;
			uint64_t final_size;
		} reset_stream;
		struct {
			uint64_t id;
			uint64_t code;
		} stop_sending;
		struct {
			uint64_t offset;
			const uint8_t *data;
			size_t len;
		} crypto;
		struct {
			const uint8_t *data;
			size_t len; /* never 0 */
		} new_token;
		struct ql_frame_stream stream;
		struct {
			uint64_t limit;
		} max_data, data_blocked;
		struct {
			uint64_t id;
			uint64_t limit;
		} max_stream_data, stream_data_blocked;
		struct {
			uint64_t limit; /* streams, at most QL_STREAMS_MAX */
			bool uni;
		} max_streams, streams_blocked;
		struct ql_frame_new_cid new_cid;
		struct {
			uint64_t seq;
		} retire_cid;
		struct {
			const uint8_t *data; /* QL_PATH_DATA_LEN bytes */
		} path_challenge, path_response;
		struct ql_frame_close close;
		struct ql_frame_ack_frequency ack_frequency;
		struct {
			const uint8_t *data;
			size_t len;
		} datagram;
	};
};

/*
 * Decodes the frame at *p and moves *p behind it; *p < end. A run of PADDING comes as one frame.
 * 0, or with *p unchanged:
 *   -EBADMSG          malformed, cut off, or a value that the RFC calls a FRAME_ENCODING_ERROR
 *   -EPROTONOSUPPORT  a type that is not in enum ql_frame_type
 *   -EPROTO           a type that is not in its shortest encoding
 * f->wire_type then is the type that the CONNECTION_CLOSE names, 0 if it could not be read, and
 * ql_frame_err() gives the code. Whether the frame may come in this packet: ql_frame_allowed().
 */
int ql_frame_decode(const uint8_t **p, const uint8_t *end, struct ql_frame *f);

/* The transport error for an error of ql_frame_decode(). */
static inline enum ql_error ql_frame_err(int rc)
{
	return rc == -EPROTO ? QL_ERR_PROTOCOL_VIOLATION : QL_ERR_FRAME_ENCODING_ERROR;
}

/* ---- What RFC 9000, table 3, says of each type ---- */

#define QL_FRAME_TYPE_END 0xb0 /* above all types that are known */

#define QL_FRAME_F_KNOWN  0x01
#define QL_FRAME_F_ACKED  0x02 /* ack-eliciting (not N) */
#define QL_FRAME_F_FLIGHT 0x04 /* counts as in flight (not C) */
#define QL_FRAME_F_PROBE  0x08 /* probing (P) */
#define QL_FRAME_F_FLOW	  0x10 /* flow controlled (F) */
#define QL_FRAME_F_SERVER 0x20 /* only servers send it; from a client a PROTOCOL_VIOLATION */

struct ql_frame_info {
	uint8_t flags;
	uint8_t packets; /* bit 1 << enum ql_pkt_type */
};

extern const struct ql_frame_info ql_frame_infos[QL_FRAME_TYPE_END];

/* QL_FRAME_F_*, 0 for an unknown type. Takes wire types, as do the two below. */
static inline unsigned int ql_frame_flags(uint64_t wire_type)
{
	return wire_type < QL_FRAME_TYPE_END ? ql_frame_infos[wire_type].flags : 0;
}

/* Whether a packet of this type may carry the frame; if not: PROTOCOL_VIOLATION. */
static inline bool ql_frame_allowed(uint64_t wire_type, enum ql_pkt_type pkt)
{
	return wire_type < QL_FRAME_TYPE_END && (ql_frame_infos[wire_type].packets >> pkt & 1);
}

/* "STREAM", "MAX_STREAMS" and so on, "UNKNOWN" otherwise. */
const char *ql_frame_name(uint64_t wire_type);

/* A first byte of a frame that makes it STREAM. */
static inline bool ql_frame_is_stream(uint8_t type)
{
	return (type & 0xf8) == QL_FRAME_STREAM;
}

/*
 * Reads a STREAM frame, whose type is at *p. The data stays where it is.
 * @return false when it is cut off, or ends beyond what a stream can have
 */
static inline bool ql_frame_get_stream(const uint8_t **p, const uint8_t *end,
				       struct ql_frame_stream *f)
{
	const uint8_t *b = *p;
	unsigned int bits = *b++;
	uint64_t len;

	f->fin = bits & QL_FRAME_STREAM_FIN;
	f->offset = 0;
	if (ql_varint_get(&b, end, &f->id) ||
	    ((bits & QL_FRAME_STREAM_OFF) && ql_varint_get(&b, end, &f->offset)))
		return false;
	len = (uint64_t)(end - b);
	if (bits & QL_FRAME_STREAM_LEN) {
		if (ql_varint_get(&b, end, &len) || len > (uint64_t)(end - b))
			return false;
	}
	f->data = b;
	f->len = (size_t)len;
	*p = b + len;
	return f->offset + len <= QL_VARINT_MAX;
}

/* ---- ACK ranges ---- */

/* Packet numbers from start to end, both included. */
struct ql_ack_range {
	uint64_t start;
	uint64_t end;
};

struct ql_ack_iter {
	const uint8_t *p;
	const uint8_t *end;
	uint64_t largest;
	uint64_t length;
	uint64_t left; /* ranges to come */
};

/* f is a decoded ACK frame whose packet is still there. */
static inline void ql_ack_iter_init(struct ql_ack_iter *it, const struct ql_frame_ack *f)
{
	*it = (struct ql_ack_iter){.p = f->ranges,
				   .end = f->ranges_end,
				   .largest = f->largest,
				   .length = f->first_range,
				   .left = f->range_count + 1};
}

/* The next range, highest first, with at least one number missing in between. False at the end. */
static inline bool ql_ack_iter_next(struct ql_ack_iter *it, struct ql_ack_range *r)
{
	uint64_t gap;

	if (it->left == 0)
		return false;
	r->end = it->largest;
	r->start = it->largest - it->length;
	if (--it->left > 0) {
		if (ql_varint_get(&it->p, it->end, &gap) ||
		    ql_varint_get(&it->p, it->end, &it->length))
			it->left = 0; /* not reached: the decoder has been here */
		else
			it->largest = r->start - gap - 2;
	}
	return true;
}

/*
 * Writes an ACK frame of the n ranges at r: descending, at least one number missing between two.
 * The lowest ranges are left out when they do not fit; NULL when the first does not, or n is 0.
 * delay is in units of our ack_delay_exponent. ecn may be NULL.
 */
uint8_t *ql_frame_put_ack(uint8_t *p, const uint8_t *end, const struct ql_ack_range *r, size_t n,
			  uint64_t delay, const struct ql_ecn_counts *ecn);

/* ---- Frames with data that the caller appends: STREAM, CRYPTO, DATAGRAM ---- */

/* The most data, up to want, that fits in room bytes together with its own length as a varint. */
static inline bool ql_frame_fit(size_t room, size_t want, size_t *len)
{
	size_t most;

	if (room < 1)
		return false;
	if (room - 1 < 64)
		most = room - 1;
	else if (room - 2 < 16384)
		most = room - 2;
	else
		most = room - 4 < 16384 ? 16383 : room - 4;
	/* Just above a step the shorter form is still the better one and leaves bytes unused. */
	*len = want < most ? want : most;
	return true;
}

/* Bytes that ql_frame_put_stream_hdr() writes. */
static inline size_t ql_frame_stream_hdr_size(uint64_t id, uint64_t offset, size_t len,
					      bool with_len)
{
	return 1 + ql_varint_len(id) + (offset > 0 ? ql_varint_len(offset) : 0) +
	       (with_len ? ql_varint_len(len) : 0);
}

/*
 * Writes a STREAM header; the caller has checked the room and appends len bytes of data. Without
 * with_len the data must end the packet. offset + len is at most QL_VARINT_MAX.
 */
static inline uint8_t *ql_frame_put_stream_hdr(uint8_t *p, uint64_t id, uint64_t offset, size_t len,
					       bool fin, bool with_len)
{
	*p++ = (uint8_t)(QL_FRAME_STREAM | (fin ? QL_FRAME_STREAM_FIN : 0) |
			 (with_len ? QL_FRAME_STREAM_LEN : 0) |
			 (offset > 0 ? QL_FRAME_STREAM_OFF : 0));
	p = ql_varint_put(p, id);
	if (offset > 0)
		p = ql_varint_put(p, offset);
	return with_len ? ql_varint_put(p, len) : p;
}

/*
 * How much of want bytes of CRYPTO data fits with its header in room bytes: in *len, maybe 0. False
 * when not even the header fits.
 */
static inline bool ql_frame_crypto_fit(size_t room, uint64_t offset, size_t want, size_t *len)
{
	size_t hdr = 1 + ql_varint_len(offset);

	return room >= hdr && ql_frame_fit(room - hdr, want, len);
}

static inline uint8_t *ql_frame_put_crypto_hdr(uint8_t *p, uint64_t offset, size_t len)
{
	*p++ = QL_FRAME_CRYPTO;
	p = ql_varint_put(p, offset);
	return ql_varint_put(p, len);
}

static inline size_t ql_frame_datagram_hdr_size(size_t len, bool with_len)
{
	return 1 + (with_len ? ql_varint_len(len) : 0);
}

/* As for STREAM; data of a DATAGRAM frame cannot be split. */
static inline uint8_t *ql_frame_put_datagram_hdr(uint8_t *p, size_t len, bool with_len)
{
	*p++ = (uint8_t)(QL_FRAME_DATAGRAM | (with_len ? QL_FRAME_DGRAM_LEN : 0));
	return with_len ? ql_varint_put(p, len) : p;
}

/* ---- The other frames ---- */

uint8_t *ql_frame_put_padding(uint8_t *p, const uint8_t *end, size_t count);
uint8_t *ql_frame_put_ping(uint8_t *p, const uint8_t *end);
uint8_t *ql_frame_put_reset_stream(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t code,
				   uint64_t final_size);
uint8_t *ql_frame_put_stop_sending(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t code);
/* NULL for an empty token, which no peer may accept. */
uint8_t *ql_frame_put_new_token(uint8_t *p, const uint8_t *end, const uint8_t *token, size_t len);
uint8_t *ql_frame_put_max_data(uint8_t *p, const uint8_t *end, uint64_t limit);
uint8_t *ql_frame_put_max_stream_data(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t limit);
uint8_t *ql_frame_put_max_streams(uint8_t *p, const uint8_t *end, bool uni, uint64_t limit);
uint8_t *ql_frame_put_data_blocked(uint8_t *p, const uint8_t *end, uint64_t limit);
uint8_t *ql_frame_put_stream_data_blocked(uint8_t *p, const uint8_t *end, uint64_t id,
					  uint64_t limit);
uint8_t *ql_frame_put_streams_blocked(uint8_t *p, const uint8_t *end, bool uni, uint64_t limit);
/* reset_token: QL_RESET_TOKEN_LEN bytes. NULL for an empty cid or retire_prior_to above seq. */
uint8_t *ql_frame_put_new_cid(uint8_t *p, const uint8_t *end, uint64_t seq,
			      uint64_t retire_prior_to, const struct ql_cid *cid,
			      const uint8_t *reset_token);
uint8_t *ql_frame_put_retire_cid(uint8_t *p, const uint8_t *end, uint64_t seq);
/* data: QL_PATH_DATA_LEN bytes. */
uint8_t *ql_frame_put_path_challenge(uint8_t *p, const uint8_t *end, const uint8_t *data);
uint8_t *ql_frame_put_path_response(uint8_t *p, const uint8_t *end, const uint8_t *data);
/* The reason is cut to what fits. frame_type is not written when app. */
uint8_t *ql_frame_put_close(uint8_t *p, const uint8_t *end, bool app, uint64_t code,
			    uint64_t frame_type, const uint8_t *reason, size_t reason_len);
uint8_t *ql_frame_put_handshake_done(uint8_t *p, const uint8_t *end);
uint8_t *ql_frame_put_immediate_ack(uint8_t *p, const uint8_t *end);
uint8_t *ql_frame_put_ack_frequency(uint8_t *p, const uint8_t *end,
				    const struct ql_frame_ack_frequency *f);

#endif
