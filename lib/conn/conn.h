// SPDX-License-Identifier: BSD-3-Clause
/*
 * One QUIC connection: handshake, packets in and out, connection IDs, closing (RFC 9000, 9001).
 *
 * The struct and its sources, one concern each:
 *
 *	conn.c		life, deadlines, the public accessors
 *	handshake.c	TLS, CRYPTO streams, keys installed and dropped, transport parameters
 *	version.c	which version of QUIC it speaks (RFC 9368)
 *	receive.c	from an opened packet to its frames
 *	send.c		from what is pending to packets ready for sealing
 *	sent.c		what acknowledgement and loss of a frame mean
 *	close.c		closing, draining, time-outs
 *	path.c		paths: validation, migration
 *	cid.c		connection IDs
 *	session.c	what a client keeps for its next connection
 *	early.c		early data (0-RTT)
 *	rest.c		the keys of a connection that rests
 *	ackfreq.c	when to acknowledge, and how often to ask the peer for it
 *	datagram.c	the queue of unreliable datagrams (RFC 9221)
 *
 * The engine drives it, always in this order, on one thread:
 *
 *	receive:  ql_conn_open_job(), [unmask the burst], ql_conn_open_phase(), [open the burst],
 *		  ql_conn_recv()
 *	timer:	  ql_conn_on_deadline()
 *	send:	  ql_conn_send() of each connection on host->ready, [seal the burst], then
 *		  ql_conn_deadline() tells when to call again
 *
 * Whatever changes what could be sent or when, puts the connection on host->ready by
 * ql_conn_wake(); nothing else has to watch it. Once ql_conn_gone() says so the engine calls
 * ql_conn_fini() and gives the memory back.
 */
#ifndef QL_CONN_CONN_H
#define QL_CONN_CONN_H

#include <qlane/conn.h>
#include <qlane/engine.h>
#include <qlane/stream.h>

#include "base/prefetch.h"
#include "conn/ackfreq.h"
#include "conn/cid.h"
#include "conn/datagram.h"
#include "conn/host.h"
#include "conn/path.h"
#include "conn/session.h"
#include "conn/trace.h"
#include "conn/version.h"
#include "crypto/protect.h"
#include "crypto/secret.h"
#include "crypto/tls.h"
#include "recovery/loss.h"
#include "recovery/ranges.h"
#include "stream/recvbuf.h"
#include "stream/sendbuf.h"
#include "stream/streams.h"
#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/tparams.h"

#define QL_CONN_ACK_RANGES    32    /* of received packet numbers, a space */
#define QL_CONN_CRYPTO_BUFFER 65536 /* CRYPTO bytes that may wait, a level (7.5) */
#define QL_CONN_PROTOS	      8	    /* application protocols of an endpoint */
#define QL_CONN_REASON	      79    /* bytes of a reason phrase that are kept or sent */
#define QL_CONN_BURST	      32    /* datagrams one connection sends before others' turn */
/* Packets of no use that a peer may send: so many at once, then one an interval (21.9). */
#define QL_CONN_USELESS_BURST	 10000
#define QL_CONN_USELESS_INTERVAL QL_NSEC_PER_MSEC
#define QL_CONN_USELESS_SIZE	 600 /* bytes of payload, below which a packet can be that */
#define QL_CONN_USELESS_OFFSET	 4   /* one of use makes good for so many without */
/* Packet numbers from one that is left out to the next: at least, and by chance so many more. */
#define QL_CONN_SKIP_LEAST 256
#define QL_CONN_SKIP_RANGE 4096 /* a power of two */
#define QL_CONN_PN_SPARE   4096 /* packet numbers kept for the end: one burst, and the close */
#define QL_CONN_PN_END	   (QL_VARINT_MAX - QL_CONN_PN_SPARE)
#define QL_CONN_REST \
	QL_NSEC_PER_SEC	   /* without a packet, after which expanded keys are given back */
#define QL_TOKEN_VERSION 4 /* bytes in front of a token that the application keeps */

/* Packet number spaces (12.3); also the index into ql_recovery's. */
enum ql_space_id {
	QL_SPACE_INITIAL,
	QL_SPACE_HANDSHAKE,
	QL_SPACE_APP,
	QL_SPACES,
};

