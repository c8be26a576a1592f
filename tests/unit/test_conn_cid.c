// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connection IDs: what ours tell and hide, and the rules of RFC 9000, sections 5.1, 19.15, 19.16.
 */
#include <check.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include <qlane/error.h>

#include "conn/cid.h"
#include "wire/frame.h"

#define MEMORY (1 << 20)

static uint8_t region[MEMORY] __attribute__((aligned(64)));
static struct ql_mem mem;
static struct ql_rng rng;
static struct ql_cid_scheme scheme; /* of engine 3 */

static const uint8_t seed[QL_RNG_SEED] = {1};
static const uint8_t secrets[3][QL_CID_SECRET] = {{1}, {2}, {3}};

static void init(struct ql_cid_scheme *s, uint16_t lcore, unsigned int generation,
		 unsigned int secret)
{
	ck_assert_int_eq(ql_cid_scheme_init(s, lcore, generation, secrets[secret], secrets[secret]),
			 0);
}

static void setup(void)
{
	ql_mem_init(&mem, region, sizeof(region));
	ql_rng_init(&rng, seed);
	init(&scheme, 3, 0, 0);
}

/* ---- Ours ---- */

/* Where the server ID and our part are in an ID, with each configuration that there may be. */
static const struct layout {
	struct ql_cid_config config;
	uint8_t first, len, word;
} layouts[] = {
	{{.rotation = 7}, 0xeb, 12, 1}, /* none */
	{{.rotation = 0, .server_id_len = 1, .server_id = {0xc4}}, 0x0c, 13, 2},
	{{.rotation = 1, .server_id_len = 4, .server_id = {1, 2, 3, 4}}, 0x2f, 16, 5},
	{{.rotation = 6, .server_id_len = 8, .server_id = {8, 7, 6, 5, 4, 3, 2, 1}}, 0xd3, 20, 9},
	{{.rotation = 2, .server_id_len = 1, .encrypted = true, .key = {1}}, 0x50, 17, 6},
	{{.rotation = 3, .server_id_len = 5, .encrypted = true, .key = {2}}, 0x70, 17, 6},
	{{.rotation = 4, .server_id_len = 6, .encrypted = true, .key = {3}}, 0x91, 18, 7},
	{{.rotation = 5, .server_id_len = 8, .encrypted = true, .key = {4}}, 0xb3, 20, 9},
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static void configure(struct ql_cid_scheme *s, const struct layout *l)
{
	if (l->config.server_id_len > 0)
		ck_assert_int_eq(ql_cid_scheme_configure(s, &mem, &l->config, 1), 0);
}

/* In the clear, if there is something to decrypt. */
static struct ql_cid clear(const struct ql_cid_config *c, const struct ql_cid *id)
{
	struct ql_cid copy = *id;
	struct ql_cidcipher cipher;

	if (!c->encrypted)
		return copy;
	ck_assert_int_eq(ql_cidcipher_init(&cipher, &mem, c->key), 0);
	ql_cidcipher_decrypt(&cipher, copy.id + 1, copy.len - 1u);
	ql_cidcipher_fini(&cipher, &mem);
	return copy;
}

START_TEST(test_make)
{
	static const uint32_t slots[] = {0, 1, 255, 256, 65535, 65536, QL_CID_SLOTS - 1};
	const struct layout *l = &layouts[_i];

	for (unsigned int lcore = 0; lcore < 256; lcore += 51) {
		struct ql_cid_scheme s;

		init(&s, (uint16_t)lcore, 0, 0);
		configure(&s, l);
		for (unsigned int i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
			struct ql_cid a, b, plain;
			struct ql_cid_told told;

			ql_local_cid_make(&s, &rng, slots[i], &a);
			ql_local_cid_make(&s, &rng, slots[i], &b);
			ck_assert_uint_eq(a.len, l->len);
			ck_assert_uint_eq(a.id[0], l->first);
			ck_assert_uint_eq(ql_local_cid_len(&s, a.id[0]), l->len);
			plain = clear(&l->config, &a);
			ck_assert_mem_eq(plain.id + 1, l->config.server_id,
					 l->config.server_id_len);
			/* network order: low bits */
			ck_assert_uint_eq(plain.id[l->word + 1], lcore);
			ck_assert_uint_eq(ql_local_cid_lcore(&s, a.id), lcore);
			ck_assert(ql_local_cid_read(&s, a.id, &told));
			ck_assert(told.this_process && !told.old_key);
			ck_assert_uint_eq(told.slot, slots[i]);
			ck_assert(ql_local_cid_read(&s, b.id, &told));
			ck_assert_uint_eq(told.slot, slots[i]);
			ck_assert(!ql_cid_eq(&a, &b));
			/* the slot does not show */
			ck_assert(memcmp(a.id + l->word + 6, b.id + l->word + 6, 3) != 0);
		}
		ql_cid_scheme_fini(&s, &mem);
	}
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* What is said to those who steer is where the word is. */
START_TEST(test_word)
{
	const struct layout *l = &layouts[_i];
	const struct ql_cid_config *c = l->config.server_id_len > 0 ? &l->config : NULL;
	uint8_t payload[1 + QL_CID_MAX];
	struct ql_cid_word word;
	struct ql_cid id;

	if (l->config.encrypted) {
		ck_assert_int_eq(ql_cid_word_of(c, &word), -ENOTSUP);
		return;
	}
	ck_assert_int_eq(ql_cid_word_of(c, &word), 0);
	configure(&scheme, l);
	for (unsigned int i = 0; i < 100; i++) {
		ql_local_cid_make(&scheme, &rng, i, &id);
		payload[0] = 0x40;
		memcpy(payload + 1, id.id, id.len);
		ck_assert_uint_eq(payload[1], word.first_value);
		ck_assert_uint_eq(word.first_mask, 0x1f);
		ck_assert_uint_eq(
			(payload[word.offset] << 8 | payload[word.offset + 1]) & word.mask, 3);
	}
}
END_TEST

START_TEST(test_configs)
{
	struct ql_cid_config c[4] = {{.rotation = 0, .server_id_len = 2},
				     {.rotation = 1, .server_id_len = 2},
				     {.rotation = 2, .server_id_len = 2, .encrypted = true},
				     {.rotation = 3, .server_id_len = 2}};
	struct ql_cid_word word;
	struct ql_cid_scheme s;
	struct ql_cid id;

	ck_assert_int_eq(ql_cid_scheme_configure(&scheme, &mem, c, 4), -EINVAL);
	ck_assert_int_eq(ql_cid_scheme_configure(&scheme, &mem, c, 3), 0);
	/* new IDs by the first, and all are known, also those without */
	ql_local_cid_make(&scheme, &rng, 7, &id);
	ck_assert_uint_eq(id.id[0] >> 5, 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct ql_cid_told told;

		init(&s, 3, 0, 0);
		ck_assert_int_eq(ql_cid_scheme_configure(&s, &mem, c + i, i < 3), 0);
		ql_local_cid_make(&s, &rng, 9, &id);
		ck_assert_uint_eq(ql_local_cid_len(&scheme, id.id[0]), id.len);
		ck_assert(ql_local_cid_read(&scheme, id.id, &told));
		ck_assert_uint_eq(told.slot, 9);
		ql_cid_scheme_fini(&s, &mem);
	}
	ck_assert_uint_eq(ql_local_cid_len(&scheme, 0x6e), 0); /* one that is not there */
	ck_assert_uint_eq(ql_local_cid_len(&scheme, 0xea), 0); /* another length */
	ql_cid_scheme_fini(&scheme, &mem);
	ck_assert_uint_eq(mem.used, 0);

	init(&s, 3, 0, 0);
	c[1].rotation = 0;
	ck_assert_int_eq(ql_cid_scheme_configure(&s, &mem, c, 2), -EINVAL); /* twice */
	for (unsigned int i = 0; i < 3; i++) {
		static const uint8_t bad[][2] = {{7, 2}, {0, 0}, {0, QL_CID_SERVER_ID_MAX + 1}};

		init(&s, 3, 0, 0);
		c[0].rotation = bad[i][0];
		c[0].server_id_len = bad[i][1];
		ck_assert_int_eq(ql_cid_scheme_configure(&s, &mem, c, 1), -EINVAL);
		ck_assert_int_eq(ql_cid_word_of(c, &word), -EINVAL);
	}
	init(&s, 3, 0, 0);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_cid_scheme_configure(&s, &mem, c + 2, 1), -ENOMEM);
	ql_cid_scheme_fini(&s, &mem);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* Configurations come while IDs are in use: those from before are read until their bits mean something
 * else. */
START_TEST(test_change)
{
	struct ql_cid_config a[2] = {{.rotation = 0, .server_id_len = 2},
				     {.rotation = 1, .server_id_len = 3, .encrypted = true}};
	struct ql_cid_config b = {.rotation = 2, .server_id_len = 2, .server_id = {9}};
	struct ql_cid_told told;
	struct ql_cid id[4];
	uint32_t epoch;

	ck_assert_int_eq(ql_cid_scheme_configure(&scheme, &mem, a, 2), 0);
	epoch = scheme.epoch;
	ql_local_cid_make(&scheme, &rng, 1, &id[0]);
	/* known at first, and then used */
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, &b, 1), 0);
	ck_assert_int_eq(ql_cid_scheme_know(&scheme, &mem, &b, 1), 0);
	ck_assert_uint_eq(scheme.rotation, 0);
	ck_assert_uint_eq(scheme.epoch, epoch);
	ql_cid_scheme_use(&scheme, &b, 1);
	ck_assert_uint_eq(scheme.epoch, epoch + 1);
	ql_local_cid_make(&scheme, &rng, 1, &id[1]);
	ck_assert_uint_eq(id[1].id[0] >> 5, 2);
	ck_assert_uint_eq(id[1].id[1], 9);
	ck_assert(ql_local_cid_read(&scheme, id[0].id, &told));
	/* the same again is no change, and no configuration is one, too */
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, &b, 1), 0);
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, a, 2), 0);
	ql_cid_scheme_use(&scheme, &b, 1);
	ck_assert_uint_eq(scheme.epoch, epoch + 1);
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, NULL, 0), 0);
	ql_cid_scheme_use(&scheme, NULL, 0);
	ql_local_cid_make(&scheme, &rng, 1, &id[2]);
	ck_assert_uint_eq(id[2].id[0], 0xeb);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(ql_local_cid_len(&scheme, id[i].id[0]), id[i].len);
		ck_assert(ql_local_cid_read(&scheme, id[i].id, &told));
	}
	/* another key, another ID */
	a[1].key[3] = 1;
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, a, 2), 1 << 1);
	a[0].server_id[1] = 1;
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, a, 2), 1 << 0 | 1 << 1);
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, a, QL_CID_CONFIGS + 1), -EINVAL);
	ck_assert_int_eq(ql_cid_scheme_know(&scheme, &mem, a, 2), 0);
	ck_assert_int_eq(ql_cid_scheme_changes(&scheme, a, 2), 0);
	ql_cid_scheme_use(&scheme, a + 1, 1);
	ql_local_cid_make(&scheme, &rng, 5, &id[3]);
	ck_assert(ql_local_cid_read(&scheme, id[3].id, &told));
	ck_assert_uint_eq(told.slot, 5);
	ql_cid_scheme_fini(&scheme, &mem);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* All IDs are to be retired, once; others are issued as places become free. */
