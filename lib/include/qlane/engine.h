// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * The engine: all QUIC connections of one lcore, without I/O.
 *
 * Datagrams and the time go in, datagrams and the next deadline come out. The loop of an lcore
 * (qlane/net.h) is one caller, a simulator on a virtual clock another; both do, every turn:
 *
 *	ql_engine_rx(engine, in, n, now);	every datagram that arrived
 *	ql_engine_rx_crossed(engine, now);	and came to another engine first
 *	ql_engine_tick(engine, now);		every deadline that passed
 *	n = ql_engine_tx(engine, out, MAX, now);	until it returns less than MAX
 *	... sleep at most until ql_engine_deadline(engine) if nothing arrives
 *
 * The application runs inside these calls, through its callbacks (qlane/conn.h). An engine is used
 * by one thread; nothing in it is locked. Its memory is taken when it is created, by ql_limits.
 */
#ifndef QLANE_ENGINE_H
#define QLANE_ENGINE_H

#include <qlane/common.h>
#include <qlane/conn.h>
#include <qlane/steer.h>
#include <qlane/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ql_engine;
struct ql_tracer;
struct rte_mempool;

/** What one engine may hold. 0 means the default in brackets. */
struct ql_limits {
	uint32_t connections; /**< in all states [16384] */
	uint32_t handshakes;  /**< of these, not yet complete [1024] */
	uint64_t memory;      /**< bytes for everything but mbufs and TLS handshakes [256 MiB] */
	/**
	 * Bytes that the receive windows of all connections together may grow by, see ql_transport.
	 * What they begin with is not in it. [half of memory]
	 */
	uint64_t windows;
};

/** Congestion control of what we send. */
enum ql_congestion {
	QL_CC_DEFAULT, /**< CUBIC */
	QL_CC_NEWRENO, /**< RFC 9002, section 7 */
	QL_CC_CUBIC,   /**< RFC 9438, with HyStart++ (RFC 9406) in the first slow start */
	QL_CC_BBR,     /**< BBRv3, draft-ietf-ccwg-bbr */
};

/** Places in ql_transport.versions. */
#define QL_VERSIONS_MAX 4

/** How connections behave, and what the peer is told. 0 means the default in brackets. */
struct ql_transport {
	uint64_t idle_timeout_ns;      /**< [30 s] */
	uint64_t handshake_timeout_ns; /**< [10 s] */
	uint64_t max_data;	       /**< connection's receive window, bytes [16 MiB] */
	uint64_t max_stream_data;      /**< a stream's receive window, bytes [4 MiB] */
	/**
	 * A receive window starts as said above and doubles, up to these, while the application
	 * takes half of it within two round trips. The connection's grows by no more at a time than
	 * half of what is left of ql_limits.windows, and not beyond the memory that is free; a
	 * stream's not beyond the connection's. Values below the above: it does not grow.
	 */
	uint64_t max_data_cap;	      /**< [64 MiB] */
	uint64_t max_stream_data_cap; /**< [64 MiB] */
	uint64_t max_streams_bidi;    /**< open at a time by the peer [128] */
	uint64_t max_streams_uni;     /**< the same [16] */
	/**
	 * Bytes that ql_stream_send() keeps for one stream: these, and more while the congestion
	 * window is large, up to twice the window and the cap, as long as a quarter of the engine's
	 * free memory is not exceeded.
	 */
	uint64_t send_buffer;	  /**< [256 KiB] */
	uint64_t send_buffer_cap; /**< [64 MiB]; below send_buffer: it does not grow */
	uint64_t initial_rtt_ns;  /**< before the first sample [333 ms, RFC 9002 6.2.2] */
	uint64_t ack_delay_ns;	  /**< longest deliberate delay of an ACK [5 ms] */
	/**
	 * Bytes of the largest DATAGRAM frame that is taken, with its type and length (RFC 9221);
	 * 65535 for all that fit a packet [0: none]
	 */
	uint64_t max_datagram_frame_size;
	uint64_t datagram_queue_bytes; /**< of data that wait to be sent [256 KiB] */
	uint32_t datagram_queue_count; /**< datagrams that wait to be sent [256] */
	uint16_t udp_payload;	       /**< bytes of a full datagram we send at first [1200] */
	/**
	 * Bytes of the largest datagram that is looked for on the path (RFC 8899), as far as the
	 * peer and the mbufs of tx_pool take it: ql_port_udp_payload() of the port. [1472]
	 */
	uint16_t udp_payload_max;
	/** Datagrams have udp_payload bytes, whatever becomes of them on the path. [false] */
	bool fixed_udp_payload;
	enum ql_congestion congestion; /**< [CUBIC] */
	/**
	 * Send a PING after so long a silence, so that neither end's idle time-out comes nor a NAT
	 * forgets the connection; at most half of the idle time-out is used. [no PING]
	 */
	uint64_t keep_alive_ns;
	/**
	 * A server's other addresses, which its clients may move to when they have connected (RFC
	 * 9000, 9.6): of each family at most one. Datagrams to them must reach the same engine.
	 * [none]
	 */
	struct ql_addr preferred_ip4, preferred_ip6;
	/**
	 * Less urgent streams get one packet in so many, of those that more urgent ones would have
	 * filled, so that nothing starves; at least 2; 65535 for hardly any [64]
	 */
	uint16_t priority_share;
	bool use_preferred; /**< a client moves to the server's preferred address [false] */
	/**
	 * Do not mark what we send as ECN-capable (RFC 9000, 13.4). Otherwise it is, on each path
	 * that proves to carry the marks; the marks that come are reported in either case. [false]
	 */
	bool no_ecn;
	/**
	 * Versions of QUIC that are spoken, the preferred one first; unused places are 0. Versions
	 * 1 and 2 are compatible: a server goes on in the first of its list that the client offers,
	 * whichever the client began with, without a round trip (RFC 9368). [all, and a server
	 * stays with the client's]
	 */
	uint32_t versions[QL_VERSIONS_MAX];
	/**
	 * A client's first packets are of this version; if the server does not speak it, the client
	 * begins anew with another of its list. [QL_VERSION_1 if it is in versions, else the first]
	 */
	uint32_t first_version;
	/**
	 * Client: a session that new_session() told of (qlane/conn.h), to be resumed. Read during
	 * ql_connect(); one that is of no use (too old, damaged, of a server with another name, or
	 * not verified) is passed over, and the handshake is a full one. [none]
	 */
	const uint8_t *session;
	size_t session_len;
	/**
	 * Early data, which may be replayed by others (RFC 9001, 9.2). Server: take it, each ticket
	 * once, and say so in tickets. Client: early() of the protocol may send it, if the session
	 * allows; then no other protocol than that of the session is offered. [false]
	 */
	bool early_data;
};