enum ql_conn_state {
	QL_CONN_HANDSHAKE, /* TLS not complete */
	QL_CONN_COMPLETE,  /* complete; the client still waits for HANDSHAKE_DONE */
	QL_CONN_CONFIRMED, /* handshake confirmed (RFC 9001, 4.1.2) */
	QL_CONN_CLOSING,   /* we have sent CONNECTION_CLOSE, or are about to (10.2.1) */
	QL_CONN_DRAINING,  /* the peer has (10.2.2); nothing is sent any more */
	QL_CONN_GONE,	   /* over: the engine may free it */
};

/* What a listener or a connecting application asked for; shared by its connections. */
struct ql_endpoint {
	struct ql_tls_ctx *tls;
	struct ql_transport transport; /* without zeroes: defaults filled in */
	struct ql_proto protos[QL_CONN_PROTOS];
	unsigned int n_protos;
	bool server;
};

/* Keys of one direction. */
struct ql_keys {
	struct ql_aead aead;
	struct ql_hp hp;
	bool ready;
};

/* Receive side and keys of one packet number space. */
struct ql_space {
	struct ql_keys rx, tx;
	struct ql_ranges received; /* packet numbers */
	uint64_t expected;	   /* largest received + 1 */
	uint64_t largest_time;	   /* when the largest ack-eliciting one came, ns */
	uint64_t ack_deadline;	   /* an ACK must leave by then; QL_NEVER */
	struct ql_ecn_counts ecn;
	uint16_t unacked; /* ack-eliciting packets since the last ACK we sent */
	bool ack_now;
	bool ping; /* a PTO probe that has nothing else to carry */
};

/* What only the handshake needs; freed when it is confirmed and nothing of it is outstanding. */
struct ql_handshake {
	struct ql_tls *tls;
	struct ql_recvbuf crypto_in[QL_SPACE_APP]; /* what comes at 1-RTT goes to ql_conn.late */
	struct ql_sendbuf crypto_out[QL_SPACES];
	struct ql_cid original_dcid; /* of the client's first Initial */
	struct ql_cid retry_scid;    /* of the Retry packet, if retried */
	bool retried;	/* the client has shown its address by way of a Retry (8.1.2) */
	uint8_t *token; /* client: for its Initial packets */
	uint16_t token_len;
	struct ql_cid peer_scid; /* of the peer's first Initial */
	bool peer_scid_known;
	struct ql_endpoint endpoint;
	uint64_t started;
	uint64_t deadline; /* of the handshake; when it is complete: of what is still kept */
	uint64_t rx_bytes, tx_bytes; /* for the amplification limit (8.1) */
	struct ql_addr preferred;    /* the server's other address, to go to; port 0: none */
	/* conn/version.h */
	uint32_t first_version; /* of the client's first flight */
	bool version_settled;	/* a client knows that ql_conn.version is the server's */
	bool restarted;		/* a client, after a Version Negotiation packet */
	char *sni;		/* for that; NULL */
	/* Initial packets of another version: that of the first flight, or one that may be it. */
	struct ql_keys other_rx;
	uint32_t other_version;
	/* Client, for its next connection. */
	bool wants_session;		   /* the application does, and has not got one */
	char name[256];			   /* of the server; "" for none */
	uint8_t params[QL_SESSION_PARAMS]; /* of the server's parameters what is remembered */
	struct ql_keys zero_rtt; /* of early data: a client's to send, a server's to receive */
	bool tell_early;	 /* the application of a client may begin */
	uint16_t params_len;
};

/* CRYPTO bytes at 1-RTT, for which TLS is no longer there: looked at, and not used. */
struct ql_late_crypto {
	struct ql_recvbuf in;
	struct ql_tls_messages messages;
};

/*
 * What a packet touches lies together: up to peer_cids here, in the first parts of peer_cids,
 * local_cids, datagrams, stats and streams, and in the middle of rec.
 */