START_TEST(test_renew)
{
	struct ql_local_cids l = {0};
	struct ql_local_cid *e;

	for (unsigned int i = 0; i < 3; i++) { /* a peer that wants three */
		e = ql_local_cids_place(&l, 3);
		ck_assert_ptr_eq(e, &l.e[i]);
		*e = (struct ql_local_cid){.used = true, .seq = l.next_seq++};
	}
	ck_assert_ptr_null(ql_local_cids_place(&l, 3));
	ck_assert_ptr_nonnull(ql_local_cids_place(&l, UINT64_MAX));
	ck_assert_uint_eq(ql_local_cids_retire_prior_to(&l), 0);
	ck_assert(ql_local_cids_renew(&l));
	ck_assert_uint_eq(ql_local_cids_retire_prior_to(&l), 3);
	ck_assert(!ql_local_cids_renew(&l)); /* not before the peer has done it */
	for (unsigned int i = 3; i < 5; i++) {
		e = ql_local_cids_place(&l, 3);
		ck_assert_ptr_eq(e, &l.e[i]);
		*e = (struct ql_local_cid){.used = true, .seq = l.next_seq++};
	}
	ck_assert_ptr_null(ql_local_cids_place(&l, 3)); /* all places are taken */
	ck_assert_int_eq(ql_local_cids_retire(&l, 1, 3), 0);
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 3), 0);
	ck_assert_uint_eq(ql_local_cids_retire_prior_to(&l), 1);
	e = ql_local_cids_place(&l, 3);
	ck_assert_ptr_eq(e, &l.e[1]);
	*e = (struct ql_local_cid){.used = true, .seq = l.next_seq++};
	ck_assert_ptr_null(ql_local_cids_place(&l, 3));
	ck_assert(!ql_local_cids_renew(&l));
	ck_assert_int_eq(ql_local_cids_retire(&l, 0, 3), 0);
	ck_assert_uint_eq(ql_local_cids_retire_prior_to(&l), 0);
	ck_assert(ql_local_cids_renew(&l));
	ck_assert_uint_eq(ql_local_cids_retire_prior_to(&l), 6);
}
END_TEST

