// SPDX-License-Identifier: BSD-3-Clause
/*
 * A peer that protects its packets well and puts the wrong things into them.
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#include <qlane/error.h>

/* An open connection without streams. */
static void open_pair(struct sim_pair *p)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_CLIENT].connected, 1);
	ck_assert_uint_eq(p->app[SIM_SERVER].connected, 1);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

#define TOKEN 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
#define MAX62 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

/* What one side sends, and what the other closes with. */
struct offence {
	const char *what;
	unsigned int side;
	const uint8_t *frames;
	size_t len;
	uint64_t error, frame_type;
};

static const struct offence offences[] = {
	{"unknown type", SIM_CLIENT, BYTES(0x21), QL_ERR_FRAME_ENCODING_ERROR, 0x21},
	{"unknown type, two bytes", SIM_CLIENT, BYTES(0x4f, 0xff), QL_ERR_FRAME_ENCODING_ERROR,
	 0xfff},
	{"truncated type", SIM_CLIENT, BYTES(0x01, 0x80), QL_ERR_FRAME_ENCODING_ERROR, 0},
	{"truncated MAX_DATA", SIM_CLIENT, BYTES(0x10), QL_ERR_FRAME_ENCODING_ERROR, 0x10},
	{"HANDSHAKE_DONE to a server", SIM_CLIENT, BYTES(0x1e), QL_ERR_PROTOCOL_VIOLATION, 0x1e},
	{"NEW_TOKEN to a server", SIM_CLIENT, BYTES(0x07, 0x01, 0xaa), QL_ERR_PROTOCOL_VIOLATION,
	 0x07},
	{"empty NEW_TOKEN", SIM_SERVER, BYTES(0x07, 0x00), QL_ERR_FRAME_ENCODING_ERROR, 0x07},
	{"DATAGRAM", SIM_CLIENT, BYTES(0x30, 0xaa), QL_ERR_PROTOCOL_VIOLATION, 0x30},
	/* ACK */
	{"ACK of what was not sent", SIM_CLIENT, BYTES(0x02, 0x80, 0xff, 0xff, 0xff, 0, 0, 0),
	 QL_ERR_PROTOCOL_VIOLATION, 0x02},
	{"ACK with a range below 0", SIM_CLIENT, BYTES(0x02, 0x01, 0, 0, 2),
	 QL_ERR_FRAME_ENCODING_ERROR, 0x02},
	{"ACK of 2^62 numbers", SIM_CLIENT, BYTES(0x02, MAX62, 0, 0, MAX62),
	 QL_ERR_PROTOCOL_VIOLATION, 0x02},
	/* Connection IDs */
	{"RETIRE of one never issued", SIM_CLIENT, BYTES(0x19, 0x40, 0x63),
	 QL_ERR_PROTOCOL_VIOLATION, 0x19},
	{"RETIRE of the one in use", SIM_CLIENT, BYTES(0x19, 0x00), QL_ERR_PROTOCOL_VIOLATION,
	 0x19},
	{"NEW_CONNECTION_ID retiring itself", SIM_SERVER, BYTES(0x18, 9, 10, 4, 1, 2, 3, 4, TOKEN),
	 QL_ERR_FRAME_ENCODING_ERROR, 0x18},
	{"NEW_CONNECTION_ID of 0 bytes", SIM_SERVER, BYTES(0x18, 9, 0, 0, TOKEN),
	 QL_ERR_FRAME_ENCODING_ERROR, 0x18},
	{"NEW_CONNECTION_ID of 21 bytes", SIM_SERVER, BYTES(0x18, 9, 0, 21, TOKEN, TOKEN, TOKEN),
	 QL_ERR_FRAME_ENCODING_ERROR, 0x18},
	{"one connection ID too many", SIM_SERVER, BYTES(0x18, 9, 0, 4, 1, 2, 3, 4, TOKEN),
	 QL_ERR_CONNECTION_ID_LIMIT_ERROR, 0x18},
	/* Streams: 0 is the client's first, 1 the server's, 2 and 3 the unidirectional ones */
	{"STREAM of a stream not opened", SIM_CLIENT, BYTES(0x08, 0x01, 0xaa),
	 QL_ERR_STREAM_STATE_ERROR, 0x08},
	{"STREAM of the receiver's own uni", SIM_CLIENT, BYTES(0x08, 0x03, 0xaa),
	 QL_ERR_STREAM_STATE_ERROR, 0x08},
	{"STREAM above the limit", SIM_CLIENT, BYTES(0x08, 0x42, 0x00, 0xaa),
	 QL_ERR_STREAM_LIMIT_ERROR, 0x08},
	{"stream of 2^60", SIM_CLIENT, BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc),
	 QL_ERR_STREAM_LIMIT_ERROR, 0x08},
	{"STREAM above its credit", SIM_CLIENT, BYTES(0x0c, 0x00, 0x80, 0x40, 0x00, 0x00, 0xaa),
	 QL_ERR_FLOW_CONTROL_ERROR, 0x0c},
	{"STREAM above 2^62", SIM_CLIENT, BYTES(0x0c, 0x00, MAX62, 0xaa),
	 QL_ERR_FRAME_ENCODING_ERROR, 0x0c},
	{"data behind the end", SIM_CLIENT,
	 BYTES(0x0f, 0x00, 0x01, 0x01, 0xaa, 0x0e, 0x00, 0x05, 0x01, 0xaa), QL_ERR_FINAL_SIZE_ERROR,
	 0x0e},
	{"RESET_STREAM below the data", SIM_CLIENT,
	 BYTES(0x0e, 0x00, 0x05, 0x02, 0xaa, 0xaa, 0x04, 0x00, 0x00, 0x05), QL_ERR_FINAL_SIZE_ERROR,
	 0x04},
	{"MAX_STREAM_DATA of a receiving stream", SIM_CLIENT, BYTES(0x11, 0x02, 0x01),
	 QL_ERR_STREAM_STATE_ERROR, 0x11},
	{"STOP_SENDING of a receiving stream", SIM_CLIENT, BYTES(0x05, 0x02, 0x01),
	 QL_ERR_STREAM_STATE_ERROR, 0x05},
	{"STREAM_DATA_BLOCKED of a sending stream", SIM_CLIENT, BYTES(0x15, 0x03, 0x01),
	 QL_ERR_STREAM_STATE_ERROR, 0x15},
	{"MAX_STREAMS above 2^60", SIM_CLIENT,
	 BYTES(0x12, 0xd0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01), QL_ERR_FRAME_ENCODING_ERROR,
	 0x12},
	{"ACK_FREQUENCY cut off", SIM_CLIENT, BYTES(0x40, 0xaf, 0x00, 0x01, 0x43, 0xe8),
	 QL_ERR_FRAME_ENCODING_ERROR, QL_FRAME_ACK_FREQUENCY},
	{"ACK_FREQUENCY of a type too long", SIM_SERVER,
	 BYTES(0x80, 0x00, 0x00, 0xaf, 0x00, 0x01, 0x43, 0xe8, 0x01), QL_ERR_PROTOCOL_VIOLATION,
	 QL_FRAME_ACK_FREQUENCY},
	/* CRYPTO after the handshake: tickets for a client only (RFC 9001, 6) */
	{"KeyUpdate to a server", SIM_CLIENT, BYTES(0x06, 0x00, 0x05, 24, 0, 0, 1, 0),
	 QL_ERR_CRYPTO(10), 0x06},
	{"CRYPTO far ahead", SIM_CLIENT, BYTES(0x06, 0x80, 0x01, 0x00, 0x00, 0x01, 0xaa),
	 QL_ERR_CRYPTO_BUFFER_EXCEEDED, 0x06},
	{"CRYPTO at the end of the world", SIM_CLIENT,
	 BYTES(0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x01, 0xaa),
	 QL_ERR_CRYPTO_BUFFER_EXCEEDED, 0x06},
};

