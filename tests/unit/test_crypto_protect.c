// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "crypto/protect.h"
#include "crypto/rng.h"
#include "crypto/secret.h"
#include "crypto_vectors.h"

static struct ql_mem mem;
static struct ql_rng rng;

/* One direction of one key phase. */
struct keys {
	struct ql_aead aead;
	struct ql_hp hp;
};

static void setup(void)
{
	static const uint8_t seed[QL_RNG_SEED] = "packet protection";
	static _Alignas(64) uint8_t region[1 << 20];

	ck_assert_int_eq(ql_crypto_init(), 0);
	ql_mem_init(&mem, region, sizeof(region));
	ql_rng_init(&rng, seed);
}

static void teardown(void)
{
	ck_assert_uint_eq(mem.used, 0);
}

/* Tests run once for each backend; false when this machine does not have it. */
static bool use_backend(int i)
{
	if (ql_crypto_set_backend((enum ql_crypto_backend)i) == 0)
		return true;
	ck_assert_int_eq(i, QL_CRYPTO_IPSEC_MB);
	return false;
}

static void make_keys(struct keys *k, enum ql_suite suite, const struct ql_key_material *m)
{
	ck_assert_int_eq(ql_aead_init(&k->aead, &mem, suite, m->key, m->iv), 0);
	ck_assert_int_eq(ql_hp_init(&k->hp, &mem, suite, m->hp), 0);
}

static void free_keys(struct keys *k)
{
	ql_aead_fini(&k->aead, &mem);
	ql_hp_fini(&k->hp, &mem);
}

static void vector_keys(struct keys *k, enum ql_suite suite, const struct vector_keys *v)
{
	struct ql_key_material m = {0};

	unhex(v->key, m.key, sizeof(m.key));
	unhex(v->iv, m.iv, sizeof(m.iv));
	unhex(v->hp, m.hp, sizeof(m.hp));
	make_keys(k, suite, &m);
}

static void random_material(struct ql_key_material *m)
{
	ql_rng_bytes(&rng, m, sizeof(*m));
}

/* Seal hdr + frames, compare with packet byte for byte, open it again. */
static void check_packet(const struct keys *k, const char *hdr, const char *frames,
			 size_t payload_len, const char *packet, uint64_t pn, unsigned int pn_len)
{
	uint8_t buf[1300] = {0}, plain[1300] = {0}, expected[1300];
	size_t hdr_len = unhex(hdr, buf, sizeof(buf));
	size_t len = unhex(packet, expected, sizeof(expected));
	struct ql_seal_job seal = {
		.aead = &k->aead,
		.hp = &k->hp,
		.hdr = buf,
		.hdr_len = (uint16_t)hdr_len,
		.pn_len = (uint8_t)pn_len,
		.payload_len = (uint16_t)payload_len,
		.pn = pn,
	};
	struct ql_open_job open = {
		.aead = &k->aead,
		.hp = &k->hp,
		.pkt = buf,
		.pn_offset = (uint16_t)(hdr_len - pn_len),
		.len = (uint16_t)len,
		.expected = pn,
	};

	unhex(frames, buf + hdr_len, sizeof(buf) - hdr_len);
	memcpy(plain, buf, sizeof(plain));
	ck_assert_uint_eq(hdr_len + payload_len + QL_TAG_LEN, len);
	ql_seal_one(&seal);
	ck_assert_mem_eq(buf, expected, len);
	ck_assert_int_eq(ql_open_one(&open), 0);
	ck_assert_uint_eq(open.pn, pn);
	ck_assert_uint_eq(open.pn_len, pn_len);
	ck_assert_uint_eq(open.first, plain[0]);
	ck_assert_uint_eq(open.payload_len, payload_len);
	ck_assert_ptr_eq(open.payload, buf + hdr_len);
	ck_assert_mem_eq(buf, plain, hdr_len + payload_len);
}

/* RFC 9001 and RFC 9369, appendix A: A.2, A.3, A.5. */
START_TEST(samples)
{
	struct keys client, server, chacha;

	if (!use_backend(_i))
		return;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vectors *v = &vectors[i];

		vector_keys(&client, QL_AES128_GCM_SHA256, &v->client);
		vector_keys(&server, QL_AES128_GCM_SHA256, &v->server);
		vector_keys(&chacha, QL_CHACHA20_POLY1305_SHA256, &v->short_keys);
		ck_assert_uint_eq(client.aead.backend, (unsigned int)_i);
		check_packet(&client, v->client_hdr, v->client_frames, VECTOR_PAYLOAD_LEN,
			     v->client_packet, 2, 4);
		check_packet(&server, v->server_hdr, v->server_frames, strlen(v->server_frames) / 2,
			     v->server_packet, 1, 2);
		check_packet(&chacha, v->short_hdr, "01", 1, v->short_packet, VECTOR_SHORT_PN, 3);
		free_keys(&client);
		free_keys(&server);
		free_keys(&chacha);
	}
}
END_TEST

