// SPDX-License-Identifier: BSD-3-Clause
#include "hol/run.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <qlane/stream.h>

#include "sim/sim.h"

#define ALPN	  "hol"
#define PORT	  443
#define HEADER	  8			   /* of a message: number and length, 32 bits each */
#define HANDSHAKE (10 * QL_NSEC_PER_SEC)   /* at most */
#define REST	  (500 * QL_NSEC_PER_MSEC) /* before the client begins to ask */
#define TIMEOUT	  (60 * QL_NSEC_PER_SEC)

const enum ql_congestion hol_controllers[HOL_CONTROLLERS] = {QL_CC_NEWRENO, QL_CC_CUBIC, QL_CC_BBR};

const char *hol_controller_name(unsigned int i)
{
	static const char *const names[HOL_CONTROLLERS] = {"NewReno", "CUBIC", "BBR"};

	return names[i];
}

/* What a run is to do, and what came of it. */
struct run {
	enum hol_way way;
	unsigned int messages;
	uint64_t gap; /* from a question to the next */
	const char *question;
	const uint8_t *answer;
	uint32_t answer_len;
	unsigned int lose; /* the answer whose packet is lost, counted from 1; 0: none */

	struct sim *sim;
	struct ql_conn *conn; /* the client's */
	struct ql_stream *ordered;
	unsigned int asked, answered;
	bool connected, losing;
	uint64_t start;
	uint64_t *at; /* of each message: ns since start */
};

/* A stream's messages as they arrive. */
struct reader {
	uint8_t header[HEADER];
	unsigned int n_header;
	uint32_t left; /* bytes of the message that has begun */
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void *must(void *p)
{
	if (!p)
		err(1, "simulation");
	return p;
}

static void send_message(struct ql_stream *stream, uint32_t number, const void *body, uint32_t len,
			 bool last)
{
	uint8_t *message = must(malloc(HEADER + len));
	int rc;

	put32(message, number);
	put32(message + 4, len);
	memcpy(message + HEADER, body, len);
	rc = ql_stream_send_ref(stream, message, HEADER + len, last ? QL_FIN : 0, free, message);
	if (rc < 0)
		errx(1, "cannot send: %s", strerror(-rc));
}

static bool is_last(const struct run *r, unsigned int number)
{
	return r->way == HOL_STREAMS || number == r->messages;
}

/* ---- Both ends ---- */

static void on_message(struct run *r, struct ql_stream *stream, uint32_t number)
{
	if (ql_conn_is_server(ql_stream_conn(stream))) {
		r->losing |= number == r->lose;
		send_message(stream, number, r->answer, r->answer_len, is_last(r, number));
	} else if (number >= 1 && number <= r->messages) {
		r->at[number - 1] = sim_now(r->sim) - r->start;
		r->answered++;
	}
}

static void on_stream_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	struct run *r = ql_conn_user(ql_stream_conn(stream));
	struct reader *in = ql_stream_user(stream);
	size_t n;

	(void)fin;
	ql_stream_credit(stream, len);
	while (len > 0) {
		if (in->n_header < HEADER) {
			in->header[in->n_header++] = *data;
			in->left = get32(in->header + 4);
			n = 1;
		} else {
			n = len < in->left ? len : in->left;
			in->left -= (uint32_t)n;
		}
		data += n;
		len -= n;
		if (in->n_header == HEADER && in->left == 0) {
			in->n_header = 0;
			on_message(r, stream, get32(in->header));
		}
	}
}

static void on_stream_opened(struct ql_stream *stream)
{
	ql_stream_set_user(stream, must(calloc(1, sizeof(struct reader))));
}

static void on_stream_closed(struct ql_stream *stream)
{
	free(ql_stream_user(stream));
}

static void on_connected(struct ql_conn *conn)
{
	struct run *r = ql_conn_user(conn);

	r->connected |= conn == r->conn;
}

static const struct ql_conn_ops ops = {
	.connected = on_connected,
	.stream_opened = on_stream_opened,
	.stream_data = on_stream_data,
	.stream_closed = on_stream_closed,
};

/* ---- A run ---- */

static void ask(void *arg)
{
	struct run *r = arg;
	unsigned int number = ++r->asked;
	struct ql_stream *stream = r->ordered;
	int rc;

	if (!stream) {
		rc = ql_stream_open(r->conn, true, &stream);
		if (rc < 0)
			errx(1, "cannot open a stream: %s", strerror(-rc));
		on_stream_opened(stream);
	}
	if (r->way == HOL_ORDERED)
		r->ordered = stream;
	send_message(stream, number, r->question, (uint32_t)strlen(r->question),
		     is_last(r, number));
}

/* The server's link: the packet that leaves next is the one to be lost. */
static bool passes(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct run *r = arg;
	bool lost = r->losing;

	(void)d;
	(void)now;
	r->losing = false;
	return !lost;
}

