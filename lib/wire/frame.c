// SPDX-License-Identifier: BSD-3-Clause
#include "wire/frame.h"

/* ---- What is known of each type ---- */

#define IN(type)  (1 << QL_PKT_##type)
#define ONLY_1RTT IN(SHORT)
#define DATA_PKTS (IN(ZERO_RTT) | IN(SHORT))
#define NOT_0RTT  (IN(INITIAL) | IN(HANDSHAKE) | IN(SHORT))
#define ALL_PKTS  (NOT_0RTT | DATA_PKTS)

#define KNOWN  QL_FRAME_F_KNOWN
#define FLIGHT (QL_FRAME_F_KNOWN | QL_FRAME_F_FLIGHT)
#define NORMAL (FLIGHT | QL_FRAME_F_ACKED)
#define PROBE  QL_FRAME_F_PROBE
#define FLOW   QL_FRAME_F_FLOW
#define SERVER QL_FRAME_F_SERVER

/* clang-format off */
const struct ql_frame_info ql_frame_infos[QL_FRAME_TYPE_END] = {
	[QL_FRAME_PADDING]                 = {FLIGHT | PROBE, ALL_PKTS},
	[QL_FRAME_PING]                    = {NORMAL, ALL_PKTS},
	[QL_FRAME_ACK ... 0x03]            = {KNOWN, NOT_0RTT},
	[QL_FRAME_RESET_STREAM]            = {NORMAL, DATA_PKTS},
	[QL_FRAME_STOP_SENDING]            = {NORMAL, DATA_PKTS},
	[QL_FRAME_CRYPTO]                  = {NORMAL, NOT_0RTT},
	[QL_FRAME_NEW_TOKEN]               = {NORMAL | SERVER, ONLY_1RTT},
	[QL_FRAME_STREAM ... 0x0f]         = {NORMAL | FLOW, DATA_PKTS},
	[QL_FRAME_MAX_DATA]                = {NORMAL, DATA_PKTS},
	[QL_FRAME_MAX_STREAM_DATA]         = {NORMAL, DATA_PKTS},
	[QL_FRAME_MAX_STREAMS ... 0x13]    = {NORMAL, DATA_PKTS},
	[QL_FRAME_DATA_BLOCKED]            = {NORMAL, DATA_PKTS},
	[QL_FRAME_STREAM_DATA_BLOCKED]     = {NORMAL, DATA_PKTS},
	[QL_FRAME_STREAMS_BLOCKED ... 0x17] = {NORMAL, DATA_PKTS},
	[QL_FRAME_NEW_CONNECTION_ID]       = {NORMAL | PROBE, DATA_PKTS},
	[QL_FRAME_RETIRE_CONNECTION_ID]    = {NORMAL, DATA_PKTS},
	[QL_FRAME_PATH_CHALLENGE]          = {NORMAL | PROBE, DATA_PKTS},
	[QL_FRAME_PATH_RESPONSE]           = {NORMAL | PROBE, ONLY_1RTT},
	[QL_FRAME_CONNECTION_CLOSE]        = {FLIGHT, ALL_PKTS},
	[QL_FRAME_CONNECTION_CLOSE | QL_FRAME_CLOSE_APP] = {FLIGHT, DATA_PKTS},
	[QL_FRAME_HANDSHAKE_DONE]          = {NORMAL | SERVER, ONLY_1RTT},
	[QL_FRAME_IMMEDIATE_ACK]           = {NORMAL, ONLY_1RTT},
	[QL_FRAME_DATAGRAM ... 0x31]       = {NORMAL, DATA_PKTS},
	[QL_FRAME_ACK_FREQUENCY]           = {NORMAL, ONLY_1RTT},
};

