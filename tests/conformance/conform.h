// SPDX-License-Identifier: BSD-3-Clause
/*
 * For the conformance tests: a client that misbehaves on purpose, and a witness who notes every
 * packet that either side sends, opened with the sender's own keys.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include "unit/test_engine_util.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include <qlane/error.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* ---- The witness ---- */

/* A packet that was sent. */
struct noted {
	uint64_t time;
	unsigned int side;
	unsigned int datagram; /* a number common to the packets of one */
	size_t datagram_size;
	struct ql_path path;
	uint8_t ecn;
	bool passed; /* not lost by `pass` */
	struct ql_cid dcid, scid;
	enum ql_pkt_type type;
	size_t token_len;
	uint8_t first; /* without header protection */
	uint64_t pn;
	unsigned int pn_len;
	/* Its frames, from here on only when opened. */
	bool opened;
	uint64_t frames; /* a bit for each type below 63, the last for all others */
	bool eliciting;
	struct ql_frame_ack ack; /* the last one; its ranges are gone */
	bool close_app;
	uint64_t close_code;
	size_t reason_len;
	uint8_t challenge[QL_PATH_DATA_LEN]; /* of PATH_CHALLENGE */
	uint64_t crypto_offset, crypto_len; /* of the last CRYPTO frame, and the hash of its data */
	uint64_t crypto_hash;
};

struct witness {
	struct sim_pair *p;
	struct noted *log;
	unsigned int n, max, datagrams;
	/* Which datagrams get through, may be NULL: the packets that they hold, and their size. */
	bool (*pass)(struct witness *w, unsigned int side, const struct noted *first,
		     unsigned int n);
	unsigned int counter; /* for pass */
	struct witness_side {
		struct witness *w;
		unsigned int side;
	} sides[2];
};

#define HAS(noted, frame) (((noted)->frames >> (frame)) & 1)

/* Nothing but frames that may probe another path (RFC 9000, 9.1). */
static UNUSED bool only_probes(const struct noted *k)
{
	const uint64_t probes =
		UINT64_C(1) << QL_FRAME_PADDING | UINT64_C(1) << QL_FRAME_NEW_CONNECTION_ID |
		UINT64_C(1) << QL_FRAME_PATH_CHALLENGE | UINT64_C(1) << QL_FRAME_PATH_RESPONSE;

	return k->opened && (k->frames & ~probes) == 0;
}

/* Whatever connection this side's engine has; the server's is not announced for a while. */
static UNUSED struct ql_conn *some_conn(struct sim_pair *p, unsigned int side)
{
	struct ql_engine *e = sim_engine(p->sim, side);

	for (uint32_t i = 0; i < e->table.n_slots; i++) {
		struct ql_engine_conn *ec = ql_conntable_at(&e->table, i);

		if (ec)
			return &ec->conn;
	}
	return NULL;
}

static UNUSED void note_frames(struct noted *k, const struct ql_open_job *job)
{
	const uint8_t *q = job->payload, *end = q + job->payload_len;
	struct ql_frame f;

	k->opened = true;
	k->pn = job->pn;
	k->pn_len = job->pn_len;
	k->first = job->first;
	while (q < end) {
		ck_assert_int_eq(ql_frame_decode(&q, end, &f), 0);
		ck_assert(ql_frame_allowed(f.wire_type, k->type));
		k->frames |= UINT64_C(1) << (f.wire_type < 63 ? f.wire_type : 63);
		k->eliciting |= (ql_frame_flags(f.wire_type) & QL_FRAME_F_ACKED) != 0;
		if (f.type == QL_FRAME_ACK) {
			k->ack = f.ack;
			k->frames |= UINT64_C(1) << QL_FRAME_ACK; /* of either type */
		}
		if (f.type == QL_FRAME_CONNECTION_CLOSE) {
			k->close_app = f.close.app;
			k->close_code = f.close.code;
			k->reason_len = f.close.reason_len;
		}
		if (f.type == QL_FRAME_PATH_CHALLENGE)
			memcpy(k->challenge, f.path_challenge.data, sizeof(k->challenge));
		if (f.type == QL_FRAME_CRYPTO) {
			k->crypto_offset = f.crypto.offset;
			k->crypto_len = f.crypto.len;
			k->crypto_hash =
				ql_siphash(&(struct ql_sipkey){1, 2}, f.crypto.data, f.crypto.len);
		}
	}
}

