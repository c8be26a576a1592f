// SPDX-License-Identifier: BSD-3-Clause
/*
 * Cost of packet protection, header protection included: bursts of 32 packets, one key or many,
 * best of several runs, since the machine may do other things. Prints ns and TSC cycles a packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/protect.h"
#include "crypto/rng.h"
#include "crypto/secret.h"

#define BURST 32
#define ROOM  9216
#define HDR   20

static struct ql_mem mem;
static struct ql_rng rng;
static uint8_t *bufs;
static double cycles_per_ns;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

struct keys {
	struct ql_aead aead;
	struct ql_hp hp;
};

/*
 * Opening works on packets that were sealed before each timed loop; a packet is opened only once,
 * so opening is timed over one burst at a time.
 */
static void run(const char *backend, enum ql_suite suite, const struct keys *keys,
		unsigned int n_keys, unsigned int len)
{
	double best_seal = 1e18, best_open = 1e18;
	struct ql_seal_job seal[BURST];
	struct ql_open_job open[BURST];
	unsigned int rounds = len > 4000 ? 50 : 100;
	unsigned int k = 0;

	for (int run = 0; run < 40; run++) {
		double sealing = 0, opening = 0, t;

		for (unsigned int r = 0; r < rounds; r++) {
			for (unsigned int i = 0; i < BURST; i++) {
				uint8_t *hdr = bufs + (size_t)i * ROOM;

				memset(hdr, 0, HDR);
				hdr[0] = 0x43;
				seal[i] = (struct ql_seal_job){
					.aead = &keys[k].aead,
					.hp = &keys[k].hp,
					.hdr = hdr,
					.hdr_len = HDR,
					.pn_len = 4,
					.payload_len = (uint16_t)(len - HDR - QL_TAG_LEN),
				};
				open[i] = (struct ql_open_job){
					.aead = &keys[k].aead,
					.hp = &keys[k].hp,
					.pkt = hdr,
					.pn_offset = HDR - 4,
					.len = (uint16_t)len,
				};
				k = (k + 1) % n_keys;
			}
			t = now();
			ql_seal_burst(seal, BURST);
			sealing += now() - t;
			t = now();
			ql_unmask_burst(open, BURST);
			ql_open_burst(open, BURST);
			opening += now() - t;
			for (unsigned int i = 0; i < BURST; i++)
				if (open[i].result)
					abort();
		}
		sealing /= rounds * BURST;
		opening /= rounds * BURST;
		best_seal = sealing < best_seal ? sealing : best_seal;
		best_open = opening < best_open ? opening : best_open;
	}
	printf("%-9s %-28s %5u keys %5u B   seal %7.1f ns %7.0f cycles   open %7.1f ns %7.0f "
	       "cycles\n",
	       backend, ql_suites[suite].name, n_keys, len, best_seal, best_seal * cycles_per_ns,
	       best_open, best_open * cycles_per_ns);
}

static void make_keys(struct keys *keys, unsigned int n, enum ql_suite suite)
{
	struct ql_key_material m;

	for (unsigned int i = 0; i < n; i++) {
		ql_rng_bytes(&rng, &m, sizeof(m));
		if (ql_aead_init(&keys[i].aead, &mem, suite, m.key, m.iv) ||
		    ql_hp_init(&keys[i].hp, &mem, suite, m.hp)) {
			fprintf(stderr, "out of memory\n");
			exit(1);
		}
	}
}

static void free_keys(struct keys *keys, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		ql_aead_fini(&keys[i].aead, &mem);
		ql_hp_fini(&keys[i].hp, &mem);
	}
}

int main(void)
{
	static const char *const names[] = {"wolfcrypt", "ipsec-mb"};
	static const unsigned int sizes[] = {64, 1200, 1440, 8900};
	static const uint8_t seed[QL_RNG_SEED];
	enum { MANY = 4096 };
	static struct keys keys[MANY];
	size_t region = 64u << 20;
	uint8_t *base = aligned_alloc(64, region);
	double t0;
	uint64_t c0;

	bufs = aligned_alloc(64, (size_t)BURST * ROOM);
	if (!base || !bufs || ql_crypto_init())
		return 1;
	memset(bufs, 0, (size_t)BURST * ROOM);
	ql_mem_init(&mem, base, region);
	ql_rng_init(&rng, seed);
	t0 = now();
	c0 = cycles();
	while (now() - t0 < 2e7)
		;
	cycles_per_ns = (double)(cycles() - c0) / (now() - t0);

	for (int b = QL_CRYPTO_IPSEC_MB; b >= QL_CRYPTO_WOLFCRYPT; b--) {
		if (ql_crypto_set_backend((enum ql_crypto_backend)b)) {
			printf("%s: not available\n", names[b]);
			continue;
		}
		for (int suite = 0; suite < QL_SUITES; suite++) {
			make_keys(keys, 1, (enum ql_suite)suite);
			for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
				run(names[b], (enum ql_suite)suite, keys, 1, sizes[i]);
			free_keys(keys, 1);
		}
		make_keys(keys, MANY, QL_AES128_GCM_SHA256);
		run(names[b], QL_AES128_GCM_SHA256, keys, MANY, 1440);
		free_keys(keys, MANY);
	}
	free(bufs);
	free(base);
	return 0;
}
