// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * Credentials and TLS settings: what a server shows and what a client believes.
 *
 * A ql_tls_ctx belongs to one engine and to its thread; make one for each lcore from the same
 * settings. It must outlive the listener and the connections that use it.
 */
#ifndef QLANE_TLS_H
#define QLANE_TLS_H

#include <qlane/common.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ql_tls_ctx;

/** Cipher suites, as bits of ql_tls_config.suites; RFC 9001 section 5.3. */
#define QL_SUITE_AES128_GCM (1u << 0)
#define QL_SUITE_AES256_GCM (1u << 1)
#define QL_SUITE_CHACHA20   (1u << 2)

/** Called with one line of the NSS key log format, without newline, on the engine's thread. */
typedef void (*ql_keylog_fn)(void *arg, const char *line);

struct ql_tls_config {
	bool server;
	/** PEM files: the certificate with its chain, leaf first, and its key. Servers need both.
	 */
	const char *cert_file;
	const char *key_file;
	/**
	 * Client: PEM file and folder of the authorities believed in. With neither, the system's
	 * store is used (/etc/ssl/certs).
	 */
	const char *ca_file;
	const char *ca_dir;
	/** Client: believe any certificate. For tests only. */
	bool insecure;
	/** QL_SUITE_ bits to offer; 0 for all, AES-128-GCM first. */
	unsigned int suites;
	/** Receives the secrets of every connection; NULL for none. */
	ql_keylog_fn keylog;
	void *keylog_arg;
};

/** Room that ql_tls_ctx_create() asks for its error text, in bytes. */
#define QL_TLS_ERRLEN 256

/**
 * Read the files and make a context.
 * @param err  receives one line that names the file, what is wrong with it, and the cure
 * @return the context, or NULL with errno set (ENOENT, EACCES, EINVAL, ENOMEM) and @p err filled.
 */
QL_PUBLIC struct ql_tls_ctx *ql_tls_ctx_create(const struct ql_tls_config *config,
					       char err[QL_TLS_ERRLEN]);
QL_PUBLIC void ql_tls_ctx_free(struct ql_tls_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_TLS_H */