static void check_closed(struct sim_pair *p, const struct offence *o)
{
	const struct sim_app *by = &p->app[!o->side], *of = &p->app[o->side];

	run_out(p, 40 * SEC);
	ck_assert_msg(by->closed == 1 && of->closed == 1, "%s: not closed", o->what);
	ck_assert_msg(by->close.cause == QL_CLOSE_LOCAL && of->close.cause == QL_CLOSE_PEER,
		      "%s: causes %d, %d", o->what, (int)by->close.cause, (int)of->close.cause);
	ck_assert_msg(by->close.error == o->error && of->close.error == o->error,
		      "%s: %llx told, %llx sent", o->what, (unsigned long long)by->close.error,
		      (unsigned long long)of->close.error);
	ck_assert(!by->close.application && !of->close.application);
	ck_assert_msg(of->close.frame_type == o->frame_type, "%s: frame %llx", o->what,
		      (unsigned long long)of->close.frame_type);
	ck_assert_msg(of->close.reason[0] != '\0', "%s: no reason", o->what);
}

START_TEST(test_offences)
{
	for (unsigned int i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
		const struct offence *o = &offences[i];
		struct sim_pair p;

		open_pair(&p);
		send_frames(&p, o->side, QL_SPACE_APP, o->frames, o->len);
		check_closed(&p, o);
		finish(&p);
	}
}
END_TEST

