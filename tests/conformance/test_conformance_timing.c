// SPDX-License-Identifier: BSD-3-Clause
/*
 * What time may tell of a secret (RFC 9000, 10.3.1; RFC 9001, 6.3 and 9.5). Not time is measured
 * but instructions, see steps.h: comparisons take the same ones for every input, and what is done
 * to a packet differs by fewer than a cache miss costs.
 */
#include "conform.h"

#include <rte_common.h>

#include "steps.h"

#define ALIKE 40 /* instructions more or less, of some 1,500 for a packet */

/* The least and the most seen. */
struct range {
	uint64_t least, most;
};

static void note(struct range *r, struct steps s)
{
	ck_assert_uint_gt(s.count, 0);
	if (r->most == 0 || s.count < r->least)
		r->least = s.count;
	if (s.count > r->most)
		r->most = s.count;
}

static void check_alike(const struct range *r, const char *what)
{
	ck_assert_msg(r->most - r->least <= ALIKE, "%s: %llu to %llu instructions", what,
		      (unsigned long long)r->least, (unsigned long long)r->most);
}

/* Which bit of a reset token is wrong makes no difference at all. */
START_TEST(test_reset_token)
{
	static const struct ql_sipkey key = {1, 2};
	struct ql_reset_entry e = {0};
	uint8_t token[QL_RESET_TOKEN_LEN];
	struct steps first = {0};
	struct ql_resets r;

	ck_assert_int_eq(ql_resets_init(&r, 1, -1, &key), 0); /* one bucket: all are compared */
	for (unsigned int i = 0; i < sizeof(token); i++)
		token[i] = (uint8_t)(37 * i + 1);
	ql_resets_set(&r, &e, 0, token);
	for (unsigned int bit = 0; bit < 8 * sizeof(token); bit++) {
		const struct ql_reset_entry *found;
		struct steps s;

		token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		steps_begin();
		found = ql_resets_find(&r, NULL, token);
		s = steps_end();
		token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_ptr_null(found);
		ck_assert_uint_gt(s.count, 20);
		if (bit == 0)
			first = s;
		ck_assert_uint_eq(s.count, first.count);
		ck_assert_uint_eq(s.hash, first.hash);
	}
	ql_resets_fini(&r);
}
END_TEST

/* What the server does with a datagram of the client's. */
static struct steps receive(struct sim_pair *p, const uint8_t *pkt, size_t len)
{
	struct ql_engine *e = sim_engine(p->sim, SIM_SERVER);
	struct ql_datagram d = {.mbuf = rte_pktmbuf_alloc(e->host.tx_pool),
				.path = path_to(p, SIM_CLIENT)};
	struct ql_engine_stats before = sim_pair_stats(p, SIM_SERVER);
	struct steps s;

	ck_assert_ptr_nonnull(d.mbuf);
	memcpy(rte_pktmbuf_append(d.mbuf, (uint16_t)len), pkt, len);
	steps_begin();
	ql_engine_rx(e, &d, 1, sim_now(p->sim));
	s = steps_end();
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).drops[QL_DROP_AUTH],
			  before.drops[QL_DROP_AUTH] + 1);
	return s;
}

static const uint8_t payload[600] = {QL_FRAME_PING};