const char *ql_frame_name(uint64_t wire_type)
{
	static const char *const names[QL_FRAME_TYPE_END] = {
		[QL_FRAME_PADDING]                 = "PADDING",
		[QL_FRAME_PING]                    = "PING",
		[QL_FRAME_ACK ... 0x03]            = "ACK",
		[QL_FRAME_RESET_STREAM]            = "RESET_STREAM",
		[QL_FRAME_STOP_SENDING]            = "STOP_SENDING",
		[QL_FRAME_CRYPTO]                  = "CRYPTO",
		[QL_FRAME_NEW_TOKEN]               = "NEW_TOKEN",
		[QL_FRAME_STREAM ... 0x0f]         = "STREAM",
		[QL_FRAME_MAX_DATA]                = "MAX_DATA",
		[QL_FRAME_MAX_STREAM_DATA]         = "MAX_STREAM_DATA",
		[QL_FRAME_MAX_STREAMS ... 0x13]    = "MAX_STREAMS",
		[QL_FRAME_DATA_BLOCKED]            = "DATA_BLOCKED",
		[QL_FRAME_STREAM_DATA_BLOCKED]     = "STREAM_DATA_BLOCKED",
		[QL_FRAME_STREAMS_BLOCKED ... 0x17] = "STREAMS_BLOCKED",
		[QL_FRAME_NEW_CONNECTION_ID]       = "NEW_CONNECTION_ID",
		[QL_FRAME_RETIRE_CONNECTION_ID]    = "RETIRE_CONNECTION_ID",
		[QL_FRAME_PATH_CHALLENGE]          = "PATH_CHALLENGE",
		[QL_FRAME_PATH_RESPONSE]           = "PATH_RESPONSE",
		[QL_FRAME_CONNECTION_CLOSE ... 0x1d] = "CONNECTION_CLOSE",
		[QL_FRAME_HANDSHAKE_DONE]          = "HANDSHAKE_DONE",
		[QL_FRAME_IMMEDIATE_ACK]           = "IMMEDIATE_ACK",
		[QL_FRAME_DATAGRAM ... 0x31]       = "DATAGRAM",
		[QL_FRAME_ACK_FREQUENCY]           = "ACK_FREQUENCY",
	};

	return ql_frame_flags(wire_type) ? names[wire_type] : "UNKNOWN";
}
/* clang-format on */

/* ---- Decoding: each moves *p behind what it read; false when that is malformed ---- */

static bool get_int(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
	return ql_varint_get(p, end, v) == 0;
}

static bool get_bytes(const uint8_t **p, const uint8_t *end, uint64_t len, const uint8_t **data)
{
	if (len > (size_t)(end - *p))
		return false;
	*data = *p;
	*p += len;
	return true;
}

/* Bytes with their length in front. */
static bool get_block(const uint8_t **p, const uint8_t *end, const uint8_t **data, size_t *len)
{
	uint64_t n;

	if (!get_int(p, end, &n) || !get_bytes(p, end, n, data))
		return false;
	*len = n;
	return true;
}

/* What is left of the packet. */
static bool get_rest(const uint8_t **p, const uint8_t *end, const uint8_t **data, size_t *len)
{
	*len = (size_t)(end - *p);
	return get_bytes(p, end, *len, data);
}

/* *p is behind the first PADDING. */
static bool get_padding(const uint8_t **p, const uint8_t *end, size_t *count)
{
	const uint8_t *b = *p;

	while (end - b >= 8 && ql_get_be64(b) == 0)
		b += 8;
	while (b < end && *b == 0)
		b++;
	*count = 1 + (size_t)(b - *p);
	*p = b;
	return true;
}

static bool get_ack(const uint8_t **p, const uint8_t *end, struct ql_frame_ack *f)
{
	uint64_t smallest, gap, length;

	if (!get_int(p, end, &f->largest) || !get_int(p, end, &f->delay) ||
	    !get_int(p, end, &f->range_count) || !get_int(p, end, &f->first_range) ||
	    f->first_range > f->largest)
		return false;
	smallest = f->largest - f->first_range;
	f->ranges = *p;
	/* Two bytes a turn at least, so the packet's size bounds the work, whatever the count. */
	for (uint64_t i = 0; i < f->range_count; i++) {
		if (!get_int(p, end, &gap) || !get_int(p, end, &length) || gap + 2 > smallest ||
		    length > smallest - gap - 2)
			return false;
		smallest -= gap + 2 + length;
	}
	f->ranges_end = *p;
	if (!f->has_ecn) {
		f->ecn = (struct ql_ecn_counts){0};
		return true;
	}
	return get_int(p, end, &f->ecn.ect0) && get_int(p, end, &f->ecn.ect1) &&
	       get_int(p, end, &f->ecn.ce);
}