/* Only who has the key reads an ID; tokens differ by ID and by key. */
START_TEST(test_keys)
{
	uint8_t t1[QL_RESET_TOKEN_LEN], t2[QL_RESET_TOKEN_LEN];
	struct ql_cid_scheme other, sibling;
	struct ql_cid_told told;
	unsigned int read = 0;
	struct ql_cid a, b;

	init(&other, 3, 0, 1);
	init(&sibling, 9, 0, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		ql_local_cid_make(&scheme, &rng, 7, &a);
		read += ql_local_cid_read(&other, a.id, &told);
		ck_assert(ql_local_cid_read(&sibling, a.id, &told));
		ck_assert_uint_eq(ql_local_cid_lcore(&sibling, a.id), 3);
	}
	ck_assert_uint_le(read, 1);
	ql_local_cid_make(&scheme, &rng, 7, &b);
	ql_reset_token(&scheme, &a, t1);
	ql_reset_token(&sibling, &a, t2);
	ck_assert_mem_eq(t1, t2, sizeof(t1));
	ck_assert(memcmp(t1, t1 + 8, 8) != 0);
	ql_reset_token(&scheme, &b, t2);
	ck_assert_mem_ne(t1, t2, sizeof(t1));
	ql_reset_token(&other, &a, t2);
	ck_assert_mem_ne(t1, t2, sizeof(t1));
}
END_TEST

