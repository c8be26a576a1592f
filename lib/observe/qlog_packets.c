// SPDX-License-Identifier: BSD-3-Clause
#include "observe/qlog.h"

#define TEXT_MAX 256 /* bytes of a reason phrase */

/* ---- Frames ---- */

void ql_qlog_error(struct ql_json *j, const char *key, uint64_t code, bool app)
{
	char crypto[] = "crypto_error_0x1..";

	if (!app && code >= QL_ERR_CRYPTO(0) && code <= QL_ERR_CRYPTO(255)) {
		crypto[16] = "0123456789abcdef"[code >> 4 & 15];
		crypto[17] = "0123456789abcdef"[code & 15];
		ql_json_str(j, key, crypto);
	} else if (!app && code <= QL_ERR_NO_VIABLE_PATH) {
		ql_json_lower(j, key, ql_err_name(code));
	} else {
		ql_json_str(j, key, "unknown");
		ql_json_u64(j, "error_code", code);
	}
}

static void raw(struct ql_json *j, const char *name, size_t len)
{
	ql_json_open(j, "raw", '{');
	ql_json_u64(j, name, len);
	ql_json_close(j, '}');
}

/* limit: when to stop. False if there was more. */
static bool ack(struct ql_json *j, const struct ql_frame_ack *f, unsigned int exponent,
		const char *limit)
{
	struct ql_ack_range r;
	struct ql_ack_iter it;
	bool all = true;

	ql_json_ms(j, "ack_delay", ql_rec_ack_delay(f->delay, exponent));
	ql_json_open(j, "acked_ranges", '[');
	ql_ack_iter_init(&it, f);
	while (ql_ack_iter_next(&it, &r)) {
		if (j->p > limit && j->p[-1] == ']') { /* the first one always is there */
			all = false;
			break;
		}
		ql_json_open(j, NULL, '[');
		ql_json_u64(j, NULL, r.start);
		if (r.end > r.start)
			ql_json_u64(j, NULL, r.end);
		ql_json_close(j, ']');
	}
	ql_json_close(j, ']');
	if (f->has_ecn) {
		ql_json_u64(j, "ect1", f->ecn.ect1);
		ql_json_u64(j, "ect0", f->ecn.ect0);
		ql_json_u64(j, "ce", f->ecn.ce);
	}
	return all;
}

static void stream(struct ql_json *j, const struct ql_frame_stream *f)
{
	ql_json_u64(j, "stream_id", f->id);
	ql_json_u64(j, "offset", f->offset);
	if (f->fin)
		ql_json_bool(j, "fin", true);
	raw(j, "length", f->len);
}

static void stream_type(struct ql_json *j, bool uni, const char *key, uint64_t limit)
{
	ql_json_str(j, "stream_type", uni ? "unidirectional" : "bidirectional");
	ql_json_u64(j, key, limit);
}

static void stream_error(struct ql_json *j, uint64_t id, uint64_t code)
{
	ql_json_u64(j, "stream_id", id);
	ql_qlog_error(j, "error", code, true);
}

static void stream_limit(struct ql_json *j, uint64_t id, const char *key, uint64_t limit)
{
	ql_json_u64(j, "stream_id", id);
	ql_json_u64(j, key, limit);
}

static void new_cid(struct ql_json *j, const struct ql_frame_new_cid *f)
{
	ql_json_u64(j, "sequence_number", f->seq);
	ql_json_u64(j, "retire_prior_to", f->retire_prior_to);
	ql_json_hex(j, "connection_id", f->cid.id, f->cid.len);
}

static void connection_close(struct ql_json *j, const struct ql_frame_close *f)
{
	ql_json_str(j, "error_space", f->app ? "application" : "transport");
	ql_qlog_error(j, "error", f->code, f->app);
	ql_json_text(j, "reason", f->reason, f->reason_len < TEXT_MAX ? f->reason_len : TEXT_MAX);
	if (f->frame_type)
		ql_json_u64(j, "trigger_frame_type", f->frame_type);
}

