// SPDX-License-Identifier: BSD-3-Clause
/*
 * A server makes its key pair when it has the client's public key: then both results of its secret
 * are had at once, and the second is kept until wolfSSL asks for it, right afterwards.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <wolfssl/internal.h>
#include <wolfssl/ql_x25519.h>
#include <wolfssl/wolfcrypt/fe_operations.h>

#define LEN 32

static _Atomic(const struct ql_wolfssl_x25519 *) fns;

static __thread struct {
	bool meets, made;
	unsigned char peer[LEN], secret[LEN], shared[LEN];
} kept;

void ql_wolfssl_set_x25519(const struct ql_wolfssl_x25519 *to)
{
	atomic_store_explicit(&fns, to, memory_order_release);
}

void ql_wolfssl_x25519_meet(const unsigned char *peer, unsigned int len)
{
	kept.meets = peer && len == LEN;
	if (kept.meets)
		memcpy(kept.peer, peer, LEN);
}

int ql_wolfssl_x25519_public(unsigned char *pub, const unsigned char *secret)
{
	const struct ql_wolfssl_x25519 *to = atomic_load_explicit(&fns, memory_order_acquire);

	if (!to || !kept.meets)
		return 0;
	kept.meets = false;
	to->pair(pub, kept.shared, secret, kept.peer);
	memcpy(kept.secret, secret, LEN);
	kept.made = true;
	return 1;
}

/* In a time that says nothing of them. */
static bool equal(const unsigned char *a, const unsigned char *b)
{
	unsigned int differ = 0;

	for (int i = 0; i < LEN; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

int ql_wolfssl_x25519(unsigned char *shared, const unsigned char *secret, const unsigned char *peer)
{
	const struct ql_wolfssl_x25519 *to = atomic_load_explicit(&fns, memory_order_acquire);
	bool same = kept.made && equal(secret, kept.secret) && equal(peer, kept.peer);

	if (same)
		memcpy(shared, kept.shared, LEN);
	if (kept.made)
		explicit_bzero(&kept, sizeof(kept));
	if (same)
		return 0;
	if (!to)
		return curve25519(shared, secret, peer);
	to->shared(shared, secret, peer);
	return 0;
}
