// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <qlane/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/clock.h"
#include "crypto/tls_impl.h"

/* The TLS extension of RFC 9001, section 8.2. */
#define TRANSPORT_PARAMETERS 0x39

/*
 * A message's four header bytes make wolfSSL allocate its length. Hellos are a few KB at most;
 * certificate chains are the longest messages there are.
 */
#define HELLO_MAX   16384
#define MESSAGE_MAX 65000

enum {
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_NO_APPLICATION_PROTOCOL = 120,
};

void ql_tls_set_error(struct ql_tls *tls, uint64_t error, const char *reason)
{
	if (tls->error)
		return;
	tls->error = error;
	tls->reason = reason;
}

/*
 * Messages that a role may receive at a level: RFC 9001, sections 4.4, 6 and 8.3. Our servers ask
 * for no certificate.
 */
static bool message_allowed(bool server, enum ql_level level, uint8_t type)
{
	switch (level) {
	case QL_LEVEL_INITIAL:
		return type == (server ? QL_TLS_CLIENT_HELLO : QL_TLS_SERVER_HELLO);
	case QL_LEVEL_HANDSHAKE:
		return type == QL_TLS_FINISHED ||
		       (!server &&
			(type == QL_TLS_ENCRYPTED_EXTENSIONS ||
			 type == QL_TLS_CERTIFICATE_REQUEST || type == QL_TLS_CERTIFICATE ||
			 type == QL_TLS_CERTIFICATE_VERIFY));
	case QL_LEVEL_APP:
		return !server && type == QL_TLS_NEW_SESSION_TICKET;
	default:
		return false;
	}
}

/*
 * Follow the stream by at most one message. Returns how many of the len (at least 1) bytes belong
 * to it and sets *ended when it is complete; on an error sets *error and returns 0.
 */
static size_t follow(struct ql_tls_messages *m, bool server, enum ql_level level,
		     const uint8_t *data, size_t len, bool *ended, uint64_t *error)
{
	size_t used = 0;
	size_t body;

	while (m->have < sizeof(m->hdr) && used < len) {
		m->hdr[m->have++] = data[used++];
		if (m->have == 1 && !message_allowed(server, level, m->hdr[0])) {
			/* no authentication of the client after the handshake (RFC 9001, 4.4) */
			*error = m->hdr[0] == QL_TLS_CERTIFICATE_REQUEST && level == QL_LEVEL_APP
					 ? QL_ERR_PROTOCOL_VIOLATION
					 : QL_ERR_CRYPTO(ALERT_UNEXPECTED_MESSAGE);
			return 0;
		}
		if (m->have < sizeof(m->hdr))
			continue;
		m->left = (uint32_t)m->hdr[1] << 16 | (uint32_t)m->hdr[2] << 8 | m->hdr[3];
		if (m->left > (level == QL_LEVEL_INITIAL ? HELLO_MAX : MESSAGE_MAX)) {
			*error = QL_ERR_CRYPTO_BUFFER_EXCEEDED;
			return 0;
		}
	}
	body = len - used < m->left ? len - used : m->left;
	m->left -= (uint32_t)body;
	*ended = m->have == sizeof(m->hdr) && m->left == 0;
	if (*ended)
		m->have = 0;
	return used + body;
}

uint64_t ql_tls_ignore(struct ql_tls_messages *messages, bool server, const uint8_t *data,
		       size_t len)
{
	uint64_t error = 0;
	bool ended;

	while (len > 0) {
		size_t n = follow(messages, server, QL_LEVEL_APP, data, len, &ended, &error);

		if (error)
			return error;
		data += n;
		len -= n;
	}
	return 0;
}

/* 0 while they have not arrived, or when all is well. */
static uint64_t deliver_params(struct ql_tls *tls)
{
	const uint8_t *params;
	size_t len;

	if (tls->params_delivered)
		return 0;
	/* those of a draft version do not count */
	if (wolfSSL_get_peer_quic_transport_version(tls->ssl) != TRANSPORT_PARAMETERS)
		return 0;
	wolfSSL_get_peer_quic_transport_params(tls->ssl, &params, &len);
	tls->params_delivered = true;
	return tls->sink->peer_params(tls->arg, params, len);
}

