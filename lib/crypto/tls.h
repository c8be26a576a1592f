// SPDX-License-Identifier: BSD-3-Clause
/*
 * One TLS 1.3 handshake for QUIC (RFC 9001, sections 4 and 8), by wolfSSL: CRYPTO bytes in, CRYPTO
 * bytes and secrets out, through a sink. The TLS stack's own memory comes from the heap; it is some
 * 16 KB during and 10 KB after the handshake, so free it once the handshake is confirmed.
 *
 * What TLS in general allows and QUIC does not is refused here: messages at the wrong level or
 * across a change of keys, KeyUpdate, EndOfEarlyData, a peer without transport parameters or
 * without a common ALPN protocol.
 */
#ifndef QL_CRYPTO_TLS_H
#define QL_CRYPTO_TLS_H

#include <qlane/conn.h>
#include <qlane/tls.h>

#include "crypto/rng.h"
#include "crypto/secret.h"
#include "crypto/ticket.h"

/* Encryption levels, each with its CRYPTO stream: RFC 9001, section 4.1.4. */
enum ql_level {
	QL_LEVEL_INITIAL,
	QL_LEVEL_EARLY,
	QL_LEVEL_HANDSHAKE,
	QL_LEVEL_APP,
	QL_LEVELS,
};

/*
 * Where a handshake's output goes. Called inside ql_tls_start and ql_tls_recv, from where the
 * handshake may not be called or freed. Data and secrets are valid during the call.
 */
struct ql_tls_sink {
	/*
	 * A secret is there; write is our sending direction. A server has QL_LEVEL_APP before the
	 * handshake is complete: it may send with it, but not open packets before ql_tls_complete()
	 * (RFC 9001, section 5.7).
	 */
	void (*secret)(void *arg, enum ql_level level, bool write, const struct ql_secret *secret);
	/* Append to the CRYPTO stream of a level. 0 or -ENOMEM, which ends the handshake. */
	int (*send)(void *arg, enum ql_level level, const uint8_t *data, size_t len);
	/*
	 * The peer's transport parameters, once, and before any QL_LEVEL_APP secret. They are not
	 * authenticated before ql_tls_complete(). 0, or the QUIC error code to end with. A server
	 * that has not given its own to ql_tls_start() does it here, by ql_tls_set_params().
	 */
	uint64_t (*peer_params)(void *arg, const uint8_t *params, size_t len);
	/*
	 * Client, with a QL_LEVEL_EARLY secret: what the server has made of the early data, once.
	 * Before peer_params when it was taken. (A server has it taken when it gets the secret.)
	 */
	void (*early)(void *arg, bool accepted);
	/*
	 * Client: a ticket came, and this is what resumes the session: at most QL_TLS_SESSION_MAX
	 * bytes that only the same build of TLS understands. early: it allows early data. May be
	 * NULL.
	 */
	void (*session)(void *arg, const uint8_t *data, size_t len, bool early);
};

#define QL_TLS_SESSION_MAX 3072

struct ql_tls_args {
	const struct ql_tls_sink *sink;
	void *arg;
	struct ql_rng *rng; /* all randomness of this handshake; NULL for the kernel's */
	/* Only the names are used; during ql_tls_start only. */
	const struct ql_proto *protos;
	unsigned int n_protos;
	/*
	 * Client: the name or literal address that the certificate must be for; a literal address
	 * is not sent. NULL is allowed only with ql_tls_config.insecure.
	 */
	const char *sni;
	const uint8_t *params; /* our transport parameters, copied; see peer_params() */
	size_t params_len;     /* 0: a server's come later */
	/*
	 * The time of tickets is *now + clock, ns. A NULL is the system's time. It is the caller's,
	 * and may move between two calls.
	 */
	const uint64_t *now;
	uint64_t clock;
	/*
	 * Early data (RFC 9001, 4.6). Server: take it, and say in tickets that it is. Client: send
	 * it, if the session allows.
	 */
	bool early;
	/* Server: gives tickets by these, with rng and now; NULL: none. Kept. */
	struct ql_tickets *tickets;
	/* QUIC's version that tickets are of when they are given or come; the caller's, as now. */
	const uint32_t *version;
	/*
	 * Server: what its clients may rely on when they send early data. It is taken only with
	 * tickets that were given out with the same promise, byte for byte. During the call only.
	 */
	const uint8_t *promise;
	size_t promise_len;
	/* Client: as ql_tls_sink.session gave it; NULL for a full handshake. Of this server. */
	const uint8_t *session;
	size_t session_len;
};

struct ql_tls;

/* Whether its clients believe only in certificates that they have verified. */
bool ql_tls_ctx_verifies(const struct ql_tls_ctx *ctx);

/*
 * Begin; a client sends its ClientHello at once, and has a QL_LEVEL_EARLY secret then if it may
 * send early data. A session that is of no use, by age or otherwise, is passed over.
 * 0; -EINVAL (no protocol, name missing or malformed); -ENOMEM.
 */
int ql_tls_start(struct ql_tls **tls, struct ql_tls_ctx *ctx, const struct ql_tls_args *args);

/* A server's transport parameters, copied; inside peer_params(). 0 or -ENOMEM. */
int ql_tls_set_params(struct ql_tls *tls, const uint8_t *params, size_t len);

/*
 * The next len bytes of the CRYPTO stream of a level, in order. 0; -EPROTO when the connection has
 * to be closed with ql_tls_error(), after which only ql_tls_free() is left.
 *
 * Complete means that our Finished is out and the peer's has been verified. A server that has
 * tickets then sends one within the same call. QL_LEVEL_APP bytes are taken from then on only.
 */
int ql_tls_recv(struct ql_tls *tls, enum ql_level level, const uint8_t *data, size_t len);

bool ql_tls_complete(const struct ql_tls *tls);

/* The handshake has shown that both ends know the session's secret, instead of a certificate. */
bool ql_tls_resumed(const struct ql_tls *tls);

/* The QUIC error code (qlane/error.h) to close with, 0 while there is none. */
uint64_t ql_tls_error(const struct ql_tls *tls);

/* A short English reason for that, for the log and the reason phrase. Static, never NULL. */
const char *ql_tls_reason(const struct ql_tls *tls);

/* The protocol agreed on, zero-terminated; "" before it is known. Valid until ql_tls_free(). */
const char *ql_tls_alpn(const struct ql_tls *tls);

/* NULL is fine. */
void ql_tls_free(struct ql_tls *tls);

/*
 * TLS messages end and begin anywhere in CRYPTO frames; this follows them. A connection that has
 * freed its ql_tls keeps one, taken from ql_tls_messages(), for what still arrives at QL_LEVEL_APP.
 */
struct ql_tls_messages {
	uint32_t left;	/* bytes of the current message still to come */
	uint8_t have;	/* bytes of its 4-byte header seen */
	uint8_t hdr[4]; /* type, length */
};

struct ql_tls_messages ql_tls_messages(const struct ql_tls *tls);

/*
 * QL_LEVEL_APP bytes, in order, when there is no ql_tls any more: a server's tickets are ignored,
 * all else is an error. 0, or the QUIC error code to close with.
 */
uint64_t ql_tls_ignore(struct ql_tls_messages *messages, bool server, const uint8_t *data,
		       size_t len);

#endif
