// SPDX-License-Identifier: BSD-3-Clause
/*
 * What handshakes look like on the wire: RFC 9000, sections 7, 8.1, 12, 14 and 17; RFC 9001,
 * section 4.9. Whole connections are witnessed, with and without losses, and every packet is looked
 * at.
 */
#include "conform.h"

/* ---- Every packet of whole connections ---- */

#define RUNS 12

/* A connection with a little to do, under losses from the second run on. */
static void witnessed_run(struct sim_pair *p, struct witness *w, unsigned int run)
{
	struct sim_job job = {.streams = 3, .download = 60 * KB, .upload = 20 * KB};

	sim_pair_open(p, 100 + run, NULL, NULL, &job);
	witness_start(w, p);
	if (run > 0) {
		sim_link(p->sim, 0)->loss = sim_link(p->sim, 1)->loss = SIM_MILLION / 8;
		sim_link(p->sim, 0)->duplicate = SIM_MILLION / 20;
	}
	ck_assert_int_eq(sim_pair_connect(p), 0);
	run_out(p, 200 * SEC);
	ck_assert_uint_eq(p->app[SIM_CLIENT].complete, 3);
	ck_assert_uint_gt(w->n, 20);
}

static void end_run(struct sim_pair *p, struct witness *w)
{
	witness_end(w);
	finish(p);
}

/* Numbers only go up, in each space of each side (12.3). */
START_TEST(test_packet_numbers)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		uint64_t next[2][QL_PKT_SHORT + 1] = {{0}};
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			ck_assert(k->opened);
			ck_assert_uint_ge(k->pn, next[k->side][k->type]);
			next[k->side][k->type] = k->pn + 1;
		}
		end_run(&p, &w);
	}
}
END_TEST

/* A number is sent whole as long as nothing was acknowledged (17.1), and long enough behind. */
START_TEST(test_packet_number_length)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		uint64_t acked[2][QL_PKT_SHORT + 1];
		struct witness w;
		struct sim_pair p;

		memset(acked, 0xff, sizeof(acked));
		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];
			uint64_t since = k->pn - acked[k->side][k->type]; /* +1 for none */

			ck_assert(k->pn_len == 4 || since < UINT64_C(1) << (8 * k->pn_len - 1));
			/* The other side may have it any time from now on. */
			if (HAS(k, QL_FRAME_ACK))
				acked[!k->side][k->type] = k->ack.largest;
		}
		end_run(&p, &w);
	}
}
END_TEST

/* Frames where they may be (12.4, 12.5; the witness looks), at least one; bits that are fixed. */
START_TEST(test_packet_contents)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		bool answered = false;
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];
			bool is_long = k->type != QL_PKT_SHORT;

			ck_assert(k->opened);
			ck_assert_uint_ne(k->frames, 0);
			/* The server has seen that the client takes both values (RFC 9287). */
			answered |= k->side == SIM_SERVER;
			ck_assert(answered || k->first & QL_PKT_FIXED);
			ck_assert_uint_eq(
				k->first & (is_long ? QL_PKT_RESERVED_LONG : QL_PKT_RESERVED_SHORT),
				0);
			if (!is_long) /* the spin bit is off */
				ck_assert_uint_eq(k->first & 0x20, 0);
			ck_assert(!HAS(k, QL_FRAME_NEW_TOKEN) || k->side == SIM_SERVER);
			ck_assert(!HAS(k, QL_FRAME_HANDSHAKE_DONE) || k->side == SIM_SERVER);
			if (k->side == SIM_SERVER)
				ck_assert_uint_eq(k->token_len, 0);
		}
		end_run(&p, &w);
	}
}
END_TEST

/* What is acknowledged was sent by the other side, in this space (13.2.6). */
START_TEST(test_ack_spaces)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		struct witness w;
		struct sim_pair p;
		unsigned int acks = 0;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];
			unsigned int j = 0;

			if (!HAS(k, QL_FRAME_ACK))
				continue;
			while (j < i && (w.log[j].side == k->side || w.log[j].type != k->type ||
					 w.log[j].pn != k->ack.largest))
				j++;
			ck_assert_uint_lt(j, i);
			acks++;
		}
		ck_assert_uint_gt(acks, 10);
		end_run(&p, &w);
	}
}
END_TEST