static bool get_new_cid(const uint8_t **p, const uint8_t *end, struct ql_frame_new_cid *f)
{
	const uint8_t *len, *cid;

	if (!get_int(p, end, &f->seq) || !get_int(p, end, &f->retire_prior_to) ||
	    f->retire_prior_to > f->seq)
		return false;
	/* The length is a plain byte, not a varint. */
	return get_bytes(p, end, 1, &len) && *len > 0 && get_bytes(p, end, *len, &cid) &&
	       ql_cid_set(&f->cid, cid, *len) == 0 &&
	       get_bytes(p, end, QL_RESET_TOKEN_LEN, &f->reset_token);
}

static bool get_close(const uint8_t **p, const uint8_t *end, struct ql_frame_close *f)
{
	f->frame_type = 0;
	return get_int(p, end, &f->code) && (f->app || get_int(p, end, &f->frame_type)) &&
	       get_block(p, end, &f->reason, &f->reason_len);
}

/* Everything behind the type; f->wire_type is a known one. */
static bool get_fields(const uint8_t **p, const uint8_t *end, struct ql_frame *f)
{
	unsigned int bits = (unsigned int)f->wire_type;

	f->type = (enum ql_frame_type)bits; /* first of its family unless said otherwise below */
	switch (bits) {
	case QL_FRAME_PADDING:
		return get_padding(p, end, &f->padding.count);
	case QL_FRAME_ACK ... 0x03:
		f->type = QL_FRAME_ACK;
		f->ack.has_ecn = bits & QL_FRAME_ACK_ECN;
		return get_ack(p, end, &f->ack);
	case QL_FRAME_RESET_STREAM:
		return get_int(p, end, &f->reset_stream.id) &&
		       get_int(p, end, &f->reset_stream.code) &&
		       get_int(p, end, &f->reset_stream.final_size);
	case QL_FRAME_STOP_SENDING:
		return get_int(p, end, &f->stop_sending.id) &&
		       get_int(p, end, &f->stop_sending.code);
	case QL_FRAME_CRYPTO:
		return get_int(p, end, &f->crypto.offset) &&
		       get_block(p, end, &f->crypto.data, &f->crypto.len) &&
		       f->crypto.offset + f->crypto.len <= QL_VARINT_MAX;
	case QL_FRAME_NEW_TOKEN:
		return get_block(p, end, &f->new_token.data, &f->new_token.len) &&
		       f->new_token.len > 0;
	case QL_FRAME_STREAM ... 0x0f:
		f->type = QL_FRAME_STREAM;
		*p -= 1; /* the type once more */
		return ql_frame_get_stream(p, end, &f->stream);
	case QL_FRAME_MAX_DATA:
		return get_int(p, end, &f->max_data.limit);
	case QL_FRAME_DATA_BLOCKED:
		return get_int(p, end, &f->data_blocked.limit);
	case QL_FRAME_MAX_STREAM_DATA:
		return get_int(p, end, &f->max_stream_data.id) &&
		       get_int(p, end, &f->max_stream_data.limit);
	case QL_FRAME_STREAM_DATA_BLOCKED:
		return get_int(p, end, &f->stream_data_blocked.id) &&
		       get_int(p, end, &f->stream_data_blocked.limit);
	case QL_FRAME_MAX_STREAMS ... 0x13:
		f->type = QL_FRAME_MAX_STREAMS;
		f->max_streams.uni = bits & QL_FRAME_UNI;
		return get_int(p, end, &f->max_streams.limit) &&
		       f->max_streams.limit <= QL_STREAMS_MAX;
	case QL_FRAME_STREAMS_BLOCKED ... 0x17:
		f->type = QL_FRAME_STREAMS_BLOCKED;
		f->streams_blocked.uni = bits & QL_FRAME_UNI;
		return get_int(p, end, &f->streams_blocked.limit) &&
		       f->streams_blocked.limit <= QL_STREAMS_MAX;
	case QL_FRAME_NEW_CONNECTION_ID:
		return get_new_cid(p, end, &f->new_cid);
	case QL_FRAME_RETIRE_CONNECTION_ID:
		return get_int(p, end, &f->retire_cid.seq);
	case QL_FRAME_PATH_CHALLENGE:
		return get_bytes(p, end, QL_PATH_DATA_LEN, &f->path_challenge.data);
	case QL_FRAME_PATH_RESPONSE:
		return get_bytes(p, end, QL_PATH_DATA_LEN, &f->path_response.data);
	case QL_FRAME_CONNECTION_CLOSE ... 0x1d:
		f->type = QL_FRAME_CONNECTION_CLOSE;
		f->close.app = bits & QL_FRAME_CLOSE_APP;
		return get_close(p, end, &f->close);
	case QL_FRAME_DATAGRAM:
		return get_rest(p, end, &f->datagram.data, &f->datagram.len);
	case QL_FRAME_DATAGRAM | QL_FRAME_DGRAM_LEN:
		f->type = QL_FRAME_DATAGRAM;
		return get_block(p, end, &f->datagram.data, &f->datagram.len);
	case QL_FRAME_ACK_FREQUENCY:
		return get_int(p, end, &f->ack_frequency.seq) &&
		       get_int(p, end, &f->ack_frequency.threshold) &&
		       get_int(p, end, &f->ack_frequency.delay) &&
		       get_int(p, end, &f->ack_frequency.reorder);
	default: /* PING, HANDSHAKE_DONE, IMMEDIATE_ACK */
		return true;
	}
}

