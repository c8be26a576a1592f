// SPDX-License-Identifier: BSD-3-Clause
#include "wire/packet.h"
#include "wire/tparams.h"

enum kind {
	INT,
	FLAG,
	CID,
	TOKEN,
	ADDRESS,
	VERSIONS,
};

struct param {
	uint64_t id;
	const char *name;
	enum kind kind;
	bool server;		/* a client must not send it */
	size_t offset;		/* of the value in struct ql_tparams */
	uint64_t def, min, max; /* of an INT */
};

/* The integers are named in struct ql_tparams as in the RFC. */
#define INTEGER(id, field, def, min, max)                                                 \
	{                                                                                 \
		id, #field, INT, false, offsetof(struct ql_tparams, field), def, min, max \
	}
#define OTHER(id, name, kind, server, field)                                        \
	{                                                                           \
		id, name, kind, server, offsetof(struct ql_tparams, field), 0, 0, 0 \
	}
#define CLIENT_TOO  false
#define ONLY_SERVER true
#define ANY	    QL_VARINT_MAX
#define STREAMS_MAX (UINT64_C(1) << 60)

/* clang-format off */
static const struct param params[QL_TP_COUNT] = {
	/* 0x00 to 0x10 are in the order of their IDs: find() counts on it. */
	[QL_TP_ORIGINAL_DCID] =
		OTHER(0x00, "original_destination_connection_id", CID, ONLY_SERVER, original_dcid),
	[QL_TP_MAX_IDLE_TIMEOUT] = INTEGER(0x01, max_idle_timeout, 0, 0, ANY),
	[QL_TP_STATELESS_RESET_TOKEN] =
		OTHER(0x02, "stateless_reset_token", TOKEN, ONLY_SERVER, stateless_reset_token),
	[QL_TP_MAX_UDP_PAYLOAD_SIZE] =
		INTEGER(0x03, max_udp_payload_size, QL_TP_MAX_UDP_PAYLOAD_DEFAULT, 1200, ANY),
	[QL_TP_INITIAL_MAX_DATA] = INTEGER(0x04, initial_max_data, 0, 0, ANY),
	[QL_TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL] =
		INTEGER(0x05, initial_max_stream_data_bidi_local, 0, 0, ANY),
	[QL_TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE] =
		INTEGER(0x06, initial_max_stream_data_bidi_remote, 0, 0, ANY),
	[QL_TP_INITIAL_MAX_STREAM_DATA_UNI] =
		INTEGER(0x07, initial_max_stream_data_uni, 0, 0, ANY),
	[QL_TP_INITIAL_MAX_STREAMS_BIDI] =
		INTEGER(0x08, initial_max_streams_bidi, 0, 0, STREAMS_MAX),
	[QL_TP_INITIAL_MAX_STREAMS_UNI] =
		INTEGER(0x09, initial_max_streams_uni, 0, 0, STREAMS_MAX),
	[QL_TP_ACK_DELAY_EXPONENT] =
		INTEGER(0x0a, ack_delay_exponent, QL_TP_ACK_DELAY_EXPONENT_DEFAULT, 0, 20),
	[QL_TP_MAX_ACK_DELAY] =
		INTEGER(0x0b, max_ack_delay, QL_TP_MAX_ACK_DELAY_DEFAULT, 0, (1 << 14) - 1),
	[QL_TP_DISABLE_ACTIVE_MIGRATION] =
		OTHER(0x0c, "disable_active_migration", FLAG, CLIENT_TOO, present),
	[QL_TP_PREFERRED_ADDRESS] =
		OTHER(0x0d, "preferred_address", ADDRESS, ONLY_SERVER, preferred_address),
	[QL_TP_ACTIVE_CONNECTION_ID_LIMIT] =
		INTEGER(0x0e, active_connection_id_limit, QL_TP_ACTIVE_CID_LIMIT_DEFAULT, 2, ANY),
	[QL_TP_INITIAL_SCID] =
		OTHER(0x0f, "initial_source_connection_id", CID, CLIENT_TOO, initial_scid),
	[QL_TP_RETRY_SCID] =
		OTHER(0x10, "retry_source_connection_id", CID, ONLY_SERVER, retry_scid),
	[QL_TP_MAX_DATAGRAM_FRAME_SIZE] = INTEGER(0x20, max_datagram_frame_size, 0, 0, ANY),
	[QL_TP_GREASE_QUIC_BIT] = OTHER(0x2ab2, "grease_quic_bit", FLAG, CLIENT_TOO, present),
	[QL_TP_VERSION_INFORMATION] =
		OTHER(0x11, "version_information", VERSIONS, CLIENT_TOO, version_info),
	[QL_TP_MIN_ACK_DELAY] = INTEGER(0xff04de1b, min_ack_delay, 0, 0, ANY),
};
/* clang-format on */

