// SPDX-License-Identifier: BSD-3-Clause
/*
 * Keys that change with the time: for what a server hands out sealed and gets back later, from
 * clients who may come to another engine then.
 *
 * They follow from one secret, a label that says what they are for, and the number of the period of
 * QL_PERIOD that it is; those of this period and of the one before open. So engines with the same
 * secret and the same clock open what each other has sealed, and nothing has to be restarted or
 * told for a key to go. When the secret itself changes, its owner keeps the keys of the old one: what
 * they sealed is of use for its life.
 */
#ifndef QL_CRYPTO_PERIOD_H
#define QL_CRYPTO_PERIOD_H

#include <stdint.h>

#include <qlane/common.h>

#include "crypto/protect.h"

#define QL_PERIOD	 (12 * 3600 * QL_NSEC_PER_SEC)
#define QL_PERIOD_SECRET 32

struct ql_period_key {
	struct ql_aead aead; /* AES-128-GCM, nonces are the caller's */
	uint64_t period;     /* that it is the key of */
};

struct ql_period_keys {
	struct ql_mem *mem; /* NULL: not initialised */
	const char *label;
	uint8_t secret[QL_PERIOD_SECRET];
	struct ql_period_key keys[2]; /* of even and of odd periods */
};

/* label: at most 31 characters, not copied. Takes two keys' memory from mem. 0 or -ENOMEM. */
int ql_period_keys_init(struct ql_period_keys *k, struct ql_mem *mem,
			const uint8_t secret[QL_PERIOD_SECRET], const char *label);
/* Again, or on a zeroed struct: does nothing. */
void ql_period_keys_fini(struct ql_period_keys *k);

/*
 * From now on keys come from another secret; old has those of the present one then, in place of what
 * it had. 0; -ENOMEM, and nothing has changed.
 */
int ql_period_keys_replace(struct ql_period_keys *k, struct ql_period_keys *old,
			   const uint8_t secret[QL_PERIOD_SECRET]);

/*
 * The key of a period, which takes the place of that of two periods before. Valid until the next
 * call. NULL without memory for it.
 */
const struct ql_aead *ql_period_key(struct ql_period_keys *k, uint64_t period);

#endif