int ql_frame_decode(const uint8_t **p, const uint8_t *end, struct ql_frame *f)
{
	const uint8_t *b = *p;

	f->wire_type = 0;
	if (ql_varint_get(&b, end, &f->wire_type))
		return -EBADMSG;
	if ((size_t)(b - *p) != ql_varint_len(f->wire_type))
		return -EPROTO;
	if (!ql_frame_flags(f->wire_type))
		return -EPROTONOSUPPORT;
	if (!get_fields(&b, end, f))
		return -EBADMSG;
	*p = b;
	return 0;
}

/* ---- Encoding ---- */

static bool fits(const uint8_t *p, const uint8_t *end, size_t n)
{
	return end >= p && (size_t)(end - p) >= n;
}

/* A frame that is a type and n integers, with room for tail bytes behind it. */
static uint8_t *put_ints(uint8_t *p, const uint8_t *end, unsigned int type, unsigned int n,
			 const uint64_t *v, size_t tail)
{
	size_t size = ql_varint_len(type) + tail;

	for (unsigned int i = 0; i < n; i++) {
		if (v[i] > QL_VARINT_MAX)
			return NULL;
		size += ql_varint_len(v[i]);
	}
	if (!fits(p, end, size))
		return NULL;
	p = ql_varint_put(p, type);
	for (unsigned int i = 0; i < n; i++)
		p = ql_varint_put(p, v[i]);
	return p;
}

#define PUT_INTS(p, end, type, ...)                                                  \
	put_ints(p, end, type, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), \
		 (uint64_t[]){__VA_ARGS__}, 0)

/* The same with len bytes at data behind the integers; a block if the last integer is len. */
static uint8_t *put_tail(uint8_t *p, const uint8_t *end, unsigned int type, unsigned int n,
			 const uint64_t *v, const uint8_t *data, size_t len)
{
	p = put_ints(p, end, type, n, v, len);
	return p ? ql_put_bytes(p, data, len) : NULL;
}

