/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Another X25519 in the place of wolfSSL's own; installed as <wolfssl/ql_x25519.h>, part of
 * libwolfssl. Only Qlane's build of wolfSSL has it: test for the function ql_wolfssl_set_x25519.
 */
#ifndef QL_WOLFSSL_X25519_H
#define QL_WOLFSSL_X25519_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All of 32 bytes, little-endian; secrets are clamped (RFC 7748, section 5). Called on the thread that
 * runs the handshake.
 */
struct ql_wolfssl_x25519 {
	/* The public key of a secret, and what it shares with a peer's. */
	void (*pair)(unsigned char *pub, unsigned char *shared, const unsigned char *secret,
		     const unsigned char *peer);
	/* The latter only. */
	void (*shared)(unsigned char *shared, const unsigned char *secret,
		       const unsigned char *peer);
};

/*
 * Sets it, for all threads; NULL restores wolfSSL's own. At any time, best once at the start. The
 * struct must stay.
 */
void ql_wolfssl_set_x25519(const struct ql_wolfssl_x25519 *fns);

#ifdef BUILDING_WOLFSSL
/*
 * What install.sh puts into wolfSSL. The next key pair of this thread is made to be used with this
 * public key of a peer's; of other lengths than 32: it is not.
 */
void ql_wolfssl_x25519_meet(const unsigned char *peer, unsigned int len);
/* Its public key, of the secret: 0 if that is not known here. */
int ql_wolfssl_x25519_public(unsigned char *pub, const unsigned char *secret);
/* In the place of wolfSSL's function. */
int ql_wolfssl_x25519(unsigned char *shared, const unsigned char *secret,
		      const unsigned char *peer);
#endif

#ifdef __cplusplus
}
#endif

#endif /* QL_WOLFSSL_X25519_H */