/* A client takes tickets, and nothing else, behind what the server has sent of them. */
START_TEST(test_crypto_to_client)
{
	static const struct {
		uint8_t type;
		uint64_t error;
	} cases[] = {{4, 0}, {24, QL_ERR_CRYPTO(10)}, {1, QL_ERR_CRYPTO(10)}};

	for (unsigned int i = 0; i < 3; i++) {
		struct offence o = {"CRYPTO to a client", SIM_SERVER, NULL, 0, 0, QL_FRAME_CRYPTO};
		uint8_t frame[20], *q;
		struct sim_pair p;

		open_pair(&p);
		q = ql_frame_put_crypto_hdr(frame, conn_of(&p, SIM_CLIENT)->late.in.offset, 5);
		memcpy(q, (const uint8_t[]){cases[i].type, 0, 0, 1, 0}, 5);
		send_frames(&p, SIM_SERVER, QL_SPACE_APP, frame, (size_t)(q + 5 - frame));
		o.error = cases[i].error;
		if (o.error == 0) {
			sim_run(p.sim, 100 * MS, NULL, NULL);
			ql_conn_close(conn_of(&p, SIM_CLIENT), 0, "");
			run_out(&p, 40 * SEC);
			ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
			ck_assert(p.app[SIM_CLIENT].close.application);
		} else {
			check_closed(&p, &o);
		}
		finish(&p);
	}
}
END_TEST

/* A packet without frames, and one with reserved bits. */
START_TEST(test_bad_packets)
{
	static const uint8_t flips[] = {0, QL_PKT_RESERVED_SHORT, 0x08, 0x10};

	for (unsigned int i = 0; i < sizeof(flips); i++) {
		const struct offence o = {
			"bad packet", SIM_CLIENT, NULL, 0, QL_ERR_PROTOCOL_VIOLATION, 0};
		struct ql_path path;
		uint8_t buf[2048];
		struct sim_pair p;
		size_t size;

		open_pair(&p);
		path = path_to(&p, SIM_CLIENT);
		size = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", flips[i] ? 1 : 0, flips[i],
				   buf);
		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
		check_closed(&p, &o);
		finish(&p);
	}
}
END_TEST

/* Frames that a packet of the handshake must not carry (12.4): in an Initial to the server. */
START_TEST(test_frames_in_initial)
{
	for (unsigned int type = 0x00; type <= 0x1f; type++) {
		bool allowed = type <= 0x03 || type == 0x06 || type == 0x1c;
		struct sim_job job = {.keep_open = true};
		uint8_t frames[40] = {(uint8_t)type};
		struct sim_pair p;

		if (type == 0x18) /* at least well-formed */
			frames[3] = 1;
		if (type == 0x07)
			frames[1] = 1;
		sim_pair_open(&p, 1, NULL, NULL, &job);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		/* The server has got the ClientHello, its answer is on the way. */
		sim_run(p.sim, 15 * MS, NULL, NULL);
		send_frames(&p, SIM_CLIENT, QL_SPACE_INITIAL, frames,
			    type == 0x03 ? 8 : sizeof(frames));
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		if (type == 0x1c) {
			ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 0);
			if (p.app[SIM_CLIENT].conn)
				ql_conn_close(p.app[SIM_CLIENT].conn, 0, "");
		} else if (allowed) {
			ck_assert_msg(p.app[SIM_SERVER].connected == 1, "type %x", type);
			ql_conn_close(p.app[SIM_CLIENT].conn, 0, "");
		} else {
			ck_assert_msg(p.app[SIM_SERVER].accepted == 0, "type %x", type);
			ck_assert_msg(p.app[SIM_CLIENT].close.cause == QL_CLOSE_PEER &&
					      p.app[SIM_CLIENT].close.error ==
						      QL_ERR_PROTOCOL_VIOLATION,
				      "type %x: cause %d error %llx", type,
				      (int)p.app[SIM_CLIENT].close.cause,
				      (unsigned long long)p.app[SIM_CLIENT].close.error);
		}
		run_out(&p, 40 * SEC);
		finish(&p);
	}
}
END_TEST