/* Guesses: every single bit that is altered, and bytes of any value, are found out by the check. */
START_TEST(test_check)
{
	const struct layout *l = &layouts[_i];
	struct ql_cid_told told;
	unsigned int passed = 0;
	struct ql_cid id;

	configure(&scheme, l);
	for (unsigned int i = 0; i < 50; i++) {
		ql_local_cid_make(&scheme, &rng, i, &id);
		for (unsigned int bit = 8; bit < 8u * id.len; bit++) {
			uint8_t *p = &id.id[bit / 8];
			uint8_t was = *p;
			bool read;

			*p ^= (uint8_t)(1u << bit % 8);
			read = ql_local_cid_read(&scheme, id.id, &told);
			/* a server ID in the clear, and slots: these are compared with the whole */
			if (read && !l->config.encrypted && bit / 8 >= l->word) {
				ck_assert_uint_ge(bit / 8, l->word + 6u);
				ck_assert_uint_lt(bit / 8, l->word + 9u);
				ck_assert(told.slot != i || !told.this_process);
			}
			passed += read && l->config.encrypted;
			*p = was;
		}
	}
	ck_assert_uint_le(passed, 2);
	passed = 0;
	for (unsigned int i = 0; i < 100000; i++) {
		ql_rng_bytes(&rng, id.id + 1, QL_CID_MAX - 1);
		passed += ql_local_cid_read(&scheme, id.id, &told);
	}
	ck_assert_uint_le(passed, 10); /* one in 65,536 */
	ql_cid_scheme_fini(&scheme, &mem);
}
END_TEST

