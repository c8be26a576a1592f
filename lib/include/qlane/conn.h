// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * Connections: what an application is told of them and may ask of them.
 *
 * All calls and all callbacks happen on the thread of the engine that owns the connection. A
 * callback may call anything in this header and in stream.h; it must not call ql_engine_rx(),
 * ql_engine_tick() or ql_engine_tx().
 *
 * Life: a server's connection is announced by accepted(), a client's is returned by ql_connect();
 * connected() follows when the handshake is complete, and closed() is the last callback of a
 * connection, after which its pointer is dead. Each stream that was announced or opened gets its
 * stream_closed() before that. When a client's handshake fails before a protocol is agreed on,
 * closed() is that of the first protocol it offered.
 */
#ifndef QLANE_CONN_H
#define QLANE_CONN_H

#include <qlane/common.h>
#include <qlane/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ql_conn;
struct ql_stream;

/** Why and by whom a connection was ended. */
struct ql_close_info {
	enum {
		QL_CLOSE_LOCAL,	    /**< we sent CONNECTION_CLOSE */
		QL_CLOSE_PEER,	    /**< the peer did */
		QL_CLOSE_IDLE,	    /**< silence for the idle time-out (RFC 9000, 10.1) */
		QL_CLOSE_HANDSHAKE, /**< the handshake took longer than its time-out */
		QL_CLOSE_RESET,	    /**< stateless reset (10.3) */
		QL_CLOSE_VERSION,   /**< Version Negotiation left no common version (6.2) */
		QL_CLOSE_ENGINE,    /**< the engine was freed */
		QL_CLOSE_PATH,	    /**< no address of the peer's is left to send to (9.3.2) */
	} cause;
	bool application;    /**< error is of the application's space, not of QUIC's */
	uint64_t error;	     /**< enum ql_error, or the application's code */
	uint64_t frame_type; /**< the frame that caused a transport error, 0 if unknown */
	const char *reason;  /**< the phrase, zero-terminated and printable; never NULL */
};

/** What has become of early data (0-RTT, RFC 9001, 4.6). */
enum ql_early {
	QL_EARLY_NONE, /**< there was none */
	/**
	 * Client: it may be sent, and the server has not answered yet. Server: it is taken, and the
	 * handshake is not complete: what comes by now may be a replay of what somebody has
	 * recorded, and only what does no harm a second time should be done for it.
	 */
	QL_EARLY_OPEN,
	QL_EARLY_ACCEPTED, /**< the server has taken it */
	/**
	 * Client: the server has not. What the streams were given is sent again, after the
	 * handshake, unless the application resets them in connected(). Those that are more than
	 * the server allows by now end with stream_stopped() and stream_reset(), code 0.
	 */
	QL_EARLY_REJECTED,
};

/**
 * The application's side of a protocol, chosen by ALPN. Any callback may be NULL, except
 * stream_data. @p arg is ql_proto.arg until ql_conn_set_user() changes what the stream and
 * connection callbacks can find by ql_conn_user().
 */
struct ql_conn_ops {
	/**
	 * Server: a handshake is complete up to the point where streams may be used. With early
	 * data it is not complete: ql_conn_early().
	 * @return 0 to keep it, or an application error code to close it with.
	 */
	uint64_t (*accepted)(struct ql_conn *conn, void *arg);
	/**
	 * Client, with ql_transport.early_data and a session that allows it: streams may be opened
	 * and data sent from here on, before connected(). It may be replayed by others, and the
	 * server may refuse it: ql_conn_early() tells in connected().
	 */
	void (*early)(struct ql_conn *conn);
	/** Both roles: the handshake is complete. A client may open streams from here on. */
	void (*connected)(struct ql_conn *conn);
	/** Last callback. @p info is valid during the call. */
	void (*closed)(struct ql_conn *conn, const struct ql_close_info *info);