void ql_tls_learn_alpn(struct ql_tls *tls)
{
	char *name;
	word16 len;

	if (tls->alpn[0] || wolfSSL_ALPN_GetProtocol(tls->ssl, &name, &len) != WOLFSSL_SUCCESS ||
	    len == 0 || len >= sizeof(tls->alpn))
		return;
	memcpy(tls->alpn, name, len);
	tls->alpn[len] = 0;
}

/*
 * wolfSSL's own check of names refuses to look for names of one label, such as those of a local
 * network, or passes certificates without any name; this one does neither.
 */
static bool name_matches(struct ql_tls *tls)
{
	WOLFSSL_X509 *cert;
	bool ok;

	/* who resumes a session has shown to be whom it was made with */
	if (!tls->name || wolfSSL_session_reused(tls->ssl))
		return true;
	cert = wolfSSL_get_peer_certificate(tls->ssl);
	ok = cert &&
	     wolfSSL_X509_check_host(cert, tls->name, strlen(tls->name),
				     WOLFSSL_LEFT_MOST_WILDCARD_ONLY, NULL) == WOLFSSL_SUCCESS;
	wolfSSL_X509_free(cert);
	return ok;
}

/*
 * What the peer must have said before we go on: a server checks before it answers, a client before
 * its Finished. wolfSSL checks none of it (RFC 9001, sections 8.1 and 8.2).
 */
static bool peer_acceptable(struct ql_tls *tls)
{
	uint64_t error = deliver_params(tls);

	ql_tls_learn_alpn(tls);
	if (error)
		ql_tls_set_error(tls, error, "transport parameters refused");
	else if (!tls->params_delivered)
		ql_tls_set_error(tls, QL_ERR_CRYPTO(ALERT_MISSING_EXTENSION),
				 "peer sent no transport parameters");
	else if (!tls->alpn[0])
		ql_tls_set_error(tls, QL_ERR_CRYPTO(ALERT_NO_APPLICATION_PROTOCOL),
				 "no common application protocol");
	else if (!name_matches(tls))
		ql_tls_set_error(tls, QL_ERR_CRYPTO(ALERT_BAD_CERTIFICATE),
				 "certificate is for another name");
	return !tls->error;
}

static char *put_hex(char *p, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 0xf];
	}
	return p;
}

/* One line for each secret: draft-ietf-tls-keylogfile. */
static void log_key(struct ql_tls *tls, enum ql_level level, bool client,
		    const struct ql_secret *secret)
{
	static const char *const labels[QL_LEVELS][2] = {
		[QL_LEVEL_EARLY] = {"CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_EARLY_TRAFFIC_SECRET"},
		[QL_LEVEL_HANDSHAKE] = {"SERVER_HANDSHAKE_TRAFFIC_SECRET",
					"CLIENT_HANDSHAKE_TRAFFIC_SECRET"},
		[QL_LEVEL_APP] = {"SERVER_TRAFFIC_SECRET_0", "CLIENT_TRAFFIC_SECRET_0"},
	};
	char line[32 + 1 + 64 + 1 + 2 * QL_HASH_MAX + 1];
	uint8_t random[32];
	char *p;

	if (!tls->ctx->keylog || !labels[level][client])
		return;
	if (wolfSSL_get_client_random(tls->ssl, random, sizeof(random)) != sizeof(random))
		return;
	p = line + sprintf(line, "%s ", labels[level][client]);
	p = put_hex(p, random, sizeof(random));
	*p++ = ' ';
	p = put_hex(p, secret->bytes, secret->len);
	*p = 0;
	tls->ctx->keylog(tls->ctx->keylog_arg, line);
	ql_wipe(line, sizeof(line));
}

