// SPDX-License-Identifier: BSD-3-Clause
/* What options.h puts in the place of ForceZero(). */
#include <string.h>

#include <wolfssl/wolfcrypt/types.h>
#include <wolfssl/wolfcrypt/misc.h>

void ForceZero(void *mem, size_t len)
{
	explicit_bzero(mem, len);
}
