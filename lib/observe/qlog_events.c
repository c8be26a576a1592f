// SPDX-License-Identifier: BSD-3-Clause
#include "observe/qlog.h"

#include <arpa/inet.h>
#include <time.h>

#include "recovery/bbr.h"

/* ---- Beginning and end ---- */

static void put_version(struct ql_json *j, const char *key, uint32_t version)
{
	uint8_t bytes[4];

	ql_put_be32(bytes, version);
	ql_json_hex(j, key, bytes, sizeof(bytes));
}

void ql_qlog_versions(struct ql_qlog_trace *t, const struct ql_conn *conn,
		      const struct ql_pkt_hdr *negotiation)
{
	uint32_t ours[QL_VERSIONS_MAX];
	unsigned int n = ql_versions(&conn->hs->endpoint.transport, ours);
	struct ql_json j;

	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:version_information"))
		return;
	ql_json_open(&j, t->server ? "server_versions" : "client_versions", '[');
	for (unsigned int i = 0; i < n; i++)
		put_version(&j, NULL, ours[i]);
	ql_json_close(&j, ']');
	if (negotiation) {
		ql_json_open(&j, "server_versions", '[');
		for (size_t i = 0; i < ql_pkt_vn_count(negotiation) && i < QL_TP_VERSIONS_MAX; i++)
			put_version(&j, NULL, ql_pkt_vn_version(negotiation, i));
		ql_json_close(&j, ']');
	} else {
		put_version(&j, "chosen_version", conn->version);
		t->version = conn->version;
	}
	ql_qlog_end(t, &j);
}

static void put_wall_clock(struct ql_json *j)
{
	char text[48];
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&ts.tv_sec, &tm));
	snprintf(text + n, sizeof(text) - n, ".%03ldZ", ts.tv_nsec / 1000000);
	ql_json_str(j, "wall_clock_time", text);
}

static void put_header(struct ql_qlog_trace *t, const struct ql_conn *conn, bool wall_clock)
{
	char *buf = ql_qlog_reserve(t);
	struct ql_json j = {.p = buf};

	if (!buf)
		return;
	j.end = buf + QL_QLOG_RECORD;
	ql_json_char(&j, '\x1e');
	ql_json_char(&j, '{');
	ql_json_str(&j, "file_schema", "urn:ietf:params:qlog:file:sequential");
	ql_json_str(&j, "serialization_format", "application/qlog+json-seq");
	ql_json_open(&j, "trace", '{');
	ql_json_open(&j, "common_fields", '{');
	ql_json_hex(&j, "group_id", t->odcid.id, t->odcid.len);
	ql_json_str(&j, "time_format", "relative_to_epoch");
	ql_json_open(&j, "reference_time", '{');
	ql_json_str(&j, "clock_type", "monotonic");
	ql_json_str(&j, "epoch", "unknown");
	if (wall_clock)
		put_wall_clock(&j);
	ql_json_close(&j, '}');
	ql_json_close(&j, '}');
	ql_json_open(&j, "vantage_point", '{');
	ql_json_str(&j, "name", "qlane");
	ql_json_str(&j, "type", conn->server ? "server" : "client");
	ql_json_close(&j, '}');
	ql_json_open(&j, "event_schemas", '[');
	ql_json_str(&j, NULL, "urn:ietf:params:qlog:events:quic-13");
	ql_json_str(&j, NULL, "urn:ietf:params:qlog:events:loglevel-14");
	ql_json_close(&j, ']');
	ql_json_close(&j, '}');
	ql_json_close(&j, '}');
	ql_json_char(&j, '\n');
	ql_qlog_commit(t, (size_t)(j.p - buf));
}

static void endpoint(struct ql_json *j, const char *key, const struct ql_addr *a)
{
	bool ip4 = ql_addr_is_ip4(a);
	char text[INET6_ADDRSTRLEN];

	ql_json_open(j, key, '{');
	inet_ntop(ip4 ? AF_INET : AF_INET6, a->ip + (ip4 ? 12 : 0), text, sizeof(text));
	ql_json_str(j, ip4 ? "ip_v4" : "ip_v6", text);
	ql_json_u64(j, ip4 ? "port_v4" : "port_v6", a->port);
	ql_json_close(j, '}');
}