/* Forgeries with and without the key phase bit, with its keys there and used, or never. */
START_TEST(test_key_phase)
{
	enum { FIRST, UPDATED, FORBIDDEN, CASES };

	for (unsigned int what = 0; what < CASES; what++) {
		struct range range = {0};
		struct sim_pair p;
		uint8_t buf[2048];

		open_idle(&p);
		if (what == UPDATED) {
			for (unsigned int side = 0; side < 2; side++) {
				struct ql_conn *conn = conn_of(&p, side);

				ck_assert_int_eq(ql_handshake_next_keys(conn), 0);
				ck_assert_int_eq(ql_handshake_update_keys(conn, QL_PN_NONE), 0);
			}
			ck_assert_ptr_nonnull(conn_of(&p, SIM_SERVER)->rx_old.schedule);
		}
		if (what == FORBIDDEN) /* before the handshake is confirmed */
			conn_of(&p, SIM_SERVER)->state = QL_CONN_COMPLETE;
		for (unsigned int i = 0; i < 10; i++) {
			uint8_t flip = i % 2 ? QL_PKT_KEY_PHASE : 0;
			size_t n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, payload,
					       sizeof(payload), flip, buf);
			struct steps s;

			buf[n - 1] ^= 1;
			s = receive(&p, buf, n);
			/* the next keys are made when their bit is first seen, and kept */
			if (i > 1)
				note(&range, s);
		}
		check_alike(&range, "key phase");
		ck_assert(what != FORBIDDEN || !conn_of(&p, SIM_SERVER)->rx_next.schedule);
		ck_assert_int_eq(sim_pair_close(&p), 0);
	}
}
END_TEST

/* Whatever the hidden bits of the header turn out to be: length and value of the packet number. */
START_TEST(test_open)
{
	struct range range = {0};
	struct sim_pair p;
	uint8_t buf[2048];
	size_t n;

	open_idle(&p);
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, payload, sizeof(payload), 0, buf);
	ck_assert_int_eq(ql_handshake_next_keys(conn_of(&p, SIM_SERVER)), 0);
	buf[n - 1] ^= 1;
	for (unsigned int i = 0; i < 80; i++) {
		uint8_t *pn = buf + 1 + QL_LOCAL_CID_LEN;

		/* the sample stays, and with it the mask: these are all values */
		buf[0] = (uint8_t)((buf[0] & ~0x1fu) | (sim_random(sim_seed(p.sim)) & 0x1f));
		for (unsigned int k = 0; k < 4; k++)
			pn[k] = (uint8_t)sim_random(sim_seed(p.sim));
		note(&range, receive(&p, buf, n));
	}
	check_alike(&range, "opening");
	close_idle(&p);
}
END_TEST

/* What is sent, with packet numbers of all lengths. */
START_TEST(test_send)
{
	static const uint64_t distances[] = {1, 100, 200, 30000, 40000, 1u << 20, 1u << 24};
	struct range each[RTE_DIM(distances)] = {{0}}, range = {0};
	struct ql_engine *e;
	struct ql_conn *conn;
	struct sim_pair p;
	unsigned int lens = 0;

	open_idle(&p);
	conn = conn_of(&p, SIM_SERVER);
	e = sim_engine(p.sim, SIM_SERVER);
	for (unsigned int i = 0; i < 6 * RTE_DIM(distances); i++) {
		uint64_t *acked = &conn->rec.space[QL_SPACE_APP].largest_acked, keep = *acked;
		uint64_t pn = ql_rec_next_pn(&conn->rec, QL_SPACE_APP);
		uint64_t distance = distances[i % RTE_DIM(distances)];
		struct ql_datagram out[4];
		struct steps s;
		unsigned int n;

		conn->ping = true;
		ql_conn_wake(conn);
		*acked = pn - distance;
		steps_begin();
		n = ql_engine_tx(e, out, 4, sim_now(p.sim));
		s = steps_end();
		*acked = keep;
		ck_assert_uint_eq(n, 1);
		lens |= 1u << ql_pn_encode_len(pn, pn - distance);
		rte_pktmbuf_free(out[0].mbuf);
		note(&each[i % RTE_DIM(distances)], s);
	}
	/* Now and then a record of sent packets takes memory: the least counts. */
	for (unsigned int i = 0; i < RTE_DIM(distances); i++)
		note(&range, (struct steps){.count = each[i].least});
	ck_assert_uint_eq(lens, 0x1e);
	check_alike(&range, "sending");
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/timing");
	TCase *tc = new_case(s, "timing");

	if (STEPS) {
		tcase_add_test(tc, test_reset_token);
		tcase_add_test(tc, test_key_phase);
		tcase_add_test(tc, test_open);
		tcase_add_test(tc, test_send);
	}
	return run_suite(s);
}