/* What a frame holds, behind its name. False if not all of it fitted. */
static bool frame(struct ql_json *j, const struct ql_frame *f, unsigned int exponent,
		  const char *limit)
{
	switch (f->type) {
	case QL_FRAME_PADDING:
		raw(j, "payload_length", f->padding.count);
		break;
	case QL_FRAME_ACK:
		return ack(j, &f->ack, exponent, limit);
	case QL_FRAME_RESET_STREAM:
		stream_error(j, f->reset_stream.id, f->reset_stream.code);
		ql_json_u64(j, "final_size", f->reset_stream.final_size);
		break;
	case QL_FRAME_STOP_SENDING:
		stream_error(j, f->stop_sending.id, f->stop_sending.code);
		break;
	case QL_FRAME_CRYPTO:
		ql_json_u64(j, "offset", f->crypto.offset);
		raw(j, "length", f->crypto.len);
		break;
	case QL_FRAME_NEW_TOKEN: /* not what it says: whoever has it is taken for its owner */
		ql_json_open(j, "token", '{');
		raw(j, "length", f->new_token.len);
		ql_json_close(j, '}');
		break;
	case QL_FRAME_STREAM:
		stream(j, &f->stream);
		break;
	case QL_FRAME_MAX_DATA:
		ql_json_u64(j, "maximum", f->max_data.limit);
		break;
	case QL_FRAME_MAX_STREAM_DATA:
		stream_limit(j, f->max_stream_data.id, "maximum", f->max_stream_data.limit);
		break;
	case QL_FRAME_MAX_STREAMS:
		stream_type(j, f->max_streams.uni, "maximum", f->max_streams.limit);
		break;
	case QL_FRAME_DATA_BLOCKED:
		ql_json_u64(j, "limit", f->data_blocked.limit);
		break;
	case QL_FRAME_STREAM_DATA_BLOCKED:
		stream_limit(j, f->stream_data_blocked.id, "limit", f->stream_data_blocked.limit);
		break;
	case QL_FRAME_STREAMS_BLOCKED:
		stream_type(j, f->streams_blocked.uni, "limit", f->streams_blocked.limit);
		break;
	case QL_FRAME_NEW_CONNECTION_ID:
		new_cid(j, &f->new_cid);
		break;
	case QL_FRAME_RETIRE_CONNECTION_ID:
		ql_json_u64(j, "sequence_number", f->retire_cid.seq);
		break;
	case QL_FRAME_PATH_CHALLENGE:
		ql_json_hex(j, "data", f->path_challenge.data, QL_PATH_DATA_LEN);
		break;
	case QL_FRAME_PATH_RESPONSE:
		ql_json_hex(j, "data", f->path_response.data, QL_PATH_DATA_LEN);
		break;
	case QL_FRAME_CONNECTION_CLOSE:
		connection_close(j, &f->close);
		break;
	case QL_FRAME_DATAGRAM:
		raw(j, "length", f->datagram.len);
		break;
	case QL_FRAME_ACK_FREQUENCY: /* no schema has it yet: by its draft's names */
		ql_json_u64(j, "sequence_number", f->ack_frequency.seq);
		ql_json_u64(j, "ack_eliciting_threshold", f->ack_frequency.threshold);
		ql_json_u64(j, "requested_max_ack_delay", f->ack_frequency.delay);
		ql_json_u64(j, "reordering_threshold", f->ack_frequency.reorder);
		break;
	default: /* PING, HANDSHAKE_DONE, IMMEDIATE_ACK */
		break;
	}
	return true;
}

/* The frames of a payload. Those that do not fit are counted; what is none ends the list. */
static void frames(struct ql_json *j, const uint8_t *p, size_t len, unsigned int exponent)
{
	const char *limit = j->end - (QL_QLOG_RECORD - QL_QLOG_LIST);
	const uint8_t *end = p + len;
	uint64_t left_out = 0;
	struct ql_frame f;

	ql_json_open(j, "frames", '[');
	while (p < end) {
		bool bad = ql_frame_decode(&p, end, &f) < 0;

		if (j->p > limit) {
			left_out++;
		} else {
			ql_json_open(j, NULL, '{');
			if (bad) {
				ql_json_str(j, "frame_type", "unknown");
				ql_json_u64(j, "frame_type_bytes", f.wire_type);
			} else {
				ql_json_lower(j, "frame_type", ql_frame_name((uint64_t)f.type));
				if (!frame(j, &f, exponent, limit))
					ql_json_bool(j, "cut", true);
			}
			ql_json_close(j, '}');
		}
		if (bad)
			break;
	}
	ql_json_close(j, ']');
	if (left_out)
		ql_json_u64(j, "frames_left_out", left_out);
}