#define BIG 9100

/* Header, packet number at its end, then payload, all random; a job that seals it. */
static struct ql_seal_job random_packet(uint8_t *buf, const struct keys *k, size_t payload_len)
{
	struct ql_seal_job job = {
		.aead = &k->aead,
		.hp = &k->hp,
		.hdr = buf,
		.pn = ql_rng_u64(&rng) >> (2 + ql_rng_u32(&rng) % 60),
		.pn_len = (uint8_t)(1 + ql_rng_u32(&rng) % 4),
		.payload_len = (uint16_t)payload_len,
	};

	job.hdr_len = (uint16_t)(job.pn_len + 1 + ql_rng_u32(&rng) % 60);
	if (job.pn_len + payload_len < 4)
		job.payload_len = (uint16_t)(4 - job.pn_len);
	ql_rng_bytes(&rng, buf, job.hdr_len + job.payload_len);
	buf[0] = (uint8_t)((buf[0] & ~3u) | (job.pn_len - 1u));
	ql_pn_put(buf + job.hdr_len - job.pn_len, job.pn, job.pn_len);
	return job;
}

/* The end of the job's payload moves to at, and leaves something else in its place. */
static void take_tail(struct ql_seal_job *job, uint8_t *at)
{
	size_t len = ql_rng_u32(&rng) % (job->payload_len + 1u);
	uint8_t *place = job->hdr + job->hdr_len + job->payload_len - len;

	memcpy(at, place, len);
	memset(place, 0x5a, len);
	job->tail = at;
	job->tail_len = (uint16_t)len;
}

static struct ql_open_job open_job(const struct ql_seal_job *sealed)
{
	return (struct ql_open_job){
		.aead = sealed->aead,
		.hp = sealed->hp,
		.pkt = sealed->hdr,
		.expected = sealed->pn,
		.pn_offset = (uint16_t)(sealed->hdr_len - sealed->pn_len),
		.len = (uint16_t)(sealed->hdr_len + sealed->payload_len + QL_TAG_LEN),
	};
}

/* Both backends make the same bytes, whether all lies in place or not; and each opens what the other has sealed. */
START_TEST(backends_agree)
{
	static uint8_t a[BIG], b[BIG], plain[BIG], tail[2][BIG];
	enum ql_suite suite = (enum ql_suite)_i;
	struct keys ref, fast;

	if (!use_backend(QL_CRYPTO_IPSEC_MB))
		return;
	for (unsigned int round = 0; round < 1000; round++) {
		struct ql_key_material m;
		struct ql_seal_job ja, jb;
		struct ql_open_job oa, ob;
		size_t len, payload = round < 300 ? round : ql_rng_u32(&rng) % 9001;

		random_material(&m);
		use_backend(QL_CRYPTO_WOLFCRYPT);
		make_keys(&ref, suite, &m);
		use_backend(QL_CRYPTO_IPSEC_MB);
		make_keys(&fast, suite, &m);

		ja = random_packet(a, &ref, payload);
		len = ja.hdr_len + ja.payload_len + QL_TAG_LEN;
		memcpy(b, a, len);
		memcpy(plain, a, len);
		jb = ja;
		jb.aead = &fast.aead;
		jb.hp = &fast.hp;
		jb.hdr = b;
		if (round % 3 > 0)
			take_tail(&jb, tail[0]);
		if (round % 3 > 1)
			take_tail(&ja, tail[1]);
		ql_seal_one(&ja);
		ql_seal_one(&jb);
		ck_assert_mem_eq(a, b, len);

		oa = open_job(&ja);
		oa.aead = &fast.aead;
		oa.hp = &fast.hp;
		ob = open_job(&jb);
		ob.aead = &ref.aead;
		ob.hp = &ref.hp;
		ck_assert_int_eq(ql_open_one(&oa), 0);
		ck_assert_int_eq(ql_open_one(&ob), 0);
		ck_assert_uint_eq(oa.pn, ja.pn);
		ck_assert_uint_eq(ob.pn, ja.pn);
		ck_assert_mem_eq(a, plain, len - QL_TAG_LEN);
		ck_assert_mem_eq(b, plain, len - QL_TAG_LEN);
		free_keys(&ref);
		free_keys(&fast);
	}
}
END_TEST