/* One datagram, one connection ID (12.2). */
START_TEST(test_datagrams)
{
	unsigned int coalesced = 0;

	for (unsigned int run = 0; run < RUNS; run++) {
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 1; i < w.n; i++) {
			if (w.log[i].datagram != w.log[i - 1].datagram)
				continue;
			coalesced++;
			ck_assert(ql_cid_eq(&w.log[i].dcid, &w.log[i - 1].dcid));
		}
		end_run(&p, &w);
	}
	ck_assert_uint_gt(coalesced, RUNS);
}
END_TEST

/* 14.1: the client's with any Initial, the server's with an ack-eliciting one. */
START_TEST(test_initial_size)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		unsigned int seen[2] = {0, 0};
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (k->type != QL_PKT_INITIAL || (k->side == SIM_SERVER && !k->eliciting))
				continue;
			seen[k->side]++;
			ck_assert_uint_ge(k->datagram_size, 1200);
		}
		ck_assert(seen[0] > 0 && seen[1] > 0);
		end_run(&p, &w);
	}
}
END_TEST

/* RFC 9001, 4.9.1: no Initial behind the first Handshake packet; the server, behind the client's.
 */
START_TEST(test_initial_ends)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		bool handshake = false;
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (k->side != SIM_CLIENT)
				continue;
			ck_assert(!handshake || k->type != QL_PKT_INITIAL);
			handshake |= k->type == QL_PKT_HANDSHAKE;
		}
		ck_assert(handshake);
		end_run(&p, &w);
	}
}
END_TEST

/*
 * RFC 9000, 7.2: the client's first ID is long enough and stays until the server has answered; then
 * both use the IDs that the other chose in its first packet.
 */
START_TEST(test_connection_ids)
{
	for (unsigned int run = 0; run < RUNS; run++) {
		const struct ql_cid *chosen[2] = {NULL, NULL}, *original;
		struct witness w;
		struct sim_pair p;

		witnessed_run(&p, &w, run);
		original = &w.log[0].dcid;
		ck_assert_uint_eq(w.log[0].side, SIM_CLIENT);
		ck_assert_uint_ge(original->len, 8);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (k->type == QL_PKT_SHORT)
				continue;
			if (!chosen[k->side])
				chosen[k->side] = &k->scid;
			ck_assert(ql_cid_eq(&k->scid, chosen[k->side]));
			if (k->side == SIM_SERVER)
				ck_assert(ql_cid_eq(&k->dcid, chosen[SIM_CLIENT]));
			else if (!chosen[SIM_SERVER])
				ck_assert(ql_cid_eq(&k->dcid, original));
			else
				ck_assert(ql_cid_eq(&k->dcid, original) ||
					  ql_cid_eq(&k->dcid, chosen[SIM_SERVER]));
			if (k->type == QL_PKT_HANDSHAKE && k->side == SIM_CLIENT)
				ck_assert(ql_cid_eq(&k->dcid, chosen[SIM_SERVER]));
		}
		end_run(&p, &w);
	}
}
END_TEST

/* ---- When the other side is silent ---- */

static bool only_first_of_client(struct witness *w, unsigned int side,
				 const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_CLIENT && w->counter++ == 0;
}

static bool nothing(struct witness *w UNUSED, unsigned int side UNUSED,
		    const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return false;
}

static bool nothing_of_server(struct witness *w UNUSED, unsigned int side,
			      const struct noted *first UNUSED, unsigned int n UNUSED)
{
	return side == SIM_CLIENT;
}

/* 8.1: a server sends at most three times what it got, however long nobody answers. */
START_TEST(test_amplification)
{
	for (unsigned int all = 0; all < 2; all++) {
		struct sim_job job = {.streams = 1, .download = 1000};
		uint64_t bytes[2] = {0, 0};
		struct witness w;
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		witness_start(&w, &p);
		w.pass = all ? nothing_of_server : only_first_of_client;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 60 * SEC);
		for (unsigned int i = 0, client = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (i > 0 && k->datagram == w.log[i - 1].datagram)
				continue;
			if (k->side == SIM_SERVER || all || client++ == 0)
				bytes[k->side] += k->datagram_size;
			ck_assert_uint_le(bytes[SIM_SERVER], 3 * bytes[SIM_CLIENT]);
		}
		/* It does use what it may. */
		ck_assert_uint_ge(bytes[SIM_SERVER], 2 * 1200);
		end_run(&p, &w);
	}
}
END_TEST