static UNUSED void note_packet(struct witness *w, struct noted *k, uint8_t *pkt,
			       const struct ql_pkt_hdr *hdr)
{
	struct ql_conn *conn = some_conn(w->p, k->side);
	enum ql_space_id id = hdr->type == QL_PKT_INITIAL     ? QL_SPACE_INITIAL
			      : hdr->type == QL_PKT_HANDSHAKE ? QL_SPACE_HANDSHAKE
							      : QL_SPACE_APP;
	struct ql_space *sp = conn ? ql_conn_space(conn, id) : NULL;
	const struct ql_keys *keys = sp ? &sp->tx : NULL;
	struct ql_open_job job = {
		.pkt = pkt, .pn_offset = (uint16_t)hdr->pn_offset, .len = (uint16_t)hdr->size};

	k->type = hdr->type;
	k->token_len = hdr->token_len;
	k->first = hdr->first;
	ql_cid_set(&k->dcid, hdr->dcid.p, hdr->dcid.len);
	ql_cid_set(&k->scid, hdr->scid.p, hdr->scid.len);
	if (hdr->type == QL_PKT_ZERO_RTT)
		keys = conn && conn->hs && !conn->server ? &conn->hs->zero_rtt : NULL;
	else if (hdr->type != QL_PKT_INITIAL && hdr->type != QL_PKT_HANDSHAKE &&
		 hdr->type != QL_PKT_SHORT)
		keys = NULL;
	if (!keys || !keys->ready)
		return;
	job.aead = &keys->aead;
	job.hp = &keys->hp;
	job.expected = ql_rec_next_pn(&conn->rec, id);
	if (ql_open_one(&job) == 0)
		note_frames(k, &job);
}

static UNUSED bool witness_filter(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct witness_side *side = arg;
	struct witness *w = side->w;
	const uint8_t *dgram = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	size_t len = d->mbuf->data_len, off = 0;
	unsigned int first = w->n;
	uint8_t copy[2048];
	bool passed;

	ck_assert_uint_le(len, sizeof(copy));
	memcpy(copy, dgram, len);
	while (off < len) {
		struct ql_pkt_hdr hdr;
		struct noted *k;

		ck_assert_int_eq(ql_pkt_parse(copy + off, len - off, QL_LOCAL_CID_LEN, &hdr), 0);
		if (w->n == w->max) {
			w->max = w->max ? 2 * w->max : 256;
			w->log = realloc(w->log, w->max * sizeof(*w->log));
			ck_assert_ptr_nonnull(w->log);
		}
		k = &w->log[w->n++];
		*k = (struct noted){.time = now,
				    .side = side->side,
				    .datagram = w->datagrams,
				    .datagram_size = len,
				    .path = d->path,
				    .ecn = d->ecn};
		note_packet(w, k, copy + off, &hdr);
		off += hdr.size;
	}
	w->datagrams++;
	passed = !w->pass || w->pass(w, side->side, &w->log[first], w->n - first);
	for (unsigned int i = first; i < w->n; i++)
		w->log[i].passed = passed;
	return passed;
}

/* From now on. */
static UNUSED void witness_start(struct witness *w, struct sim_pair *p)
{
	memset(w, 0, sizeof(*w));
	w->p = p;
	for (unsigned int i = 0; i < 2; i++) {
		w->sides[i] = (struct witness_side){.w = w, .side = i};
		sim_link(p->sim, i)->filter = witness_filter;
		sim_link(p->sim, i)->arg = &w->sides[i];
	}
}

static UNUSED void witness_end(struct witness *w)
{
	for (unsigned int i = 0; i < 2; i++)
		sim_link(w->p->sim, i)->filter = NULL;
	free(w->log);
}

/* The first packet at or behind `from` of this side and type with such a frame; w->n if none. */
static UNUSED unsigned int find(const struct witness *w, unsigned int from, unsigned int side,
				enum ql_pkt_type type, uint64_t frame)
{
	for (; from < w->n; from++) {
		const struct noted *k = &w->log[from];

		if (k->side == side && k->type == type && HAS(k, frame))
			break;
	}
	return from;
}

/* ---- Connections ---- */

/* An open connection without streams. */
static UNUSED void open_idle(struct sim_pair *p)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_CLIENT].connected, 1);
	ck_assert_uint_eq(p->app[SIM_SERVER].connected, 1);
}

/* It works until now, and ends well. */
static UNUSED void close_idle(struct sim_pair *p)
{
	sim_run(p->sim, 100 * MS, NULL, NULL);
	ql_conn_close(conn_of(p, SIM_CLIENT), 11, "done");
	run_out(p, 40 * SEC);
	ck_assert_int_eq(p->app[SIM_SERVER].close.cause, QL_CLOSE_PEER);
	ck_assert_uint_eq(p->app[SIM_SERVER].close.error, 11);
	finish(p);
}

/* The other side of `offender` has closed with a transport error, and `offender` is told which. */
static UNUSED void expect_error(struct sim_pair *p, unsigned int offender, uint64_t error,
				const char *what)
{
	const struct sim_app *of = &p->app[offender];

	run_out(p, 40 * SEC);
	ck_assert_msg(of->closed == 1 && of->close.cause == QL_CLOSE_PEER, "%s: cause %d", what,
		      (int)of->close.cause);
	ck_assert_msg(!of->close.application && of->close.error == error, "%s: error %llx", what,
		      (unsigned long long)of->close.error);
	finish(p);
}