static void put_state(struct ql_qlog_trace *t, const struct ql_conn *conn, const char *name)
{
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:connection_state_updated"))
		return;
	ql_json_str(&j, "new", name);
	ql_qlog_end(t, &j);
}

static void put_alpn(struct ql_qlog_trace *t, const struct ql_conn *conn, const char *chosen)
{
	const struct ql_endpoint *ep = &conn->hs->endpoint;
	struct ql_json j;

	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:alpn_information"))
		return;
	ql_json_open(&j, t->server ? "server_alpns" : "client_alpns", '[');
	for (unsigned int i = 0; i < ep->n_protos; i++) {
		ql_json_open(&j, NULL, '{');
		ql_json_text(&j, "string_value", ep->protos[i].alpn, strlen(ep->protos[i].alpn));
		ql_json_close(&j, '}');
	}
	ql_json_close(&j, ']');
	if (chosen) {
		ql_json_open(&j, "chosen_alpn", '{');
		ql_json_text(&j, "string_value", chosen, strlen(chosen));
		ql_json_close(&j, '}');
	}
	ql_qlog_end(t, &j);
}

static void put_recovery(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	const struct ql_path_rec *path = &conn->rec.path;
	struct ql_json j;

	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:recovery_parameters_set"))
		return;
	ql_json_u64(&j, "reordering_threshold", QL_REC_PACKET_THRESHOLD);
	ql_json_ms(&j, "time_threshold", 9 * QL_NSEC_PER_MSEC / 8);
	ql_json_u64(&j, "timer_granularity", QL_RTT_GRANULARITY / QL_NSEC_PER_MSEC);
	ql_json_ms(&j, "initial_rtt", path->rtt.smoothed);
	ql_json_u64(&j, "max_datagram_size", path->mtu);
	ql_json_u64(&j, "initial_congestion_window", path->cc.cwnd);
	ql_json_u64(&j, "minimum_congestion_window", ql_cc_min_window(path->mtu));
	ql_json_u64(&j, "persistent_congestion_threshold", QL_REC_PERSISTENT);
	ql_json_str(&j, "congestion_control", path->cc.ops->name);
	ql_qlog_end(t, &j);
}

void ql_qlog_started(struct ql_qlog_trace *t, const struct ql_conn *conn, bool wall_clock)
{
	uint64_t now = conn->host->now;
	struct ql_json j;

	t->mtu = conn->rec.path.mtu;
	t->state = conn->state;
	t->tuples[0] = (struct ql_qlog_tuple){.path = conn->path, .used = true};
	put_header(t, conn, wall_clock);
	if (ql_qlog_begin(t, &j, now, "quic:connection_started")) {
		endpoint(&j, "local", &conn->path.local);
		endpoint(&j, "remote", &conn->path.remote);
		ql_qlog_end(t, &j);
	}
	ql_qlog_versions(t, conn, NULL);
	if (!t->server)
		put_alpn(t, conn, NULL);
	put_recovery(t, conn);
	put_state(t, conn, "attempted");
}

static const char *close_trigger(const struct ql_close_info *c)
{
	switch (c->cause) {
	case QL_CLOSE_LOCAL:
	case QL_CLOSE_PEER:
		return c->application		     ? "application"
		       : c->error != QL_ERR_NO_ERROR ? "error"
		       : c->cause == QL_CLOSE_PEER   ? "unspecified"
						     : "aborted";
	case QL_CLOSE_IDLE:
		return "idle_timeout";
	case QL_CLOSE_RESET:
		return "stateless_reset";
	case QL_CLOSE_VERSION:
		return "version_mismatch";
	default: /* the handshake's time-out, the end of the engine */
		return "aborted";
	}
}

