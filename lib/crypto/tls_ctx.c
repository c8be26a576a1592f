// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/tls_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/protect.h"
#include "crypto/secret.h"

#define SYSTEM_CA_DIR "/etc/ssl/certs"

/* Larger than any chain or set of authorities; a wrong path may name anything. */
#define FILE_MAX ((size_t)4 << 20)

/* Write the error's text, set errno, return false. */
static bool fail(char err[QL_TLS_ERRLEN], int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(char err[QL_TLS_ERRLEN], int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, QL_TLS_ERRLEN, fmt, ap);
	va_end(ap);
	errno = code;
	return false;
}

struct file {
	const char *path;
	unsigned char *data; /* zero-terminated */
	size_t len;
};

static void file_free(struct file *f)
{
	if (f->data)
		ql_wipe(f->data, f->len); /* it may be a key */
	free(f->data);
	f->data = NULL;
}

/* option is the setting's name for the reader of the error. */
static bool file_read(struct file *f, const char *path, const char *what, const char *option,
		      char err[QL_TLS_ERRLEN])
{
	FILE *in = fopen(path, "rb");
	int code = errno;

	*f = (struct file){.path = path};
	if (!in) {
		if (code == EACCES || code == EPERM)
			return fail(err, EACCES,
				    "%s: no permission to read the %s; run as a user who may, or "
				    "change its mode",
				    path, what);
		if (code == ENOMEM)
			return fail(err, code, "%s: out of memory", path);
		return fail(err, code == ENOENT || code == ENOTDIR ? ENOENT : EINVAL,
			    "%s: cannot open the %s: %s; check %s", path, what, strerror(code),
			    option);
	}
	f->data = malloc(FILE_MAX + 1);
	if (!f->data) {
		fclose(in);
		return fail(err, ENOMEM, "%s: out of memory", path);
	}
	f->len = fread(f->data, 1, FILE_MAX, in);
	code = ferror(in) ? errno : 0;
	fclose(in);
	if (code) {
		file_free(f);
		return fail(err, EINVAL, "%s: cannot read the %s: %s; check %s", path, what,
			    strerror(code), option);
	}
	f->data[f->len] = 0;
	return true;
}

static bool file_has(const struct file *f, const char *text)
{
	return memmem(f->data, f->len, text, strlen(text)) != NULL;
}

static const char *reason(int wolf_error)
{
	return wolfSSL_ERR_reason_error_string((unsigned long)wolf_error);
}

static bool load_cert(struct ql_tls_ctx *ctx, const char *path, char err[QL_TLS_ERRLEN])
{
	struct file f;
	bool ok = true;
	int rc;

	if (!file_read(&f, path, "certificate", "cert_file", err))
		return false;
	if (!file_has(&f, "-----BEGIN CERTIFICATE-----")) {
		ok = fail(err, EINVAL,
			  "%s: no PEM certificate in it; from DER: openssl x509 -inform DER -in %s",
			  path, path);
	} else {
		rc = wolfSSL_CTX_use_certificate_chain_buffer(ctx->wolf, f.data, (long)f.len);
		if (rc != WOLFSSL_SUCCESS)
			ok = fail(err, EINVAL, "%s: the certificate is damaged (%s); make it anew",
				  path, reason(rc));
	}
	file_free(&f);
	return ok;
}