/** When a client has to show that packets to its address reach it, before anything is kept of it
 * (RFC 9000, 8.1.2). It costs the client a round trip; one that brings a token of ours is spared
 * it. */
enum ql_retry {
	QL_RETRY_AUTO, /**< while more handshakes are in progress than retry_handshakes */
	QL_RETRY_NEVER,
	QL_RETRY_ALWAYS,
};

struct ql_engine_config {
	const char *name; /**< for logs and metrics; "engine" if NULL */
	/** 0-based index of the engine among its process's, in connection IDs; below QL_ENGINES_MAX
	 * (qlane/steer.h) */
	uint16_t lcore_index;
	int socket_id; /**< NUMA node for its memory, or -1 (SOCKET_ID_ANY) */
	/** Transmit mbufs: one segment each, data room for headroom + udp_payload_max bytes.
	 */
	struct rte_mempool *tx_pool;
	struct ql_limits limits;
	uint8_t seed[32]; /**< everything random in the engine comes from it; keep it secret */
	enum ql_retry retry;
	uint32_t retry_handshakes; /**< for QL_RETRY_AUTO [half of limits.handshakes] */
	/**
	 * Secret of the tokens by which clients show their address; all zero to take it from the
	 * seed. Engines that clients may reach one after another, of one process or of many
	 * machines, know each other's tokens when they have the same, and the same token_clock.
	 */
	uint8_t token_key[32];
	/**
	 * Added to the engine's time for tokens and tickets: UNIX time minus the engine's, to share
	 * them, and to keep sessions for longer than the engine.
	 */
	uint64_t token_clock_ns;
	/**
	 * Secret of session tickets, by which clients resume; as token_key, and with the same
	 * clock.
	 */
	uint8_t ticket_key[32];
	/**
	 * Secret of stateless reset tokens (10.3), and of what our connection IDs are known by; all
	 * zero to take it from the seed, or the latter from the mesh. The same, or none, for all of
	 * a mesh. A process
	 * that starts anew with the same one, and the same lcore_index, can tell the peers of the
	 * connections it had before that these are gone. Of all engines that have the same one, the
	 * datagrams of a connection must only reach the one that has it, or engines of another
	 * lcore_index: what else may answer them ends the connection (21.11).
	 */
	uint8_t reset_key[32];
	/**
	 * 0 or 1, in turn from one start of the process to the next: so that packets for connections
	 * of the last one, which are answered with stateless resets, can be told from others. Has a
	 * meaning only with a reset_key.
	 */
	uint8_t generation;
	/**
	 * Load balancers' configurations, the first for new connection IDs, the others for IDs that
	 * an earlier process gave out; read by ql_engine_create(), and ql_engine_set_cids() changes
	 * them. QL_CID_CONFIGS at most. [none]
	 */
	const struct ql_cid_config *cids;
	unsigned int n_cids;
	/** The other engines of the process, qlane/steer.h. It must outlive the engine. [alone] */
	struct ql_mesh *mesh;
	/** Told what connections do: see qlane/observe.h. It must outlive the engine. [nobody] */
	struct ql_tracer *tracer;
};