/* ---- Headers ---- */

static const char *const types[] = {
	[QL_PKT_INITIAL] = "initial",	  [QL_PKT_ZERO_RTT] = "0RTT",
	[QL_PKT_HANDSHAKE] = "handshake", [QL_PKT_RETRY] = "retry",
	[QL_PKT_SHORT] = "1RTT",	  [QL_PKT_VERSION_NEGOTIATION] = "version_negotiation",
};

static void version(struct ql_json *j, const char *key, uint32_t v)
{
	uint8_t bytes[4];

	ql_put_be32(bytes, v);
	ql_json_hex(j, key, bytes, sizeof(bytes));
}

/* The fields of a long header behind type and number. */
static void long_header(struct ql_json *j, const struct ql_pkt_hdr *h)
{
	if (h->type != QL_PKT_RETRY && h->type != QL_PKT_VERSION_NEGOTIATION)
		ql_json_u64(j, "length", h->size - h->pn_offset);
	version(j, "version", h->version);
	ql_json_hex(j, "scid", h->scid.p, h->scid.len);
	ql_json_hex(j, "dcid", h->dcid.p, h->dcid.len);
	if (h->token_len > 0 && h->type != QL_PKT_VERSION_NEGOTIATION) {
		ql_json_open(j, "token", '{');
		raw(j, "length", h->token_len);
		ql_json_close(j, '}');
	}
}

static void header(struct ql_json *j, const struct ql_pkt_hdr *h, uint8_t first, uint64_t pn)
{
	ql_json_open(j, "header", '{');
	ql_json_str(j, "packet_type", types[h->type]);
	ql_json_u64(j, "packet_number", pn);
	if (h->type == QL_PKT_SHORT)
		ql_json_bool(j, "key_phase_bit", first & QL_PKT_KEY_PHASE);
	else
		long_header(j, h);
	ql_json_close(j, '}');
}

static void packet(struct ql_json *j, size_t len, const uint8_t *payload, size_t payload_len,
		   unsigned int exponent)
{
	ql_json_open(j, "raw", '{');
	ql_json_u64(j, "length", len);
	ql_json_u64(j, "payload_length", payload_len);
	ql_json_close(j, '}');
	frames(j, payload, payload_len, exponent);
}

/* ---- Events ---- */

/* What a packet shows besides itself. */
static void begin(struct ql_qlog_trace *t, const struct ql_conn *conn, const struct ql_path *path,
		  bool received, struct ql_cid_view dcid)
{
	ql_qlog_set_tuple(t, conn, path);
	if (conn->version != t->version && conn->hs)
		ql_qlog_versions(t, conn, NULL);
	if (ql_path_eq(path, &conn->path))
		ql_qlog_cid(t, conn, received, dcid);
}

void ql_qlog_sent(void *trace, const struct ql_conn *conn, const struct ql_seal_job *job,
		  unsigned int flags, const struct ql_path *path)
{
	size_t len = (size_t)job->hdr_len + job->payload_len + QL_TAG_LEN;
	struct ql_qlog_trace *t = trace;
	struct ql_pkt_hdr h;
	struct ql_json j;

	if (ql_pkt_parse(job->hdr, len, job->hdr_len - 1u - job->pn_len, &h) < 0)
		return;
	begin(t, conn, path, false, h.dcid);
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:packet_sent")) {
		header(&j, &h, job->hdr[0], job->pn);
		packet(&j, len, job->hdr + job->hdr_len, job->payload_len,
		       QL_TP_ACK_DELAY_EXPONENT_DEFAULT);
		if (flags & QL_SENT_MTU_PROBE)
			ql_json_bool(&j, "is_mtu_probe_packet", true);
		ql_qlog_end(t, &j);
	}
	ql_qlog_metrics(t, conn);
}