/* The index of a parameter, or QL_TP_COUNT. */
static unsigned int find(uint64_t id)
{
	unsigned int i = QL_TP_RETRY_SCID + 1;

	if (id < i)
		return (unsigned int)id;
	while (i < QL_TP_COUNT && params[i].id != id)
		i++;
	return i;
}

static void *value_of(struct ql_tparams *tp, const struct param *pr)
{
	return (uint8_t *)tp + pr->offset;
}

void ql_tparams_init(struct ql_tparams *tp)
{
	memset(tp, 0, sizeof(*tp));
	tp->max_udp_payload_size = QL_TP_MAX_UDP_PAYLOAD_DEFAULT;
	tp->ack_delay_exponent = QL_TP_ACK_DELAY_EXPONENT_DEFAULT;
	tp->max_ack_delay = QL_TP_MAX_ACK_DELAY_DEFAULT;
	tp->active_connection_id_limit = QL_TP_ACTIVE_CID_LIMIT_DEFAULT;
}

const char *ql_tp_name(enum ql_tp id)
{
	return params[id].name;
}

/* ---- Decoding a value of exactly len bytes: 0 or -EBADMSG ---- */

static int get_int(const struct param *pr, const uint8_t *p, size_t len, uint64_t *v)
{
	const uint8_t *end = p + len;

	if (ql_varint_get(&p, end, v) || p != end || *v < pr->min || *v > pr->max)
		return -EBADMSG;
	return 0;
}

/* Both addresses, both ports, a connection ID of at least one byte, a reset token. */
#define ADDRESS_SIZE(cid_len) (4 + 2 + 16 + 2 + 1 + (cid_len) + QL_RESET_TOKEN_LEN)

static int get_address(const uint8_t *p, size_t len, struct ql_tp_preferred_address *a)
{
	size_t cid_len;

	if (len < ADDRESS_SIZE(1)) /* an empty connection ID is refused here */
		return -EBADMSG;
	memcpy(a->ipv4, p, sizeof(a->ipv4));
	a->ipv4_port = ql_get_be16(p + 4);
	memcpy(a->ipv6, p + 6, sizeof(a->ipv6));
	a->ipv6_port = ql_get_be16(p + 22);
	cid_len = p[24];
	if (len != ADDRESS_SIZE(cid_len) || ql_cid_set(&a->cid, p + 25, cid_len))
		return -EBADMSG;
	memcpy(a->reset_token, p + 25 + cid_len, QL_RESET_TOKEN_LEN);
	return 0;
}

static int get_versions(const uint8_t *p, size_t len, bool from_server,
			struct ql_tp_version_info *vi)
{
	bool chosen_listed = false;
	uint32_t v;

	if (len < 4 || len % 4 != 0)
		return -EBADMSG;
	vi->chosen = ql_get_be32(p);
	vi->n_available = 0;
	for (size_t i = 4; i < len; i += 4) {
		v = ql_get_be32(p + i);
		if (v == 0)
			return -EBADMSG;
		if (v == vi->chosen)
			chosen_listed = true;
		if (vi->n_available < QL_TP_VERSIONS_MAX)
			vi->available[vi->n_available++] = v;
		else if (ql_version_supported(v)) /* rather than one that is never used */
			vi->available[QL_TP_VERSIONS_MAX - 1] = v;
	}
	return vi->chosen != 0 && (from_server || chosen_listed) ? 0 : -EBADMSG;
}

static int get_value(struct ql_tparams *tp, const struct param *pr, bool from_server,
		     const uint8_t *p, size_t len)
{
	void *value = value_of(tp, pr);

	switch (pr->kind) {
	case INT:
		return get_int(pr, p, len, value);
	case FLAG:
		return len == 0 ? 0 : -EBADMSG;
	case CID:
		return ql_cid_set(value, p, len) ? -EBADMSG : 0;
	case TOKEN:
		if (len != QL_RESET_TOKEN_LEN)
			return -EBADMSG;
		memcpy(value, p, len);
		return 0;
	case ADDRESS:
		return get_address(p, len, value);
	case VERSIONS:
		return get_versions(p, len, from_server, value);
	}
	return -EBADMSG;
}

/* Rules between parameters, which may come in any order. Returns who breaks one, or QL_TP_COUNT. */
static enum ql_tp check_together(const struct ql_tparams *tp)
{
	/* Without a connection ID the server could not tell its clients apart at a second address.
	 */
	if (ql_tp_has(tp, QL_TP_PREFERRED_ADDRESS) && ql_tp_has(tp, QL_TP_INITIAL_SCID) &&
	    tp->initial_scid.len == 0)
		return QL_TP_PREFERRED_ADDRESS;
	if (ql_tp_has(tp, QL_TP_MIN_ACK_DELAY) && tp->min_ack_delay > tp->max_ack_delay * 1000)
		return QL_TP_MIN_ACK_DELAY;
	return QL_TP_COUNT;
}