static void put_closed(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	const struct ql_close_info *c = &conn->close;
	bool peer = c->cause == QL_CLOSE_PEER || c->cause == QL_CLOSE_RESET;
	struct ql_json j;

	if (t->closed)
		return;
	t->closed = true;
	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:connection_closed"))
		return;
	ql_json_str(&j, "initiator", peer ? "remote" : "local");
	if (c->cause == QL_CLOSE_LOCAL || c->cause == QL_CLOSE_PEER)
		ql_qlog_error(&j, c->application ? "application_error" : "connection_error",
			      c->error, c->application);
	if (c->reason[0])
		ql_json_text(&j, "reason", c->reason, strlen(c->reason));
	else if (c->cause == QL_CLOSE_HANDSHAKE)
		ql_json_str(&j, "reason", "the handshake took too long");
	ql_json_str(&j, "trigger", close_trigger(c));
	ql_qlog_end(t, &j);
}

void ql_qlog_ended(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	put_closed(t, conn);
	put_state(t, conn, "closed");
}

static void state(void *trace, const struct ql_conn *conn)
{
	static const char *const names[] = {
		[QL_CONN_COMPLETE] = "handshake_complete",
		[QL_CONN_CONFIRMED] = "handshake_confirmed",
		[QL_CONN_CLOSING] = "closing",
		[QL_CONN_DRAINING] = "draining",
	};
	struct ql_qlog_trace *t = trace;

	if (conn->state == t->state)
		return;
	t->state = conn->state;
	if (conn->state >= QL_CONN_CLOSING)
		put_closed(t, conn);
	put_state(t, conn, names[conn->state]);
	if (conn->state == QL_CONN_COMPLETE)
		put_alpn(t, conn, conn->alpn);
}

/* ---- Transport parameters and keys ---- */

static void put_preferred(struct ql_json *j, const struct ql_tp_preferred_address *a)
{
	static const uint8_t secret[QL_RESET_TOKEN_LEN];
	char text[INET6_ADDRSTRLEN];

	ql_json_open(j, "preferred_address", '{');
	if (a->ipv4_port) {
		ql_json_str(j, "ip_v4", inet_ntop(AF_INET, a->ipv4, text, sizeof(text)));
		ql_json_u64(j, "port_v4", a->ipv4_port);
	}
	if (a->ipv6_port) {
		ql_json_str(j, "ip_v6", inet_ntop(AF_INET6, a->ipv6, text, sizeof(text)));
		ql_json_u64(j, "port_v6", a->ipv6_port);
	}
	ql_json_hex(j, "connection_id", a->cid.id, a->cid.len);
	ql_json_hex(j, "stateless_reset_token", secret, sizeof(secret)); /* has to be there */
	ql_json_close(j, '}');
}

static void put_id(struct ql_json *j, const char *key, const struct ql_tparams *tp, enum ql_tp id,
		   const struct ql_cid *cid)
{
	if (ql_tp_has(tp, id))
		ql_json_hex(j, key, cid->id, cid->len);
}