	/** The peer opened a stream. Data, if any, follows in its own call. */
	void (*stream_opened)(struct ql_stream *stream);
	/**
	 * The next bytes of a stream, in order, straight from the packet buffer: valid during the
	 * call only. The peer's credit is given back by ql_stream_credit(), at once or when the
	 * application has room again. @p fin comes once, with the last bytes or with @p len 0.
	 */
	void (*stream_data)(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin);
	/** ql_stream_send() took less than it was given, and now there is room. */
	void (*stream_writable)(struct ql_stream *stream);
	/** Bytes [0, acked) of what was sent have been acknowledged; called as that grows. */
	void (*stream_acked)(struct ql_stream *stream, uint64_t acked);
	/** RESET_STREAM arrived: no more data will come (RFC 9000, 3.2). */
	void (*stream_reset)(struct ql_stream *stream, uint64_t app_error);
	/** STOP_SENDING arrived, and was answered with RESET_STREAM (3.5). */
	void (*stream_stopped)(struct ql_stream *stream, uint64_t app_error);
	/** Both directions have ended; the pointer is dead after this call. */
	void (*stream_closed)(struct ql_stream *stream);
	/**
	 * An unreliable datagram came (RFC 9221), if ql_transport.max_datagram_frame_size allows
	 * any. Straight from the packet buffer: valid during the call only.
	 */
	void (*datagram)(struct ql_conn *conn, const uint8_t *data, size_t len);
	/** The peer has acknowledged the packet with this datagram; its application may not have
	 * seen it. */
	void (*datagram_acked)(struct ql_conn *conn, uint64_t id);
	/**
	 * The datagram is taken for lost, and not sent again; when it was only late,
	 * datagram_acked() may still follow. Not called for those that were never sent.
	 */
	void (*datagram_lost)(struct ql_conn *conn, uint64_t id);
	/**
	 * Packets are about to be made, in a turn in which there is something to send or in which
	 * another of these was called: what was gathered meanwhile can be given to streams now, at
	 * once for all of it. May be called again before anything was sent. May be NULL.
	 */
	void (*sending)(struct ql_conn *conn);
	/** The peer raised the number of streams that we may open (4.6). */
	void (*streams_available)(struct ql_conn *conn, bool bidi);
	/**
	 * Another path is in use, and ql_conn_path() tells which: a client has moved, or one that
	 * seemed to have moved has not (RFC 9000, 9.3.2). With @p error -ETIMEDOUT nothing has
	 * changed: the address given to ql_conn_migrate() does not reach the server.
	 */
	void (*path_changed)(struct ql_conn *conn, int error);
	/**
	 * Client: the server gave a token that spares a later connection to it the proof of our
	 * address: see ql_conn_set_token(). At most QL_TOKEN_MAX bytes, valid during the call.
	 */
	void (*new_token)(struct ql_conn *conn, const uint8_t *token, size_t len);
	/**
	 * Client: the server gave a ticket, and with these bytes a later connection to it needs
	 * neither certificates nor as many packets: see ql_transport.session. They are a secret of
	 * the client's, at most QL_SESSION_MAX, and valid during the call. There may be several;
	 * each is good for one connection.
	 */
	void (*new_session)(struct ql_conn *conn, const uint8_t *session, size_t len);
};

/** Longest session that new_session() tells of, in bytes. */
#define QL_SESSION_MAX 4096

/** An application protocol that an endpoint speaks. */
struct ql_proto {
	const char *alpn; /**< such as "h3"; 1 to 255 bytes */
	const struct ql_conn_ops *ops;
	void *arg;
	/**
	 * Server: a number for what its clients may rely on when they send early data, such as the
	 * settings of HTTP/3. It is taken only with tickets given out under the same number.
	 */
	uint64_t promise;
};

/** Counters of one connection since its start. */
struct ql_conn_stats {
	uint64_t rx_packets, tx_packets;
	uint64_t rx_bytes, tx_bytes; /**< UDP payload */
	uint64_t lost_packets;
	uint64_t ce_packets; /**< of ours, that the network marked with Congestion Experienced */
	uint64_t rtt_ns, rtt_min_ns;
	uint64_t cwnd, in_flight; /**< bytes */
	uint64_t black_holes;	  /**< times that the size of datagrams fell back (RFC 8899) */
	uint32_t udp_payload;	  /**< bytes of a full datagram on the path in use */
	uint64_t rx_datagrams, tx_datagrams; /**< DATAGRAM frames (RFC 9221) */
	uint64_t lost_datagrams;	     /**< told by datagram_lost() */
	uint64_t dropped_datagrams;	     /**< not sent: expired, or too large by then */
	uint64_t handshake_ns; /**< from the first packet until complete; 0 before that */
	bool retried; /**< the client has shown its address in answer to a Retry (RFC 9000, 8.1.2)
		       */
	bool resumed; /**< the handshake went on from a session of an earlier connection */
};

/**
 * End a connection with an application error code (H3_NO_ERROR of HTTP/3 is 0x100, not 0).
 * stream_closed() of its streams and then closed() follow in this turn or the next; the engine
 * alone goes on answering the peer for the closing period (RFC 9000, 10.2).
 * @param reason  text for the peer, or NULL; cut at 79 bytes
 */
QL_PUBLIC void ql_conn_close(struct ql_conn *conn, uint64_t app_error, const char *reason);

/**
 * Open a stream of our own.
 * @param bidi  both directions, else only ours
 * @return 0; -EAGAIN when the peer's limit is reached (streams_available() will tell); -ENOTCONN
 * before the peer's limits are known or when closing; -ENOMEM when the engine's memory is used up.
 */
