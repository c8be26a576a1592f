/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where wolfSSL takes its random bytes from; installed as <wolfssl/ql_rand.h>, part of libwolfssl.
 * Only Qlane's build of wolfSSL has it: test for the function ql_wolfssl_set_rand.
 *
 * A generator fills len bytes at out and returns 0, or anything else for a failure, which wolfSSL
 * passes on as RNG_FAILURE_E. It is called on the thread that runs the handshake, so a generator
 * with a state for each thread needs no lock. Bytes must be fit for keys.
 */
#ifndef QL_WOLFSSL_RAND_H
#define QL_WOLFSSL_RAND_H

#ifdef __cplusplus
extern "C" {
#endif

typedef int (*ql_wolfssl_rand_fn)(unsigned char *out, unsigned int len);

/*
 * Sets the generator, for all threads; NULL restores the default, the kernel's getrandom(2).
 * At any time, best once at the start, before the first handshake.
 */
void ql_wolfssl_set_rand(ql_wolfssl_rand_fn fn);

/* What wolfSSL calls (CUSTOM_RAND_GENERATE_BLOCK): the generator set above. 0, or -1. */
int ql_wolfssl_rand(unsigned char *out, unsigned int len);

#ifdef __cplusplus
}
#endif

#endif /* QL_WOLFSSL_RAND_H */