/** Why a datagram or packet was dropped. Names by ql_drop_name(). */
enum ql_drop {
	QL_DROP_SHORT,	       /**< too short for any QUIC packet */
	QL_DROP_HEADER,	       /**< malformed header */
	QL_DROP_VERSION,       /**< unknown version, and nothing to answer */
	QL_DROP_INITIAL_SIZE,  /**< client Initial in a datagram below 1,200 bytes (RFC 9000, 14.1)
				*/
	QL_DROP_NO_CONN,       /**< no connection has this ID */
	QL_DROP_NO_LISTENER,   /**< Initial, and this engine does not serve */
	QL_DROP_CONN_LIMIT,    /**< connections or handshakes at their limit */
	QL_DROP_NO_MEMORY,     /**< engine memory or mbufs used up */
	QL_DROP_NO_KEYS,       /**< keys not there yet, or discarded */
	QL_DROP_AUTH,	       /**< did not authenticate */
	QL_DROP_DUPLICATE,     /**< packet number seen before, or too old to know */
	QL_DROP_PATH,	       /**< from an address that the connection does not use */
	QL_DROP_CLOSING,       /**< connection is closing or draining */
	QL_DROP_COALESCED_CID, /**< coalesced packet for another connection ID (12.2) */
	QL_DROP_TOKEN,	    /**< Initial with a Retry token that is invalid, or was used before */
	QL_DROP_EARLY,	    /**< 0-RTT that is not taken, or came too long before its Initial */
	QL_DROP_CROSSING,   /**< for another engine, and the ring to it was full */
	QL_DROP_STRAY,	    /**< from another engine, and not ours */
	QL_DROP_GENERATION, /**< to an ID that an earlier process gave out */
	QL_DROP_MAX,
};

struct ql_engine_stats {
	/** Handled here, or dropped: each datagram counts at one engine, and once. */
	uint64_t rx_datagrams, rx_bytes;
	uint64_t tx_datagrams, tx_bytes;
	uint64_t rx_packets, tx_packets; /**< QUIC packets */
	uint64_t lost_packets;
	uint64_t conns_accepted, conns_initiated, handshakes_done, conns_closed;
	uint64_t version_negotiations; /**< sent */
	uint64_t retries,
		invalid_tokens;	    /**< Retry packets, and refusals of what answered them, sent
				     */
	uint64_t refusals;	    /**< CONNECTION_REFUSED sent, for want of room */
	uint64_t resets;	    /**< stateless resets sent */
	uint32_t conns, handshakes; /**< now */
	uint64_t memory_used;	    /**< bytes, now */
	uint64_t windows_used;	    /**< of ql_limits.windows, bytes, now */
	uint64_t resumptions;	    /**< of the handshakes done: from a session */
	uint64_t ce_packets; /**< of ours, that the network marked with Congestion Experienced */
	uint64_t ecn_capable, ecn_failed; /**< paths by how their ECN validation ended */
	uint64_t early_accepted;	  /**< connections with early data that was taken */
	uint64_t early_rejected;	  /**< clients' connections with early data that was not */
	/** Datagrams that came here and went to the engines they are for; came here by that. */
	uint64_t crossed_out, crossed_in;
	uint64_t early_replays; /**< tickets whose early data a server refused: used before */
	uint64_t drops[QL_DROP_MAX];
};

/**
 * @return an engine, or NULL with errno set: EINVAL (no tx_pool, or its mbufs are too small;
 * no place of this lcore_index in the mesh, or not free; cids that cannot be), ENOMEM. Needs an initialised EAL.
 */
QL_PUBLIC struct ql_engine *ql_engine_create(const struct ql_engine_config *config);

/** Close every connection without a word to the peers, with closed() of each, and free it all. */
QL_PUBLIC void ql_engine_free(struct ql_engine *engine);

/** Secrets that take the place of those in ql_engine_config. All zero: that one stays. */
struct ql_engine_keys {
	uint8_t token_key[32];
	uint8_t ticket_key[32];
	/**
	 * Connection IDs that are given out from now on, and their reset tokens, come from this one.
	 * Those that peers have stay good, and keep their tokens, until they are retired, which each
	 * connection asks for when it next sends; an earlier
	 * process's that were made with a key before the present one are strangers'. Engines of a
	 * mesh do not know each other's new IDs until all of them have the key: that is for packets
	 * of handshakes under way, which are sent again.
	 */
	uint8_t reset_key[32];
};

