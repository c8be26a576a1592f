// SPDX-License-Identifier: BSD-3-Clause
/*
 * Tickets, sessions and early data (RFC 8446, sections 2.2, 2.3 and 4.6.1; RFC 9001, section 4.6).
 */
#include <errno.h>
#include <qlane/error.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/version.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "crypto/tls_impl.h"
#include "wire/bytes.h"

#define EXT_EARLY_DATA 42
#define EARLY_MAX      UINT32_MAX /* the only size that QUIC allows (RFC 9001, 4.6.1) */
#define KEEP_LEAST     1024

_Static_assert(QL_TICKET_NAME == WOLFSSL_TICKET_NAME_SZ && QL_TICKET_IV == WOLFSSL_TICKET_IV_SZ &&
		       QL_TICKET_MAC == WOLFSSL_TICKET_MAC_SZ,
	       "parts of a ticket");

/* ---- Server ---- */

/* The first bytes of the hash of both. */
static int digest(uint8_t binding[QL_TICKET_BINDING], const void *a, size_t a_len, const void *b,
		  size_t b_len)
{
	uint8_t hash[WC_SHA256_DIGEST_SIZE];
	wc_Sha256 sha;
	int rc = wc_InitSha256(&sha);

	if (rc == 0)
		rc = wc_Sha256Update(&sha, a, (word32)a_len);
	if (rc == 0)
		rc = wc_Sha256Update(&sha, b, (word32)b_len);
	if (rc == 0)
		rc = wc_Sha256Final(&sha, hash);
	wc_Sha256Free(&sha);
	if (rc != 0)
		return -ENOMEM;
	memcpy(binding, hash, QL_TICKET_BINDING);
	return 0;
}

/* The promise goes with the protocol, which is known by now. */
static int bind_alpn(struct ql_tls *tls, uint8_t binding[QL_TICKET_BINDING])
{
	ql_tls_learn_alpn(tls);
	return digest(binding, tls->binding, sizeof(tls->binding), tls->alpn, strlen(tls->alpn));
}

/*
 * wolfSSL takes early data if it can take the session off its cache, where it is none of our
 * tickets' business; that there is this callback counts as success.
 */
static void on_remove(WOLFSSL_CTX *wolf, WOLFSSL_SESSION *session)
{
	(void)wolf;
	(void)session;
}

/* Whether the ticket may bring early data. */
static bool early_allowed(struct ql_tls *tls)
{
	struct ql_tickets *t = tls->tickets;
	uint8_t binding[QL_TICKET_BINDING];

	if (!tls->early_wanted || !t->replay || tls->greeted || bind_alpn(tls, binding) < 0 ||
	    memcmp(binding, tls->ticket.binding, sizeof(binding)) != 0)
		return false;
	if (ql_replay_fresh(t->replay, ql_tls_now(tls), tls->ticket.issued, tls->ticket.id))
		return true;
	t->replays++;
	return false;
}

static int seal(struct ql_tls *tls, uint8_t *name, uint8_t *iv, uint8_t *mac, uint8_t *text,
		int len, int *sealed_len)
{
	uint8_t binding[QL_TICKET_BINDING];
	uint64_t now = ql_tls_now(tls);

	if (len + QL_TICKET_EXTRA > *sealed_len || bind_alpn(tls, binding) < 0 ||
	    ql_ticket_seal(tls->tickets, tls->rng, now, *tls->version, binding, name, iv, mac, text,
			   (size_t)len) < 0)
		return WOLFSSL_TICKET_RET_FATAL;
	*sealed_len = len + QL_TICKET_EXTRA;
	if (tls->tickets->replay)
		ql_replay_begin(tls->tickets->replay, now);
	return WOLFSSL_TICKET_RET_OK;
}