static bool load_key(struct ql_tls_ctx *ctx, const char *path, const char *cert_path,
		     char err[QL_TLS_ERRLEN])
{
	struct file f;
	bool ok = true;
	int rc;

	if (!file_read(&f, path, "private key", "key_file", err))
		return false;
	if (file_has(&f, "ENCRYPTED")) {
		ok = fail(err, EINVAL,
			  "%s: the private key is encrypted; decrypt it: openssl pkey -in %s -out "
			  "plain.pem",
			  path, path);
	} else if (!file_has(&f, "PRIVATE KEY-----")) {
		ok = fail(err, EINVAL,
			  "%s: no PEM private key in it; from DER: openssl pkey -inform DER -in %s",
			  path, path);
	} else {
		rc = wolfSSL_CTX_use_PrivateKey_buffer(ctx->wolf, f.data, (long)f.len,
						       WOLFSSL_FILETYPE_PEM);
		if (rc != WOLFSSL_SUCCESS)
			ok = fail(err, EINVAL,
				  "%s: the private key is damaged or of an unsupported kind (%s); "
				  "use RSA from 2048 bits, ECDSA or Ed25519",
				  path, reason(rc));
		else if (wolfSSL_CTX_check_private_key(ctx->wolf) != WOLFSSL_SUCCESS)
			ok = fail(err, EINVAL,
				  "%s: the key is not that of the certificate in %s; give the pair "
				  "that belongs together",
				  path, cert_path);
	}
	file_free(&f);
	return ok;
}

static bool load_ca_file(struct ql_tls_ctx *ctx, const char *path, char err[QL_TLS_ERRLEN])
{
	struct file f;
	bool ok = true;
	int rc;

	if (!file_read(&f, path, "authorities' certificates", "ca_file", err))
		return false;
	if (!file_has(&f, "-----BEGIN CERTIFICATE-----")) {
		ok = fail(err, EINVAL,
			  "%s: no PEM certificate in it; from DER: openssl x509 -inform DER -in %s",
			  path, path);
	} else {
		rc = wolfSSL_CTX_load_verify_buffer(ctx->wolf, f.data, (long)f.len,
						    WOLFSSL_FILETYPE_PEM);
		if (rc != WOLFSSL_SUCCESS)
			ok = fail(err, EINVAL,
				  "%s: not an authority's certificate, or damaged (%s); ca_file is "
				  "for the root that signed",
				  path, reason(rc));
	}
	file_free(&f);
	return ok;
}

/* Files that are no certificates, and expired ones, are common there and are passed over. */
static bool load_ca_dir(struct ql_tls_ctx *ctx, const char *path, char err[QL_TLS_ERRLEN])
{
	int rc = wolfSSL_CTX_load_verify_locations_ex(ctx->wolf, NULL, path,
						      WOLFSSL_LOAD_FLAG_IGNORE_ERR |
							      WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY |
							      WOLFSSL_LOAD_FLAG_PEM_CA_ONLY);

	if (rc == WOLFSSL_SUCCESS)
		return true;
	return fail(err, ENOENT,
		    "%s: no authority's certificate found in the folder; install ca-certificates, "
		    "or set ca_file or ca_dir",
		    path);
}

static bool load_authorities(struct ql_tls_ctx *ctx, const struct ql_tls_config *config,
			     char err[QL_TLS_ERRLEN])
{
	if (config->insecure) {
		wolfSSL_CTX_set_verify(ctx->wolf, WOLFSSL_VERIFY_NONE, NULL);
		return true;
	}
	wolfSSL_CTX_set_verify(ctx->wolf, WOLFSSL_VERIFY_PEER, NULL);
	if (config->ca_file && !load_ca_file(ctx, config->ca_file, err))
		return false;
	if (config->ca_dir && !load_ca_dir(ctx, config->ca_dir, err))
		return false;
	if (!config->ca_file && !config->ca_dir)
		return load_ca_dir(ctx, SYSTEM_CA_DIR, err);
	return true;
}

static bool set_suites(struct ql_tls_ctx *ctx, unsigned int suites, char err[QL_TLS_ERRLEN])
{
	static const struct {
		unsigned int bit;
		const char *name;
	} known[] = {
		{QL_SUITE_AES128_GCM, "TLS13-AES128-GCM-SHA256"},
		{QL_SUITE_AES256_GCM, "TLS13-AES256-GCM-SHA384"},
		{QL_SUITE_CHACHA20, "TLS13-CHACHA20-POLY1305-SHA256"},
	};
	const unsigned int all = QL_SUITE_AES128_GCM | QL_SUITE_AES256_GCM | QL_SUITE_CHACHA20;
	char list[128] = "";

	if (suites & ~all)
		return fail(err, EINVAL, "suites: unknown bits 0x%x; use QL_SUITE_ bits",
			    suites & ~all);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (suites && !(suites & known[i].bit))
			continue;
		if (list[0])
			strcat(list, ":");
		strcat(list, known[i].name);
	}
	if (wolfSSL_CTX_set_cipher_list(ctx->wolf, list) != WOLFSSL_SUCCESS)
		return fail(err, EINVAL,
			    "suites: this wolfSSL lacks one of %s; build it with all three", list);
	return true;
}