START_TEST(test_generation)
{
	struct ql_cid_told told;
	struct ql_cid_scheme next;
	struct ql_cid id;

	init(&next, 3, 1, 0);
	ql_local_cid_make(&scheme, &rng, 7, &id);
	ck_assert(ql_local_cid_read(&next, id.id, &told));
	ck_assert(!told.this_process);
	ck_assert_uint_eq(told.slot, 7);
	ql_local_cid_make(&next, &rng, 7, &id);
	ck_assert(ql_local_cid_read(&next, id.id, &told) && told.this_process);
	ck_assert(ql_local_cid_read(&scheme, id.id, &told) && !told.this_process);
}
END_TEST

/* Another key: IDs that are there go on, with their tokens; and after one more they are strangers'.
 */
START_TEST(test_rekey)
{
	uint8_t before[QL_RESET_TOKEN_LEN], after[QL_RESET_TOKEN_LEN];
	struct ql_local_cids l = {0};
	struct ql_cid_told told;
	struct ql_cid a, b;

	ql_local_cid_make(&scheme, &rng, 7, &a);
	ql_reset_token(&scheme, &a, before);
	l.e[2] = (struct ql_local_cid){.cid = a, .used = true};
	ck_assert(!ql_local_cids_old(&l, &scheme));
	ck_assert_int_eq(ql_cid_scheme_rekey(&scheme, secrets[1], secrets[1]), 0);
	ck_assert(ql_local_cid_read(&scheme, a.id, &told));
	ck_assert(told.old_key && told.this_process);
	ck_assert_uint_eq(told.slot, 7);
	ck_assert(ql_local_cids_old(&l, &scheme));
	ql_reset_token(&scheme, &a, after);
	ck_assert_mem_eq(before, after, sizeof(before));

	ql_local_cid_make(&scheme, &rng, 8, &b);
	ck_assert(ql_local_cid_read(&scheme, b.id, &told));
	ck_assert(!told.old_key);
	ck_assert_uint_eq(told.slot, 8);
	l.e[2].cid = b;
	ck_assert(!ql_local_cids_old(&l, &scheme));
	ck_assert_int_eq(ql_cid_scheme_rekey(&scheme, secrets[2], secrets[2]), 0);
	ck_assert(!ql_local_cid_read(&scheme, a.id, &told));
	ck_assert(ql_local_cid_read(&scheme, b.id, &told) && told.old_key);
}
END_TEST

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, QL_LOCAL_CID_LEN);
}

/*
 * An ID is not made twice, not even by an engine that starts anew with the same key: its token may
 * have been shown (RFC 9000, 10.3.2).
 */
START_TEST(test_unique)
{
	static uint8_t ids[1 << 16][QL_LOCAL_CID_LEN];
	const size_t n = sizeof(ids) / sizeof(ids[0]);
	const uint8_t another[32] = {9};
	struct ql_rng anew;

	ql_rng_init(&anew, another);
	for (size_t i = 0; i < n; i++) {
		struct ql_cid id;

		ql_local_cid_make(&scheme, i < n / 2 ? &rng : &anew, 7, &id);
		memcpy(ids[i], id.id, sizeof(ids[i]));
	}
	qsort(ids, n, sizeof(ids[0]), by_bytes);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_ne(memcmp(ids[i - 1], ids[i], sizeof(ids[i])), 0);
}
END_TEST