/* 7.2: the same ID in all Initials, which keep coming (PTO), from one address, padded. */
START_TEST(test_client_alone)
{
	struct sim_job job = {.streams = 1, .download = 1000};
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = nothing;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_ge(w.n, 4);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		ck_assert_int_eq(k->type, QL_PKT_INITIAL);
		ck_assert_uint_ge(k->datagram_size, 1200);
		ck_assert(k->eliciting);
		ck_assert(ql_cid_eq(&k->dcid, &w.log[0].dcid));
		ck_assert(ql_cid_eq(&k->scid, &w.log[0].scid));
	}
	end_run(&p, &w);
}
END_TEST

/* The server's ServerHello comes, and nothing behind it. */
static bool first_of_server(struct witness *w, unsigned int side, const struct noted *first UNUSED,
			    unsigned int n UNUSED)
{
	return side == SIM_CLIENT ? false : w->counter++ == 0;
}

static bool client_until_answered(struct witness *w, unsigned int side, const struct noted *first,
				  unsigned int n)
{
	if (side == SIM_CLIENT)
		return w->counter == 0;
	return first_of_server(w, side, first, n);
}

/*
 * 8.1 and RFC 9002, 6.2.2.1: a client that hears no more goes on by itself, with Handshake packets
 * as soon as it has the keys, so that the server may send again.
 */
START_TEST(test_client_deadlock)
{
	struct sim_job job = {.streams = 1, .download = 1000};
	unsigned int handshakes = 0;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = client_until_answered;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	for (unsigned int i = 0; i < w.n; i++) {
		const struct noted *k = &w.log[i];

		if (k->side == SIM_CLIENT && k->type == QL_PKT_HANDSHAKE && k->eliciting)
			handshakes++;
	}
	ck_assert_uint_ge(handshakes, 3);
	end_run(&p, &w);
}
END_TEST

/* ---- Packets that must not count ---- */

/*
 * An Initial of a server that has not been announced: with a PING, a source connection ID and
 * token of the test's choice. Returns its size.
 */
static size_t server_initial(struct sim_pair *p, uint32_t version, const struct ql_cid *scid,
			     size_t token_len, bool fixed, uint8_t buf[2048])
{
	struct ql_conn *server = some_conn(p, SIM_SERVER);
	struct ql_space *sp = ql_conn_space(server, QL_SPACE_INITIAL);
	uint64_t pn = ql_rec_next_pn(&server->rec, QL_SPACE_INITIAL);
	struct ql_seal_job job;
	uint8_t *q, *length;
	size_t size;

	ck_assert_int_eq(ql_rec_begin(&server->rec, QL_SPACE_INITIAL, pn), 0);
	q = ql_pkt_put_long(buf, buf + 200, QL_PKT_INITIAL, QL_VERSION_1,
			    ql_peer_cid(&server->peer_cids), scid, (const uint8_t *)"token",
			    token_len, 4, &length);
	ck_assert_ptr_nonnull(q);
	ql_put_be32(buf + 1, version);
	q = ql_pn_put(q, pn, 4);
	memset(q, 0, 1200);
	q[0] = QL_FRAME_PING;
	job = (struct ql_seal_job){.aead = &sp->tx.aead,
				   .hp = &sp->tx.hp,
				   .hdr = buf,
				   .pn = pn,
				   .hdr_len = (uint16_t)(q - buf),
				   .payload_len = 1200,
				   .pn_len = 4};
	if (!fixed)
		buf[0] &= (uint8_t)~QL_PKT_FIXED;
	ql_pkt_put_length(length, 4 + 1200 + QL_TAG_LEN);
	ql_seal_one(&job);
	size = (size_t)(q - buf) + 1200 + QL_TAG_LEN;
	ql_rec_on_sent(&server->rec, QL_SPACE_INITIAL, (uint16_t)size, QL_SENT_ELICITING,
		       sim_now(p->sim));
	return size;
}

