// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packet protection over bursts: RFC 9001, section 5.
 *
 * A ql_aead seals or opens packets with one key (one direction, one key phase), a ql_hp hides or
 * reveals headers (one direction; it outlives key updates). Both hold an expanded key in a block of
 * the engine's memory, some 100 bytes to 1 KB, which a connection that rests gives back
 * (conn/rest.c).
 *
 * Two backends do the work: intel-ipsec-mb with AES-NI on x86-64, wolfCrypt elsewhere and as the
 * reference in tests. A key belongs to the backend that was in use when it was made.
 *
 * Call ql_crypto_init() once before anything here. Nothing below it touches the heap.
 */
#ifndef QL_CRYPTO_PROTECT_H
#define QL_CRYPTO_PROTECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "crypto/suite.h"

enum ql_crypto_backend {
	QL_CRYPTO_WOLFCRYPT,
	QL_CRYPTO_IPSEC_MB,
};

/*
 * Choose the backend and set up what the thread-independent parts of the library need. Cheap to
 * call again, from any thread. 0, or -ENOTSUP when wolfSSL cannot be initialised.
 */
int ql_crypto_init(void);

/* The backend of keys made from now on. -ENOTSUP when it is not built in or the CPU cannot. */
int ql_crypto_set_backend(enum ql_crypto_backend backend);
enum ql_crypto_backend ql_crypto_backend(void);

struct ql_aead {
	void *schedule; /* NULL: no key */
	uint8_t suite;	/* enum ql_suite */
	uint8_t backend;
	uint8_t iv[QL_IV_LEN];
};

struct ql_hp {
	void *schedule; /* NULL: no key */
	uint8_t suite;
	uint8_t backend;
};

/* key: ql_suites[suite].key_len bytes. 0, or -ENOMEM with schedule NULL. */
int ql_aead_init(struct ql_aead *aead, struct ql_mem *mem, enum ql_suite suite, const uint8_t *key,
		 const uint8_t iv[QL_IV_LEN]);
int ql_hp_init(struct ql_hp *hp, struct ql_mem *mem, enum ql_suite suite, const uint8_t *key);

/* Wipe and give back. Again, or on a zeroed struct: does nothing. */
void ql_aead_fini(struct ql_aead *aead, struct ql_mem *mem);
void ql_hp_fini(struct ql_hp *hp, struct ql_mem *mem);

/*
 * Ask for an expanded key, which has been somewhere else in memory since it was last used; of an AEAD's
 * what a packet of len bytes takes.
 */
void ql_aead_prefetch(const struct ql_aead *aead, size_t len);
void ql_hp_prefetch(const struct ql_hp *hp);

/*
 * The AEAD alone, in place, under a nonce of the caller's, for what is no packet: the tag goes
 * behind the len bytes of text, or is there. ql_aead_open() returns whether it was right.
 */
void ql_aead_seal(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len);
bool ql_aead_open(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len);

/*
 * A packet to be sealed in place. At hdr are hdr_len bytes of header, the packet number (pn_len
 * bytes, low bytes of pn) last; behind it the payload, and behind that QL_TAG_LEN bytes of room.
 * pn_len + payload_len must be at least 4, so that there is a sample: the caller pads.
 *
 * The last tail_len bytes of the payload may lie elsewhere, at tail: they are read there, once, and
 * come to their place in the packet sealed.
 */
struct ql_seal_job {
	const struct ql_aead *aead;
	const struct ql_hp *hp;
	uint8_t *hdr;
	const uint8_t *tail; /* NULL: all of the payload is in place */
	uint64_t pn;
	uint16_t hdr_len;
	uint16_t payload_len; /* without the tag */
	uint16_t tail_len;    /* of payload_len */
	uint8_t pn_len;
};

/*
 * A packet to be opened in place. The first group is the caller's, the others are filled by
 * ql_unmask_burst (header protection off, packet number) and ql_open_burst (payload).
 */
struct ql_open_job {
	const struct ql_aead *aead; /* looked at by ql_open_burst only */
	const struct ql_hp *hp;
	uint8_t *pkt;
	uint64_t expected;  /* largest packet number opened in this space plus 1, or 0 */
	uint16_t pn_offset; /* where header protection leaves off, ql_pkt_hdr.pn_offset */
	uint16_t len;	    /* of the packet with its tag, ql_pkt_hdr.size */

	uint64_t pn;
	uint8_t first;	/* first byte, unprotected: not to be believed before the AEAD has passed */
	uint8_t pn_len; /* 1..4 */
	int result;	/* 0, or -EBADMSG: too short, or forged. Nothing else is valid then */

	uint8_t *payload;
	uint16_t payload_len; /* without the tag */
};

/* Any mix of suites, keys and backends; any n. */
void ql_seal_burst(const struct ql_seal_job *jobs, unsigned int n);

/*
 * Between these two the caller picks job->aead by the key phase bit, and may set result below zero
 * for packets that are not to be opened.
 */
void ql_unmask_burst(struct ql_open_job *jobs, unsigned int n);

/* Skips jobs whose result is below zero. A payload that fails is left in an undefined state. */
void ql_open_burst(struct ql_open_job *jobs, unsigned int n);

static inline void ql_seal_one(const struct ql_seal_job *job)
{
	ql_seal_burst(job, 1);
}

static inline int ql_open_one(struct ql_open_job *job)
{
	ql_unmask_burst(job, 1);
	ql_open_burst(job, 1);
	return job->result;
}

#endif