/*
 * A client offers one key share, X25519: it fits in one Initial datagram, and there is hardly a
 * server that would ask for another. Servers take the hybrid X25519MLKEM768 as well.
 */
static bool set_groups(struct ql_tls_ctx *ctx, char err[QL_TLS_ERRLEN])
{
	int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};

	if (wolfSSL_CTX_set_groups(ctx->wolf, groups, sizeof(groups) / sizeof(groups[0])) !=
	    WOLFSSL_SUCCESS)
		return fail(err, EINVAL,
			    "this wolfSSL lacks X25519, P-256 or P-384; build it with "
			    "all three");
	return true;
}

static bool setup(struct ql_tls_ctx *ctx, const struct ql_tls_config *config,
		  char err[QL_TLS_ERRLEN])
{
	if (config->server && (!config->cert_file || !config->key_file))
		return fail(err, EINVAL, "a server needs a certificate and its key; set %s",
			    config->cert_file ? "key_file" : "cert_file");
	if (!config->server && !config->cert_file != !config->key_file)
		return fail(err, EINVAL, "a certificate and its key go together; set %s",
			    config->cert_file ? "key_file" : "cert_file");
	if (ql_crypto_init())
		return fail(err, EINVAL, "wolfSSL does not start; check its installation");
	ctx->wolf = wolfSSL_CTX_new(config->server ? wolfTLSv1_3_server_method()
						   : wolfTLSv1_3_client_method());
	if (!ctx->wolf)
		return fail(err, ENOMEM, "out of memory for the TLS context");
	if (wolfSSL_CTX_set_quic_method(ctx->wolf, &ql_tls_quic_method) != WOLFSSL_SUCCESS)
		return fail(err, EINVAL, "this wolfSSL was built without QUIC; build it with");
	/* Its table of 33 sessions for the whole process has a lock; tickets do without. */
	wolfSSL_CTX_set_session_cache_mode(ctx->wolf, WOLFSSL_SESS_CACHE_OFF);
	if (config->server && ql_tls_session_setup(ctx) < 0)
		return fail(err, ENOMEM, "out of memory for the TLS context");
	return set_suites(ctx, config->suites, err) &&
	       (config->server || (set_groups(ctx, err) && load_authorities(ctx, config, err))) &&
	       (!config->cert_file || load_cert(ctx, config->cert_file, err)) &&
	       (!config->key_file || load_key(ctx, config->key_file, config->cert_file, err));
}

struct ql_tls_ctx *ql_tls_ctx_create(const struct ql_tls_config *config, char err[QL_TLS_ERRLEN])
{
	struct ql_tls_ctx *ctx = calloc(1, sizeof(*ctx));

	err[0] = 0;
	if (!ctx) {
		fail(err, ENOMEM, "out of memory for the TLS context");
		return NULL;
	}
	ctx->server = config->server;
	ctx->insecure = config->insecure;
	ctx->keylog = config->keylog;
	ctx->keylog_arg = config->keylog_arg;
	if (!setup(ctx, config, err)) {
		int code = errno;

		ql_tls_ctx_free(ctx);
		errno = code;
		return NULL;
	}
	return ctx;
}

bool ql_tls_ctx_verifies(const struct ql_tls_ctx *ctx)
{
	return !ctx->insecure;
}

void ql_tls_ctx_free(struct ql_tls_ctx *ctx)
{
	if (!ctx)
		return;
	wolfSSL_CTX_free(ctx->wolf);
	free(ctx);
}