int ql_tparams_decode(struct ql_tparams *tp, bool from_server, const uint8_t *p, size_t len,
		      const char **bad)
{
	const uint8_t *end = p + len;
	const char *who = "transport parameters";
	uint64_t id, value_len;
	unsigned int i;

	ql_tparams_init(tp);
	while (p < end) {
		who = "transport parameters";
		if (ql_varint_get(&p, end, &id) || ql_varint_get(&p, end, &value_len) ||
		    value_len > (size_t)(end - p))
			goto malformed;
		i = find(id);
		if (i < QL_TP_COUNT) {
			who = params[i].name;
			if (ql_tp_has(tp, i) || (params[i].server && !from_server) ||
			    get_value(tp, &params[i], from_server, p, value_len))
				goto malformed;
			ql_tp_set(tp, i);
		}
		p += value_len;
	}
	i = check_together(tp);
	if (i == QL_TP_COUNT)
		return 0;
	who = params[i].name;
malformed:
	if (bad)
		*bad = who;
	return -EBADMSG;
}

/* ---- Encoding ---- */

static size_t value_size(const struct param *pr, const void *value)
{
	switch (pr->kind) {
	case INT:
		return ql_varint_len(*(const uint64_t *)value);
	case FLAG:
		return 0;
	case CID:
		return ((const struct ql_cid *)value)->len;
	case TOKEN:
		return QL_RESET_TOKEN_LEN;
	case ADDRESS:
		return ADDRESS_SIZE(((const struct ql_tp_preferred_address *)value)->cid.len);
	case VERSIONS:
		return 4 + 4 * ((const struct ql_tp_version_info *)value)->n_available;
	}
	return 0;
}

static uint8_t *put_address(uint8_t *p, const struct ql_tp_preferred_address *a)
{
	p = ql_put_bytes(p, a->ipv4, sizeof(a->ipv4));
	p = ql_put_be16(p, a->ipv4_port);
	p = ql_put_bytes(p, a->ipv6, sizeof(a->ipv6));
	p = ql_put_be16(p, a->ipv6_port);
	*p++ = a->cid.len;
	p = ql_put_bytes(p, a->cid.id, a->cid.len);
	return ql_put_bytes(p, a->reset_token, sizeof(a->reset_token));
}

static uint8_t *put_versions(uint8_t *p, const struct ql_tp_version_info *vi)
{
	p = ql_put_be32(p, vi->chosen);
	for (size_t i = 0; i < vi->n_available; i++)
		p = ql_put_be32(p, vi->available[i]);
	return p;
}

static uint8_t *put_value(uint8_t *p, const struct param *pr, const void *value)
{
	switch (pr->kind) {
	case INT:
		return ql_varint_put(p, *(const uint64_t *)value);
	case FLAG:
		return p;
	case CID:
		return ql_put_bytes(p, ((const struct ql_cid *)value)->id,
				    ((const struct ql_cid *)value)->len);
	case TOKEN:
		return ql_put_bytes(p, value, QL_RESET_TOKEN_LEN);
	case ADDRESS:
		return put_address(p, value);
	case VERSIONS:
		return put_versions(p, value);
	}
	return p;
}

/* ID and length of a value of len bytes; NULL if the value would not fit behind them. */
static uint8_t *put_header(uint8_t *p, const uint8_t *end, uint64_t id, size_t len)
{
	if ((size_t)(end - p) < ql_varint_len(id) + ql_varint_len(len) + len)
		return NULL;
	p = ql_varint_put(p, id);
	return ql_varint_put(p, len);
}

uint8_t *ql_tparams_encode(const struct ql_tparams *tp, bool from_server,
			   const struct ql_tp_grease *grease, uint8_t *p, const uint8_t *end)
{
	for (unsigned int i = 0; i < QL_TP_COUNT; i++) {
		const struct param *pr = &params[i];
		const void *value = (const uint8_t *)tp + pr->offset;
		bool wanted = ql_tp_has(tp, i);

		if (pr->kind == INT && *(const uint64_t *)value != pr->def)
			wanted = true;
		if (!wanted || (pr->server && !from_server))
			continue;
		p = put_header(p, end, pr->id, value_size(pr, value));
		if (!p)
			return NULL;
		p = put_value(p, pr, value);
	}
	if (grease) {
		p = put_header(p, end, 31 * grease->n + 27, grease->len);
		if (!p)
			return NULL;
		p = ql_put_bytes(p, grease->value, grease->len);
	}
	return p;
}