/* One bit changed anywhere in a packet of each suite: it does not open. */
START_TEST(tampering)
{
	static uint8_t sealed[200], buf[200];
	struct ql_key_material m;
	struct keys k;

	if (!use_backend(_i))
		return;
	for (int suite = 0; suite < QL_SUITES; suite++) {
		struct ql_seal_job job;
		struct ql_open_job open;
		size_t len;

		random_material(&m);
		make_keys(&k, (enum ql_suite)suite, &m);
		job = random_packet(sealed, &k, 100);
		len = job.hdr_len + job.payload_len + QL_TAG_LEN;
		ql_seal_one(&job);
		job.hdr = buf;
		for (size_t bit = 0; bit < 8 * len; bit++) {
			memcpy(buf, sealed, len);
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			open = open_job(&job);
			ck_assert_int_eq(ql_open_one(&open), -EBADMSG);
		}
		/* a longer or shorter packet, another packet number */
		memcpy(buf, sealed, len);
		open = open_job(&job);
		open.len--;
		ck_assert_int_eq(ql_open_one(&open), -EBADMSG);
		memcpy(buf, sealed, len);
		open = open_job(&job);
		open.expected += UINT64_C(1) << 33;
		ck_assert_int_eq(ql_open_one(&open), -EBADMSG);
		/* and untouched it does */
		memcpy(buf, sealed, len);
		open = open_job(&job);
		ck_assert_int_eq(ql_open_one(&open), 0);
		free_keys(&k);
	}
}
END_TEST

#define N_KEYS 7
#define N_JOBS 100

/*
 * Bursts of all sizes, suites, keys and backends mixed, alone and in runs, in one piece and in two, with
 * some packets forged or too short.
 */
START_TEST(mixed_bursts)
{
	static uint8_t bufs[N_JOBS][1600], plain[N_JOBS][1600], tails[N_JOBS][1600];
	static struct keys keys[N_KEYS];
	struct ql_seal_job seal[N_JOBS];
	struct ql_open_job open[N_JOBS];
	struct ql_key_material m;

	for (int i = 0; i < N_KEYS; i++) {
		if (!use_backend(i & 1))
			use_backend(QL_CRYPTO_WOLFCRYPT);
		random_material(&m);
		make_keys(&keys[i], (enum ql_suite)(i % QL_SUITES), &m);
	}
	for (unsigned int round = 0; round < 200; round++) {
		unsigned int n = 1 + ql_rng_u32(&rng) % N_JOBS, run = 1 + ql_rng_u32(&rng) % 20;
		const struct keys *k = &keys[0];
		enum { FINE, FORGED, SHORT, SKIPPED } fate[N_JOBS];

		for (unsigned int i = 0; i < n; i++) {
			if (i == 0 || ql_rng_u32(&rng) % run == 0)
				k = &keys[ql_rng_u32(&rng) % N_KEYS];
			seal[i] = random_packet(bufs[i], k, ql_rng_u32(&rng) % 1500);
			memcpy(plain[i], bufs[i], sizeof(plain[i]));
			if (ql_rng_u32(&rng) % run != 0)
				take_tail(&seal[i], tails[i]);
		}
		ql_seal_burst(seal, n);
		for (unsigned int i = 0; i < n; i++) {
			open[i] = open_job(&seal[i]);
			fate[i] = ql_rng_u32(&rng) % 8;
			if (fate[i] > SKIPPED)
				fate[i] = FINE;
			if (fate[i] == FORGED)
				bufs[i][open[i].len - 1] ^= 1;
			if (fate[i] == SHORT)
				open[i].len = (uint16_t)(open[i].pn_offset + ql_rng_u32(&rng) % 20);
			open[i].result = 12345; /* whatever was there before */
		}
		ql_unmask_burst(open, n);
		for (unsigned int i = 0; i < n; i++) {
			ck_assert_int_eq(open[i].result, fate[i] == SHORT ? -EBADMSG : 0);
			if (fate[i] == SKIPPED)
				open[i].result = -ENOKEY;
			/* what is forged may be part of the sample */
			if (fate[i] == SHORT || fate[i] == FORGED)
				continue;
			ck_assert_uint_eq(open[i].pn, seal[i].pn);
			ck_assert_uint_eq(open[i].first, plain[i][0]);
		}
		ql_open_burst(open, n);
		for (unsigned int i = 0; i < n; i++) {
			static const int result[] = {0, -EBADMSG, -EBADMSG, -ENOKEY};

			ck_assert_int_eq(open[i].result, result[fate[i]]);
			if (fate[i] != FINE)
				continue;
			ck_assert_uint_eq(open[i].payload_len, seal[i].payload_len);
			ck_assert_mem_eq(bufs[i], plain[i], seal[i].hdr_len + seal[i].payload_len);
		}
	}
	for (int i = 0; i < N_KEYS; i++)
		free_keys(&keys[i]);
}
END_TEST

