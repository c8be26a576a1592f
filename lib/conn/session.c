// SPDX-License-Identifier: BSD-3-Clause
#include "conn/session.h"

#include <errno.h>

#include "wire/bytes.h"

#define FLAG_EARLY    1
#define FLAG_VERIFIED 2

size_t ql_session_encode(const struct ql_session *s, uint8_t out[QL_SESSION_MAX])
{
	uint8_t *p = out;

	if (s->params_len > QL_SESSION_PARAMS || s->tls_len > QL_TLS_SESSION_MAX)
		return 0;
	*p++ = QL_SESSION_FORMAT;
	*p++ = (uint8_t)((s->early ? FLAG_EARLY : 0) | (s->verified ? FLAG_VERIFIED : 0));
	p = ql_put_be32(p, s->version);
	*p++ = s->alpn_len;
	p = ql_put_bytes(p, s->alpn, s->alpn_len);
	*p++ = s->name_len;
	p = ql_put_bytes(p, s->name, s->name_len);
	p = ql_put_be16(p, s->params_len);
	p = ql_put_bytes(p, s->params, s->params_len);
	p = ql_put_be16(p, s->tls_len);
	p = ql_put_bytes(p, s->tls, s->tls_len);
	return (size_t)(p - out);
}

/* What is n bytes long, with its length of size bytes in front; NULL if it is cut off. */
static const uint8_t *take(const uint8_t **p, const uint8_t *end, unsigned int size, uint16_t *n)
{
	const uint8_t *at;

	if ((size_t)(end - *p) < size)
		return NULL;
	*n = size == 1 ? **p : ql_get_be16(*p);
	at = *p + size;
	if ((size_t)(end - at) < *n)
		return NULL;
	*p = at + *n;
	return at;
}

int ql_session_decode(struct ql_session *s, const uint8_t *data, size_t len)
{
	const uint8_t *p = data + 6, *end = data + len, *alpn, *name;
	uint16_t n;

	if (len < 6 || data[0] != QL_SESSION_FORMAT)
		return -EBADMSG;
	s->early = data[1] & FLAG_EARLY;
	s->verified = data[1] & FLAG_VERIFIED;
	s->version = ql_get_be32(data + 2);
	alpn = take(&p, end, 1, &n);
	if (!alpn)
		return -EBADMSG;
	s->alpn = (const char *)alpn;
	s->alpn_len = (uint8_t)n;
	name = take(&p, end, 1, &n);
	if (!name)
		return -EBADMSG;
	s->name = (const char *)name;
	s->name_len = (uint8_t)n;
	s->params = take(&p, end, 2, &s->params_len);
	if (!s->params)
		return -EBADMSG;
	s->tls = take(&p, end, 2, &s->tls_len);
	return s->tls && p == end ? 0 : -EBADMSG;
}

void ql_session_remember(struct ql_tparams *tp)
{
	struct ql_tparams keep;

	ql_tparams_init(&keep);
	keep.max_idle_timeout = tp->max_idle_timeout;
	keep.max_udp_payload_size = tp->max_udp_payload_size;
	keep.initial_max_data = tp->initial_max_data;
	keep.initial_max_stream_data_bidi_local = tp->initial_max_stream_data_bidi_local;
	keep.initial_max_stream_data_bidi_remote = tp->initial_max_stream_data_bidi_remote;
	keep.initial_max_stream_data_uni = tp->initial_max_stream_data_uni;
	keep.initial_max_streams_bidi = tp->initial_max_streams_bidi;
	keep.initial_max_streams_uni = tp->initial_max_streams_uni;
	keep.active_connection_id_limit = tp->active_connection_id_limit;
	keep.max_datagram_frame_size = tp->max_datagram_frame_size;
	if (ql_tp_has(tp, QL_TP_DISABLE_ACTIVE_MIGRATION))
		ql_tp_set(&keep, QL_TP_DISABLE_ACTIVE_MIGRATION);
	*tp = keep;
}

size_t ql_session_params(const struct ql_tparams *tp, uint8_t out[QL_SESSION_PARAMS])
{
	struct ql_tparams keep = *tp;
	uint8_t *end;

	ql_session_remember(&keep);
	end = ql_tparams_encode(&keep, true, NULL, out, out + QL_SESSION_PARAMS);
	return end ? (size_t)(end - out) : 0;
}

bool ql_session_reduced(const struct ql_tparams *now, const struct ql_tparams *before)
{
	return now->initial_max_data < before->initial_max_data ||
	       now->initial_max_stream_data_bidi_local <
		       before->initial_max_stream_data_bidi_local ||
	       now->initial_max_stream_data_bidi_remote <
		       before->initial_max_stream_data_bidi_remote ||
	       now->initial_max_stream_data_uni < before->initial_max_stream_data_uni ||
	       now->initial_max_streams_bidi < before->initial_max_streams_bidi ||
	       now->initial_max_streams_uni < before->initial_max_streams_uni ||
	       now->active_connection_id_limit < before->active_connection_id_limit ||
	       now->max_datagram_frame_size < before->max_datagram_frame_size;
}