struct ql_conn {
	struct ql_conn_host *host;
	TAILQ_ENTRY(ql_conn) ready_link;
	bool on_ready;
	bool due;      /* its timer has fired since it was sent from: the engine's */
	uint8_t state; /* enum ql_conn_state */
	bool server;
	bool key_phase; /* of what we send and expect */
	uint8_t ack_delay_exponent;
	bool watched;	     /* by host->tracer */
	bool peer_validated; /* address (8.1): no amplification limit */
	bool idle_restarted; /* by something ack-eliciting sent since the last packet came (10.1) */
	bool ping;	     /* send a PING if there is nothing else to acknowledge */
	bool path_due;	     /* paths have something to send */
	bool app_open;	     /* the application may open streams, and send */
	bool cids_due;	     /* some of local_cids have to_send */
	bool filled;	     /* the last datagram with data was full: larger ones were of use */
	bool grease;	     /* the peer does not look at the fixed bit (RFC 9287) */
	bool no_migration;   /* the server does not want it (18.2) */
	bool send_handshake_done;
	bool send_new_token;
	uint8_t probes; /* to send now, whatever the window says (RFC 9002, 6.2.4) */
	uint8_t probe_space;
	uint8_t ecn_told;	 /* enum ql_ecn_state that host->stats knows of */
	uint32_t slot;		 /* in the engine's table */
	uint32_t cid_epoch;	 /* of host->cids, when local_cids were all made */
	uint32_t early_end_pn;	 /* early data below it was rejected; 0: none was */
	struct ql_path path;	 /* in use */
	struct ql_handshake *hs; /* NULL once done */
	struct ql_paths *paths;	 /* NULL while there is only the first one */
	struct ql_space *early;	 /* [0] Initial, [1] Handshake; NULL once both are dropped */
	void *user;
	struct ql_space app;
	struct ql_ack_rule ack_rule; /* of that space */
	uint64_t ack_delay;	     /* ns that an ACK may wait */
	uint64_t path_cid_seq;	     /* of our ID that the peer uses on path */
	uint64_t rx_cid_seq;	     /* sequence number of the ID that the running packet came to */
	uint64_t phase_first_pn;     /* lowest packet opened in the running key phase; QL_PN_NONE */
	uint64_t tx_end_pn;	/* packet number at which the keys, or the numbers, are used up */
	uint64_t tx_update_pn;	/* the packet number from which we want new keys */
	uint64_t skip_pn;	/* the next number that is left out, see send.c */
	uint64_t useless_until; /* when the allowance of useless packets is full again, ns */
	uint64_t idle_timeout;	/* ns, the smaller of both ends'; 0 for none */
	uint64_t keep_alive;	/* ns of silence; 0: none */
	uint64_t idle_deadline;
	uint64_t pace_deadline; /* when the pacer lets more go; QL_NEVER */
	uint64_t path_deadline; /* of conn->paths; QL_NEVER */
	uint64_t keep_alive_at; /* when silence is to be broken; QL_NEVER */
	uint64_t blocked_at;	/* when to say again that we wait for credit; QL_NEVER */
	uint64_t rest_at;	/* when to see whether packets still come and go; QL_NEVER */
	uint64_t rx_old_until;	/* when rx_old is dropped, ns */
	struct ql_aead rx_old;	/* previous key phase, for late packets */
	struct ql_ack_ask ack_ask;
	struct ql_peer_cids peer_cids;
	struct ql_local_cids local_cids;
	struct ql_streams streams;
	struct ql_recovery rec;
	struct ql_datagrams datagrams;
	struct ql_conn_stats stats;

	/* Now and then. */
	const struct ql_conn_ops *ops;	       /* NULL until ALPN is agreed on */
	uint32_t version;		       /* in use: see conn/version.h */
	struct ql_secret rx_secret, tx_secret; /* of the running key phase */
	struct ql_aead rx_next;		       /* next one, once its bit has been seen */
	uint64_t tx_phase_pn;		       /* first packet that may be sealed in it */
	uint64_t auth_failures;		       /* for the integrity limit (RFC 9001, 6.6) */
	struct ql_late_crypto late;
	bool initial_done;	 /* a client has sent a Handshake packet: Initial keys can go */
	bool announced;		 /* the application knows of it and is owed closed() */
	uint8_t early_data;	 /* enum ql_early */
	uint32_t rest_packets;	 /* how many there were when rest_at was set */
	uint64_t peer_cid_limit; /* its active_connection_id_limit */
	uint64_t handshake_ns;
	const char *alpn;
	void *trace; /* host->tracer's, if watched */

	/* The end. */
	struct ql_close_info close;
	char reason[QL_CONN_REASON + 1];
	bool told;	       /* closed() has been called */
	bool close_pending;    /* send CONNECTION_CLOSE at the next visit */
	uint64_t close_until;  /* end of closing or draining, ns */
	uint32_t close_rx;     /* packets that came while closing; every 2^n-th is answered */
	uint64_t close_credit; /* bytes that such answers may still have (10.2.1) */
	uint32_t close_size;   /* bytes of one */
};

/* ---- Life ---- */

/* What the token in a client's first Initial has shown. */
struct ql_validation {
	bool validated;		     /* the client has its address */
	bool retried;		     /* by a Retry's token: then original_dcid is valid */
	struct ql_cid original_dcid; /* where its Initial before the Retry went */
};

