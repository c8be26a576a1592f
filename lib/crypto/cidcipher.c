// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/cidcipher.h"

#include <errno.h>
#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "crypto/secret.h"

#define BLOCK 16

static int expand(void **schedule, struct ql_mem *mem, const uint8_t *key, int direction)
{
	*schedule = ql_mem_zalloc(mem, sizeof(Aes));
	if (!*schedule)
		return -ENOMEM;
	if (wc_AesInit(*schedule, NULL, INVALID_DEVID) ||
	    wc_AesSetKey(*schedule, key, QL_CIDCIPHER_KEY, NULL, direction))
		return -EIO;
	return 0;
}

int ql_cidcipher_init(struct ql_cidcipher *c, struct ql_mem *mem,
		      const uint8_t key[QL_CIDCIPHER_KEY])
{
	int rc;

	memset(c, 0, sizeof(*c));
	rc = expand(&c->enc, mem, key, AES_ENCRYPTION);
	if (rc == 0)
		rc = expand(&c->dec, mem, key, AES_DECRYPTION);
	if (rc < 0)
		ql_cidcipher_fini(c, mem);
	return rc;
}

static void forget(void *schedule, struct ql_mem *mem)
{
	if (!schedule)
		return;
	wc_AesFree(schedule);
	ql_wipe(schedule, sizeof(Aes));
	ql_mem_free(mem, schedule, sizeof(Aes));
}

void ql_cidcipher_fini(struct ql_cidcipher *c, struct ql_mem *mem)
{
	forget(c->enc, mem);
	forget(c->dec, mem);
	memset(c, 0, sizeof(*c));
}

/* Left and right half; of an odd length each has four bits of the byte in the middle. */
struct halves {
	size_t len, half;		   /* bytes: of both, and of one, rounded up */
	uint8_t left[BLOCK], right[BLOCK]; /* zero behind that */
};

static void clear(struct halves *h)
{
	if (h->len % 2 == 1) {
		h->left[h->half - 1] &= 0xf0;
		h->right[0] &= 0x0f;
	}
}

static void split(struct halves *h, const uint8_t *p, size_t len)
{
	*h = (struct halves){.len = len, .half = (len + 1) / 2};
	memcpy(h->left, p, h->half);
	memcpy(h->right, p + len - h->half, h->half);
	clear(h);
}

static void join(const struct halves *h, uint8_t *p)
{
	uint8_t *right = p + h->len - h->half;

	memcpy(p, h->left, h->half);
	if (h->len % 2 == 1)
		right[0] |= h->right[0];
	else
		right[0] = h->right[0];
	memcpy(right + 1, h->right + 1, h->half - 1);
}

/* Two passes that are next to each other change one half each. */
static void pass(const struct ql_cidcipher *c, struct halves *h, uint8_t number)
{
	const uint8_t *from = number % 2 == 1 ? h->left : h->right;
	uint8_t *to = number % 2 == 1 ? h->right : h->left;
	uint8_t in[BLOCK], out[BLOCK] = {0};

	memcpy(in, from, BLOCK);
	in[BLOCK - 2] = (uint8_t)h->len;
	in[BLOCK - 1] = number;
	wc_AesEncryptDirect(c->enc, out, in);
	for (size_t i = 0; i < h->half; i++)
		to[i] ^= out[i];
	clear(h);
}

void ql_cidcipher_encrypt(const struct ql_cidcipher *c, uint8_t *p, size_t len)
{
	uint8_t block[BLOCK];
	struct halves h;

	if (len == BLOCK) {
		memcpy(block, p, BLOCK);
		wc_AesEncryptDirect(c->enc, p, block);
		return;
	}
	split(&h, p, len);
	for (uint8_t i = 1; i <= 4; i++)
		pass(c, &h, i);
	join(&h, p);
}

void ql_cidcipher_decrypt(const struct ql_cidcipher *c, uint8_t *p, size_t len)
{
	uint8_t block[BLOCK];
	struct halves h;

	if (len == BLOCK) {
		memcpy(block, p, BLOCK);
		wc_AesDecryptDirect(c->dec, p, block);
		return;
	}
	split(&h, p, len);
	for (uint8_t i = 4; i >= 1; i--)
		pass(c, &h, i);
	join(&h, p);
}