/*
 * Another source connection ID behind the first one, a token, a version; but not a fixed bit that
 * is clear, which we say we take (RFC 9287).
 */
START_TEST(test_discarded_by_client)
{
	static const struct {
		uint32_t version;
		bool other_id;
		size_t token_len;
		bool fixed, good;
	} cases[] = {{QL_VERSION_1, true, 0, true, false},
		     {QL_VERSION_1, false, 5, true, false},
		     {0x1a2a3a4a, false, 0, true, false},
		     {QL_VERSION_1, false, 0, false, true},
		     {QL_VERSION_1, false, 0, true, true}};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ql_cid wrong = {.len = 8, .id = {1, 2, 3}}, *scid;
		struct sim_job job = {.keep_open = true};
		struct ql_engine_stats before, after;
		struct ql_path path;
		uint8_t buf[2048];
		struct witness w;
		struct sim_pair p;
		size_t size;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		witness_start(&w, &p);
		w.pass = nothing_of_server;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 20 * MS, NULL, NULL);
		scid = &some_conn(&p, SIM_SERVER)->local_cids.e[0].cid;
		path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
		size = server_initial(&p, QL_VERSION_1, scid, 0, true, buf);
		sim_inject(p.sim, SIM_CLIENT, &path, buf, size);
		before = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_eq(before.rx_packets, 1);
		size = server_initial(&p, cases[i].version, cases[i].other_id ? &wrong : scid,
				      cases[i].token_len, cases[i].fixed, buf);
		sim_inject(p.sim, SIM_CLIENT, &path, buf, size);
		after = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_eq(after.rx_packets, 1 + cases[i].good);
		/* The handshake goes on as if nothing had been. */
		w.pass = NULL;
		sim_run(p.sim, 5 * SEC, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_SERVER].connected, 1);
		witness_end(&w);
		close_idle(&p);
	}
}
END_TEST

/* The client's, well protected, without padding. */
static size_t small_initial(struct sim_pair *p, uint8_t buf[2048])
{
	struct ql_conn *client = conn_of(p, SIM_CLIENT);
	struct ql_space *sp = ql_conn_space(client, QL_SPACE_INITIAL);
	uint64_t pn = ql_rec_next_pn(&client->rec, QL_SPACE_INITIAL);
	struct ql_seal_job job;
	uint8_t *q, *length;

	q = ql_pkt_put_long(buf, buf + 200, QL_PKT_INITIAL, QL_VERSION_1,
			    ql_peer_cid(&client->peer_cids), &client->local_cids.e[0].cid, NULL, 0,
			    4, &length);
	ck_assert_ptr_nonnull(q);
	q = ql_pn_put(q, pn, 4);
	memset(q, QL_FRAME_PING, 100);
	job = (struct ql_seal_job){.aead = &sp->tx.aead,
				   .hp = &sp->tx.hp,
				   .hdr = buf,
				   .pn = pn,
				   .hdr_len = (uint16_t)(q - buf),
				   .payload_len = 100,
				   .pn_len = 4};
	ql_pkt_put_length(length, 4 + 100 + QL_TAG_LEN);
	ql_seal_one(&job);
	return (size_t)(q - buf) + 100 + QL_TAG_LEN;
}

/* The server, too, keeps to the client's first ID. */
START_TEST(test_discarded_by_server)
{
	struct sim_job job = {.keep_open = true};
	struct ql_engine_stats before, after;
	struct ql_cid real;
	struct ql_conn *client;
	struct ql_path path;
	uint8_t buf[2048];
	struct witness w;
	struct sim_pair p;
	size_t size;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = only_first_of_client;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 40 * MS, NULL, NULL);
	client = conn_of(&p, SIM_CLIENT);
	real = client->local_cids.e[0].cid;
	client->local_cids.e[0].cid.id[11] ^= 1;
	size = make_packet(&p, SIM_CLIENT, QL_SPACE_INITIAL, "\x01", 1, 0, buf);
	client->local_cids.e[0].cid = real;
	path = path_to(&p, SIM_CLIENT);
	before = sim_pair_stats(&p, SIM_SERVER);
	sim_inject(p.sim, SIM_SERVER, &path, buf, size);
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets);
	ck_assert_uint_eq(after.drops[QL_DROP_HEADER], before.drops[QL_DROP_HEADER] + 1);
	/* A good one in a datagram that is too small: dropped, and no reason to close (14, 14.1).
	 */
	before = after;
	size = small_initial(&p, buf);
	ck_assert_uint_lt(size, 1200);
	sim_inject(p.sim, SIM_SERVER, &path, buf, size);
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets);
	ck_assert_uint_eq(after.drops[QL_DROP_INITIAL_SIZE],
			  before.drops[QL_DROP_INITIAL_SIZE] + 1);
	w.pass = NULL;
	sim_run(p.sim, 5 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_SERVER].connected, 1);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