void ql_tls_give_secret(struct ql_tls *tls, enum ql_level level, bool write,
			const struct ql_secret *secret)
{
	log_key(tls, level, write != tls->ctx->server, secret);
	tls->sink->secret(tls->arg, level, write, secret);
}

static void give_secret(struct ql_tls *tls, enum ql_level level, bool write, int suite,
			const uint8_t *bytes)
{
	struct ql_secret secret = {.suite = (uint8_t)suite, .len = ql_suites[suite].hash_len};

	memcpy(secret.bytes, bytes, secret.len);
	ql_tls_give_secret(tls, level, write, &secret);
	ql_wipe(&secret, sizeof(secret));
}

/* wolfSSL's numbers of the levels are ours. */
_Static_assert((int)wolfssl_encryption_initial == QL_LEVEL_INITIAL, "levels");
_Static_assert((int)wolfssl_encryption_early_data == QL_LEVEL_EARLY, "levels");
_Static_assert((int)wolfssl_encryption_handshake == QL_LEVEL_HANDSHAKE, "levels");
_Static_assert((int)wolfssl_encryption_application == QL_LEVEL_APP, "levels");

static int on_secrets(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL wolf_level, const uint8_t *read,
		      const uint8_t *write, size_t len)
{
	struct ql_tls *tls = wolfSSL_get_app_data(ssl);
	int suite = ql_suite_from_tls((uint16_t)wolfSSL_get_current_cipher_suite(ssl));
	enum ql_level level = (enum ql_level)wolf_level;

	if (suite < 0 || len != ql_suites[suite].hash_len)
		return 0;
	if ((tls->ctx->server || level == QL_LEVEL_APP) && !peer_acceptable(tls))
		return 0;
	if (level == QL_LEVEL_EARLY) {
		ql_tls_session_secret(tls, suite, tls->ctx->server ? read : write);
		return 1;
	}
	ql_tls_session_release(tls);
	tls->answered = true;
	if (write)
		give_secret(tls, level, true, suite, write);
	if (read)
		give_secret(tls, level, false, suite, read);
	return 1;
}

static int on_send(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, const uint8_t *data, size_t len)
{
	struct ql_tls *tls = wolfSSL_get_app_data(ssl);

	if (tls->sink->send(tls->arg, (enum ql_level)level, data, len) == 0)
		return 1;
	ql_tls_set_error(tls, QL_ERR_INTERNAL_ERROR, "out of memory");
	return 0;
}

static int on_flush(WOLFSSL *ssl)
{
	(void)ssl;
	return 1;
}

static int on_alert(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, uint8_t alert)
{
	struct ql_tls *tls = wolfSSL_get_app_data(ssl);

	(void)level;
	tls->alert = alert;
	return 1;
}

const WOLFSSL_QUIC_METHOD ql_tls_quic_method = {
	.set_encryption_secrets = on_secrets,
	.add_handshake_data = on_send,
	.flush_flight = on_flush,
	.send_alert = on_alert,
};

/* wolfSSL gave up, with the alert that it wanted to send if there was one. */
static int wolf_failed(struct ql_tls *tls, int wolf_error)
{
	if (wolf_error == MEMORY_E)
		ql_tls_set_error(tls, QL_ERR_INTERNAL_ERROR, "out of memory");
	else
		ql_tls_set_error(tls,
				 QL_ERR_CRYPTO(tls->alert ? tls->alert : ALERT_HANDSHAKE_FAILURE),
				 wolfSSL_ERR_reason_error_string((unsigned long)wolf_error));
	return -EPROTO;
}

/* Let wolfSSL work on the messages it has. */
static int drive(struct ql_tls *tls)
{
	int rc, error;

	if (tls->complete) {
		rc = wolfSSL_process_quic_post_handshake(tls->ssl);
		if (rc != WOLFSSL_SUCCESS && rc != WC_NO_ERR_TRACE(WANT_READ))
			return wolf_failed(tls, rc);
		return tls->error ? -EPROTO : 0;
	}
	rc = wolfSSL_quic_do_handshake(tls->ssl);
	if (rc != WOLFSSL_SUCCESS) {
		error = wolfSSL_get_error(tls->ssl, rc);
		if (error != WOLFSSL_ERROR_WANT_READ)
			return wolf_failed(tls, error);
	}
	tls->complete = rc == WOLFSSL_SUCCESS;
	return tls->error ? -EPROTO : 0;
}