static void params(void *trace, const struct ql_conn *conn, const struct ql_tparams *tp, bool local)
{
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:parameters_set"))
		return;
	ql_json_str(&j, "initiator", local ? "local" : "remote");
	put_id(&j, "original_destination_connection_id", tp, QL_TP_ORIGINAL_DCID,
	       &tp->original_dcid);
	put_id(&j, "initial_source_connection_id", tp, QL_TP_INITIAL_SCID, &tp->initial_scid);
	put_id(&j, "retry_source_connection_id", tp, QL_TP_RETRY_SCID, &tp->retry_scid);
	ql_json_bool(&j, "disable_active_migration", ql_tp_has(tp, QL_TP_DISABLE_ACTIVE_MIGRATION));
	ql_json_u64(&j, "max_idle_timeout", tp->max_idle_timeout);
	ql_json_u64(&j, "max_udp_payload_size", tp->max_udp_payload_size);
	ql_json_u64(&j, "ack_delay_exponent", tp->ack_delay_exponent);
	ql_json_u64(&j, "max_ack_delay", tp->max_ack_delay);
	ql_json_u64(&j, "active_connection_id_limit", tp->active_connection_id_limit);
	ql_json_u64(&j, "initial_max_data", tp->initial_max_data);
	ql_json_u64(&j, "initial_max_stream_data_bidi_local",
		    tp->initial_max_stream_data_bidi_local);
	ql_json_u64(&j, "initial_max_stream_data_bidi_remote",
		    tp->initial_max_stream_data_bidi_remote);
	ql_json_u64(&j, "initial_max_stream_data_uni", tp->initial_max_stream_data_uni);
	ql_json_u64(&j, "initial_max_streams_bidi", tp->initial_max_streams_bidi);
	ql_json_u64(&j, "initial_max_streams_uni", tp->initial_max_streams_uni);
	if (ql_tp_has(tp, QL_TP_PREFERRED_ADDRESS))
		put_preferred(&j, &tp->preferred_address);
	ql_json_u64(&j, "max_datagram_frame_size", tp->max_datagram_frame_size);
	if (ql_tp_has(tp, QL_TP_GREASE_QUIC_BIT))
		ql_json_bool(&j, "grease_quic_bit", true);
	ql_qlog_end(t, &j);
}

static void key(void *trace, const struct ql_conn *conn, enum ql_level level, bool write,
		enum ql_trace_key what, bool by_peer)
{
	static const char *const names[QL_LEVELS][2] = {
		[QL_LEVEL_INITIAL] = {"client_initial_secret", "server_initial_secret"},
		[QL_LEVEL_EARLY] = {"client_0rtt_secret", "server_0rtt_secret"},
		[QL_LEVEL_HANDSHAKE] = {"client_handshake_secret", "server_handshake_secret"},
		[QL_LEVEL_APP] = {"client_1rtt_secret", "server_1rtt_secret"},
	};
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	t->tuple = 0;
	if (what == QL_TRACE_KEY_UPDATED && !write) /* the one for the other direction follows */
		t->key_phase++;
	if (!ql_qlog_begin(t, &j, conn->host->now,
			   what == QL_TRACE_KEY_GONE ? "quic:key_discarded" : "quic:key_updated"))
		return;
	ql_json_str(&j, "key_type", names[level][write == conn->server]);
	if (level == QL_LEVEL_APP)
		ql_json_u64(&j, "key_phase", t->key_phase);
	ql_json_str(&j, "trigger",
		    what != QL_TRACE_KEY_UPDATED ? "tls"
		    : by_peer			 ? "remote_update"
						 : "local_update");
	ql_qlog_end(t, &j);
}

/* ---- Recovery ---- */

static const char *congestion_state(const struct ql_path_rec *path)
{
	const struct ql_cc *cc = &path->cc;

	if (cc->ops == &ql_cc_bbr)
		return ql_bbr_state_name(&cc->bbr);
	/* first_sent: when the newest acknowledged packet was sent, or what is after it */
	if (cc->recovery_end > 0 && path->first_sent < cc->recovery_end)
		return "recovery";
	return ql_cc_slow_start(cc) ? "slow_start" : "congestion_avoidance";
}

static void put_congestion(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	const char *now = congestion_state(&conn->rec.path);
	struct ql_json j;

	if (now == t->congestion)
		return;
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:congestion_state_updated")) {
		if (t->congestion)
			ql_json_str(&j, "old", t->congestion);
		ql_json_str(&j, "new", now);
		ql_qlog_end(t, &j);
	}
	t->congestion = now;
}

static void put_mtu(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	struct ql_json j;

	if (conn->rec.path.mtu == t->mtu)
		return;
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:mtu_updated")) {
		ql_json_u64(&j, "old", t->mtu);
		ql_json_u64(&j, "new", conn->rec.path.mtu);
		ql_qlog_end(t, &j);
	}
	t->mtu = conn->rec.path.mtu;
}