/* ---- ClientHellos and EncryptedExtensions ---- */

#define EXT_ALPN	      16
#define EXT_TRANSPORT	      57
#define EXT_TRANSPORT_DRAFT   0xffa5
#define HELLO_SESSION_ID_SIZE 38 /* where its length is: type, length, version, random */

/* The first message of a level, which has not been sent, and what follows it. */
struct hello {
	struct ql_conn *conn;
	enum ql_space_id space;
	size_t len, n_rest;
	uint8_t b[4096], rest[8192];
};

static UNUSED void hello_get(struct ql_conn *conn, enum ql_space_id space, struct hello *h)
{
	struct ql_sendbuf *out = &conn->hs->crypto_out[space];

	ck_assert_uint_eq(out->sent, 0);
	h->conn = conn;
	h->space = space;
	ck_assert_uint_ge(out->size, 4);
	ql_sendbuf_copy_out(out, 0, h->b, 4);
	h->len = 4 + (size_t)ql_get_be16(h->b + 2);
	ck_assert(h->len <= sizeof(h->b) && h->len <= out->size);
	ql_sendbuf_copy_out(out, 0, h->b, h->len);
	h->n_rest = out->size - h->len;
	ck_assert_uint_le(h->n_rest, sizeof(h->rest));
	if (h->n_rest > 0)
		ql_sendbuf_copy_out(out, h->len, h->rest, h->n_rest);
}

static UNUSED void hello_set(struct hello *h)
{
	struct ql_sendbuf *out = &h->conn->hs->crypto_out[h->space];
	struct ql_mem *mem = h->conn->host->mem;

	ql_put_be16(h->b + 2, (uint16_t)(h->len - 4));
	ql_sendbuf_drop(out, mem);
	ql_sendbuf_init(out);
	ck_assert_uint_eq(ql_sendbuf_copy_in(out, mem, h->b, h->len), h->len);
	ck_assert_uint_eq(ql_sendbuf_copy_in(out, mem, h->rest, h->n_rest), h->n_rest);
}

/* Where the extensions' length is. */
static UNUSED size_t hello_extensions(const struct hello *h)
{
	size_t at = HELLO_SESSION_ID_SIZE;

	if (h->b[0] == 8) /* EncryptedExtensions are nothing else */
		return 4;
	at += 1 + (size_t)h->b[at];
	at += 2 + (size_t)ql_get_be16(h->b + at);
	return at + 1 + h->b[at];
}

/* Take an extension out; its content goes to old. Returns the content's length. */
static UNUSED size_t hello_take(struct hello *h, uint16_t type, uint8_t old[1024])
{
	size_t list = hello_extensions(h), at = list + 2;

	while (at < h->len) {
		size_t len = ql_get_be16(h->b + at + 2);

		if (ql_get_be16(h->b + at) == type) {
			ck_assert_uint_le(len, 1024);
			memcpy(old, h->b + at + 4, len);
			memmove(h->b + at, h->b + at + 4 + len, h->len - at - 4 - len);
			h->len -= 4 + len;
			ql_put_be16(h->b + list, (uint16_t)(h->len - list - 2));
			return len;
		}
		at += 4 + len;
	}
	ck_abort_msg("extension %u is not there", type);
	return 0;
}

static UNUSED void hello_put(struct hello *h, uint16_t type, const uint8_t *data, size_t len)
{
	size_t list = hello_extensions(h);

	ql_put_be16(h->b + h->len, type);
	ql_put_be16(h->b + h->len + 2, (uint16_t)len);
	memcpy(h->b + h->len + 4, data, len);
	h->len += 4 + len;
	ql_put_be16(h->b + list, (uint16_t)(h->len - list - 2));
}

/* Give a transport parameter other bytes: take it out if there, then append it unless NULL. */
static UNUSED void hello_param(struct hello *h, uint64_t id, const uint8_t *data, size_t len)
{
	uint8_t old[1024], out[1200], *o = out;
	size_t n = hello_take(h, EXT_TRANSPORT, old);
	const uint8_t *q = old, *end = old + n;

	while (q < end) {
		const uint8_t *start = q;
		uint64_t key, size;

		ck_assert_int_eq(ql_varint_get(&q, end, &key), 0);
		ck_assert_int_eq(ql_varint_get(&q, end, &size), 0);
		q += size;
		if (key == id)
			continue;
		memcpy(o, start, (size_t)(q - start));
		o += q - start;
	}
	if (data) {
		o = ql_varint_put(o, id);
		o = ql_varint_put(o, len);
		memcpy(o, data, len);
		o += len;
	}
	hello_put(h, EXT_TRANSPORT, out, (size_t)(o - out));
}

#endif