/* ---- What is answered ---- */

/*
 * What this side would send now: opened with the other side's keys, and looked through for frames
 * of a type. Returns how many; *size is the largest datagram.
 */
static unsigned int count_frames(struct sim_pair *p, unsigned int side, uint64_t type,
				 const uint8_t *path_data, size_t *size)
{
	struct ql_conn *peer = conn_of(p, !side);
	unsigned int found = 0, n;
	struct ql_datagram out[64];

	*size = 0;
	n = sim_take(p->sim, side, out, 64);
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = out[i].mbuf;
		struct ql_open_job job = {.aead = &peer->app.rx.aead,
					  .hp = &peer->app.rx.hp,
					  .pkt = rte_pktmbuf_mtod(m, uint8_t *),
					  .expected = peer->app.expected,
					  .pn_offset = 1 + QL_LOCAL_CID_LEN,
					  .len = m->data_len};
		const uint8_t *q, *end;
		struct ql_frame f;

		ck_assert_int_eq(ql_open_one(&job), 0);
		*size = m->data_len > *size ? m->data_len : *size;
		q = job.payload;
		end = q + job.payload_len;
		while (q < end) {
			ck_assert_int_eq(ql_frame_decode(&q, end, &f), 0);
			if (f.type != type)
				continue;
			found++;
			if (path_data)
				ck_assert_mem_eq(f.path_response.data, path_data, 8);
		}
		rte_pktmbuf_free(m);
	}
	return found;
}

START_TEST(test_path_challenge)
{
	static const uint8_t frame[] = {0x1a, 9, 8, 7, 6, 5, 4, 3, 2};
	struct sim_pair p;
	size_t size;

	for (unsigned int side = 0; side < 2; side++) {
		open_pair(&p);
		send_frames(&p, side, QL_SPACE_APP, frame, sizeof(frame));
		ck_assert_uint_eq(count_frames(&p, !side, QL_FRAME_PATH_RESPONSE, frame + 1, &size),
				  1);
		ck_assert_uint_eq(size, QL_INITIAL_MIN);
		/* A flood is answered a few times, not a thousand. */
		for (unsigned int i = 0; i < 1000; i++)
			send_frames(&p, side, QL_SPACE_APP, frame, sizeof(frame));
		ck_assert_uint_le(count_frames(&p, !side, QL_FRAME_PATH_RESPONSE, frame + 1, &size),
				  4);
		ql_conn_close(p.app[0].conn, 0, "");
		run_out(&p, 40 * SEC);
		finish(&p);
	}
}
END_TEST

/* The challenge's bytes come back although other packets follow at once. */
START_TEST(test_latest_challenges)
{
	struct sim_pair p;
	uint8_t frame[9] = {0x1a};
	size_t size;

	open_pair(&p);
	for (unsigned int i = 0; i < 3; i++) {
		frame[8] = (uint8_t)i;
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, frame, sizeof(frame));
	}
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_PATH_RESPONSE, NULL, &size), 3);
	ql_conn_close(p.app[0].conn, 0, "");
	run_out(&p, 40 * SEC);
	finish(&p);
}
END_TEST

