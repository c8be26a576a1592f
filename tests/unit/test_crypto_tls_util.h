// SPDX-License-Identifier: BSD-3-Clause
/*
 * Handshakes in memory: two ends, whose CRYPTO bytes are carried over by hand, in portions of any
 * size, with whatever a test puts among them. The ends, their credentials and the carrying.
 */
#ifndef TEST_CRYPTO_TLS_UTIL_H
#define TEST_CRYPTO_TLS_UTIL_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wolfssl/internal.h>

#include "crypto/protect.h"
#include "crypto/tls.h"
#include "crypto/tls_ctx.h"
#include "tls_certs.h"

#define ALERT(a) (0x100u + (a))

#define STREAM_MAX 16384

struct end {
	struct ql_tls_ctx *ctx;
	struct ql_tls *tls;
	struct ql_rng rng;
	struct {
		uint8_t out[STREAM_MAX]; /* what this end has sent */
		size_t sent, delivered;
		struct ql_secret read, write;
		bool have_read, have_write;
	} level[QL_LEVELS];
	uint8_t peer_params[256];
	size_t peer_params_len;
	unsigned int params_calls;
	uint64_t params_error;	/* what peer_params answers */
	bool params_before_app; /* they came before application secrets */
	unsigned int send_fails_at;
	unsigned int sends;
	/* sessions */
	struct ql_tickets tickets;
	uint8_t session[QL_TLS_SESSION_MAX]; /* the latest that was told */
	size_t session_len;
	bool session_early;
	unsigned int sessions;
	int early; /* what early() said: 0 nothing yet, 1 accepted, -1 rejected */
};

static struct end client, server;
static char dir[64];
static char keylog[8][300];
static unsigned int keylog_lines;

static void on_secret(void *arg, enum ql_level level, bool write, const struct ql_secret *secret)
{
	struct end *e = arg;

	ck_assert(level != QL_LEVEL_INITIAL);
	ck_assert(level != QL_LEVEL_EARLY || write == (e == &client));
	if (level == QL_LEVEL_APP)
		e->params_before_app = e->params_calls == 1;
	if (write) {
		ck_assert(!e->level[level].have_write);
		e->level[level].write = *secret;
		e->level[level].have_write = true;
	} else {
		ck_assert(!e->level[level].have_read);
		e->level[level].read = *secret;
		e->level[level].have_read = true;
	}
}

static int on_send(void *arg, enum ql_level level, const uint8_t *data, size_t len)
{
	struct end *e = arg;

	if (++e->sends == e->send_fails_at)
		return -ENOMEM;
	ck_assert_uint_le(e->level[level].sent + len, STREAM_MAX);
	memcpy(e->level[level].out + e->level[level].sent, data, len);
	e->level[level].sent += len;
	return 0;
}

static uint64_t on_params(void *arg, const uint8_t *params, size_t len)
{
	struct end *e = arg;

	ck_assert_uint_le(len, sizeof(e->peer_params));
	memcpy(e->peer_params, params, len);
	e->peer_params_len = len;
	e->params_calls++;
	return e->params_error;
}

static void on_session(void *arg, const uint8_t *data, size_t len, bool early)
{
	struct end *e = arg;

	ck_assert_uint_le(len, sizeof(e->session));
	memcpy(e->session, data, len);
	e->session_len = len;
	e->session_early = early;
	e->sessions++;
}

static void on_early(void *arg, bool accepted)
{
	struct end *e = arg;

	ck_assert_int_eq(e->early, 0);
	ck_assert(!accepted || e->params_calls == 0);
	e->early = accepted ? 1 : -1;
}

static const struct ql_tls_sink sink = {
	.secret = on_secret,
	.send = on_send,
	.peer_params = on_params,
	.early = on_early,
	.session = on_session,
};

