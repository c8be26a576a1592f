// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a ql_tls_ctx is made of; only for the files of crypto/.
 */
#ifndef QL_CRYPTO_TLS_CTX_H
#define QL_CRYPTO_TLS_CTX_H

#include <qlane/tls.h>
#include <wolfssl/ssl.h>

struct ql_tls_ctx {
	WOLFSSL_CTX *wolf;
	bool server;
	bool insecure;
	ql_keylog_fn keylog;
	void *keylog_arg;
};

/* The callbacks by which wolfSSL drives a ql_tls (tls.c). */
extern const WOLFSSL_QUIC_METHOD ql_tls_quic_method;

#endif