void ql_qlog_received(void *trace, const struct ql_conn *conn, enum ql_pkt_type type,
		      const struct ql_open_job *job, const struct ql_path *path)
{
	unsigned int exponent =
		type == QL_PKT_SHORT ? conn->ack_delay_exponent : QL_TP_ACK_DELAY_EXPONENT_DEFAULT;
	struct ql_qlog_trace *t = trace;
	struct ql_pkt_hdr h;
	struct ql_json j;

	t->genuine = true;
	if (ql_pkt_parse(job->pkt, job->len, job->pn_offset - 1u, &h) < 0)
		return;
	begin(t, conn, path, true, h.dcid);
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:packet_received")) {
		header(&j, &h, job->first, job->pn);
		packet(&j, job->len, job->payload, job->payload_len, exponent);
		ql_qlog_end(t, &j);
	}
}

void ql_qlog_answered(void *trace, const struct ql_conn *conn, const struct ql_pkt_hdr *hdr)
{
	bool vn = hdr->type == QL_PKT_VERSION_NEGOTIATION;
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	ql_qlog_set_tuple(t, conn, &conn->path);
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:packet_received"))
		return;
	ql_json_open(&j, "header", '{');
	ql_json_str(&j, "packet_type", types[hdr->type]);
	long_header(&j, hdr);
	ql_json_close(&j, '}');
	if (vn) {
		ql_json_open(&j, "supported_versions", '[');
		for (size_t i = 0; i < ql_pkt_vn_count(hdr) && i < QL_TP_VERSIONS_MAX; i++)
			version(&j, NULL, ql_pkt_vn_version(hdr, i));
		ql_json_close(&j, ']');
	}
	raw(&j, "length", hdr->size);
	ql_qlog_end(t, &j);
	if (vn)
		ql_qlog_versions(t, conn, hdr);
}

void ql_qlog_dropped(void *trace, const struct ql_conn *conn, enum ql_drop reason)
{
	static const char *const triggers[QL_DROP_MAX] = {
		[QL_DROP_SHORT] = "invalid",
		[QL_DROP_HEADER] = "invalid",
		[QL_DROP_VERSION] = "unsupported",
		[QL_DROP_INITIAL_SIZE] = "invalid",
		[QL_DROP_NO_CONN] = "connection_unknown",
		[QL_DROP_NO_LISTENER] = "connection_unknown",
		[QL_DROP_CONN_LIMIT] = "rejected",
		[QL_DROP_NO_MEMORY] = "internal_error",
		[QL_DROP_NO_KEYS] = "key_unavailable",
		[QL_DROP_AUTH] = "decryption_failure",
		[QL_DROP_DUPLICATE] = "duplicate",
		[QL_DROP_PATH] = "rejected",
		[QL_DROP_CLOSING] = "general",
		[QL_DROP_COALESCED_CID] = "connection_unknown",
		[QL_DROP_TOKEN] = "rejected",
	};
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:packet_dropped"))
		return;
	ql_json_str(&j, "trigger", triggers[reason] ? triggers[reason] : "general");
	ql_json_open(&j, "details", '{');
	ql_json_str(&j, "reason", ql_drop_name(reason));
	ql_json_close(&j, '}');
	ql_qlog_end(t, &j);
}

void ql_qlog_lost(void *trace, const struct ql_conn *conn, unsigned int space, uint64_t pn,
		  const struct ql_sent_pkt *pkt, bool late)
{
	static const char *const of_space[] = {"initial", "handshake", "1RTT"};
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:packet_lost"))
		return;
	ql_json_open(&j, "header", '{');
	ql_json_str(&j, "packet_type", of_space[space]);
	ql_json_u64(&j, "packet_number", pn);
	ql_json_close(&j, '}');
	if (pkt->flags & QL_SENT_MTU_PROBE)
		ql_json_bool(&j, "is_mtu_probe_packet", true);
	ql_json_str(&j, "trigger", late ? "time_threshold" : "reordering_threshold");
	ql_qlog_end(t, &j);
}