/* "h3,hq-interop", as wolfSSL_UseALPN wants it. */
static int use_alpn(struct ql_tls *tls, const struct ql_tls_args *args)
{
	char list[WOLFSSL_MAX_ALPN_NUMBER * 256];
	size_t used = 0;

	if (args->n_protos == 0 || args->n_protos > WOLFSSL_MAX_ALPN_NUMBER)
		return -EINVAL;
	for (unsigned int i = 0; i < args->n_protos; i++) {
		const char *name = args->protos[i].alpn;
		size_t len = name ? strlen(name) : 0;

		if (len == 0 || len > 255 || strchr(name, ','))
			return -EINVAL;
		if (used > 0)
			list[used++] = ',';
		memcpy(list + used, name, len);
		used += len;
	}
	return wolfSSL_UseALPN(tls->ssl, list, (word32)used, WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
			       WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

static int use_name(struct ql_tls *tls, const char *name)
{
	uint8_t address[16];
	size_t len;

	if (!name)
		return tls->ctx->insecure ? 0 : -EINVAL;
	len = strlen(name);
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
		if (tls->ctx->insecure)
			return 0;
		return wolfSSL_check_ip_address(tls->ssl, name) == WOLFSSL_SUCCESS ? 0 : -ENOMEM;
	}
	if (len == 0 || len > 253 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != len)
		return -EINVAL;
	if (wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, name, (word16)len) != WOLFSSL_SUCCESS)
		return -ENOMEM;
	if (!tls->ctx->insecure) {
		tls->name = strdup(name);
		if (!tls->name)
			return -ENOMEM;
	}
	return 0;
}