/* New connection IDs that retire the old ones: they are, and the connection goes on. */
START_TEST(test_retire_prior_to)
{
	struct ql_cid cid = {0};
	uint8_t frame[100], *end;
	struct sim_pair p;
	struct ql_conn *server;
	uint64_t seq;

	open_pair(&p);
	server = conn_of(&p, SIM_SERVER);
	/* The server issues one of its own IDs again, under the next number. */
	seq = server->local_cids.next_seq++;
	ql_local_cid_make(&server->host->cids, server->host->rng, server->slot, &cid);
	end = ql_frame_put_new_cid(frame, frame + sizeof(frame), seq, seq, &cid,
				   (const uint8_t *)"0123456789abcdef");
	ck_assert_ptr_nonnull(end);
	server->local_cids.e[3] = (struct ql_local_cid){.cid = cid, .used = true, .seq = seq};
	send_frames(&p, SIM_SERVER, QL_SPACE_APP, frame, (size_t)(end - frame));
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert(ql_cid_eq(ql_peer_cid(&conn_of(&p, SIM_CLIENT)->peer_cids), &cid));
	/* Retired by the client, replaced by the server, up to what the client wants to keep. */
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		ck_assert(conn_of(&p, SIM_SERVER)->local_cids.e[i].used);
		ck_assert_uint_ge(conn_of(&p, SIM_SERVER)->local_cids.e[i].seq, seq);
	}
	ql_conn_close(p.app[SIM_CLIENT].conn, 9, "on the new ID");
	run_out(&p, 40 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(p.app[SIM_SERVER].close.error, 9);
	finish(&p);
}
END_TEST

/* ---- Key update (RFC 9001, 6) ---- */

/* This side moves to the next keys, as a peer that initiates an update. */
static void update_keys(struct sim_pair *p, unsigned int side)
{
	struct ql_conn *conn = conn_of(p, side);

	ck_assert_int_eq(ql_handshake_next_keys(conn), 0);
	/* what the other side still sends in the old phase is opened with the old keys */
	ck_assert_int_eq(ql_handshake_update_keys(conn, UINT64_MAX), 0);
}

START_TEST(test_key_update)
{
	for (unsigned int side = 0; side < 2; side++) {
		struct sim_job job = {.streams = 2, .download = 5 * MB, .upload = 5 * MB};
		struct ql_engine_stats s, c;
		struct sim_pair p;

		sim_pair_open(&p, 1, NULL, NULL, &job);
		sim_link(p.sim, !side)->reorder = SIM_MILLION / 20;
		sim_link(p.sim, side)->reorder = SIM_MILLION / 20;
		sim_link(p.sim, 0)->reorder_delay = sim_link(p.sim, 1)->reorder_delay = 3 * MS;
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		sim_run(p.sim, 80 * MS, NULL, NULL);
		for (unsigned int i = 0; i < 5 && p.app[side].conn; i++) {
			bool phase = conn_of(&p, side)->key_phase;

			update_keys(&p, side);
			sim_run(p.sim, 70 * MS, NULL, NULL);
			if (!p.app[!side].conn || !p.app[side].conn)
				break;
			ck_assert_uint_ne(conn_of(&p, side)->key_phase, phase);
			ck_assert_uint_ne(conn_of(&p, !side)->key_phase, phase);
		}
		run_out(&p, 60 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 2);
		ck_assert_uint_eq(p.app[SIM_CLIENT].received, 10 * MB);
		ck_assert_uint_eq(p.app[SIM_SERVER].received, 10 * MB);
		s = sim_pair_stats(&p, SIM_SERVER);
		c = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_eq(s.drops[QL_DROP_AUTH] + c.drops[QL_DROP_AUTH], 0);
		finish(&p);
	}
}
END_TEST

/* A flipped phase bit is a forgery: it changes nothing, and costs no memory each time. */
START_TEST(test_phase_forged)
{
	struct sim_pair p;
	uint64_t memory;

	open_pair(&p);
	memory = sim_pair_stats(&p, SIM_SERVER).memory_used;
	for (unsigned int i = 0; i < 50; i++) {
		struct ql_path path = path_to(&p, SIM_CLIENT);
		uint8_t buf[2048];
		size_t size =
			make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, QL_PKT_KEY_PHASE, buf);

		sim_inject(p.sim, SIM_SERVER, &path, buf, size);
	}
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_AUTH], 50);
	ck_assert(!conn_of(&p, SIM_SERVER)->key_phase);
	ck_assert_uint_le(sim_pair_stats(&p, SIM_SERVER).memory_used, memory + 4096);
	ql_conn_close(p.app[SIM_CLIENT].conn, 0, "");
	run_out(&p, 40 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	finish(&p);
}
END_TEST