START_TEST(test_local)
{
	const struct layout *layout = &layouts[_i];
	struct ql_local_cids l = {0};
	struct ql_cid stranger;
	uint64_t seq;

	configure(&scheme, layout);
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		ql_local_cid_make(&scheme, &rng, 7, &l.e[i].cid);
		l.e[i].used = true;
		l.e[i].seq = l.next_seq++;
	}
	ql_local_cid_make(&scheme, &rng, 7, &stranger);
	ck_assert(!ql_local_cids_find(&l, stranger.id, stranger.len, &seq));
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		struct ql_cid changed = l.e[i].cid;

		ck_assert(ql_local_cids_find(&l, changed.id, changed.len, &seq));
		ck_assert_uint_eq(seq, i);
		ck_assert(!ql_local_cids_find(&l, changed.id, changed.len - 1u, &seq));
		for (unsigned int b = 0; b < 8u * changed.len; b++) {
			changed.id[b / 8] ^= (uint8_t)(1u << b % 8);
			ck_assert(!ql_local_cids_find(&l, changed.id, changed.len, &seq));
			changed.id[b / 8] ^= (uint8_t)(1u << b % 8);
		}
	}
	ck_assert_int_eq(ql_local_cids_retire(&l, QL_LOCAL_CIDS, 0), -EPROTO); /* never issued */
	ck_assert_int_eq(ql_local_cids_retire(&l, UINT64_MAX, 0), -EPROTO);
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 2), -EPROTO); /* it came to that one */
	ck_assert(ql_local_cids_find(&l, l.e[2].cid.id, layout->len, &seq));
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 1), 0);
	ck_assert(!ql_local_cids_find(&l, l.e[2].cid.id, layout->len, &seq));
	ck_assert_int_eq(ql_local_cids_retire(&l, 2, 1), 0); /* sent twice */
	ck_assert(ql_local_cids_find(&l, l.e[1].cid.id, layout->len, &seq));
	ql_cid_scheme_fini(&scheme, &mem);
}
END_TEST

/* ---- The peer's ---- */

static struct ql_frame_new_cid new_cid(uint64_t seq, uint64_t prior, uint8_t id)
{
	struct ql_frame_new_cid f = {.seq = seq, .retire_prior_to = prior};

	f.cid.len = 8;
	memset(f.cid.id, id, 8);
	f.reset_token = (const uint8_t *)"0123456789abcdef";
	return f;
}

static struct ql_peer_cids first(void)
{
	struct ql_peer_cids p = {0};

	p.e[0].used = true;
	p.e[0].cid.len = 8;
	return p;
}

static uint64_t add(struct ql_peer_cids *p, uint64_t seq, uint64_t prior, uint8_t id)
{
	struct ql_frame_new_cid f = new_cid(seq, prior, id);

	return ql_peer_cids_add(p, &f);
}

static unsigned int in_use(const struct ql_peer_cids *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < QL_PEER_CIDS; i++)
		n += p->e[i].used;
	return n;
}

