// SPDX-License-Identifier: BSD-3-Clause
/*
 * Version Negotiation, from both sides (RFC 9000, section 6).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#define UNKNOWN 0x1a2a3a4au

/* The first bytes of a packet of some version, as its invariants say (RFC 8999). */
static size_t unknown(uint8_t *buf, uint32_t version, size_t dcid_len, size_t scid_len)
{
	uint8_t *p = buf;

	*p++ = 0xc0;
	ql_put_be32(p, version);
	p += 4;
	*p++ = (uint8_t)dcid_len;
	for (size_t i = 0; i < dcid_len; i++)
		*p++ = (uint8_t)(i + 1);
	*p++ = (uint8_t)scid_len;
	for (size_t i = 0; i < scid_len; i++)
		*p++ = (uint8_t)(i + 100);
	return (size_t)(p - buf);
}

static void open_server(struct sim_pair *p, struct ql_path *path)
{
	struct sim_job job = {0};

	sim_pair_open(p, 1, NULL, NULL, &job);
	*path = sim_path(p->sim, SIM_CLIENT, SIM_SERVER);
	*path = (struct ql_path){.local = path->remote, .remote = path->local};
}

/* IDs of any length come back the other way round, with the versions that there are. */
START_TEST(test_answer)
{
	static const size_t lens[][2] = {{8, 0}, {0, 8}, {20, 20}, {255, 255}, {0, 0}};

	for (unsigned int i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t dcid_len = lens[i][0], scid_len = lens[i][1];
		struct ql_datagram out[4];
		uint8_t buf[1500] = {0};
		struct ql_pkt_hdr hdr;
		struct ql_path path;
		struct sim_pair p;
		bool v1 = false, v2 = false, reserved = false;

		open_server(&p, &path);
		unknown(buf, UNKNOWN, dcid_len, scid_len);
		sim_inject(p.sim, SIM_SERVER, &path, buf, 1200);
		ck_assert_uint_eq(ql_engine_deadline(sim_engine(p.sim, SIM_SERVER)), 0);
		ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 1);
		ck_assert(ql_path_eq(&out[0].path, &path));
		ck_assert_uint_lt(out[0].mbuf->data_len, 1200);
		ck_assert_int_eq(ql_pkt_parse(rte_pktmbuf_mtod(out[0].mbuf, uint8_t *),
					      out[0].mbuf->data_len, QL_LOCAL_CID_LEN, &hdr),
				 0);
		ck_assert_int_eq(hdr.type, QL_PKT_VERSION_NEGOTIATION);
		ck_assert_uint_eq(hdr.dcid.len, scid_len);
		ck_assert_uint_eq(hdr.scid.len, dcid_len);
		ck_assert(memcmp(hdr.scid.p, buf + 6, dcid_len) == 0);
		ck_assert(memcmp(hdr.dcid.p, buf + 7 + dcid_len, scid_len) == 0);
		for (size_t k = 0; k < ql_pkt_vn_count(&hdr); k++) {
			uint32_t v = ql_pkt_vn_version(&hdr, k);

			v1 |= v == QL_VERSION_1;
			v2 |= v == QL_VERSION_2;
			reserved |= (v & 0x0f0f0f0f) == 0x0a0a0a0a;
		}
		ck_assert(v1 && v2 && reserved);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).version_negotiations, 1);
		rte_pktmbuf_free(out[0].mbuf);
		finish(&p);
	}
}
END_TEST

