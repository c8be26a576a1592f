// SPDX-License-Identifier: BSD-3-Clause
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qlane/conn.h>
#include <qlane/stream.h>

#include "echo.h"
#include "options.h"
#include "reach.h"

#define TEXT		     256
#define NO_APPLICATION_PROTO (QL_ERR_CRYPTO_ERROR + 120) /* TLS's alert */

struct probe {
	uint64_t sent_at;
	uint64_t rtt; /* 0: no answer yet */
	bool acked;
};

struct ql_probe {
	struct ql_probe_options o;
	struct ql_addr to;
	struct ql_conn *conn; /* NULL once it is closed */
	bool connected, closing;
	char why[TEXT];
	uint64_t next, sent_last;
	uint32_t sent, received, duplicates, damaged;
	uint64_t handshake_ns, rtt_ns;
	uint8_t data[UINT16_MAX];
	struct probe probes[]; /* o.count */
};

/* What the datagram of a number has in it. */
static const uint8_t *fill(struct ql_probe *p, uint64_t number)
{
	for (unsigned int i = 0; i < p->o.size; i++)
		p->data[i] = i < 8 ? number >> (56 - 8 * i) : (uint8_t)(number + i);
	return p->data;
}

static void fail(struct ql_probe *p, const char *why)
{
	if (!p->why[0])
		snprintf(p->why, TEXT, "%s", why);
}

static void on_connected(struct ql_conn *conn)
{
	struct ql_probe *p = ql_conn_user(conn);
	size_t most = ql_datagram_max(conn);

	p->connected = true;
	p->next = ql_conn_now(conn);
	if (most == 0)
		fail(p, "the server takes no datagrams (RFC 9221)");
	else if (p->o.size > most)
		snprintf(p->why, TEXT, "--size %u: at most %zu bytes can be sent to this server",
			 p->o.size, most);
}

static void on_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct ql_probe *p = ql_conn_user(conn);
	struct ql_conn_stats stats;
	char why[TEXT];

	ql_conn_stats(conn, &stats);
	p->handshake_ns = stats.handshake_ns;
	p->rtt_ns = stats.rtt_ns;
	p->conn = NULL;
	if (p->closing)
		return;
	ql_reach_explain(info, &p->to, why, sizeof(why));
	if (info->cause == QL_CLOSE_PEER && !info->application &&
	    info->error == NO_APPLICATION_PROTO)
		fail(p, "the server does not have the protocol \"" QL_ECHO_ALPN
			"\"; qlane-server has it with --echo");
	else
		fail(p, why);
}

static void on_datagram(struct ql_conn *conn, const uint8_t *data, size_t len)
{
	struct ql_probe *p = ql_conn_user(conn);
	uint64_t number = 0;

	for (unsigned int i = 0; i < 8 && i < len; i++)
		number = number << 8 | data[i];
	if (len != p->o.size || number >= p->sent || memcmp(data, fill(p, number), len) != 0) {
		p->damaged++;
	} else if (p->probes[number].rtt) {
		p->duplicates++;
	} else {
		uint64_t rtt = ql_conn_now(conn) - p->probes[number].sent_at;

		p->probes[number].rtt = rtt ? rtt : 1;
		p->received++;
	}
}

static void on_acked(struct ql_conn *conn, uint64_t id)
{
	struct ql_probe *p = ql_conn_user(conn);

	p->probes[id].acked = true;
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	(void)data, (void)fin;
	ql_stream_credit(stream, len); /* the protocol has no streams; they harm nothing */
}

static const struct ql_conn_ops ops = {
	.connected = on_connected,
	.closed = on_closed,
	.datagram = on_datagram,
	.datagram_acked = on_acked,
	.stream_data = on_data,
};

struct ql_probe *ql_probe_start(const struct ql_probe_options *options, struct ql_engine *engine,
				const struct ql_path *path, struct ql_tls_ctx *tls, const char *sni,
				const struct ql_transport *transport, uint64_t now)
{
	struct ql_probe *p = calloc(1, sizeof(*p) + options->count * sizeof(p->probes[0]));
	const struct ql_proto proto = {QL_ECHO_ALPN, &ops, NULL};
	struct ql_transport with = *transport;
	int rc = -ENOMEM;

	with.max_datagram_frame_size = UINT16_MAX;
	if (p) {
		p->o = *options;
		p->to = path->remote;
		rc = ql_connect(engine, path, tls, sni, &with, &proto, 1, p, now, &p->conn);
	}
	if (rc < 0) {
		ql_complain("cannot connect: %s", strerror(-rc));
		free(p);
		return NULL;
	}
	return p;
}

bool ql_probe_turn(struct ql_probe *p, uint64_t now)
{
	if (!p->conn || p->why[0])
		return true;
	if (!p->connected)
		return false;
	while (p->sent < p->o.count && now >= p->next) {
		int rc = ql_datagram_send(p->conn, fill(p, p->sent), p->o.size, 0, p->sent);

		if (rc == -EAGAIN)
			break;
		if (rc < 0) {
			fail(p, rc == -EMSGSIZE ? "the path's datagrams have become too small"
						: strerror(-rc));
			return true;
		}
		p->probes[p->sent++].sent_at = now;
		p->sent_last = now;
		p->next += p->o.interval_ns;
	}
	return p->sent == p->o.count &&
	       (p->received == p->sent || now >= p->sent_last + p->o.wait_ns);
}

bool ql_probe_close(struct ql_probe *p)
{
	if (p->conn && !p->closing) {
		p->closing = true;
		ql_conn_close(p->conn, 0, NULL);
	}
	return !p->conn;
}

const char *ql_probe_failure(const struct ql_probe *p)
{
	return p->why[0] ? p->why : NULL;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The time that so many per cent do not exceed (nearest rank). */
static uint64_t percentile(const uint64_t *sorted, uint32_t n, unsigned int percent)
{
	return sorted[((uint64_t)n * percent + 99) / 100 - 1];
}

/* From the round trips in the order of sending. */
static void times(const struct ql_probe *p, struct ql_probe_result *r)
{
	uint64_t *rtts = calloc(p->received, sizeof(*rtts)), sum = 0, steps = 0;
	uint32_t n = 0;

	if (!rtts)
		return;
	for (uint32_t i = 0; i < p->sent; i++) {
		uint64_t rtt = p->probes[i].rtt;

		if (!rtt)
			continue;
		if (n > 0)
			steps += rtt > rtts[n - 1] ? rtt - rtts[n - 1] : rtts[n - 1] - rtt;
		sum += rtt;
		rtts[n++] = rtt;
	}
	r->mean = sum / n;
	r->jitter = n > 1 ? steps / (n - 1) : 0;
	qsort(rtts, n, sizeof(*rtts), by_time);
	r->min = rtts[0];
	r->max = rtts[n - 1];
	r->median = percentile(rtts, n, 50);
	r->p90 = percentile(rtts, n, 90);
	r->p99 = percentile(rtts, n, 99);
	free(rtts);
}

struct ql_probe_result ql_probe_result(struct ql_probe *p)
{
	struct ql_probe_result r = {
		.sent = p->sent,
		.received = p->received,
		.duplicates = p->duplicates,
		.damaged = p->damaged,
		.handshake_ns = p->handshake_ns,
		.rtt_ns = p->rtt_ns,
	};

	for (uint32_t i = 0; i < p->sent; i++) {
		if (!p->probes[i].rtt)
			*(p->probes[i].acked ? &r.lost_back : &r.lost_there) += 1;
	}
	if (p->received > 0)
		times(p, &r);
	return r;
}

void ql_probe_free(struct ql_probe *p)
{
	free(p);
}