/* Only the first bit of a Version Negotiation packet's first byte means anything (17.2.1). */
START_TEST(test_version_negotiation_bits)
{
	for (unsigned int first = 0x80; first <= 0xff; first += 0x1f) {
		struct sim_job job = {.keep_open = true};
		const struct ql_cid *dcid, *scid;
		struct ql_path path;
		uint8_t buf[100], *q = buf;
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 5 * MS, NULL, NULL);
		scid = &conn_of(&p, SIM_CLIENT)->hs->original_dcid;
		dcid = &conn_of(&p, SIM_CLIENT)->local_cids.e[0].cid;
		*q++ = (uint8_t)first;
		ql_put_be32(q, 0);
		q += 4;
		*q++ = dcid->len;
		memcpy(q, dcid->id, dcid->len);
		q += dcid->len;
		*q++ = scid->len;
		memcpy(q, scid->id, scid->len);
		q += scid->len;
		ql_put_be32(q, 0x1a2a3a4a);
		q += 4;
		path = *ql_conn_path(conn_of(&p, SIM_CLIENT));
		sim_inject(p.sim, SIM_CLIENT, &path, buf, (size_t)(q - buf));
		run_out(&p, 60 * SEC);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_VERSION);
		finish(&p);
	}
}
END_TEST

/* ---- The server's transport parameters, as a client finds them (7.3, 7.4, 18.2) ---- */

#define CID8  1, 2, 3, 4, 5, 6, 7, 8
#define TOKEN 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

static const struct {
	const char *what;
	uint64_t id;
	const uint8_t *data;
	size_t len;
} params[] = {
	{"no initial_source_connection_id", 0x0f, NULL, 0},
	{"initial_source_connection_id of another packet", 0x0f, BYTES(CID8)},
	{"no original_destination_connection_id", 0x00, NULL, 0},
	{"original_destination_connection_id of another packet", 0x00, BYTES(CID8)},
	{"retry_source_connection_id without Retry", 0x10, BYTES(CID8)},
	{"preferred_address with an empty connection ID", 0x0d,
	 BYTES(192, 0, 2, 1, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	       TOKEN)},
	{"max_udp_payload_size of 1199", 0x03, BYTES(0x44, 0xaf)},
	{"active_connection_id_limit of 1", 0x0e, BYTES(1)},
	{"stateless_reset_token of 8 bytes", 0x02, BYTES(CID8)},
};

/* The server has got the ClientHello, and its answer is in h. */
static void begin_answer(struct sim_pair *p, struct hello *h)
{
	struct sim_job job = {.keep_open = true};
	struct ql_datagram out[4];
	struct ql_path path;

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	ck_assert_uint_eq(sim_take(p->sim, SIM_CLIENT, out, 4), 1);
	path = path_to(p, SIM_CLIENT);
	sim_inject(p->sim, SIM_SERVER, &path, rte_pktmbuf_mtod(out[0].mbuf, void *),
		   out[0].mbuf->data_len);
	rte_pktmbuf_free(out[0].mbuf);
	hello_get(some_conn(p, SIM_SERVER), QL_SPACE_HANDSHAKE, h);
	ck_assert_uint_eq(h->b[0], 8);
}

START_TEST(test_server_params)
{
	for (unsigned int i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct sim_pair p;
		struct hello h;

		begin_answer(&p, &h);
		hello_param(&h, params[i].id, params[i].data, params[i].len);
		hello_set(&h);
		run_out(&p, 60 * SEC);
		ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
		ck_assert_msg(p.app[SIM_CLIENT].close.error == QL_ERR_TRANSPORT_PARAMETER_ERROR,
			      "%s: %llx", params[i].what,
			      (unsigned long long)p.app[SIM_CLIENT].close.error);
		finish(&p);
	}
}
END_TEST