/* The aead may be chosen between unmasking and opening, as a key update needs. */
START_TEST(key_phase)
{
	static uint8_t buf[200];
	struct ql_key_material m;
	struct keys old, next;
	struct ql_seal_job job;
	struct ql_open_job open;

	if (!use_backend(_i))
		return;
	random_material(&m);
	make_keys(&old, QL_AES128_GCM_SHA256, &m);
	m.key[0] ^= 1;
	make_keys(&next, QL_AES128_GCM_SHA256, &m);
	job = random_packet(buf, &next, 50);
	buf[0] = (uint8_t)(QL_PKT_FIXED | QL_PKT_KEY_PHASE | (job.pn_len - 1));
	job.hp = &old.hp; /* the header's key stays */
	ql_seal_one(&job);

	open = open_job(&job);
	open.aead = NULL;
	ql_unmask_burst(&open, 1);
	ck_assert_int_eq(open.result, 0);
	ck_assert(open.first & QL_PKT_KEY_PHASE);
	open.aead = &next.aead;
	ql_open_burst(&open, 1);
	ck_assert_int_eq(open.result, 0);
	free_keys(&old);
	free_keys(&next);
}
END_TEST

/* Less than a sample behind the packet number's place: refused, nothing touched or read. */
START_TEST(too_short)
{
	struct ql_key_material m;
	struct keys k;

	if (!use_backend(_i))
		return;
	random_material(&m);
	make_keys(&k, QL_AES128_GCM_SHA256, &m);
	for (unsigned int len = 9; len < 9 + 20; len++) {
		uint8_t *pkt = calloc(1, len); /* exact, for the sanitizer to see */
		struct ql_open_job open = {
			.aead = &k.aead,
			.hp = &k.hp,
			.pkt = pkt,
			.pn_offset = 9,
			.len = (uint16_t)len,
		};

		ck_assert_int_eq(ql_open_one(&open), -EBADMSG);
		for (unsigned int i = 0; i < len; i++)
			ck_assert_uint_eq(pkt[i], 0);
		free(pkt);
	}
	/* a pn_offset behind the end */
	struct ql_open_job open = {.hp = &k.hp, .pkt = NULL, .pn_offset = 65535, .len = 30};

	ck_assert_int_eq(ql_open_one(&open), -EBADMSG);
	free_keys(&k);
}
END_TEST

START_TEST(out_of_memory)
{
	struct ql_key_material m;
	struct keys k;

	if (!use_backend(_i))
		return;
	random_material(&m);
	for (int suite = 0; suite < QL_SUITES; suite++) {
		ql_mem_fail_at(&mem, 1);
		ck_assert_int_eq(ql_aead_init(&k.aead, &mem, (enum ql_suite)suite, m.key, m.iv),
				 -ENOMEM);
		ck_assert_ptr_null(k.aead.schedule);
		ql_mem_fail_at(&mem, 1);
		ck_assert_int_eq(ql_hp_init(&k.hp, &mem, (enum ql_suite)suite, m.hp), -ENOMEM);
		ck_assert_ptr_null(k.hp.schedule);
		ql_aead_fini(&k.aead, &mem);
		ql_hp_fini(&k.hp, &mem);
	}
	ql_mem_fail_at(&mem, 0);
}
END_TEST

START_TEST(fini_twice)
{
	struct ql_key_material m;
	struct keys k;

	if (!use_backend(_i))
		return;
	random_material(&m);
	make_keys(&k, QL_AES256_GCM_SHA384, &m);
	free_keys(&k);
	ck_assert_ptr_null(k.aead.schedule);
	ck_assert_ptr_null(k.hp.schedule);
	free_keys(&k);
	memset(&k, 0, sizeof(k));
	free_keys(&k);
}
END_TEST

START_TEST(backends)
{
	ck_assert_int_eq(ql_crypto_init(), 0);
	ck_assert_int_eq(ql_crypto_set_backend(QL_CRYPTO_WOLFCRYPT), 0);
	ck_assert_int_eq(ql_crypto_backend(), QL_CRYPTO_WOLFCRYPT);
	ck_assert_int_eq(ql_crypto_set_backend((enum ql_crypto_backend)17), -ENOTSUP);
	ck_assert_int_eq(ql_crypto_backend(), QL_CRYPTO_WOLFCRYPT);
	/* initialising again changes nothing */
	ck_assert_int_eq(ql_crypto_init(), 0);
	ck_assert_int_eq(ql_crypto_backend(), QL_CRYPTO_WOLFCRYPT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/protect");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, samples, 0, 2);
	tcase_add_loop_test(tc, backends_agree, 0, QL_SUITES);
	tcase_add_loop_test(tc, tampering, 0, 2);
	tcase_add_test(tc, mixed_bursts);
	tcase_add_loop_test(tc, key_phase, 0, 2);
	tcase_add_loop_test(tc, too_short, 0, 2);
	tcase_add_loop_test(tc, out_of_memory, 0, 2);
	tcase_add_loop_test(tc, fini_twice, 0, 2);
	tcase_add_test(tc, backends);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
