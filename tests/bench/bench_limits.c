// SPDX-License-Identifier: BSD-3-Clause
/*
 * What no stack on this machine can go below: a packet's bytes copied once, its AEAD and header
 * protection, an mbuf through a bare net_ring. One line of JSON with the cycles a packet of each,
 * of the median burst, for tests/bench/run.sh.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "crypto/protect.h"
#include "crypto/rng.h"
#include "crypto/secret.h"
#include "rings.h"
#include "sim/env.h"

#define BURST  32
#define HDR    20 /* bytes of a short header with our connection IDs */
#define BURSTS 4001
#define SPAN   (64u << 20) /* bytes to copy from: more than caches have */

static struct rte_mempool *pool;
static struct rte_mbuf *mbufs[BURST];
static struct ql_mem mem;
static struct ql_aead aead;
static struct ql_hp hp;
static uint16_t ports[2];
static uint8_t *data;
static size_t at;

static void take(void)
{
	if (rte_pktmbuf_alloc_bulk(pool, mbufs, BURST) < 0)
		errx(1, "no mbufs");
}

/* Each does a burst and returns its cycles. */
static uint64_t copy(unsigned int len)
{
	uint64_t start;

	take();
	start = rte_rdtsc();
	for (unsigned int i = 0; i < BURST; i++) {
		at = at + 2 * len < SPAN ? at + len : 0;
		memcpy(rte_pktmbuf_mtod(mbufs[i], uint8_t *), data + at, len);
	}
	start = rte_rdtsc() - start;
	rte_pktmbuf_free_bulk(mbufs, BURST);
	return start;
}

static uint64_t protect(unsigned int len, bool open)
{
	struct ql_seal_job seal[BURST];
	struct ql_open_job job[BURST];
	uint64_t sealing, opening;

	take();
	for (unsigned int i = 0; i < BURST; i++) {
		uint8_t *hdr = rte_pktmbuf_mtod(mbufs[i], uint8_t *);

		memset(hdr, 0, HDR);
		hdr[0] = 0x43;
		seal[i] = (struct ql_seal_job){.aead = &aead,
					       .hp = &hp,
					       .hdr = hdr,
					       .hdr_len = HDR,
					       .pn_len = 4,
					       .payload_len = (uint16_t)(len - HDR - QL_TAG_LEN)};
		job[i] = (struct ql_open_job){.aead = &aead,
					      .hp = &hp,
					      .pkt = hdr,
					      .pn_offset = HDR - 4,
					      .len = (uint16_t)len};
	}
	sealing = rte_rdtsc();
	ql_seal_burst(seal, BURST);
	opening = rte_rdtsc();
	sealing = opening - sealing;
	ql_unmask_burst(job, BURST);
	ql_open_burst(job, BURST);
	opening = rte_rdtsc() - opening;
	for (unsigned int i = 0; i < BURST; i++)
		if (job[i].result < 0)
			errx(1, "a packet does not open");
	rte_pktmbuf_free_bulk(mbufs, BURST);
	return open ? opening : sealing;
}

static uint64_t seal(unsigned int len)
{
	return protect(len, false);
}

static uint64_t open_(unsigned int len)
{
	return protect(len, true);
}

/* From the pool through the ring and back to the pool. */
static uint64_t ring(unsigned int len)
{
	uint64_t start = rte_rdtsc();

	(void)len;
	take();
	if (rte_eth_tx_burst(ports[0], 0, mbufs, BURST) != BURST ||
	    rte_eth_rx_burst(ports[1], 0, mbufs, BURST) != BURST)
		errx(1, "the ring is full, or empty");
	rte_pktmbuf_free_bulk(mbufs, BURST);
	return rte_rdtsc() - start;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median burst: what interrupts a few of them does not matter. */
static double median(uint64_t (*burst)(unsigned int len), unsigned int len)
{
	static uint64_t took[BURSTS];

	for (unsigned int i = 0; i < BURSTS; i++)
		took[i] = burst(len);
	qsort(took, BURSTS, sizeof(took[0]), by_size);
	return (double)took[BURSTS / 2] / BURST;
}

static void open_rings(void)
{
	struct rte_eth_conf conf = {0};

	if (ql_rings_create(ports) < 0)
		errx(1, "no memory for rings");
	for (unsigned int i = 0; i < 2; i++)
		if (rte_eth_dev_configure(ports[i], 1, 1, &conf) < 0 ||
		    rte_eth_rx_queue_setup(ports[i], 0, 512, 0, NULL, pool) < 0 ||
		    rte_eth_tx_queue_setup(ports[i], 0, 512, 0, NULL) < 0 ||
		    rte_eth_dev_start(ports[i]) < 0)
			errx(1, "no port of rings");
}

static void make_keys(void)
{
	static const uint8_t seed[QL_RNG_SEED];
	size_t room = (size_t)1 << 20;
	void *region = aligned_alloc(64, room);
	struct ql_key_material m;
	struct ql_rng rng;

	if (!region || ql_crypto_init() < 0)
		errx(1, "no cryptography");
	ql_mem_init(&mem, region, room);
	ql_rng_init(&rng, seed);
	ql_rng_bytes(&rng, &m, sizeof(m));
	if (ql_aead_init(&aead, &mem, QL_AES128_GCM_SHA256, m.key, m.iv) < 0 ||
	    ql_hp_init(&hp, &mem, QL_AES128_GCM_SHA256, m.hp) < 0)
		errx(1, "no keys");
}

int main(int argc, char **argv)
{
	unsigned int len = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1472;

	if (argc > 2 || len < 64 || len > 9200)
		errx(1, "usage: bench_limits [BYTES of a datagram, 64 to 9200]");
	sim_env_init_huge(256);
	pool = sim_env_pool("bench", 4095, len > 2048 ? len : 2048);
	data = malloc(SPAN);
	if (!data)
		err(1, "no memory");
	memset(data, 1, SPAN);
	open_rings();
	make_keys();
	printf("{\"bench\": \"limits\", \"udp_payload\": %u, \"tsc_hz\": %lu, \"backend\": \"%s\", "
	       "\"copy\": %.1f, \"seal\": %.1f, \"open\": %.1f, \"ring\": %.1f}\n",
	       len, rte_get_tsc_hz(),
	       ql_crypto_backend() == QL_CRYPTO_IPSEC_MB ? "ipsec-mb" : "wolfcrypt",
	       median(copy, len), median(seal, len), median(open_, len), median(ring, len));
	return EXIT_SUCCESS;
}
