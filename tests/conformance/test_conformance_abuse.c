// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a peer or a stranger may do that no rule forbids, or that many have got wrong: floods of
 * what is of no use (RFC 9000, 21.9), lists that grow, frames where they must not be, datagrams of
 * every size. See docs/security.md.
 */
#include "conform.h"

#include <sys/mman.h>
#include <unistd.h>

#include <rte_mempool.h>

static bool deaf(void *arg UNUSED, struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	return false;
}

/* ---- Useless packets ---- */

/* Each does nothing, or nothing the second time. */
static const struct {
	const char *name;
	unsigned int side; /* who sends it */
	const uint8_t *frame;
	size_t len;
} useless[] = {
	{"PING", SIM_CLIENT, BYTES(0x01)},
	{"PING", SIM_SERVER, BYTES(0x01)},
	{"PADDING", SIM_CLIENT, BYTES(0, 0, 0)},
	{"MAX_DATA of 0", SIM_CLIENT, BYTES(0x10, 0)},
	{"MAX_STREAMS of 0", SIM_SERVER, BYTES(0x12, 0)},
	{"DATA_BLOCKED", SIM_CLIENT, BYTES(0x14, 1)},
	{"PATH_CHALLENGE", SIM_CLIENT, BYTES(0x1a, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"PATH_RESPONSE", SIM_CLIENT, BYTES(0x1b, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"ACK of packet 0", SIM_CLIENT, BYTES(0x02, 0, 0, 0, 0)},
	{"CRYPTO", SIM_CLIENT, BYTES(0x06, 0, 0)},
	{"NEW_TOKEN", SIM_SERVER, BYTES(0x07, 1, 1)},
	{"HANDSHAKE_DONE", SIM_SERVER, BYTES(0x1e)},
	{"STREAM, the same byte", SIM_CLIENT, BYTES(0x0a, 8, 1, 0)},
	{"RETIRE_CONNECTION_ID", SIM_CLIENT, BYTES(0x19, 1)},
	{"IMMEDIATE_ACK", SIM_SERVER, BYTES(0x1f)},
	{"ACK_FREQUENCY", SIM_CLIENT, BYTES(0x40, 0xaf, 0, 0, 0x43, 0xe8, 1)},
};

/* So many packets, at most 100 a millisecond. Returns how many it took to be told off; 0: never. */
static unsigned int flood(struct sim_pair *p, unsigned int side, const uint8_t *frame, size_t len,
			  unsigned int n, unsigned int per_ms)
{
	for (unsigned int i = 1; i <= n; i++) {
		send_frames(p, side, QL_SPACE_APP, frame, len);
		if (conn_of(p, !side)->state >= QL_CONN_CLOSING)
			return i;
		if (i % per_ms == 0)
			sim_run(p->sim, 1 * MS, NULL, NULL);
	}
	return 0;
}

START_TEST(test_useless)
{
	struct sim_pair p;
	unsigned int n;

	for (unsigned int i = 0; i < RTE_DIM(useless); i++) {
		open_idle(&p);
		/* What the client retires it does not have any more. */
		conn_of(&p, SIM_CLIENT)->peer_cids.e[1].used &= useless[i].frame[0] != 0x19;
		n = flood(&p, useless[i].side, useless[i].frame, useless[i].len,
			  2 * QL_CONN_USELESS_BURST, 100);
		ck_assert_msg(n > QL_CONN_USELESS_BURST - 100 && n < QL_CONN_USELESS_BURST + 1000,
			      "%s: %u", useless[i].name, n);
		expect_error(&p, useless[i].side, QL_ERR_PROTOCOL_VIOLATION, useless[i].name);
	}
}
END_TEST

/* As many, but slowly; or with packets of use among them: this goes on as long as it likes. */
START_TEST(test_useless_slowly)
{
	uint8_t stream[] = {0x0e, 2, 0x80, 0, 0, 0, 1, 0}; /* a byte of stream 2 */
	struct sim_pair p;
	unsigned int n;

	open_idle(&p);
	for (unsigned int i = 0; i < 2 * QL_CONN_USELESS_BURST; i++) {
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ck_assert_uint_lt(conn_of(&p, SIM_SERVER)->state, QL_CONN_CLOSING);
	n = flood(&p, SIM_CLIENT, (const uint8_t *)"\x01", 1, QL_CONN_USELESS_BURST / 2, 100);
	ck_assert_uint_eq(n, 0);
	close_idle(&p);

	open_idle(&p);
	p.app[SIM_SERVER].no_check = true;
	for (unsigned int i = 0; i < 2 * QL_CONN_USELESS_BURST; i++) {
		if (i % QL_CONN_USELESS_OFFSET == 0) {
			ql_put_be32(stream + 2, 0x80000000u | i / QL_CONN_USELESS_OFFSET);
			send_frames(&p, SIM_CLIENT, QL_SPACE_APP, stream, sizeof(stream));
		} else {
			send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
		}
		if (i % 100 == 0)
			sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ck_assert_uint_lt(conn_of(&p, SIM_SERVER)->state, QL_CONN_CLOSING);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* Full packets of data that had arrived already: a sender that took them for lost. */
START_TEST(test_sent_in_vain)
{
	uint8_t stream[4 + 1000] = {0x0a, 2, 0x43, 0xe8}; /* the first 1000 bytes of stream 2 */
	struct sim_pair p;

	open_idle(&p);
	p.app[SIM_SERVER].no_check = true;
	ck_assert_uint_eq(
		flood(&p, SIM_CLIENT, stream, sizeof(stream), 2 * QL_CONN_USELESS_BURST, 100), 0);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

/* ---- Acknowledgements ---- */

/* Of everything that may have been sent, by somebody who has not seen it (21.4). */
START_TEST(test_optimistic)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim_job job = {.streams = 1, .download = 8 * MB, .keep_open = true};
		uint8_t frame[16] = {0x02}, *q = frame + 1;
		const struct ql_sent *sent;
		struct sim_pair p;
		uint64_t largest;

		sim_pair_open(&p, seed, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 2 * SEC, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
		sent = &conn_of(&p, SIM_SERVER)->rec.space[QL_SPACE_APP].sent;
		largest = sent->next - 1;
		ck_assert_uint_gt(largest, QL_CONN_SKIP_LEAST + QL_CONN_SKIP_RANGE);
		ck_assert(sent->last_skip != UINT64_MAX && sent->last_skip < largest);
		/* without the one that is missing: that is how it is */
		q = ql_varint_put(q, largest);
		q = ql_varint_put(q, 0);
		q = ql_varint_put(q, 0);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frame,
			    (size_t)(ql_varint_put(q, largest - sent->last_skip - 1) - frame));
		ck_assert_uint_lt(conn_of(&p, SIM_SERVER)->state, QL_CONN_CLOSING);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frame,
			    (size_t)(ql_varint_put(q, largest) - frame));
		expect_error(&p, SIM_CLIENT, QL_ERR_PROTOCOL_VIOLATION, "optimistic ACK");
	}
}
END_TEST

/* ---- Connection IDs ---- */

/*
 * New ones without end, each of which retires the one before, from a peer that acknowledges
 * nothing: what is to be retired stays a short list, and then the connection is closed (5.1.2).
 */
START_TEST(test_retirements)
{
	for (unsigned int side = 0; side < 2; side++) {
		uint8_t frame[64] = {0x18};
		unsigned int n = 0;
		struct sim_pair p;
		uint64_t memory;

		open_idle(&p);
		memory = sim_pair_stats(&p, !side).memory_used;
		sim_link(p.sim, !side)->filter = deaf; /* so it acknowledges nothing */
		for (uint32_t seq = 4; seq < 100000; seq++, n++) {
			uint8_t *q = frame + 1;

			q = ql_put_be32(q, 0x80000000u | seq);
			q = ql_put_be32(q, 0x80000000u | seq);
			*q++ = 8;
			q = ql_put_be32(q, seq);
			q = ql_put_be32(q, 77);
			memset(q, (int)seq, 16);
			ql_put_be32(q, seq);
			send_frames(&p, side, QL_SPACE_APP, frame, (size_t)(q + 16 - frame));
			ck_assert_uint_le(conn_of(&p, !side)->peer_cids.n_retire +
						  conn_of(&p, !side)->peer_cids.n_retiring,
					  QL_PEER_CIDS_RETIRE);
			ck_assert_uint_le(sim_pair_stats(&p, !side).memory_used, memory + 65536);
			if (conn_of(&p, !side)->state >= QL_CONN_CLOSING)
				break;
			if (n % 3 == 0)
				sim_run(p.sim, 1 * MS, NULL, NULL);
		}
		ck_assert_uint_lt(n, 2 * QL_PEER_CIDS_RETIRE);
		ck_assert_uint_ge(n, QL_PEER_CIDS_RETIRE - QL_PEER_CIDS);
		ck_assert_uint_eq(conn_of(&p, !side)->close.error,
				  QL_ERR_CONNECTION_ID_LIMIT_ERROR);
		run_out(&p, 60 * SEC);
		finish(&p);
	}
}
END_TEST

/* ---- Every frame in every packet, in every state ---- */

#define IN_INITIAL   1
#define IN_HANDSHAKE 2
#define IN_APP	     4
#define ALL	     (IN_INITIAL | IN_HANDSHAKE | IN_APP)

/* RFC 9000, table 3, and extensions: where a frame may be; a frame that is in order otherwise. */
static const struct {
	const char *name;
	unsigned int where;
	bool by_server_only;
	const uint8_t *frame;
	size_t len;
} frames[] = {
	{"PADDING", ALL, false, BYTES(0, 0, 0)},
	{"PING", ALL, false, BYTES(1)},
	{"ACK", ALL, false, BYTES(2, 0, 0, 0, 0)},
	{"ACK with ECN", ALL, false, BYTES(3, 0, 0, 0, 0, 0, 0, 0)},
	{"RESET_STREAM", IN_APP, false, BYTES(4, 0x40, 2, 0, 0)},
	{"STOP_SENDING", IN_APP, false, BYTES(5, 0x40, 0, 0)},
	{"CRYPTO", ALL, false, BYTES(6, 0, 0)},
	{"NEW_TOKEN", IN_APP, true, BYTES(7, 1, 9)},
	{"STREAM", IN_APP, false, BYTES(8, 0x40, 2)},
	{"STREAM with all", IN_APP, false, BYTES(0xf, 0x40, 2, 0, 0)},
	{"MAX_DATA", IN_APP, false, BYTES(0x10, 0)},
	{"MAX_STREAM_DATA", IN_APP, false, BYTES(0x11, 0x40, 0, 0)},
	{"MAX_STREAMS", IN_APP, false, BYTES(0x12, 0)},
	{"MAX_STREAMS, one way", IN_APP, false, BYTES(0x13, 0)},
	{"DATA_BLOCKED", IN_APP, false, BYTES(0x14, 0)},
	{"STREAM_DATA_BLOCKED", IN_APP, false, BYTES(0x15, 0x40, 2, 0)},
	{"STREAMS_BLOCKED", IN_APP, false, BYTES(0x16, 0)},
	{"STREAMS_BLOCKED, one way", IN_APP, false, BYTES(0x17, 0)},
	{"NEW_CONNECTION_ID", IN_APP, false,
	 BYTES(0x18, 9, 9, 4, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)},
	{"RETIRE_CONNECTION_ID", IN_APP, false, BYTES(0x19, 1)},
	{"PATH_CHALLENGE", IN_APP, false, BYTES(0x1a, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"PATH_RESPONSE", IN_APP, false, BYTES(0x1b, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"CONNECTION_CLOSE", ALL, false, BYTES(0x1c, 0, 0, 0)},
	{"CONNECTION_CLOSE, application", IN_APP, false, BYTES(0x1d, 0, 0)},
	{"HANDSHAKE_DONE", IN_APP, true, BYTES(0x1e)},
	{"IMMEDIATE_ACK", IN_APP, false, BYTES(0x1f)},
	{"ACK_FREQUENCY", IN_APP, false, BYTES(0x40, 0xaf, 0, 1, 0x43, 0xe8, 1)},
	{"unknown", 0, false, BYTES(0x20)},
	{"unknown", 0, false, BYTES(0x40, 0x42)},
};

static const uint64_t times[] = {12 * MS, 22 * MS, 32 * MS, 500 * MS};

/* Returns in how many cases there was something to see. */
static unsigned int try_frame(unsigned int i)
{
	unsigned int seen = 0;

	for (unsigned int k = 0; k < RTE_DIM(times) * 2 * QL_SPACES; k++) {
		enum ql_space_id id = (enum ql_space_id)(k % QL_SPACES);
		unsigned int side = k / QL_SPACES % 2;
		struct sim_job job = {.keep_open = true};
		struct ql_conn *from, *to;
		struct ql_space *tx, *rx;
		struct ql_path path;
		uint8_t buf[2048], frame[64];
		size_t len = frames[i].len, n;
		struct sim_pair p;
		bool fine;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, times[k / QL_SPACES / 2], NULL, NULL);
		from = some_conn(&p, side);
		to = some_conn(&p, !side);
		tx = from ? ql_conn_space(from, id) : NULL;
		rx = to ? ql_conn_space(to, id) : NULL;
		/* The receiver has to have keys, and for an ACK a packet that was sent. */
		if (!tx || !rx || !tx->tx.ready || !rx->rx.ready ||
		    (id == QL_SPACE_APP && to->state == QL_CONN_HANDSHAKE) ||
		    (id == QL_SPACE_INITIAL && to->initial_done) ||
		    ql_rec_next_pn(&to->rec, id) == 0) {
			ck_assert_int_eq(sim_pair_close(&p), 0);
			continue;
		}
		seen++;
		memcpy(frame, frames[i].frame, len);
		/* a stream of the sender's, but where it is about the receiver's sending */
		if (frame[1] == 0x40 && frame[0] >= 4)
			frame[2] = (uint8_t)(side == SIM_SERVER ? frame[2] | 1 : frame[2]);
		p.app[side].conn = from;
		n = make_packet(&p, side, id, frame, len, 0, buf);
		path = *ql_conn_path(to);
		fine = frames[i].where >> id & 1 &&
		       (side == SIM_SERVER || !frames[i].by_server_only);
		sim_inject(p.sim, !side, &path, buf, n);
		if (!fine) {
			uint64_t error = frames[i].where == 0 ? 0x07 : 0x0a;

			ck_assert_msg(to->state == QL_CONN_CLOSING && to->close.error == error,
				      "%s, case %u: state %u, error %llx", frames[i].name, k,
				      to->state, (unsigned long long)to->close.error);
		} else if (frame[0] == 0x1c || frame[0] == 0x1d) {
			ck_assert_int_eq(to->state, QL_CONN_DRAINING);
		} else {
			ck_assert_msg(to->state < QL_CONN_CLOSING, "%s, case %u: error %llx",
				      frames[i].name, k, (unsigned long long)to->close.error);
		}
		ck_assert_int_eq(sim_pair_close(&p), 0);
	}
	return seen;
}

START_TEST(test_frames)
{
	for (unsigned int i = 0; i < RTE_DIM(frames); i++)
		ck_assert_uint_ge(try_frame(i), 8);
}
END_TEST

/* ---- Datagrams ---- */

static void no_free(void *addr UNUSED, void *arg UNUSED)
{
}

/* All sizes, each at the very end of readable memory. */
START_TEST(test_sizes)
{
	enum { ZEROES, NOISE, INITIAL, SHORT, CASES };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), most = 9000;
	const size_t size = (most + page - 1) / page * page;
	struct rte_mbuf_ext_shared_info shared = {.free_cb = no_free};
	struct ql_engine_stats before, after;
	struct sim_pair p;
	uint8_t *memory;
	uint64_t drops = 0;

	memory =
		mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(memory != MAP_FAILED);
	ck_assert_int_eq(mprotect(memory + size, page, PROT_NONE), 0);
	open_idle(&p);
	before = sim_pair_stats(&p, SIM_SERVER);
	for (size_t len = 0; len <= most; len++) {
		for (unsigned int what = 0; what < CASES; what++) {
			struct ql_engine *e = sim_engine(p.sim, SIM_SERVER);
			struct ql_datagram d = {.mbuf = rte_pktmbuf_alloc(e->host.tx_pool)};
			uint8_t *b = memory + size - len;

			ck_assert_ptr_nonnull(d.mbuf);
			for (size_t i = 0; i < len; i++)
				b[i] = what == ZEROES ? 0 : (uint8_t)sim_random(sim_seed(p.sim));
			if (what == INITIAL && len > 60) {
				b[0] = 0xc3;
				ql_put_be32(b + 1, QL_VERSION_1);
				b[5] = b[14] = 8;
				b[23] = 0;
				ql_put_be16(b + 24, (uint16_t)(0x4000 | (len - 26)));
			}
			if (what == SHORT && len > QL_LOCAL_CID_LEN) {
				b[0] = 0x40 | (b[0] & 0x3f);
				memcpy(b + 1, conn_of(&p, SIM_SERVER)->local_cids.e[0].cid.id,
				       QL_LOCAL_CID_LEN);
			}
			rte_mbuf_ext_refcnt_set(&shared, 1);
			rte_pktmbuf_attach_extbuf(d.mbuf, b, RTE_BAD_IOVA, (uint16_t)len, &shared);
			d.mbuf->data_len = (uint16_t)len;
			d.mbuf->pkt_len = (uint32_t)len;
			d.path = path_to(&p, SIM_CLIENT);
			ql_engine_rx(e, &d, 1, sim_now(p.sim));
		}
		if (len % 30 == 0)
			sim_run(p.sim, 20 * MS, NULL, NULL);
	}
	after = sim_pair_stats(&p, SIM_SERVER);
	/* each is counted, and each is dropped but for what started a connection: none */
	ck_assert_uint_ge(after.rx_datagrams - before.rx_datagrams, CASES * (most + 1));
	for (unsigned int i = 0; i < QL_DROP_MAX; i++)
		drops += after.drops[i] - before.drops[i];
	ck_assert_uint_ge(drops + after.version_negotiations, CASES * (most + 1));
	ck_assert_uint_eq(after.conns, 1);
	close_idle(&p);
	munmap(memory, size + page);
}
END_TEST

/* A datagram full of packets for others: each is dropped, and its mbuf is freed once. */
START_TEST(test_coalesced)
{
	struct rte_mempool *pool;
	struct ql_engine_stats before, after;
	struct ql_path path;
	struct sim_pair p;
	unsigned int level;
	uint8_t buf[1500];

	open_idle(&p);
	path = path_to(&p, SIM_CLIENT);
	pool = sim_engine(p.sim, SIM_SERVER)->host.tx_pool;
	sim_run(p.sim, 100 * MS, NULL, NULL);
	level = rte_mempool_avail_count(pool);
	before = sim_pair_stats(&p, SIM_SERVER);
	for (unsigned int turn = 0; turn < 100; turn++) {
		size_t n = 0;

		while (n + 50 <= sizeof(buf)) { /* Handshake packets, each to another ID */
			uint8_t *q = buf + n;

			memset(q, (int)(n + turn), 50);
			*q = 0xe0;
			ql_put_be32(q + 1, QL_VERSION_1);
			q[5] = 8;
			q[14] = 0;
			ql_put_be16(q + 15, 0x4000 | (50 - 17));
			n += 50;
		}
		if (turn % 2) { /* the first one is for the connection, and wrong */
			memcpy(buf + 6, conn_of(&p, SIM_SERVER)->local_cids.e[0].cid.id, 8);
		}
		sim_inject(p.sim, SIM_SERVER, &path, buf, n);
	}
	after = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(after.rx_packets, before.rx_packets);
	ck_assert_uint_ge(after.drops[QL_DROP_NO_CONN] - before.drops[QL_DROP_NO_CONN], 50);
	ck_assert_uint_eq(rte_mempool_avail_count(pool), level);
	close_idle(&p);
}
END_TEST

/* The client's first Initial behind the Retry once more, at any time: nothing new comes of it. */
static struct {
	uint8_t bytes[1500];
	size_t len;
	struct ql_path path;
} kept;

static bool keep_initial(void *arg UNUSED, struct ql_datagram *d, uint64_t now UNUSED)
{
	const uint8_t *b = rte_pktmbuf_mtod(d->mbuf, uint8_t *);
	struct ql_pkt_hdr h;

	if (kept.len == 0 && ql_pkt_parse(b, d->mbuf->data_len, QL_LOCAL_CID_LEN, &h) == 0 &&
	    h.type == QL_PKT_INITIAL && h.token_len > 0) {
		kept.len = d->mbuf->data_len;
		memcpy(kept.bytes, b, kept.len);
		kept.path = (struct ql_path){.local = d->path.remote, .remote = d->path.local};
	}
	return true;
}

START_TEST(test_initial_again)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1, .retry = QL_RETRY_ALWAYS},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 1, .download = 10 * KB, .keep_open = true};
	struct sim_pair p;

	kept.len = 0;
	sim_pair_open_with(&p, 1, config, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = keep_initial;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	for (unsigned int i = 0; i < 300; i++) {
		sim_run(p.sim, 1 * MS, NULL, NULL);
		if (kept.len > 0)
			sim_inject(p.sim, SIM_SERVER, &kept.path, kept.bytes, kept.len);
		ck_assert_uint_le(sim_pair_stats(&p, SIM_SERVER).conns, 1);
	}
	ck_assert_uint_gt(kept.len, 0);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 1);
	ck_assert_uint_gt(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_TOKEN], 100);
	close_idle(&p);
}
END_TEST