/* What the peer is told of our delay is more than it, as alarms may be late (18.2). */
START_TEST(test_max_ack_delay)
{
	static const uint64_t delays[] = {1 * MS, 4500 * QL_NSEC_PER_USEC, 5 * MS, 25 * MS};

	for (unsigned int i = 0; i < 4; i++) {
		struct ql_transport t = {.ack_delay_ns = delays[i]};
		struct sim_job job = {.keep_open = true};
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, &t, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 500 * MS, NULL, NULL);
		for (unsigned int side = 0; side < 2; side++) {
			ck_assert_uint_gt(conn_of(&p, side)->rec.max_ack_delay, delays[i]);
			ck_assert_uint_le(conn_of(&p, side)->rec.max_ack_delay, delays[i] + MS);
		}
		close_idle(&p);
	}
}
END_TEST

/*
 * Nothing of the server's before the client has sent four datagrams; then not the client's first
 * Handshake packets.
 */
static bool late_and_lost(struct witness *w, unsigned int side, const struct noted *first,
			  unsigned int n)
{
	static uint64_t since;

	if (side == SIM_SERVER)
		return w->counter >= 4;
	w->counter++;
	for (unsigned int i = 0; i < n; i++) {
		if (first[i].type == QL_PKT_HANDSHAKE && since == 0)
			since = first[i].time;
	}
	return since == 0 || first->time > since;
}

/*
 * With its first Handshake packet a client has no use for Initial keys any more, and the backoff of
 * their probes goes at once (RFC 9002, 6.2.2): that packet, lost, is repeated a plain PTO later.
 */
START_TEST(test_backoff_ends)
{
	struct sim_job job = {.keep_open = true};
	uint64_t times[2] = {0}, pto = 0;
	struct witness w;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	witness_start(&w, &p);
	w.pass = late_and_lost;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	while (times[1] == 0) {
		sim_run(p.sim, 1 * MS, NULL, NULL);
		ck_assert_uint_lt(sim_now(p.sim), 30 * SEC);
		for (unsigned int i = 0; i < w.n; i++) {
			const struct noted *k = &w.log[i];

			if (k->side != SIM_CLIENT || k->type != QL_PKT_HANDSHAKE)
				continue;
			if (times[0] == 0) {
				times[0] = k->time;
				pto = ql_rtt_pto(&conn_of(&p, SIM_CLIENT)->rec.path.rtt, 0);
			} else if (k->time > times[0]) {
				times[1] = k->time;
				break;
			}
		}
	}
	ck_assert_msg(times[1] - times[0] <= pto + 2 * MS, "repeated after %llu us, PTO %llu us",
		      (unsigned long long)(times[1] - times[0]) / 1000,
		      (unsigned long long)pto / 1000);
	witness_end(&w);
	close_idle(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/handshake");
	TCase *tc = new_case(s, "wire");

	tcase_add_test(tc, test_packet_numbers);
	tcase_add_test(tc, test_packet_number_length);
	tcase_add_test(tc, test_packet_contents);
	tcase_add_test(tc, test_ack_spaces);
	tcase_add_test(tc, test_datagrams);
	tcase_add_test(tc, test_initial_size);
	tcase_add_test(tc, test_initial_ends);
	tcase_add_test(tc, test_connection_ids);
	tc = new_case(s, "silence");
	tcase_add_test(tc, test_amplification);
	tcase_add_test(tc, test_client_alone);
	tcase_add_test(tc, test_client_deadlock);
	tcase_add_test(tc, test_backoff_ends);
	tc = new_case(s, "discarded");
	tcase_add_test(tc, test_discarded_by_client);
	tcase_add_test(tc, test_discarded_by_server);
	tcase_add_test(tc, test_version_negotiation_bits);
	tc = new_case(s, "answers");
	tcase_add_test(tc, test_server_params);
	tcase_add_test(tc, test_max_ack_delay);
	return run_suite(s);
}
