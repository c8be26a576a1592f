// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/random.h>

#include <wolfssl/ql_rand.h>
#include <wolfssl/wolfcrypt/random.h>

static int kernel_rand(unsigned char *out, unsigned int len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		out += n;
		len -= (unsigned int)n;
	}
	return 0;
}

static _Atomic(ql_wolfssl_rand_fn) rand_fn = kernel_rand;

void ql_wolfssl_set_rand(ql_wolfssl_rand_fn fn)
{
	atomic_store_explicit(&rand_fn, fn ? fn : kernel_rand, memory_order_release);
}

int ql_wolfssl_rand(unsigned char *out, unsigned int len)
{
	ql_wolfssl_rand_fn fn = atomic_load_explicit(&rand_fn, memory_order_acquire);

	return fn(out, len) ? -1 : 0;
}

/* The seeds of wolfSSL's own generators: its default is not compiled with a generator set. */
int wc_GenerateSeed(OS_Seed *os, byte *output, word32 sz)
{
	(void)os;
	return kernel_rand(output, sz);
}