/**
 * Change secrets while the engine works. Tokens and tickets of the present ones, not of those
 * before, are taken for the rest of their life.
 * @return 0; -EBUSY when connections still have IDs of a reset_key before the present one: nothing
 * has changed; -ENOMEM, -EIO: of reset_key, token_key and ticket_key, in this order, some may have
 */
QL_PUBLIC int ql_engine_set_keys(struct ql_engine *engine, const struct ql_engine_keys *keys);

/** What becomes of configurations that ql_engine_set_cids() is given. */
enum ql_cids_step {
	QL_CIDS_CHECK, /**< nothing, yet */
	QL_CIDS_KNOW,  /**< packets to their IDs are known */
	QL_CIDS_USE,   /**< the first is that of new IDs */
};

/**
 * Change load balancers' configurations while the engine works: all three steps, one after the other,
 * and at engines of a mesh each step at all of them before the next one at any; so all can read what
 * one gives out. Those from before stay known, whether they are given again or not, until their
 * rotation bits get another meaning. Each connection gives its peer new IDs when it next sends, and has
 * it retire the others (draft-ietf-quic-load-balancers, section 3.1).
 * @param n	 QL_CID_CONFIGS at most; 0: new IDs are without a configuration
 * @return 0; -EINVAL for configurations that cannot be; -EBUSY (of QL_CIDS_CHECK, which looks at every
 * connection) when rotation bits would get another meaning that are those of new IDs, or of IDs that
 * peers have; -ENOMEM, -EIO (of QL_CIDS_KNOW): it must not be followed by QL_CIDS_USE
 */
QL_PUBLIC int ql_engine_set_cids(struct ql_engine *engine, const struct ql_cid_config *cids,
				 unsigned int n, enum ql_cids_step step);

/**
 * Serve: accept connections to @p port of any local address. Once per engine.
 * @param tls	    server context of this engine
 * @param transport copied; NULL for the defaults
 * @param protos    in order of preference, copied (the strings and ops are not)
 * @return 0; -EINVAL; -EEXIST when it listens already; -ENOMEM
 */
QL_PUBLIC int ql_listen(struct ql_engine *engine, uint16_t port, struct ql_tls_ctx *tls,
			const struct ql_transport *transport, const struct ql_proto *protos,
			unsigned int n_protos);

/**
 * Stop accepting new connections; those that are there go on.
 */
QL_PUBLIC void ql_listen_stop(struct ql_engine *engine);

/**
 * Start a connection as a client. The first packets leave with the next ql_engine_tx().
 * @param path	     our address and port (the caller picks a free one) and the server's
 * @param tls	     client context of this engine
 * @param sni	     name for SNI and for the check of the certificate; a literal address is checked
 *		     as such and not sent
 * @param protos     offered by ALPN in this order
 * @param user	     ql_conn_user() of the new connection
 * @return 0; -EINVAL; -ENOMEM and -ENOSPC when memory or limits are used up
 */
QL_PUBLIC int ql_connect(struct ql_engine *engine, const struct ql_path *path,
			 struct ql_tls_ctx *tls, const char *sni,
			 const struct ql_transport *transport, const struct ql_proto *protos,
			 unsigned int n_protos, void *user, uint64_t now, struct ql_conn **conn);

/** Take @p n datagrams, and with them their mbufs. */
QL_PUBLIC void ql_engine_rx(struct ql_engine *engine, struct ql_datagram *in, unsigned int n,
			    uint64_t now);

/**
 * Take what other engines of the mesh have handed over, not all of it if that is very much. Costs
 * next to nothing when there is nothing.
 * @return how many datagrams; 0 without a mesh
 */
QL_PUBLIC unsigned int ql_engine_rx_crossed(struct ql_engine *engine, uint64_t now);

/** Handle the deadlines that are not after @p now. */
QL_PUBLIC void ql_engine_tick(struct ql_engine *engine, uint64_t now);

/**
 * Give out what is to be sent, at most @p max datagrams; the caller owns their mbufs and sends them
 * in this order. Fewer than @p max: nothing more to send for now.
 */
QL_PUBLIC unsigned int ql_engine_tx(struct ql_engine *engine, struct ql_datagram *out,
				    unsigned int max, uint64_t now);

/** @return when ql_engine_tick() is due; at once (0) when there is something to send. QL_NEVER if
 * nothing is. */
QL_PUBLIC uint64_t ql_engine_deadline(const struct ql_engine *engine);

QL_PUBLIC void ql_engine_stats(const struct ql_engine *engine, struct ql_engine_stats *stats);
/** @return a short name such as "no_conn" for metrics. */
QL_PUBLIC const char *ql_drop_name(enum ql_drop reason);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_ENGINE_H */