/* Not to small datagrams, nor to Version Negotiation; not without bound in one turn. */
START_TEST(test_no_answer)
{
	struct ql_datagram out[QL_REPLIES + 8];
	uint8_t buf[1500] = {0};
	struct ql_path path;
	struct sim_pair p;
	unsigned int n;

	open_server(&p, &path);
	unknown(buf, UNKNOWN, 8, 8);
	sim_inject(p.sim, SIM_SERVER, &path, buf, 1199);
	unknown(buf, 0, 8, 8);
	sim_inject(p.sim, SIM_SERVER, &path, buf, 1200);
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out, 4), 0);
	ck_assert_uint_eq(ql_engine_deadline(sim_engine(p.sim, SIM_SERVER)), QL_NEVER);

	unknown(buf, UNKNOWN, 8, 8);
	for (unsigned int i = 0; i < 10 * QL_REPLIES; i++)
		sim_inject(p.sim, SIM_SERVER, &path, buf, 1200);
	/* They come in portions, if there is no more room. */
	n = sim_take(p.sim, SIM_SERVER, out, 5);
	ck_assert_uint_eq(n, 5);
	n += sim_take(p.sim, SIM_SERVER, out + n, QL_REPLIES + 8 - n);
	ck_assert_uint_eq(n, QL_REPLIES);
	ck_assert_uint_eq(sim_take(p.sim, SIM_SERVER, out + n, 1), 0);
	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(out[i].mbuf);
	/* one more, that waits when the engine goes */
	sim_inject(p.sim, SIM_SERVER, &path, buf, 1200);
	finish(&p);
}
END_TEST

/* ---- The client ---- */

/* What the client's first datagram becomes. */
static bool other_version(void *arg UNUSED, struct ql_datagram *d, uint64_t now UNUSED)
{
	ql_put_be32(rte_pktmbuf_mtod(d->mbuf, uint8_t *) + 1, UNKNOWN);
	return true;
}

/* The server answers, the list has the client's version: then it was not the client who asked. */
START_TEST(test_listed)
{
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = other_version;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_uint_ge(sim_pair_stats(&p, SIM_SERVER).version_negotiations, 1);
	ck_assert_uint_ge(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_VERSION], 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 0);
	/* From now on unaltered: it goes through. */
	sim_link(p.sim, SIM_CLIENT)->filter = NULL;
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	finish(&p);
}
END_TEST

/* A Version Negotiation packet for the client's connection, with one version. */
static size_t negotiation(struct sim_pair *p, uint8_t *buf, uint32_t version)
{
	const struct ql_conn *c = conn_of(p, SIM_CLIENT);
	const struct ql_cid *own = &c->local_cids.e[0].cid, *first = &c->hs->original_dcid;
	uint8_t *end;

	end = ql_pkt_put_version_negotiation(
		buf, buf + 200, 0x55, (struct ql_cid_view){.p = own->id, .len = own->len},
		(struct ql_cid_view){.p = first->id, .len = first->len}, &version, 1);
	ck_assert_ptr_nonnull(end);
	return (size_t)(end - buf);
}

START_TEST(test_no_common_version)
{
	struct sim_job job = {.streams = 1};
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[200];
	size_t len;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	len = negotiation(&p, buf, UNKNOWN);
	/* Not with a wrong source ID ... */
	buf[len - 5] ^= 1;
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).drops[QL_DROP_VERSION], 1);
	buf[len - 5] ^= 1;
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	run_out(&p, 1 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 1);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_VERSION);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
	finish(&p);
}
END_TEST

/* Once the server has answered otherwise, it means nothing. */
START_TEST(test_too_late)
{
	struct sim_job job = {.streams = 1};
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[200];
	size_t len;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	len = negotiation(&p, buf, UNKNOWN);
	/* By now the client has the server's first flight, but not all of it. */
	sim_link(p.sim, SIM_SERVER)->rate = 1 * MB;
	sim_run(p.sim, 31 * MS, NULL, NULL);
	ck_assert(conn_of(&p, SIM_CLIENT)->hs->peer_scid_known);
	path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
	sim_inject(p.sim, SIM_CLIENT, &path, buf, len);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/reply");
	TCase *tc = new_case(s, "reply");

	tcase_add_test(tc, test_answer);
	tcase_add_test(tc, test_no_answer);
	tcase_add_test(tc, test_listed);
	tcase_add_test(tc, test_no_common_version);
	tcase_add_test(tc, test_too_late);
	return run_suite(s);
}
