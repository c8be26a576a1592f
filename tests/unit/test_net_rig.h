// SPDX-License-Identifier: BSD-3-Clause
/*
 * A port without a device for the tests of net/: frames go in as bytes, and what is sent is found
 * in the transmit queue. Every test ends with a look at the pool: all mbufs must be back.
 */
#ifndef TEST_NET_RIG_H
#define TEST_NET_RIG_H

#include <rte_eal.h>
#include <rte_errno.h>

#include "net/discovery.h"
#include "net/icmp.h"
#include "test_net_util.h"

#define RIG_MBUFS 2047

static struct {
	struct rte_mempool *pool;
	struct ql_netif nif;
	struct ql_lane_stats stats;
	struct ql_txq txq;
	struct ql_neigh neigh;
	struct ql_rate icmp_rate;
	uint64_t now;
} rig;

static const struct ql_sipkey rig_key = {1, 2};

/* Start the EAL in the least that it needs. extra: one more argument or NULL. */
T_UNUSED static void rig_eal(const char *extra)
{
	const char *args[] = {
		"test", "--no-huge", "--no-pci",       "--no-shconf",	    "-m", "128",
		"-l",	"0",	     "--no-telemetry", "--log-level=error", extra};
	int n = (int)RTE_DIM(args) - (extra ? 0 : 1);

	if (rte_eal_init(n, (char **)(uintptr_t)args) < 0) {
		fprintf(stderr, "EAL: %s\n", rte_strerror(rte_errno));
		exit(EXIT_FAILURE);
	}
	rig.pool = rte_pktmbuf_pool_create("rig", RIG_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					   SOCKET_ID_ANY);
	if (!rig.pool) {
		fprintf(stderr, "pool: %s\n", rte_strerror(rte_errno));
		exit(EXIT_FAILURE);
	}
}

T_UNUSED static void rig_setup(void)
{
	memset(&rig.stats, 0, sizeof(rig.stats));
	rig.nif = t_netif();
	rig.now = 1000 * QL_NSEC_PER_SEC;
	rig.icmp_rate = (struct ql_rate){.interval = QL_ICMP_INTERVAL_NS, .burst = QL_ICMP_BURST};
	ql_txq_init(&rig.txq, 0, 0, false, &rig.stats);
	ql_neigh_init(&rig.neigh, &rig.nif, &rig.txq, rig.pool, &rig_key);
}

T_UNUSED static void rig_teardown(void)
{
	ql_neigh_clear(&rig.neigh);
	ql_txq_clear(&rig.txq);
	ck_assert_uint_eq(rte_mempool_avail_count(rig.pool), RIG_MBUFS);
}

T_UNUSED static struct rte_mbuf *rig_mbuf(const void *data, size_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);
	char *p;

	ck_assert_ptr_nonnull(m);
	p = rte_pktmbuf_append(m, (uint16_t)n);
	ck_assert_ptr_nonnull(p);
	memcpy(p, data, n);
	return m;
}

/* The same behind an Ethernet header that wants its destination: for ql_neigh_send(). */
T_UNUSED static struct rte_mbuf *rig_packet(const uint8_t hop[16], const void *data, size_t n)
{
	static const struct rte_ether_addr nobody;
	struct rte_mbuf *m = rig_mbuf(data, n);

	ck_assert_int_eq(
		ql_frame_push_ether(m, &rig.nif, &nobody,
				    ql_ip_is4(hop) ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6),
		0);
	return m;
}

/* Receive a frame that is no UDP, as a lane would. */
T_UNUSED static void rig_rx(const struct tf *f)
{
	struct rte_mbuf *m = rig_mbuf(f->b, f->n);
	struct ql_frame_meta meta;
	struct ql_datagram d;
	struct ql_frame_seen seen = {0};
	enum ql_frame_kind kind = ql_frame_parse(m, &rig.nif, &seen, &d, &meta);

	switch (kind) {
	case QL_FRAME_ARP:
		ql_arp_rx(&rig.neigh, &d, &meta, rig.now);
		break;
	case QL_FRAME_ICMP6:
		if (*rte_pktmbuf_mtod(m, uint8_t *) == QL_ND_SOLICIT ||
		    *rte_pktmbuf_mtod(m, uint8_t *) == QL_ND_ADVERTISE) {
			ql_ndp_rx(&rig.neigh, &d, &meta, rig.now);
			break;
		}
		/* fall through */
	case QL_FRAME_ICMP4:
		ql_icmp_rx(&rig.nif, &rig.txq, &rig.icmp_rate, kind, &d, &meta, rig.now);
		break;
	default:
		ck_assert_int_eq(kind, QL_FRAME_DROP);
		ql_net_drop(&rig.stats, m, meta.drop);
	}
}

/* How many frames wait to be sent. */
T_UNUSED static unsigned int rig_sent(void)
{
	return rig.txq.n;
}

/* The next frame that is sent, into f. */
T_UNUSED static void rig_take(struct tf *f)
{
	struct rte_mbuf *m;

	ck_assert_uint_gt(rig.txq.n, 0);
	m = rig.txq.frames[rig.txq.head++];
	rig.txq.n--;
	ck_assert_uint_eq(m->nb_segs, 1);
	ck_assert_uint_eq(m->pkt_len, m->data_len);
	ck_assert_uint_eq(m->ol_flags, 0);
	f->n = 0;
	tf_put(f, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
}

/* The next frame is exactly this one. */
T_UNUSED static void rig_expect(const struct tf *want)
{
	struct tf got;

	rig_take(&got);
	ck_assert_uint_eq(got.n, want->n);
	ck_assert_mem_eq(got.b, want->b, got.n);
}

T_UNUSED static uint64_t rig_drops(enum ql_net_drop reason)
{
	return rig.stats.drops[reason];
}

T_UNUSED static uint64_t rig_all_drops(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < QL_NET_DROP_MAX; i++)
		n += rig.stats.drops[i];
	return n;
}

/* Run a suite in this process, for the EAL starts only once, and end the EAL. Returns main()'s. */
T_UNUSED static int rig_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	rte_eal_cleanup();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The same for a case of tests that all have a rig. */
T_UNUSED static int rig_main(const char *name, void (*add)(TCase *))
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	add(tc);
	suite_add_tcase(s, tc);
	return rig_run(s);
}

#endif /* TEST_NET_RIG_H */
