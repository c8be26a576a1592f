// SPDX-License-Identifier: BSD-3-Clause
/*
 * How packets are put together into datagrams (RFC 9000, sections 12.2 and 14).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#define TAKE 32

/* What a server answers the first Initial with, once its ServerHello is so many bytes longer. */
static unsigned int first_flight(struct sim_pair *p, size_t longer, struct ql_datagram out[TAKE],
				 bool *handshake)
{
	static const uint8_t more[2048];
	struct ql_datagram in[TAKE];
	struct ql_conn *server = NULL;
	unsigned int n;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	n = sim_take(p->sim, SIM_CLIENT, in, TAKE);
	ck_assert_uint_gt(n, 0);
	for (unsigned int i = 0; i < n; i++) {
		struct ql_path path = {.local = in[i].path.remote, .remote = in[i].path.local};

		sim_inject(p->sim, SIM_SERVER, &path, rte_pktmbuf_mtod(in[i].mbuf, void *),
			   in[i].mbuf->data_len);
		rte_pktmbuf_free(in[i].mbuf);
	}
	for (uint32_t slot = 0; !server; slot++)
		server = (struct ql_conn *)ql_conntable_at(&sim_engine(p->sim, SIM_SERVER)->table,
							   slot);
	ck_assert_uint_eq(ql_sendbuf_copy_in(&server->hs->crypto_out[QL_SPACE_INITIAL],
					     server->host->mem, more, longer),
			  longer);
	n = sim_take(p->sim, SIM_SERVER, out, TAKE);
	*handshake = server->rec.space[QL_SPACE_HANDSHAKE].sent.next > 0;
	return n;
}

/*
 * However much of a datagram its Initial packet leaves for the Handshake packet, the datagram keeps
 * its size. A ServerHello with a post-quantum key is that long.
 */
START_TEST(coalescing_keeps_the_size)
{
	struct sim_job job = {.keep_open = true};
	struct ql_datagram out[TAKE];

	for (size_t longer = 900; longer < 1160; longer++) {
		struct sim_pair p;
		bool handshake;
		unsigned int n;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		n = first_flight(&p, longer, out, &handshake);
		ck_assert(handshake);
		for (unsigned int i = 0; i < n; i++) {
			ck_assert_msg(out[i].mbuf->data_len <= QL_INITIAL_MIN,
				      "%zu bytes more: datagram %u of %u has %u bytes", longer, i,
				      n, out[i].mbuf->data_len);
			rte_pktmbuf_free(out[i].mbuf);
		}
		ck_assert_uint_ge(n, 2);
		sim_pair_close(&p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/send");
	TCase *tc;

	tc = new_case(s, "datagrams");
	tcase_add_test(tc, coalescing_keeps_the_size);
	return run_suite(s);
}