static void on_keylog(void *arg, const char *line)
{
	ck_assert_ptr_eq(arg, keylog);
	ck_assert_uint_lt(keylog_lines, 8);
	ck_assert_uint_lt(strlen(line), sizeof(keylog[0]));
	strcpy(keylog[keylog_lines++], line);
}

static const char *file(const char *name, const char *content)
{
	static char paths[3][128];
	static unsigned int next;
	char *path = paths[next++ % 3];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(content, f);
	fclose(f);
	return path;
}

/* What a handshake is about; zero is the ordinary case. */
struct scene {
	const char *cert, *key, *ca;
	const char *name; /* NULL: server.example */
	bool no_name;
	bool insecure;
	unsigned int client_suites, server_suites;
	struct ql_proto client_protos[3], server_protos[3];
	bool keylog;
	bool retry; /* the server wants another key share: HelloRetryRequest */
	uint8_t seed;
	bool no_tickets;
	bool server_early, client_early;
	uint8_t promise;
	const uint8_t *session;
	size_t session_len;
};

/* The servers' memory for tickets' keys, their secret, and the time of both ends. */
static uint8_t ticket_region[1 << 20] __attribute__((aligned(64)));
static struct ql_mem ticket_mem;
static uint8_t ticket_secret[QL_PERIOD_SECRET] = {1};
static struct ql_replay *replay; /* of the server; NULL: none */
static uint32_t quic_version = 1;
static uint64_t now = 1000 * QL_NSEC_PER_SEC;

static struct ql_tls_ctx *make_ctx(const struct scene *s, bool is_server)
{
	char err[QL_TLS_ERRLEN];
	struct ql_tls_config c = {
		.server = is_server,
		.insecure = s->insecure,
		.suites = is_server ? s->server_suites : s->client_suites,
		.keylog = s->keylog && !is_server ? on_keylog : NULL,
		.keylog_arg = keylog,
	};
	struct ql_tls_ctx *ctx;

	if (is_server) {
		c.cert_file = file("cert", s->cert ? s->cert : CERT_SERVER);
		c.key_file = file("key", s->key ? s->key : KEY_SERVER);
	} else if (!s->insecure) {
		c.ca_file = file("ca", s->ca ? s->ca : CERT_CA);
	}
	ctx = ql_tls_ctx_create(&c, err);
	ck_assert_msg(ctx != NULL, "%s", err);
	if (s->retry && is_server) {
		int p384 = WOLFSSL_ECC_SECP384R1;

		ck_assert_int_eq(wolfSSL_CTX_set_groups(ctx->wolf, &p384, 1), WOLFSSL_SUCCESS);
	}
	return ctx;
}

static const uint8_t client_params[] = {0x01, 0x02, 0x40, 0x64, 0x0f, 0x00};
static const uint8_t server_params[] = {0x01, 0x02, 0x40, 0x65, 0x0f, 0x00, 0x10, 0x00};

static int start_end(const struct scene *s, struct end *e, bool is_server)
{
	static const struct ql_proto h3[1] = {{.alpn = "h3"}};
	const struct ql_proto *protos = is_server ? s->server_protos : s->client_protos;
	uint8_t seed[QL_RNG_SEED] = {s->seed, is_server};
	struct ql_tls_args args = {
		.sink = &sink,
		.arg = e,
		.rng = &e->rng,
		.protos = protos[0].alpn ? protos : h3,
		.n_protos = 1,
		.sni = s->no_name ? NULL
		       : s->name  ? s->name
				  : "server.example",
		.params = is_server ? server_params : client_params,
		.params_len = is_server ? sizeof(server_params) : sizeof(client_params),
		.now = &now,
		.version = &quic_version,
		.early = is_server ? s->server_early : s->client_early,
		.promise = &s->promise,
		.promise_len = 1,
		.session = is_server ? NULL : s->session,
		.session_len = s->session_len,
	};

	if (is_server && !s->no_tickets) {
		ck_assert_int_eq(ql_tickets_init(&e->tickets, &ticket_mem, ticket_secret), 0);
		e->tickets.replay = replay;
		args.tickets = &e->tickets;
	}

	while (args.n_protos < 3 && args.protos == protos && protos[args.n_protos].alpn)
		args.n_protos++;
	ql_rng_init(&e->rng, seed);
	return ql_tls_start(&e->tls, e->ctx, &args);
}