/* Too many forgeries: the keys are not used any longer (RFC 9001, 6.6). */
START_TEST(test_integrity_limit)
{
	struct ql_conn *server;
	struct ql_path path;
	struct sim_pair p;
	uint8_t buf[2048];
	size_t size;

	open_pair(&p);
	server = conn_of(&p, SIM_SERVER);
	server->auth_failures = ql_suites[server->app.rx.aead.suite].integrity_limit;
	path = path_to(&p, SIM_CLIENT);
	size = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, buf);
	buf[size - 1] ^= 1;
	sim_inject(p.sim, SIM_SERVER, &path, buf, size);
	run_out(&p, 40 * SEC);
	ck_assert_int_eq(p.app[SIM_SERVER].close.cause, QL_CLOSE_LOCAL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_AEAD_LIMIT_REACHED);
	finish(&p);
}
END_TEST

/* ---- Acknowledgements ---- */

/* Every second packet at once, a single one within its delay, and out of order at once (13.2). */
START_TEST(test_ack_timing)
{
	struct sim_pair p;
	uint8_t ahead[2048];
	struct ql_path path;
	size_t size, n;

	open_pair(&p);
	path = path_to(&p, SIM_CLIENT);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_ACK, NULL, &size), 0);
	ck_assert_uint_le(ql_conn_deadline(conn_of(&p, SIM_SERVER)), sim_now(p.sim) + 5 * MS);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_ACK, NULL, &size), 1);
	/* one is missing */
	n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, ahead);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_ACK, NULL, &size), 1);
	/* and comes late */
	sim_inject(p.sim, SIM_SERVER, &path, ahead, n);
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_ACK, NULL, &size), 1);
	/* ACKs and PADDING are not answered */
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\0\0\0\0", 4);
	ck_assert_uint_eq(count_frames(&p, SIM_SERVER, QL_FRAME_ACK, NULL, &size), 0);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ql_conn_close(p.app[SIM_CLIENT].conn, 0, "");
	run_out(&p, 40 * SEC);
	finish(&p);
}
END_TEST

/* How many datagrams of a download one of the client's is for. */
static double packets_an_ack(uint64_t rate, uint64_t rtt)
{
	struct sim_job job = {.streams = 1, .download = rate / 8 * 4};
	struct sim_link link = {.rate = rate, .delay = rtt / 2, .wait = rtt / 2};
	struct sim_pair p;
	double ratio;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_pair_link(&p, &link);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ratio = (double)sim_link_stats(p.sim, SIM_SERVER)->datagrams /
		(double)sim_link_stats(p.sim, SIM_CLIENT)->datagrams;
	finish(&p);
	return ratio;
}

/*
 * The more a round trip brings the more an ACK is for, but not above 32 packets, or 64 where the
 * sender asks for it, nor so many that there are not 8 ACKs in a round trip.
 */
START_TEST(test_ack_rate)
{
	double r;

	r = packets_an_ack(5 * MB, 40 * MS); /* 20 packets */
	ck_assert_msg(r > 1.7 && r < 2.6, "%.2f", r);
	r = packets_an_ack(40 * MB, 40 * MS); /* 160; acknowledged by twenties */
	ck_assert_msg(r > 8 && r < 21, "%.2f", r);
	r = packets_an_ack(100 * MB, 100 * MS); /* 1,000 */
	ck_assert_msg(r > 20 && r < 65, "%.2f", r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/receive");
	TCase *tc = new_case(s, "receive");

	tcase_add_test(tc, test_offences);
	tcase_add_test(tc, test_crypto_to_client);
	tcase_add_test(tc, test_bad_packets);
	tcase_add_test(tc, test_frames_in_initial);
	tcase_add_test(tc, test_path_challenge);
	tcase_add_test(tc, test_latest_challenges);
	tcase_add_test(tc, test_retire_prior_to);
	tcase_add_test(tc, test_key_update);
	tcase_add_test(tc, test_phase_forged);
	tcase_add_test(tc, test_integrity_limit);
	tcase_add_test(tc, test_ack_timing);
	tcase_add_test(tc, test_ack_rate);
	return run_suite(s);
}