uint8_t *ql_frame_put_ack(uint8_t *p, const uint8_t *end, const struct ql_ack_range *r, size_t n,
			  uint64_t delay, const struct ql_ecn_counts *ecn)
{
	size_t room, size, used = 1;
	uint64_t gap, length;

	if (n == 0 || delay > QL_VARINT_MAX)
		return NULL;
	/* Take ranges while they fit, behind a count that is as wide as all of them would need. */
	room = (size_t)(end - p);
	size = 1 + ql_varint_len(r[0].end) + ql_varint_len(delay) + ql_varint_len(n - 1) +
	       ql_varint_len(r[0].end - r[0].start);
	if (ecn)
		size += ql_varint_len(ecn->ect0) + ql_varint_len(ecn->ect1) +
			ql_varint_len(ecn->ce);
	if (size > room)
		return NULL;
	for (; used < n; used++) {
		gap = r[used - 1].start - r[used].end - 2;
		length = r[used].end - r[used].start;
		size += ql_varint_len(gap) + ql_varint_len(length);
		if (size > room)
			break;
	}

	*p++ = (uint8_t)(QL_FRAME_ACK | (ecn ? QL_FRAME_ACK_ECN : 0));
	p = ql_varint_put(p, r[0].end);
	p = ql_varint_put(p, delay);
	p = ql_varint_put(p, used - 1);
	p = ql_varint_put(p, r[0].end - r[0].start);
	for (size_t i = 1; i < used; i++) {
		p = ql_varint_put(p, r[i - 1].start - r[i].end - 2);
		p = ql_varint_put(p, r[i].end - r[i].start);
	}
	if (ecn) {
		p = ql_varint_put(p, ecn->ect0);
		p = ql_varint_put(p, ecn->ect1);
		p = ql_varint_put(p, ecn->ce);
	}
	return p;
}

uint8_t *ql_frame_put_padding(uint8_t *p, const uint8_t *end, size_t count)
{
	if (!fits(p, end, count))
		return NULL;
	memset(p, QL_FRAME_PADDING, count);
	return p + count;
}

uint8_t *ql_frame_put_ping(uint8_t *p, const uint8_t *end)
{
	return put_ints(p, end, QL_FRAME_PING, 0, NULL, 0);
}

uint8_t *ql_frame_put_reset_stream(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t code,
				   uint64_t final_size)
{
	return PUT_INTS(p, end, QL_FRAME_RESET_STREAM, id, code, final_size);
}

uint8_t *ql_frame_put_stop_sending(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t code)
{
	return PUT_INTS(p, end, QL_FRAME_STOP_SENDING, id, code);
}

uint8_t *ql_frame_put_new_token(uint8_t *p, const uint8_t *end, const uint8_t *token, size_t len)
{
	uint64_t v[] = {len};

	return len > 0 ? put_tail(p, end, QL_FRAME_NEW_TOKEN, 1, v, token, len) : NULL;
}

uint8_t *ql_frame_put_max_data(uint8_t *p, const uint8_t *end, uint64_t limit)
{
	return PUT_INTS(p, end, QL_FRAME_MAX_DATA, limit);
}

uint8_t *ql_frame_put_max_stream_data(uint8_t *p, const uint8_t *end, uint64_t id, uint64_t limit)
{
	return PUT_INTS(p, end, QL_FRAME_MAX_STREAM_DATA, id, limit);
}

uint8_t *ql_frame_put_max_streams(uint8_t *p, const uint8_t *end, bool uni, uint64_t limit)
{
	if (limit > QL_STREAMS_MAX)
		return NULL;
	return PUT_INTS(p, end, QL_FRAME_MAX_STREAMS | (uni ? QL_FRAME_UNI : 0), limit);
}

uint8_t *ql_frame_put_data_blocked(uint8_t *p, const uint8_t *end, uint64_t limit)
{
	return PUT_INTS(p, end, QL_FRAME_DATA_BLOCKED, limit);
}

