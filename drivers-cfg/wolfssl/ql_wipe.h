/* SPDX-License-Identifier: BSD-3-Clause */
/* What options.h puts in the place of ForceZero(), while the library is built. */
#ifndef QL_WOLFSSL_WIPE_H
#define QL_WOLFSSL_WIPE_H

#include <string.h>

static inline void ql_wolfssl_wipe(void *mem, size_t len)
{
	typedef long long chunk __attribute__((vector_size(16), aligned(1), may_alias));

	/*
	 * Hashes have 128 bytes. For so many GCC writes an instruction that repeats a store, which takes
	 * longer to begin than the stores take.
	 */
	if (__builtin_constant_p(len) && len <= 128 && len % sizeof(chunk) == 0) {
		for (size_t i = 0; i < len / sizeof(chunk); i++)
			((chunk *)mem)[i] = (chunk){0, 0};
	} else {
		__asm__("" : "+r"(len)); /* not a constant, so not by that instruction */
		memset(mem, 0, len);
	}
	__asm__ volatile("" : : "r"(mem) : "memory"); /* somebody may read it: it stays */
}

#endif /* QL_WOLFSSL_WIPE_H */