static int on_ticket(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac,
		     int encrypt, unsigned char *text, int len, int *out_len, void *arg)
{
	struct ql_tls *tls = wolfSSL_get_app_data(ssl);
	struct ql_tls_ctx *ctx = arg;

	if (!tls->tickets || len < 0)
		return WOLFSSL_TICKET_RET_REJECT;
	if (encrypt)
		return seal(tls, name, iv, mac, text, len, out_len);
	if (ql_ticket_open(tls->tickets, ql_tls_now(tls), *tls->version, name, iv, mac, text,
			   (size_t)len, &tls->ticket) < 0)
		return WOLFSSL_TICKET_RET_REJECT;
	*out_len = len - QL_TICKET_EXTRA;
	wolfSSL_CTX_sess_set_remove_cb(ctx->wolf, early_allowed(tls) ? on_remove : NULL);
	return WOLFSSL_TICKET_RET_OK;
}

int ql_tls_session_setup(struct ql_tls_ctx *ctx)
{
	const int life = (int)(QL_TICKET_LIFE / QL_NSEC_PER_SEC);

	wolfSSL_CTX_set_timeout(ctx->wolf, (unsigned int)life);
	return wolfSSL_CTX_set_TicketEncCb(ctx->wolf, on_ticket) == WOLFSSL_SUCCESS &&
			       wolfSSL_CTX_set_TicketEncCtx(ctx->wolf, ctx) == WOLFSSL_SUCCESS &&
			       wolfSSL_CTX_set_TicketHint(ctx->wolf, life) == WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

void ql_tls_session_release(struct ql_tls *tls)
{
	if (!tls->early_held)
		return;
	tls->early_held = false;
	ql_tls_give_secret(tls, QL_LEVEL_EARLY, false, &tls->early);
	ql_wipe(&tls->early, sizeof(tls->early));
}

/* ---- Client ---- */

/* The session is of no use if TLS does not like it: then the handshake is a full one. */
static bool use_session(struct ql_tls *tls, const uint8_t *data, size_t len)
{
	const unsigned char *p = data + 4;
	WOLFSSL_SESSION *session;
	bool good;

	if (len < 4 || len > QL_TLS_SESSION_MAX || ql_get_be32(data) != LIBWOLFSSL_VERSION_HEX)
		return false;
	session = wolfSSL_d2i_SSL_SESSION(NULL, &p, (long)len - 4);
	if (!session)
		return false;
	good = wolfSSL_set_session(tls->ssl, session) == WOLFSSL_SUCCESS;
	wolfSSL_SESSION_free(session);
	return good;
}

int ql_tls_session_keep(struct ql_tls *tls, const uint8_t *data, size_t len)
{
	if (tls->ctx->server || !tls->sink->session)
		return 0;
	if (tls->kept_len + len > tls->kept_size) {
		size_t size = 2 * (tls->kept_len + len);
		uint8_t *more = realloc(tls->kept, size < KEEP_LEAST ? KEEP_LEAST : size);

		if (!more)
			return -ENOMEM;
		tls->kept = more;
		tls->kept_size = (uint32_t)(size < KEEP_LEAST ? KEEP_LEAST : size);
	}
	memcpy(tls->kept + tls->kept_len, data, len);
	tls->kept_len += (uint32_t)len;
	return 0;
}

/*
 * The early_data extension of a NewSessionTicket message, 0 without one. What is malformed wolfSSL
 * will refuse.
 */
static uint32_t ticket_early_size(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	size_t n;

	p += 4 + 4 + 4; /* header, lifetime, age_add */
	if (p >= end || (size_t)(end - p) < 1u + p[0] + 2)
		return 0;
	p += 1 + p[0]; /* nonce */
	n = ql_get_be16(p);
	if ((size_t)(end - p) < 2 + n + 2)
		return 0;
	p += 2 + n + 2; /* ticket, length of the extensions */
	while (end - p >= 4) {
		uint16_t type = ql_get_be16(p);

		n = ql_get_be16(p + 2);
		p += 4;
		if ((size_t)(end - p) < n)
			return 0;
		if (type == EXT_EARLY_DATA && n == 4)
			return ql_get_be32(p);
		p += n;
	}
	return 0;
}

/* Tell of the session that the ticket is for. */
static void export_session(struct ql_tls *tls, bool early)
{
	WOLFSSL_SESSION *session = wolfSSL_get1_session(tls->ssl);
	uint8_t out[QL_TLS_SESSION_MAX];
	unsigned char *p = out + 4;
	int len = session ? wolfSSL_i2d_SSL_SESSION(session, NULL) : 0;

	if (len > 0 && (size_t)len + 4 <= sizeof(out) &&
	    wolfSSL_i2d_SSL_SESSION(session, &p) == len) {
		ql_put_be32(out, LIBWOLFSSL_VERSION_HEX);
		tls->sink->session(tls->arg, out, (size_t)len + 4, early);
	}
	wolfSSL_SESSION_free(session);
	ql_wipe(out, sizeof(out));
}

static void answer_early(struct ql_tls *tls, bool accepted)
{
	tls->early_offered = false;
	if (tls->sink->early)
		tls->sink->early(tls->arg, accepted);
}

/* ---- Both ---- */

int ql_tls_session_start(struct ql_tls *tls, const struct ql_tls_args *args)
{
	tls->early_wanted = args->early;
	if (tls->ctx->server) {
		tls->tickets = args->tickets;
		tls->version = args->version;
		if (digest(tls->binding, args->promise, args->promise_len, NULL, 0) < 0)
			return -ENOMEM;
		if (!tls->tickets || !tls->now || !tls->rng || !tls->version) {
			tls->tickets = NULL;
			return wolfSSL_no_ticket_TLSv13(tls->ssl) == 0 ? 0 : -ENOMEM;
		}
		if (tls->early_wanted)
			wolfSSL_set_quic_early_data_enabled(tls->ssl, 1);
	} else if (args->session && use_session(tls, args->session, args->session_len) &&
		   tls->early_wanted) {
		wolfSSL_set_quic_early_data_enabled(tls->ssl, 1);
	}
	return 0;
}

void ql_tls_session_secret(struct ql_tls *tls, int suite, const uint8_t *bytes)
{
	struct ql_secret secret = {.suite = (uint8_t)suite, .len = ql_suites[suite].hash_len};

	memcpy(secret.bytes, bytes, secret.len);
	if (tls->ctx->server) {
		ql_replay_note(tls->tickets->replay, ql_tls_now(tls), tls->ticket.id);
		tls->early_held = true;
		tls->early = secret;
	} else {
		tls->early_offered = true;
		ql_tls_give_secret(tls, QL_LEVEL_EARLY, true, &secret);
	}
	ql_wipe(&secret, sizeof(secret));
}

uint64_t ql_tls_session_before(struct ql_tls *tls, uint8_t type)
{
	uint32_t size;

	/* The ticket that follows says what we want, and not what the client's ticket said. */
	if (tls->ctx->server && type == QL_TLS_FINISHED)
		wolfSSL_set_max_early_data(tls->ssl, tls->early_wanted ? EARLY_MAX : 0);
	if (type != QL_TLS_NEW_SESSION_TICKET || !tls->kept)
		return 0;
	size = ticket_early_size(tls->kept, tls->kept_len);
	return size == 0 || size == EARLY_MAX ? 0 : QL_ERR_PROTOCOL_VIOLATION;
}

void ql_tls_session_after(struct ql_tls *tls, uint8_t type)
{
	switch (type) {
	case QL_TLS_CLIENT_HELLO:
		tls->greeted = true;
		tls->early_held = false;
		ql_wipe(&tls->early, sizeof(tls->early));
		break;
	case QL_TLS_SERVER_HELLO: /* one that asks for another ClientHello changes no level */
		if (tls->early_offered &&
		    wolfSSL_quic_read_level(tls->ssl) == wolfssl_encryption_initial)
			answer_early(tls, false);
		break;
	case QL_TLS_ENCRYPTED_EXTENSIONS:
		if (tls->early_offered)
			answer_early(tls, wolfSSL_get_early_data_status(tls->ssl) ==
						  WOLFSSL_EARLY_DATA_ACCEPTED);
		break;
	case QL_TLS_NEW_SESSION_TICKET:
		if (tls->kept)
			export_session(tls, ticket_early_size(tls->kept, tls->kept_len) > 0);
		tls->kept_len = 0;
		break;
	}
}

void ql_tls_session_fini(struct ql_tls *tls)
{
	if (tls->kept)
		ql_wipe(tls->kept, tls->kept_size);
	free(tls->kept);
	ql_wipe(&tls->early, sizeof(tls->early));
}