QL_PUBLIC int ql_stream_open(struct ql_conn *conn, bool bidi, struct ql_stream **stream);

/**
 * Change how many streams of a kind the peer may have open at a time, which starts as
 * ql_transport.max_streams_bidi and max_streams_uni. A smaller number takes nothing back that the
 * peer has been granted; it has its effect as streams end.
 */
QL_PUBLIC void ql_conn_set_max_streams(struct ql_conn *conn, bool bidi, uint64_t most);

/**
 * Queue a copy of an unreliable datagram (RFC 9221). It is sent as soon as congestion control lets
 * it go, in turn with stream data, at most once.
 * @param expiry_ns  drop it unless it has been sent before this time; 0: never
 * @param id	     for datagram_acked() and datagram_lost(); any value
 * @return 0; -EOPNOTSUPP when the peer takes no datagrams; -EMSGSIZE above ql_datagram_max();
 * -EAGAIN when the queue is full (ql_transport); -ENOTCONN before the handshake is complete or when
 * closing; -ENOMEM when the engine's memory is used up.
 */
QL_PUBLIC int ql_datagram_send(struct ql_conn *conn, const void *data, size_t len,
			       uint64_t expiry_ns, uint64_t id);

/**
 * The largest datagram that can be sent, in bytes: what the peer takes and what fits a packet. It
 * may change during the life of a connection. 0 when the peer takes none, and before the handshake
 * is complete.
 */
QL_PUBLIC size_t ql_datagram_max(const struct ql_conn *conn);

/**
 * Ask for new packet protection keys (RFC 9001, 6). They are used from the next packet that comes
 * on which allows it: the handshake is confirmed and an earlier update is over. Without being asked
 * the connection does so long before a cipher's limit; and answers updates of the peer's.
 */
QL_PUBLIC void ql_conn_update_keys(struct ql_conn *conn);

/** Longest token that is told of and taken, in bytes. */
#define QL_TOKEN_MAX 1024

/**
 * Client: show the server a token that new_token() told of on an earlier connection to it (RFC
 * 9000, 8.1.3). Each is good for one connection: observers could link two by it. And each is for
 * the version of QUIC of the connection that it comes from, which it names in front of what the
 * server gave (RFC 9369, 5). Call it right after ql_connect(), before its packets leave.
 * @return 0; -EINVAL for a server's connection, and for what new_token() never told; -EISCONN when
 * packets have left, or there is a token already; -EPROTONOSUPPORT when this connection begins with
 * another version (ql_transport.first_version); -ENOMEM
 */
QL_PUBLIC int ql_conn_set_token(struct ql_conn *conn, const uint8_t *token, size_t len);

/** The protocol agreed on by ALPN, zero-terminated; "" before that. */
QL_PUBLIC const char *ql_conn_alpn(const struct ql_conn *conn);
/**
 * A client moves to another address of ours (RFC 9000, 9.2): the path from there is probed, and
 * used once the server has answered; path_changed() tells, either way. Streams go on as they are.
 * Congestion window and RTT start anew unless only the port differs. The caller sees to it that
 * datagrams to @p local reach the connection's engine.
 * @return 0; -EINVAL for a server's connection, or when @p local is in use already, has no port or
 * is of another family than the server's address; -ENOTCONN before the handshake is confirmed or
 * when closing; -EALREADY while the client moves already; -EPERM when the server does not allow it;
 * -ENOTSUP when the server has connection IDs of no length; -EAGAIN when it has not given one that
 * is unused yet; -ENOMEM.
 */
QL_PUBLIC int ql_conn_migrate(struct ql_conn *conn, const struct ql_addr *local);

/**
 * The version of QUIC in use, such as QL_VERSION_1. Settled when the handshake is complete.
 */
QL_PUBLIC uint32_t ql_conn_version(const struct ql_conn *conn);

/** The path in use. */
QL_PUBLIC const struct ql_path *ql_conn_path(const struct ql_conn *conn);
QL_PUBLIC void ql_conn_stats(const struct ql_conn *conn, struct ql_conn_stats *stats);
/** The time of the turn that is running, ns. */
QL_PUBLIC uint64_t ql_conn_now(const struct ql_conn *conn);
/** True on the server's side. */
QL_PUBLIC bool ql_conn_is_server(const struct ql_conn *conn);

/** What has become of early data. */
QL_PUBLIC enum ql_early ql_conn_early(const struct ql_conn *conn);

/** One pointer of the application's; starts as ql_proto.arg of the protocol. */
QL_PUBLIC void *ql_conn_user(const struct ql_conn *conn);
QL_PUBLIC void ql_conn_set_user(struct ql_conn *conn, void *user);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_CONN_H */