/*
 * Start the server's side for a client's first Initial. conn is memory of the engine's, slot its
 * place there. The packet itself is given to ql_conn_recv_long() afterwards; if that does
 * not authenticate it, the engine drops the connection again.
 * 0, or -ENOMEM with nothing left behind.
 */
int ql_conn_init_server(struct ql_conn *conn, struct ql_conn_host *host, uint32_t slot,
			const struct ql_endpoint *endpoint, const struct ql_pkt_hdr *initial,
			const struct ql_path *path, const struct ql_validation *validation);

/* endpoint is copied. 0; -EINVAL; -ENOMEM. */
int ql_conn_init_client(struct ql_conn *conn, struct ql_conn_host *host, uint32_t slot,
			const struct ql_endpoint *endpoint, const char *sni,
			const struct ql_path *path, void *user);

/* Callbacks that are still owed, then free everything the connection holds, but not conn itself. */
void ql_conn_fini(struct ql_conn *conn);

static inline bool ql_conn_gone(const struct ql_conn *conn)
{
	return conn->state == QL_CONN_GONE;
}

/* The probe timeout without backoff (RFC 9002, 6.2.1), ns. */
static inline uint64_t ql_conn_pto(const struct ql_conn *conn)
{
	const struct ql_recovery *r = &conn->rec;

	return ql_rtt_pto(&r->path.rtt, r->confirmed ? r->max_ack_delay : 0);
}

/* Ask for what a packet touches of a connection, since others were busy before: some 30 lines. */
static inline void ql_conn_prefetch(const struct ql_conn *conn)
{
	ql_prefetch_lines(conn, &conn->peer_cids.e[1]);
	ql_prefetch_lines(&conn->local_cids.e[0], &conn->local_cids.e[1]);
	ql_prefetch_lines(&conn->streams,
			  conn->streams.sched.head[QL_SCHED_URGENCY(QL_URGENCY_DEFAULT) + 1]);
	ql_prefetch_lines(&conn->rec.space[QL_REC_APP], &conn->rec.path.cc.cubic.undo);
	ql_prefetch_lines(&conn->datagrams, &conn->datagrams.queue);
	ql_prefetch_lines(&conn->stats, &conn->stats.lost_packets);
}

/*
 * Then, when that is there: what it points to. Keys of the AEAD are asked for as a burst is sealed or
 * opened, but for those of the first packet.
 */
static inline void ql_conn_prefetch_rx(const struct ql_conn *conn)
{
	ql_hp_prefetch(&conn->app.rx.hp);
	ql_streams_prefetch_rx(&conn->streams);
	ql_sent_prefetch_oldest(&conn->rec.space[QL_REC_APP].sent);
}
static inline void ql_conn_prefetch_tx(const struct ql_conn *conn)
{
	if (conn->app.tx.ready)
		ql_hp_prefetch(&conn->app.tx.hp);
	ql_streams_prefetch_tx(&conn->streams);
	ql_sent_prefetch_next(&conn->rec.space[QL_REC_APP].sent);
}

/* Put it on the ready list, once. */
static inline void ql_conn_wake(struct ql_conn *conn)
{
	if (!conn->on_ready) {
		conn->on_ready = true;
		TAILQ_INSERT_TAIL(&conn->host->ready, conn, ready_link);
	}
}

/* ---- Receive ---- */

/*
 * Prepare a short-header packet of this connection for the burst: fills all that ql_unmask_burst()
 * asks for. cid_seq comes from ql_local_cids_find().
 * 0, or -(1 + enum ql_drop) when it is to be dropped (no keys yet, closing).
 */
int ql_conn_open_job(struct ql_conn *conn, uint8_t *pkt, size_t len, size_t cid_len,
		     struct ql_open_job *job);

/* Between unmasking and opening: choose the key by the key phase bit (RFC 9001, 6). */
void ql_conn_open_phase(struct ql_conn *conn, struct ql_open_job *job);

/*
 * Handle an opened short-header packet. job->result < 0 counts as failed authentication.
 * dgram is the datagram it came in; its mbuf stays the caller's.
 */
void ql_conn_recv(struct ql_conn *conn, struct ql_open_job *job, const struct ql_datagram *dgram);

/*
 * Open and handle one long-header packet of dgram: hdr was parsed at pkt.
 * True if it authenticated.
 */
bool ql_conn_recv_long(struct ql_conn *conn, const struct ql_pkt_hdr *hdr, uint8_t *pkt,
		       const struct ql_datagram *dgram);

