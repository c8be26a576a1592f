// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a ql_tls is made of; only for its own sources:
 *
 *	tls.c		the handshake
 *	tls_session.c	tickets, sessions, early data
 */
#ifndef QL_CRYPTO_TLS_IMPL_H
#define QL_CRYPTO_TLS_IMPL_H

#include "crypto/tls.h"
#include "crypto/tls_ctx.h"

enum {
	QL_TLS_CLIENT_HELLO = 1,
	QL_TLS_SERVER_HELLO = 2,
	QL_TLS_NEW_SESSION_TICKET = 4,
	QL_TLS_ENCRYPTED_EXTENSIONS = 8,
	QL_TLS_CERTIFICATE = 11,
	QL_TLS_CERTIFICATE_REQUEST = 13,
	QL_TLS_CERTIFICATE_VERIFY = 15,
	QL_TLS_FINISHED = 20,
};

struct ql_tls {
	WOLFSSL *ssl;
	const struct ql_tls_ctx *ctx;
	const struct ql_tls_sink *sink;
	void *arg;
	struct ql_rng *rng;
	char *name; /* client: host name to be found in the certificate; NULL for none */
	struct ql_tls_messages messages;
	bool complete;
	bool params_delivered;
	bool answered; /* there are secrets of the handshake: a ServerHello is sent, or here */
	/* Sessions and early data (tls_session.c). */
	bool early_wanted;
	bool early_offered; /* client: and not answered yet */
	bool early_held;    /* server: early is there, and not handed out yet */
	bool greeted;	    /* server: there was a ClientHello; a second one brings no early data */
	struct ql_secret early;
	struct ql_tickets *tickets;
	const uint32_t *version; /* of tickets */
	struct ql_ticket ticket; /* server: the client's, in the ClientHello that is looked at */
	uint8_t binding[QL_TICKET_BINDING];
	const uint64_t *now; /* NULL: the system's time */
	uint64_t clock;
	uint8_t *kept; /* client: a NewSessionTicket, as it comes in */
	uint32_t kept_len, kept_size;
	uint8_t alert; /* the last that wolfSSL wanted to send */
	uint64_t error;
	const char *reason;
	char alpn[256];
};

/* The first error stays: those that follow are its consequences. */
void ql_tls_set_error(struct ql_tls *tls, uint64_t error, const char *reason);

/* The protocol agreed on, if it is by now, in tls->alpn. */
void ql_tls_learn_alpn(struct ql_tls *tls);

/* Log a secret and hand it out. */
void ql_tls_give_secret(struct ql_tls *tls, enum ql_level level, bool write,
			const struct ql_secret *secret);

/* The time of tickets, ns; tls->now is not NULL. */
static inline uint64_t ql_tls_now(const struct ql_tls *tls)
{
	return *tls->now + tls->clock;
}

/* ---- tls_session.c ---- */

/* For ql_tls_ctx_create() of a server. 0 or -ENOMEM. */
int ql_tls_session_setup(struct ql_tls_ctx *ctx);

/* Before the handshake begins. 0 or -ENOMEM. */
int ql_tls_session_start(struct ql_tls *tls, const struct ql_tls_args *args);

/*
 * The secret of early data. A server keeps it until it is sure to answer with a ServerHello, which
 * the others of its secrets tell: asking for another ClientHello refuses early data.
 */
void ql_tls_session_secret(struct ql_tls *tls, int suite, const uint8_t *bytes);
void ql_tls_session_release(struct ql_tls *tls);

/* The next bytes of a message at QL_LEVEL_APP. 0 or -ENOMEM. */
int ql_tls_session_keep(struct ql_tls *tls, const uint8_t *data, size_t len);

/* wolfSSL has a whole message of this type, and has not looked at it. 0, or the error to end with.
 */
uint64_t ql_tls_session_before(struct ql_tls *tls, uint8_t type);
/* Now it has. */
void ql_tls_session_after(struct ql_tls *tls, uint8_t type);

void ql_tls_session_fini(struct ql_tls *tls);

#endif