START_TEST(test_peer_add)
{
	struct ql_peer_cids p = first();
	struct ql_frame_new_cid f;

	for (uint8_t i = 1; i < QL_PEER_CIDS; i++)
		ck_assert_uint_eq(add(&p, i, 0, i), 0);
	ck_assert_uint_eq(in_use(&p), QL_PEER_CIDS);
	ck_assert_uint_eq(p.current, 0);
	ck_assert_uint_eq(add(&p, 2, 0, 2), 0); /* the same again */
	ck_assert_uint_eq(in_use(&p), QL_PEER_CIDS);
	ck_assert_uint_eq(add(&p, QL_PEER_CIDS, 0, 99), QL_ERR_CONNECTION_ID_LIMIT_ERROR);
	ck_assert_uint_eq(add(&p, 2, 0, 3), QL_ERR_PROTOCOL_VIOLATION);	 /* ID of 3 */
	ck_assert_uint_eq(add(&p, 2, 0, 98), QL_ERR_PROTOCOL_VIOLATION); /* another ID */
	ck_assert_uint_eq(add(&p, 97, 0, 2), QL_ERR_PROTOCOL_VIOLATION); /* another number */
	f = new_cid(2, 0, 2);
	f.reset_token = (const uint8_t *)"0123456789abcdeF";
	ck_assert_uint_eq(ql_peer_cids_add(&p, &f), QL_ERR_PROTOCOL_VIOLATION);
}
END_TEST

START_TEST(test_peer_retire)
{
	struct ql_peer_cids p = first();

	ck_assert_uint_eq(add(&p, 1, 0, 1), 0);
	ck_assert_uint_eq(add(&p, 2, 2, 2), 0); /* 0, in use, and 1 have to go */
	ck_assert_uint_eq(in_use(&p), 1);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 2);
	ck_assert_uint_eq(p.n_retire, 2);
	ck_assert_uint_eq(p.retire[0] + p.retire[1], 1);
	/* One that was overtaken: retired at once, and again if it comes again; said once. */
	ck_assert_uint_eq(add(&p, 1, 0, 77), 0);
	ck_assert_uint_eq(p.n_retire, 2);
	p.n_retire = 0;
	ck_assert_uint_eq(add(&p, 1, 0, 77), 0);
	ck_assert_uint_eq(p.n_retire, 1);
	ck_assert_uint_eq(p.retire[0], 1);
	ck_assert_uint_eq(in_use(&p), 1);
	/* retire_prior_to never goes back */
	ck_assert_uint_eq(add(&p, 3, 1, 3), 0);
	ck_assert_uint_eq(p.retire_prior_to, 2);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 2);
	/* a full set, all of it replaced by one */
	ck_assert_uint_eq(add(&p, 4, 2, 4), 0);
	ck_assert_uint_eq(add(&p, 5, 2, 5), 0);
	ck_assert_uint_eq(add(&p, 6, 6, 6), 0);
	ck_assert_uint_eq(in_use(&p), 1);
	ck_assert_uint_eq(ql_peer_cid(&p)->id[0], 6);
	ck_assert_uint_eq(p.n_retire, 5);
}
END_TEST

/* Rising retire_prior_to without an end, while nothing of ours gets out: bounded, then an error. */
START_TEST(test_peer_flood)
{
	struct ql_peer_cids p = first();
	uint64_t err = 0;
	unsigned int n;

	for (n = 1; n < 100000 && err == 0; n++)
		err = add(&p, n, n, (uint8_t)n);
	ck_assert_uint_eq(err, QL_ERR_CONNECTION_ID_LIMIT_ERROR);
	ck_assert_uint_eq(n, QL_PEER_CIDS_RETIRE + 2);
	ck_assert_uint_le(p.n_retire, QL_PEER_CIDS_RETIRE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/cid");
	TCase *tc = tcase_create("cid");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_make, 0, LAYOUTS);
	tcase_add_loop_test(tc, test_word, 0, LAYOUTS);
	tcase_add_test(tc, test_configs);
	tcase_add_test(tc, test_change);
	tcase_add_test(tc, test_renew);
	tcase_add_test(tc, test_keys);
	tcase_add_loop_test(tc, test_check, 0, LAYOUTS);
	tcase_add_test(tc, test_generation);
	tcase_add_test(tc, test_rekey);
	tcase_add_test(tc, test_unique);
	tcase_add_loop_test(tc, test_local, 0, LAYOUTS);
	tcase_add_test(tc, test_peer_add);
	tcase_add_test(tc, test_peer_retire);
	tcase_add_test(tc, test_peer_flood);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