/*
 * A server cannot tell yet whether it takes early data: 0-RTT packets should wait a little, for the
 * rest of the ClientHello.
 */
bool ql_early_undecided(const struct ql_conn *conn);

/* A server still opens 0-RTT packets, whose destination may be the ID that the client began with.
 */
bool ql_early_awaited(const struct ql_conn *conn);

/* A Version Negotiation packet came to a client. */
void ql_conn_recv_version_negotiation(struct ql_conn *conn, const struct ql_pkt_hdr *hdr);

/* A Retry packet came to a client (17.2.5). */
void ql_conn_recv_retry(struct ql_conn *conn, const struct ql_pkt_hdr *hdr, const uint8_t *pkt);

/* Count bytes of a datagram for the amplification limit, before its packets are handled. */
void ql_conn_count_rx(struct ql_conn *conn, size_t bytes);

/* ---- Send ---- */

/*
 * Datagrams and their packets, filled by many connections, sealed together. Jobs may point to data
 * that streams hold: they are sealed before any of it is given back.
 */
struct ql_tx_burst {
	struct ql_datagram *out;
	struct ql_seal_job *jobs;
	unsigned int n, max;	       /* datagrams */
	unsigned int n_jobs, max_jobs; /* QL_SPACES jobs must be free for each further datagram */
	unsigned int sealed;	       /* of n_jobs */
};

static inline void ql_tx_burst_seal(struct ql_tx_burst *burst)
{
	ql_seal_burst(burst->jobs + burst->sealed, burst->n_jobs - burst->sealed);
	burst->sealed = burst->n_jobs;
}

/*
 * Assemble what may be sent now, at most QL_CONN_BURST datagrams.
 * True when it has more to send right away: keep it on the ready list.
 */
bool ql_conn_send(struct ql_conn *conn, struct ql_tx_burst *burst);

/*
 * train.c: full datagrams of one stream's data, if nothing else is due: so many at most, and as long as
 * there is credit, which they are taken from. How many. Only behind one that the caller has made.
 */
unsigned int ql_train_send(struct ql_conn *conn, struct ql_tx_burst *burst, unsigned int most,
			   size_t *credit);

/* ---- Time ---- */

/* When ql_conn_on_deadline() is due, ns; QL_NEVER. */
uint64_t ql_conn_deadline(const struct ql_conn *conn);
void ql_conn_on_deadline(struct ql_conn *conn);

/* ---- Between the sources of conn/ ---- */

/* Not part of what send_datagram() and ql_conn_recv() are flattened to. */
#define QL_SELDOM __attribute__((noinline))

/* What a 1-RTT packet has for frames when it is alone in its datagram, bytes. */
static inline size_t ql_conn_packet_room(const struct ql_conn *conn)
{
	return conn->rec.path.mtu - QL_TAG_LEN - QL_PN_MAX_LEN - 1u -
	       ql_peer_cid(&conn->peer_cids)->len;
}

static inline struct ql_space *ql_conn_space(struct ql_conn *conn, enum ql_space_id id)
{
	if (id == QL_SPACE_APP)
		return &conn->app;
	return conn->early ? &conn->early[id] : NULL;
}

/* Longer numbers than needed are simpler to read in a capture, and one path less to test. */
#define QL_CONN_PN_LEN_MIN 2

/* Bytes of a packet number that is to be sent. */
static inline unsigned int ql_conn_pn_len(const struct ql_conn *conn, enum ql_space_id id,
					  uint64_t pn)
{
	unsigned int len = ql_pn_encode_len(pn, ql_rec_largest_acked(&conn->rec, id));

	return len < QL_CONN_PN_LEN_MIN ? QL_CONN_PN_LEN_MIN : len;
}

/* There are frames to be sent that are not streams', and no DATAGRAM. */
static inline bool ql_conn_control_pending(const struct ql_conn *conn)
{
	return conn->send_handshake_done || conn->send_new_token || conn->ack_ask.due ||
	       conn->cids_due || conn->peer_cids.n_retire > 0;
}

static inline bool ql_space_ack_due(const struct ql_space *sp, uint64_t now)
{
	return sp->ack_now || sp->ack_deadline <= now;
}

/* handshake.c */
int ql_handshake_start(struct ql_conn *conn, const char *sni);
/* The endpoint's protocol of this name, NULL if there is none. */
const struct ql_proto *ql_handshake_proto(const struct ql_conn *conn, const char *alpn, size_t len);
/* CRYPTO bytes; a transport error code or 0. */
uint64_t ql_handshake_recv(struct ql_conn *conn, enum ql_space_id space, uint64_t offset,
			   const uint8_t *data, size_t len);
