// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/rng.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "crypto/chacha.h"
#include "crypto/secret.h"

#include "ql_build.h"

#if QL_HAVE_WOLFSSL_RAND
#include <wolfssl/ql_rand.h>
#endif

void ql_rng_init(struct ql_rng *rng, const uint8_t seed[QL_RNG_SEED])
{
	memcpy(rng->key, seed, sizeof(rng->key));
	memset(rng->buf, 0, sizeof(rng->buf));
	rng->pos = sizeof(rng->buf);
}

/* Blocks 0..3 under the current key: the first 32 bytes of each lane's share replace it. */
void ql_rng_refill(struct ql_rng *rng)
{
	ql_u32x4 x[16] = {0};

	for (int i = 0; i < 8; i++)
		x[4 + i] = (ql_u32x4){rng->key[i], rng->key[i], rng->key[i], rng->key[i]};
	x[12] = (ql_u32x4){0, 1, 2, 3};
	ql_chacha20_x4(x);
	/* Which byte of the blocks goes where does not matter, as long as it stays so. */
	memcpy(rng->key, x, sizeof(rng->key));
	memcpy(rng->buf, (uint8_t *)x + sizeof(rng->key), sizeof(rng->buf));
	rng->pos = 0;
	ql_wipe(x, sizeof(x));
}

void ql_rng_bytes(struct ql_rng *rng, void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		size_t n = sizeof(rng->buf) - rng->pos;

		if (n == 0) {
			ql_rng_refill(rng);
			continue;
		}
		if (n > len)
			n = len;
		memcpy(p, rng->buf + rng->pos, n);
		memset(rng->buf + rng->pos, 0, n);
		rng->pos += (uint32_t)n;
		p += n;
		len -= n;
	}
}

static __thread struct ql_rng *attached;

#if QL_HAVE_WOLFSSL_RAND
static int from_kernel(unsigned char *out, unsigned int len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			out += n;
			len -= (unsigned int)n;
		}
	}
	return 0;
}

static int wolfssl_rand(unsigned char *out, unsigned int len)
{
	if (!attached)
		return from_kernel(out, len);
	ql_rng_bytes(attached, out, len);
	return 0;
}

static void install(void)
{
	ql_wolfssl_set_rand(wolfssl_rand);
}
#endif

struct ql_rng *ql_rng_attach(struct ql_rng *rng)
{
	struct ql_rng *before = attached;
#if QL_HAVE_WOLFSSL_RAND
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
#endif
	attached = rng;
	return before;
}
