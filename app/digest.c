// SPDX-License-Identifier: BSD-3-Clause
#include "digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define ENCODED 44 /* bytes of base64 */

static const char name[] = "sha-256";

struct ql_digest {
	wc_Sha256 sha;
};

struct ql_digest *ql_digest_new(void)
{
	struct ql_digest *d = calloc(1, sizeof(*d));

	if (d && wc_InitSha256(&d->sha) != 0) {
		free(d);
		return NULL;
	}
	return d;
}

void ql_digest_add(struct ql_digest *d, const void *data, size_t len)
{
	wc_Sha256Update(&d->sha, data, (word32)len);
}

static void encode(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t w = (uint32_t)bytes[i] << 16;

		if (left > 1)
			w |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			w |= bytes[i + 2];
		*out++ = digits[w >> 18];
		*out++ = digits[w >> 12 & 63];
		*out++ = left > 1 ? digits[w >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[w & 63] : '=';
	}
	*out = 0;
}

void ql_digest_value(struct ql_digest *d, char value[QL_DIGEST])
{
	uint8_t hash[WC_SHA256_DIGEST_SIZE];
	size_t at = sizeof(name) - 1;

	wc_Sha256Final(&d->sha, hash);
	memcpy(value, name, at);
	memcpy(value + at, "=:", 2);
	encode(hash, sizeof(hash), value + at + 2);
	memcpy(value + at + 2 + ENCODED, ":", 2);
}

void ql_digest_free(struct ql_digest *d)
{
	if (d)
		wc_Sha256Free(&d->sha);
	free(d);
}

bool ql_digest_agrees(const char *field, const char *value)
{
	const size_t len = sizeof(name) - 1 + 2;

	while (field && *field) {
		field += strspn(field, " \t,");
		if (strncmp(field, value, len) == 0)
			return strncmp(field, value, strlen(value)) == 0;
		field += strcspn(field, ",");
	}
	return true;
}