/* Keys for Initial packets of conn->version, in place of those that are there. 0 or -ENOMEM. */
int ql_handshake_initial_keys(struct ql_conn *conn);
/* Receive keys only, of any version, in place of those in keys. */
int ql_handshake_try_keys(struct ql_conn *conn, uint32_t version, struct ql_keys *keys);
void ql_handshake_free_keys(struct ql_conn *conn, struct ql_keys *keys);
void ql_handshake_drop_space(struct ql_conn *conn, enum ql_space_id space);
void ql_handshake_confirmed(struct ql_conn *conn);
void ql_handshake_issue_cids(struct ql_conn *conn);
/* The scheme has changed: other IDs take the place of all. */
void ql_handshake_renew_cids(struct ql_conn *conn);
/* Drop the client's Initial keys when it is time (RFC 9001, 4.9.1); not while a burst uses them. */
void ql_handshake_settle(struct ql_conn *conn);
/* conn->hs->deadline has come, behind the handshake. */
void ql_handshake_expire(struct ql_conn *conn);
void ql_handshake_drop_early(struct ql_conn *conn);
/* Free conn->hs and what hangs on it if nothing needs it any more; force: in any case. */
void ql_handshake_fini(struct ql_conn *conn, bool force);
/* What packets of the key phase with this secret are sealed or opened with. 0, or -ENOMEM. */
int ql_handshake_aead(struct ql_conn *conn, const struct ql_secret *secret, struct ql_aead *aead);
/* Derive conn->rx_next. 0, or -ENOMEM. */
int ql_handshake_next_keys(struct ql_conn *conn);
/*
 * To the next key phase, with conn->rx_next: pn is the peer's first packet in it, or QL_PN_NONE
 * when we go ahead. Not between the assembly of a packet and its sealing. 0, or -ENOMEM.
 */
int ql_handshake_update_keys(struct ql_conn *conn, uint64_t pn);
/* Go ahead if that is allowed (RFC 9001, 6.1); conn->tx_update_pn has been reached. */
void ql_handshake_initiate_update(struct ql_conn *conn);

/*
 * rest.c: 1-RTT keys are there, expanded, from the handshake on until no packet has come or gone for
 * QL_CONN_REST, and again from the next packet on.
 */
/* They are there: watch how long they are used. */
void ql_rest_watch(struct ql_conn *conn);
/* conn->rest_at has come. */
void ql_rest_on_deadline(struct ql_conn *conn);
/* A packet is to be opened or sealed, and app.tx.aead has no schedule. 0, or -ENOMEM: it cannot be. */
int ql_rest_end(struct ql_conn *conn);

/* early.c */
/* The protocol that early data may be sent for with this session; NULL if it may not. */
const struct ql_proto *ql_early_proto(const struct ql_conn *conn, const struct ql_session *s);
/* TLS has keys for it. */
void ql_early_begin(struct ql_conn *conn, const struct ql_session *s, const struct ql_proto *proto);
void ql_early_tell(struct ql_conn *conn);
void ql_early_answered(struct ql_conn *conn, bool accepted);
/* The server's parameters are here: an error code, or 0. */
uint64_t ql_early_params(struct ql_conn *conn, const struct ql_tparams *tp);
/* What a server opens 0-RTT packets of this version with; NULL if it does not. */
const struct ql_keys *ql_early_keys(const struct ql_conn *conn, uint32_t version);
/* The handshake is complete. */
void ql_early_complete(struct ql_conn *conn);

/* sent.c */
extern const struct ql_rec_ops ql_conn_rec_ops;

/* close.c */
/* Close for a transport error that we found; the first cause stays. */
void ql_conn_fail(struct ql_conn *conn, uint64_t error, uint64_t frame_type, const char *reason);
/* A packet of so many bytes came while closing: now and then repeat the CONNECTION_CLOSE (10.2.1).
 */
void ql_conn_recv_closing(struct ql_conn *conn, size_t len);
void ql_conn_on_peer_close(struct ql_conn *conn, const struct ql_frame_close *frame);
/* End without a word: time-outs and the like. */
void ql_conn_drop(struct ql_conn *conn, int cause);
/* Tell the application and free what a closing connection does not need. */
void ql_conn_tell_closed(struct ql_conn *conn);
void ql_conn_touch_idle(struct ql_conn *conn);

#endif