/* More clients than there is room for are told so, and whoever is connected does not notice. */
START_TEST(test_refused)
{
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1,
				.retry = QL_RETRY_NEVER,
				.limits = {.connections = 4}},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};
	struct sim_job job = {.streams = 1, .download = 1 * MB, .keep_open = true};
	struct sim_pair p;

	sim_pair_open_with(&p, 1, config, NULL, &job);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 2 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 4);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 3);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_CONNECTION_REFUSED);
	/* each says goodbye in an Initial, which is refused, too */
	ck_assert_uint_ge(sim_pair_stats(&p, SIM_SERVER).refusals, 3);
	ck_assert_uint_le(sim_pair_stats(&p, SIM_SERVER).refusals, 6);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).conns, 4);
	ck_assert_int_eq(sim_pair_close(&p), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conformance/abuse");
	TCase *tc = new_case(s, "abuse");

	tcase_add_test(tc, test_useless);
	tcase_add_test(tc, test_useless_slowly);
	tcase_add_test(tc, test_sent_in_vain);
	tcase_add_test(tc, test_optimistic);
	tcase_add_test(tc, test_retirements);
	tcase_add_test(tc, test_frames);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_coalesced);
	tcase_add_test(tc, test_initial_again);
	tcase_add_test(tc, test_refused);
	return run_suite(s);
}