uint8_t *ql_frame_put_stream_data_blocked(uint8_t *p, const uint8_t *end, uint64_t id,
					  uint64_t limit)
{
	return PUT_INTS(p, end, QL_FRAME_STREAM_DATA_BLOCKED, id, limit);
}

uint8_t *ql_frame_put_streams_blocked(uint8_t *p, const uint8_t *end, bool uni, uint64_t limit)
{
	if (limit > QL_STREAMS_MAX)
		return NULL;
	return PUT_INTS(p, end, QL_FRAME_STREAMS_BLOCKED | (uni ? QL_FRAME_UNI : 0), limit);
}

uint8_t *ql_frame_put_new_cid(uint8_t *p, const uint8_t *end, uint64_t seq,
			      uint64_t retire_prior_to, const struct ql_cid *cid,
			      const uint8_t *reset_token)
{
	uint64_t v[] = {seq, retire_prior_to};

	if (cid->len == 0 || cid->len > QL_CID_MAX || retire_prior_to > seq)
		return NULL;
	p = put_ints(p, end, QL_FRAME_NEW_CONNECTION_ID, 2, v, 1 + cid->len + QL_RESET_TOKEN_LEN);
	if (!p)
		return NULL;
	*p++ = cid->len;
	p = ql_put_bytes(p, cid->id, cid->len);
	return ql_put_bytes(p, reset_token, QL_RESET_TOKEN_LEN);
}

uint8_t *ql_frame_put_retire_cid(uint8_t *p, const uint8_t *end, uint64_t seq)
{
	return PUT_INTS(p, end, QL_FRAME_RETIRE_CONNECTION_ID, seq);
}

uint8_t *ql_frame_put_path_challenge(uint8_t *p, const uint8_t *end, const uint8_t *data)
{
	return put_tail(p, end, QL_FRAME_PATH_CHALLENGE, 0, NULL, data, QL_PATH_DATA_LEN);
}

uint8_t *ql_frame_put_path_response(uint8_t *p, const uint8_t *end, const uint8_t *data)
{
	return put_tail(p, end, QL_FRAME_PATH_RESPONSE, 0, NULL, data, QL_PATH_DATA_LEN);
}

uint8_t *ql_frame_put_close(uint8_t *p, const uint8_t *end, bool app, uint64_t code,
			    uint64_t frame_type, const uint8_t *reason, size_t reason_len)
{
	size_t room = (size_t)(end - p), want = reason_len, hdr;
	unsigned int n = 0;
	uint64_t v[3];

	v[n++] = code;
	if (!app)
		v[n++] = frame_type;
	hdr = 1 + ql_varint_len(code) + (app ? 0 : ql_varint_len(frame_type));
	if (room < hdr || !ql_frame_fit(room - hdr, want, &reason_len))
		return NULL;
	/* The text is UTF-8: do not cut within a character. */
	while (reason_len > 0 && reason_len < want && (reason[reason_len] & 0xc0) == 0x80)
		reason_len--;
	v[n++] = reason_len;
	return put_tail(p, end, QL_FRAME_CONNECTION_CLOSE | (app ? QL_FRAME_CLOSE_APP : 0), n, v,
			reason, reason_len);
}

uint8_t *ql_frame_put_handshake_done(uint8_t *p, const uint8_t *end)
{
	return put_ints(p, end, QL_FRAME_HANDSHAKE_DONE, 0, NULL, 0);
}

uint8_t *ql_frame_put_immediate_ack(uint8_t *p, const uint8_t *end)
{
	return put_ints(p, end, QL_FRAME_IMMEDIATE_ACK, 0, NULL, 0);
}

uint8_t *ql_frame_put_ack_frequency(uint8_t *p, const uint8_t *end,
				    const struct ql_frame_ack_frequency *f)
{
	return PUT_INTS(p, end, QL_FRAME_ACK_FREQUENCY, f->seq, f->threshold, f->delay, f->reorder);
}