static bool is_connected(void *arg)
{
	return ((const struct run *)arg)->connected;
}

static bool is_answered(void *arg)
{
	const struct run *r = arg;

	return r->answered == r->messages;
}

/*
 * Make the connection while the links lose nothing, then ask. False when not all answers came in
 * time.
 */
static bool run(struct run *r, uint64_t seed, const struct ql_transport *transport,
		const struct sim_link *link)
{
	const struct ql_proto proto = {.alpn = ALPN, .ops = &ops, .arg = r};
	struct ql_tls_ctx *server_tls = sim_env_tls_server(), *client_tls = sim_env_tls_client();
	unsigned int server, client;
	struct ql_path path;
	bool good;
	int rc;

	r->sim = sim_new(seed);
	server = sim_add(r->sim, NULL);
	client = sim_add(r->sim, NULL);
	path = sim_path(r->sim, client, server);
	for (unsigned int i = 0; i < 2; i++) {
		*sim_link(r->sim, i) = *link;
		sim_link(r->sim, i)->loss = 0;
	}
	rc = ql_listen(sim_engine(r->sim, server), PORT, server_tls, transport, &proto, 1);
	if (rc == 0)
		rc = ql_connect(sim_engine(r->sim, client), &path, client_tls, SIM_NAME, transport,
				&proto, 1, r, sim_now(r->sim), &r->conn);
	if (rc < 0)
		errx(1, "cannot connect: %s", strerror(-rc));
	good = sim_run(r->sim, HANDSHAKE, is_connected, r);
	if (good) {
		sim_run(r->sim, REST, NULL, NULL);
		for (unsigned int i = 0; i < 2; i++)
			sim_link(r->sim, i)->loss = link->loss;
		sim_link(r->sim, server)->filter = passes;
		sim_link(r->sim, server)->arg = r;
		r->start = sim_now(r->sim);
		for (unsigned int i = 0; i < r->messages; i++)
			sim_at(r->sim, r->start + i * r->gap, ask, r);
		good = sim_run(r->sim, TIMEOUT, is_answered, r);
	}
	sim_free(r->sim);
	ql_tls_ctx_free(server_tls);
	ql_tls_ctx_free(client_tls);
	return good;
}

/* ---- Ten calls ---- */

int hol_calls(uint64_t seed, struct hol_calls *calls)
{
	const struct sim_link link = {.rate = HOL_RATE, .delay = HOL_RTT / 2};
	const struct ql_transport transport = {0};

	for (enum hol_way way = 0; way < HOL_WAYS; way++) {
		for (unsigned int lost = 0; lost < 2; lost++) {
			struct run r = {
				.way = way,
				.messages = HOL_CALLS,
				.gap = HOL_CALL_GAP,
				.question = HOL_QUESTION,
				.answer = (const uint8_t *)HOL_ANSWER,
				.answer_len = sizeof(HOL_ANSWER) - 1,
				.lose = lost ? HOL_LOST : 0,
				.at = calls->at[way][lost],
			};

			if (!run(&r, seed, &transport, &link))
				return -ETIMEDOUT;
		}
	}
	return 0;
}

/* ---- Fifty resources ---- */

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int hol_page(uint64_t seed, unsigned int runs, enum ql_congestion congestion, unsigned int percent,
	     enum hol_way way, struct hol_spread *took)
{
	static const uint8_t resource[HOL_PAGE_BYTES];
	const struct ql_transport transport = {.congestion = congestion};
	const struct sim_link link = {
		.rate = HOL_RATE, .delay = HOL_RTT / 2, .loss = percent * (SIM_MILLION / 100)};
	unsigned int n = runs * HOL_RESOURCES;
	uint64_t *at = calloc(n, sizeof(*at));
	int rc = at ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < runs && rc == 0; i++) {
		struct run r = {
			.way = way,
			.messages = HOL_RESOURCES,
			.question = "get",
			.answer = resource,
			.answer_len = sizeof(resource),
			.at = at + (size_t)i * HOL_RESOURCES,
		};

		if (!run(&r, sim_random(&seed), &transport, &link))
			rc = -ETIMEDOUT;
	}
	if (rc == 0) {
		qsort(at, n, sizeof(*at), ascending);
		took->median = (at[(n - 1) / 2] + at[n / 2]) / 2;
		took->p99 = at[(n * UINT64_C(99) + 99) / 100 - 1];
	}
	free(at);
	return rc;
}

unsigned int hol_best(const struct hol_page *page)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < HOL_CONTROLLERS; i++) {
		if (page->took[i][1][HOL_STREAMS].median < page->took[best][1][HOL_STREAMS].median)
			best = i;
	}
	return best;
}

double hol_above(const struct hol_page *page, unsigned int controller, unsigned int percent,
		 enum hol_way way)
{
	double without = (double)page->took[controller][0][way].median;

	return 100 * ((double)page->took[controller][percent][way].median / without - 1);
}