int ql_tls_set_params(struct ql_tls *tls, const uint8_t *params, size_t len)
{
	return wolfSSL_set_quic_transport_params(tls->ssl, params, len) == WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

static int start(struct ql_tls *tls, const struct ql_tls_args *args)
{
	int rc;

	tls->ssl = wolfSSL_new(tls->ctx->wolf);
	if (!tls->ssl)
		return -ENOMEM;
	wolfSSL_set_app_data(tls->ssl, tls);
	wolfSSL_set_quic_transport_version(tls->ssl, TRANSPORT_PARAMETERS);
	if (args->params_len > 0 && ql_tls_set_params(tls, args->params, args->params_len) < 0)
		return -ENOMEM;
	rc = use_alpn(tls, args);
	if (rc == 0 && !tls->ctx->server)
		rc = use_name(tls, args->sni);
	if (rc == 0)
		rc = ql_tls_session_start(tls, args);
	if (rc || tls->ctx->server)
		return rc;
	return drive(tls) ? -ENOMEM : 0; /* nothing else can fail in a ClientHello */
}

/* Randomness and time of wolfSSL's, while it works for this handshake. */
struct attached {
	struct ql_rng *rng;
	int64_t ms;
};

static struct attached attach(const struct ql_tls *tls)
{
	/* above 0, which is the system's time */
	int64_t ms = tls->now ? (int64_t)(ql_tls_now(tls) / QL_NSEC_PER_MSEC) + 1 : 0;

	return (struct attached){.rng = ql_rng_attach(tls->rng), .ms = ql_clock_attach(ms)};
}

static void detach(const struct attached *before)
{
	ql_rng_attach(before->rng);
	ql_clock_attach(before->ms);
}

int ql_tls_start(struct ql_tls **out, struct ql_tls_ctx *ctx, const struct ql_tls_args *args)
{
	struct ql_tls *tls = calloc(1, sizeof(*tls));
	struct attached before;
	int rc;

	*out = NULL;
	if (!tls)
		return -ENOMEM;
	tls->ctx = ctx;
	tls->sink = args->sink;
	tls->arg = args->arg;
	tls->rng = args->rng;
	tls->now = args->now;
	tls->clock = args->clock;
	tls->reason = "";
	before = attach(tls);
	rc = start(tls, args);
	detach(&before);
	if (rc) {
		ql_tls_free(tls);
		return rc;
	}
	*out = tls;
	return 0;
}

/* One message, or a part of one. */
static int take(struct ql_tls *tls, enum ql_level level, const uint8_t *data, size_t len,
		bool ended)
{
	uint8_t type = tls->messages.hdr[0];
	uint64_t error;
	int rc;

	if (level == QL_LEVEL_APP && ql_tls_session_keep(tls, data, len) < 0) {
		ql_tls_set_error(tls, QL_ERR_INTERNAL_ERROR, "out of memory");
		return -EPROTO;
	}
	if (wolfSSL_provide_quic_data(tls->ssl, (WOLFSSL_ENCRYPTION_LEVEL)level, data, len) !=
	    WOLFSSL_SUCCESS) {
		ql_tls_set_error(tls, QL_ERR_INTERNAL_ERROR, "out of memory");
		return -EPROTO;
	}
	if (!ended)
		return 0;
	error = ql_tls_session_before(tls, type);
	if (error) {
		ql_tls_set_error(tls, error, "ticket refused");
		return -EPROTO;
	}
	rc = drive(tls);
	if (rc)
		return rc;
	ql_tls_session_after(tls, type);
	error = deliver_params(tls);
	if (error) {
		ql_tls_set_error(tls, error, "transport parameters refused");
		return -EPROTO;
	}
	return 0;
}

/* wolfSSL's server does not always see that its level changes, when there may be early data. */
static enum ql_level read_level(const struct ql_tls *tls)
{
	if (tls->ctx->server && tls->answered && !tls->complete)
		return QL_LEVEL_HANDSHAKE;
	return (enum ql_level)wolfSSL_quic_read_level(tls->ssl);
}

int ql_tls_recv(struct ql_tls *tls, enum ql_level level, const uint8_t *data, size_t len)
{
	struct attached before;
	int rc = 0;

	if (tls->error)
		return -EPROTO;
	before = attach(tls);
	while (len > 0 && rc == 0) {
		uint64_t error = 0;
		bool ended = false;
		size_t n;

		/* After each message, since it may have changed the level. */
		if (level != read_level(tls)) {
			ql_tls_set_error(tls, QL_ERR_PROTOCOL_VIOLATION,
					 "handshake data at the wrong encryption level");
			rc = -EPROTO;
			break;
		}
		n = follow(&tls->messages, tls->ctx->server, level, data, len, &ended, &error);
		if (error) {
			ql_tls_set_error(tls, error, "unexpected or oversized handshake message");
			rc = -EPROTO;
			break;
		}
		rc = take(tls, level, data, n, ended);
		data += n;
		len -= n;
	}
	detach(&before);
	return rc;
}

bool ql_tls_resumed(const struct ql_tls *tls)
{
	return tls->complete && wolfSSL_session_reused(tls->ssl);
}

bool ql_tls_complete(const struct ql_tls *tls)
{
	return tls->complete;
}

uint64_t ql_tls_error(const struct ql_tls *tls)
{
	return tls->error;
}

const char *ql_tls_reason(const struct ql_tls *tls)
{
	return tls->reason;
}

const char *ql_tls_alpn(const struct ql_tls *tls)
{
	return tls->alpn;
}

struct ql_tls_messages ql_tls_messages(const struct ql_tls *tls)
{
	return tls->messages;
}

void ql_tls_free(struct ql_tls *tls)
{
	if (!tls)
		return;
	wolfSSL_free(tls->ssl);
	ql_tls_session_fini(tls);
	free(tls->name);
	free(tls);
}