static void begin(const struct scene *s)
{
	client.ctx = make_ctx(s, false);
	server.ctx = make_ctx(s, true);
	ck_assert_int_eq(start_end(s, &client, false), 0);
	ck_assert_int_eq(start_end(s, &server, true), 0);
}

static void end(void)
{
	struct end *ends[] = {&client, &server};

	for (int i = 0; i < 2; i++) {
		ql_tls_free(ends[i]->tls);
		ql_tls_ctx_free(ends[i]->ctx);
		ql_tickets_fini(&ends[i]->tickets);
		memset(ends[i], 0, sizeof(*ends[i]));
	}
	keylog_lines = 0;
}

/* Everything that from has sent at a level and that to could open by now, portion bytes a time. */
static int deliver(struct end *from, struct end *to, enum ql_level level, size_t portion)
{
	while (from->level[level].delivered < from->level[level].sent) {
		size_t n = from->level[level].sent - from->level[level].delivered;
		int rc;

		if (n > portion)
			n = portion;
		rc = ql_tls_recv(to->tls, level,
				 from->level[level].out + from->level[level].delivered, n);
		from->level[level].delivered += n;
		if (rc)
			return rc;
	}
	return 0;
}

/* Carry bytes until nothing moves; what the first end that fails returns. */
static int run(size_t portion)
{
	static const enum ql_level levels[] = {QL_LEVEL_INITIAL, QL_LEVEL_HANDSHAKE, QL_LEVEL_APP};

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++) {
			int rc = deliver(&client, &server, levels[i], portion);

			if (!rc)
				rc = deliver(&server, &client, levels[i], portion);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static void check_complete(enum ql_suite suite)
{
	ck_assert(ql_tls_complete(client.tls));
	ck_assert(ql_tls_complete(server.tls));
	ck_assert_uint_eq(ql_tls_error(client.tls), 0);
	ck_assert_uint_eq(ql_tls_error(server.tls), 0);
	for (int l = QL_LEVEL_HANDSHAKE; l <= QL_LEVEL_APP; l++) {
		const struct ql_secret *w = &client.level[l].write, *r = &client.level[l].read;

		ck_assert(client.level[l].have_read && client.level[l].have_write);
		ck_assert(server.level[l].have_read && server.level[l].have_write);
		ck_assert_mem_eq(w, &server.level[l].read, sizeof(*w));
		ck_assert_mem_eq(r, &server.level[l].write, sizeof(*r));
		ck_assert_mem_ne(w->bytes, r->bytes, w->len);
		ck_assert_uint_eq(w->suite, suite);
		ck_assert_uint_eq(w->len, ql_suites[suite].hash_len);
	}
	ck_assert_uint_eq(client.params_calls, 1);
	ck_assert_uint_eq(server.params_calls, 1);
	ck_assert(client.params_before_app && server.params_before_app);
	ck_assert_uint_eq(server.peer_params_len, sizeof(client_params));
	ck_assert_mem_eq(server.peer_params, client_params, sizeof(client_params));
	ck_assert_uint_eq(client.peer_params_len, sizeof(server_params));
	ck_assert_mem_eq(client.peer_params, server_params, sizeof(server_params));
}

static void setup(void)
{
	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&ticket_mem, ticket_region, sizeof(ticket_region));
	strcpy(dir, "/tmp/ql-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	end();
	unlink(file("cert", ""));
	unlink(file("key", ""));
	unlink(file("ca", ""));
	ck_assert_int_eq(rmdir(dir), 0);
}

#endif