static bool changed(uint64_t *was, uint64_t is)
{
	bool differs = *was != is;

	*was = is;
	return differs;
}

static void put_metrics(struct ql_qlog_trace *t, const struct ql_conn *conn)
{
	const struct ql_path_rec *path = &conn->rec.path;
	const struct ql_rtt *rtt = &path->rtt;
	struct ql_qlog_metrics now = {
		.rtt_min = rtt->sampled ? rtt->min : 0,
		.rtt_smoothed = rtt->sampled ? rtt->smoothed : 0,
		.rtt_latest = rtt->latest,
		.rtt_var = rtt->sampled ? rtt->var : 0,
		.pto_count = conn->rec.pto_count,
		.cwnd = path->cc.cwnd,
		.in_flight = path->in_flight,
		.ssthresh = path->cc.ssthresh == UINT64_MAX ? 0 : path->cc.ssthresh,
		.pacing_rate = path->cc.pacing_rate,
	};
	struct ql_qlog_metrics *m = &t->metrics;
	struct ql_json j;

	if (memcmp(m, &now, sizeof(now)) == 0 ||
	    !ql_qlog_begin(t, &j, conn->host->now, "quic:recovery_metrics_updated"))
		return;
	if (changed(&m->rtt_min, now.rtt_min))
		ql_json_ms(&j, "min_rtt", now.rtt_min);
	if (changed(&m->rtt_smoothed, now.rtt_smoothed))
		ql_json_ms(&j, "smoothed_rtt", now.rtt_smoothed);
	if (changed(&m->rtt_latest, now.rtt_latest))
		ql_json_ms(&j, "latest_rtt", now.rtt_latest);
	if (changed(&m->rtt_var, now.rtt_var))
		ql_json_ms(&j, "rtt_variance", now.rtt_var);
	if (changed(&m->pto_count, now.pto_count))
		ql_json_u64(&j, "pto_count", now.pto_count);
	if (changed(&m->cwnd, now.cwnd))
		ql_json_u64(&j, "congestion_window", now.cwnd);
	if (changed(&m->in_flight, now.in_flight))
		ql_json_u64(&j, "bytes_in_flight", now.in_flight);
	if (changed(&m->ssthresh, now.ssthresh))
		ql_json_u64(&j, "ssthresh", now.ssthresh);
	if (changed(&m->pacing_rate, now.pacing_rate))
		ql_json_u64(&j, "pacing_rate", 8 * now.pacing_rate);
	ql_qlog_end(t, &j);
}

void ql_qlog_metrics(void *trace, const struct ql_conn *conn)
{
	struct ql_qlog_trace *t = trace;

	t->tuple = 0;
	put_metrics(t, conn);
	put_congestion(t, conn);
	put_mtu(t, conn);
}

/* ---- Paths and connection IDs ---- */

static void assign(struct ql_qlog_trace *t, const struct ql_conn *conn,
		   const struct ql_qlog_tuple *tuple)
{
	char name[12];
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:tuple_assigned"))
		return;
	snprintf(name, sizeof(name), "%u", tuple->id);
	ql_json_str(&j, "tuple_id", name);
	endpoint(&j, "tuple_remote", &tuple->path.remote);
	endpoint(&j, "tuple_local", &tuple->path.local);
	ql_qlog_end(t, &j);
}

void ql_qlog_set_tuple(struct ql_qlog_trace *t, const struct ql_conn *conn,
		       const struct ql_path *path)
{
	struct ql_qlog_tuple *place;

	for (unsigned int i = 0; i < QL_QLOG_TUPLES; i++) {
		if (t->tuples[i].used && ql_path_eq(&t->tuples[i].path, path)) {
			t->tuple = t->tuples[i].id;
			return;
		}
	}
	/* The first one keeps its place, the others take turns. */
	place = &t->tuples[1 + t->n_tuples % (QL_QLOG_TUPLES - 1)];
	*place = (struct ql_qlog_tuple){.path = *path, .id = ++t->n_tuples, .used = true};
	assign(t, conn, place);
	t->tuple = place->id;
}

