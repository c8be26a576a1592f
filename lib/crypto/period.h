// SPDX-License-Identifier: BSD-3-Clause
/*
 * Keys that change with the time: for what a server hands out sealed and gets back later, from
 * clients who may come to another engine then.
 *
 * They follow from one secret, a label that says what they are for, and the number of the period of
 * QL_PERIOD that it is; those of this period and of the one before open. So engines with the same
 * secret and the same clock open what each other has sealed, and nothing has to be restarted or
 * told for a key to go. When the secret itself is changed, what was sealed under the one before goes
 * on opening, for its life.
 */
#ifndef QL_CRYPTO_PERIOD_H
#define QL_CRYPTO_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/common.h>

#include "crypto/protect.h"

#define QL_PERIOD	 (12 * 3600 * QL_NSEC_PER_SEC)
#define QL_PERIOD_SECRET 32

struct ql_period_key {
	struct ql_aead aead; /* AES-128-GCM, nonces are the caller's */
	uint64_t period;     /* that it is the key of */
};

struct ql_period_secret {
	bool used;
	uint8_t secret[QL_PERIOD_SECRET];
	struct ql_period_key keys[2]; /* of even and of odd periods */
};

struct ql_period_keys {
	struct ql_mem *mem; /* NULL: not initialised */
	const char *label;
	struct ql_period_secret now, before;
};

/* label: at most 31 characters, not copied. Takes two keys' memory from mem. 0 or -ENOMEM. */
int ql_period_keys_init(struct ql_period_keys *k, struct ql_mem *mem,
			const uint8_t secret[QL_PERIOD_SECRET], const char *label);
/* Again, or on a zeroed struct: does nothing. */
void ql_period_keys_fini(struct ql_period_keys *k);

/*
 * Keys come from another secret now. Those of the present one still open, and none before. 0;
 * -ENOMEM, and nothing has changed.
 */
int ql_period_keys_rekey(struct ql_period_keys *k, const uint8_t secret[QL_PERIOD_SECRET]);

/*
 * The key of a period to seal with, which takes the place of that of two periods before. Valid until
 * the next call. NULL without memory for it.
 */
const struct ql_aead *ql_period_key(struct ql_period_keys *k, uint64_t period);

/*
 * Open len bytes and their tag at sealed, which stay as they are, with the keys of a period. opened
 * has room for both. False if that cannot be.
 */
bool ql_period_open(struct ql_period_keys *k, uint64_t period, const uint8_t iv[QL_IV_LEN],
		    const uint8_t *aad, size_t aad_len, const uint8_t *sealed, size_t len,
		    uint8_t *opened);

#endif