void ql_qlog_cid(struct ql_qlog_trace *t, const struct ql_conn *conn, bool local,
		 struct ql_cid_view cid)
{
	struct ql_cid *last = local ? &t->local_cid : &t->peer_cid;
	struct ql_json j;

	if (ql_cid_is(last, cid.p, cid.len))
		return;
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:connection_id_updated")) {
		ql_json_str(&j, "initiator", local ? "local" : "remote");
		if (last->len)
			ql_json_hex(&j, "old", last->id, last->len);
		ql_json_hex(&j, "new", cid.p, cid.len);
		ql_qlog_end(t, &j);
	}
	ql_cid_set(last, cid.p, cid.len);
}

static void path(void *trace, const struct ql_conn *conn, const struct ql_conn_path *p,
		 enum ql_trace_path what)
{
	bool active = p == conn->paths->active;
	struct ql_qlog_trace *t = trace;
	const char *to = NULL;
	struct ql_json j;

	ql_qlog_set_tuple(t, conn, &p->addr);
	switch (what) {
	case QL_TRACE_PATH_PROBED:
		to = "probing_started";
		break;
	case QL_TRACE_PATH_VALIDATED:
		to = active ? "migration_complete" : "probing_successful";
		break;
	case QL_TRACE_PATH_FAILED:
		to = active ? "migration_abandoned" : "probing_abandoned";
		break;
	case QL_TRACE_PATH_USED:
		to = p->full ? "migration_complete" : "migration_started";
		break;
	}
	if (ql_qlog_begin(t, &j, conn->host->now, "quic:migration_state_updated")) {
		ql_json_str(&j, "new", to);
		endpoint(&j, "tuple_remote", &p->addr.remote);
		endpoint(&j, "tuple_local", &p->addr.local);
		ql_qlog_end(t, &j);
	}
	ql_qlog_metrics(t, conn);
}

/* ---- Streams and datagrams ---- */

static void put_stream(struct ql_qlog_trace *t, const struct ql_conn *conn, uint64_t id, bool open,
		       bool sending)
{
	struct ql_json j;

	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:stream_state_updated"))
		return;
	ql_json_u64(&j, "stream_id", id);
	ql_json_str(&j, "stream_type",
		    ql_stream_id_is_uni(id) ? "unidirectional" : "bidirectional");
	ql_json_str(&j, "new", open ? "open" : "closed");
	ql_json_str(&j, "stream_side", sending ? "sending" : "receiving");
	ql_qlog_end(t, &j);
}

static void stream(void *trace, const struct ql_conn *conn, const struct ql_stream *s, bool open)
{
	struct ql_qlog_trace *t = trace;

	t->tuple = 0;
	if (s->send_state != QL_SEND_NONE)
		put_stream(t, conn, s->id, open, true);
	if (s->recv_state != QL_RECV_NONE)
		put_stream(t, conn, s->id, open, false);
}

static void datagram(void *trace, const struct ql_conn *conn, size_t len, bool from_app)
{
	struct ql_qlog_trace *t = trace;
	struct ql_json j;

	t->tuple = 0;
	if (!ql_qlog_begin(t, &j, conn->host->now, "quic:datagram_data_moved"))
		return;
	ql_json_str(&j, "from", from_app ? "application" : "transport");
	ql_json_str(&j, "to", from_app ? "transport" : "application");
	ql_json_open(&j, "raw", '{');
	ql_json_u64(&j, "length", len);
	ql_json_close(&j, '}');
	ql_qlog_end(t, &j);
}

const struct ql_tracer ql_qlog_events = {
	.state = state,
	.params = params,
	.key = key,
	.sent = ql_qlog_sent,
	.received = ql_qlog_received,
	.answered = ql_qlog_answered,
	.dropped = ql_qlog_dropped,
	.lost = ql_qlog_lost,
	.metrics = ql_qlog_metrics,
	.path = path,
	.stream = stream,
	.datagram = datagram,
};
