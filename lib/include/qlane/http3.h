// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * HTTP over QUIC: HTTP/3 (RFC 9114, ALPN "h3") and HTTP/0.9 (ALPN "hq-interop", which knows
 * nothing but GET and has neither status nor header fields), for servers and clients. Which of the
 * two a connection speaks is settled by ALPN and seen by nobody above this header: over HTTP/0.9 a
 * response has status 200 and no fields, and any other status becomes a reset of the stream with
 * the status as its code.
 *
 * A server:
 *
 *	static void on_request(struct ql_http_request *req, void *arg)
 *	{
 *		const struct ql_http_body hello = {.data = "hello\n", .len = 6};
 *
 *		ql_http_respond(req, 200, NULL, 0, &hello);
 *	}
 *
 *	const struct ql_http_server_ops ops = {.request = on_request};
 *	struct ql_http_server *server = ql_http_server_create(&ops, NULL, NULL);
 *	ql_http_listen(server, engine, 443, tls, NULL, NULL);
 *
 * A client: ql_http_connect(), and from connected() on ql_http_get() for each resource. How many
 * run at a time is the peer's to say: -EAGAIN means that available() will tell.
 *
 * Threads and callbacks are as in conn.h: everything happens on the engine's thread.
 *
 * Memory: a connection's and a request's state, with its header fields, comes from the heap, and
 * is bounded by ql_http_limits and by the number of streams that the transport allows. Bodies are
 * sent by reference.
 */
#ifndef QLANE_HTTP3_H
#define QLANE_HTTP3_H

#include <qlane/engine.h>
#include <qlane/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ql_http_server;
/** The HTTP side of a connection, of either role. */
struct ql_http_conn;
/** A request and its response, seen from either side. */
struct ql_http_request;

/** Error codes of streams and connections (RFC 9114, 8.1). */
enum ql_http_error {
	QL_H3_NO_ERROR = 0x100,
	QL_H3_GENERAL_PROTOCOL_ERROR = 0x101,
	QL_H3_INTERNAL_ERROR = 0x102,
	QL_H3_STREAM_CREATION_ERROR = 0x103,
	QL_H3_CLOSED_CRITICAL_STREAM = 0x104,
	QL_H3_FRAME_UNEXPECTED = 0x105,
	QL_H3_FRAME_ERROR = 0x106,
	QL_H3_EXCESSIVE_LOAD = 0x107,
	QL_H3_ID_ERROR = 0x108,
	QL_H3_SETTINGS_ERROR = 0x109,
	QL_H3_MISSING_SETTINGS = 0x10a,
	QL_H3_REQUEST_REJECTED = 0x10b,
	QL_H3_REQUEST_CANCELLED = 0x10c,
	QL_H3_REQUEST_INCOMPLETE = 0x10d,
	QL_H3_MESSAGE_ERROR = 0x10e,
	QL_H3_CONNECT_ERROR = 0x10f,
	QL_H3_VERSION_FALLBACK = 0x110,
};

/** One header field; the name in lower case. Zero-terminated: HTTP/3 allows no zero byte in them.
 */
struct ql_http_field {
	const char *name;
	const char *value;
};

/**
 * The content of a message: @p len bytes at @p data that stay as they are until release(arg), or,
 * with @p read, a source that is asked piece by piece. release(arg), if there is one, is called
 * once, when the peer has everything or the request has ended otherwise.
 */
struct ql_http_body {
	const void *data;
	uint64_t len;
	/**
	 * Put at most @p room bytes into @p buf and say by @p last if they are the last.
	 * @return their number; -EAGAIN for none now, until ql_http_resume(); another negative
	 * errno to give up: the stream is reset.
	 */
	ssize_t (*read)(void *arg, void *buf, size_t room, bool *last);
	ql_release_fn release;
	void *arg;
	/**
	 * What follows the content: trailers, such as a digest of it. Asked for once, when all of
	 * it was given: put at most @p max of them into @p fields, whose strings stay until
	 * release().
	 * @return their number. NULL: there are none. HTTP/0.9 knows no such thing, and does not ask.
	 */
	size_t (*trailers)(void *arg, struct ql_http_field *fields, size_t max);
};

/** Bounds of a connection. 0 means the default in brackets. */
struct ql_http_limits {
	/**
	 * A header section as RFC 9114, 4.2.2 counts it: names, values, and 32 bytes a field. A
	 * server answers a larger one with 431, a client gives up the request [16 KiB].
	 */
	size_t header_bytes;
	/** What a body with a read() callback has in memory, sent but not acknowledged [256 KiB].
	 */
	size_t body_buffer;
};

/** @name Requests, on either side
 * @{
 */

/**
 * A received header field, or a pseudo-header field such as ":path".
 * @return the first of that name, or NULL; valid until done()
 */
QL_PUBLIC const char *ql_http_header(const struct ql_http_request *req, const char *name);

/**
 * All received fields in their order.
 * @param at  0 at first; moves on with each call
 * @return false after the last
 */
QL_PUBLIC bool ql_http_next_header(const struct ql_http_request *req, size_t *at,
				   struct ql_http_field *field);

/**
 * A field behind the content, or NULL; on a server from complete() on, on a client in done(). The
 * sender may be anybody and the field anything: it is not part of the header section.
 */
QL_PUBLIC const char *ql_http_trailer(const struct ql_http_request *req, const char *name);
/** All of them, as ql_http_next_header(). */
QL_PUBLIC bool ql_http_next_trailer(const struct ql_http_request *req, size_t *at,
				    struct ql_http_field *field);

/**
 * How a response is to be sent beside others (RFC 9218): what is more urgent goes first; of equally
 * urgent ones, incremental ones share, others are sent one after another.
 */
struct ql_http_priority {
	uint8_t urgency;  /**< 0, most urgent, to 7 */
	bool incremental; /**< parts of it are of use */
};

/**
 * Another priority for a request that runs. A client tells the server, by a PRIORITY_UPDATE frame,
 * and sends its own body accordingly; on a server it is for the response, and what the client asks
 * for does not count any more.
 * @return 0; -EINVAL for an urgency above 7; -EPIPE when the request has ended; -ENOTSUP on a client
 * over HTTP/0.9; -ENOMEM
 */
QL_PUBLIC int ql_http_set_priority(struct ql_http_request *req,
				   const struct ql_http_priority *priority);

/** Give received body bytes back to flow control: the application is done with them. */
QL_PUBLIC void ql_http_credit(struct ql_http_request *req, size_t bytes);

/** A body's read() has something again. */
QL_PUBLIC void ql_http_resume(struct ql_http_request *req);

/**
 * No more of the peer's body is wanted: it is told so, with H3_NO_ERROR, and data() is not called
 * any more. A server that answers before it has all of a request, with a refusal say, spares both
 * ends the rest (RFC 9114, 4.1).
 */
QL_PUBLIC void ql_http_stop(struct ql_http_request *req);

/** Give up a request in both directions; done() follows with -ECANCELED. */
QL_PUBLIC void ql_http_cancel(struct ql_http_request *req, uint64_t h3_error);

/** In done() with -ECONNRESET: the peer's error code. Why a connection ended, closed() tells. */
QL_PUBLIC uint64_t ql_http_error_code(const struct ql_http_request *req);

QL_PUBLIC struct ql_http_conn *ql_http_request_conn(const struct ql_http_request *req);
/** One pointer of the application's; NULL at first on a server, the given one on a client. */
QL_PUBLIC void *ql_http_user(const struct ql_http_request *req);
QL_PUBLIC void ql_http_set_user(struct ql_http_request *req, void *user);

/** The QUIC connection below, for ql_conn_stats() and the like. */
QL_PUBLIC struct ql_conn *ql_http_quic(const struct ql_http_conn *conn);

/** @} */
/** @name Server
 * @{
 */

struct ql_http_server_ops {
	/**
	 * A request's header section is here, with at least :method and :path. Answer it by
	 * ql_http_respond(), during this call or later. What comes in early data
	 * (ql_transport.early_data) may be a replay of what somebody has recorded: then
	 * ql_conn_early() of ql_http_quic() is QL_EARLY_OPEN, and only GET and HEAD are told of;
	 * others are answered with 425, Too Early (RFC 8470).
	 */
	void (*request)(struct ql_http_request *req, void *arg);
	/**
	 * The next bytes of its body, valid during the call; ql_http_credit() them. NULL: bodies
	 * are dropped.
	 */
	void (*data)(struct ql_http_request *req, const uint8_t *data, size_t len, void *arg);
	/** The body, or a request without one, is complete. May be NULL. */
	void (*complete)(struct ql_http_request *req, void *arg);
	/**
	 * The end of each announced request: 0 when the peer has the whole response, -ECONNRESET
	 * when it cancelled, -ECONNABORTED when the connection ended, -ECANCELED when we did. The
	 * pointer is dead after this call. May be NULL.
	 */
	void (*done)(struct ql_http_request *req, int error, void *arg);
};

/**
 * @param ops	 not copied
 * @param limits copied; NULL for the defaults
 * @return NULL with errno EINVAL (no ops->request) or ENOMEM
 */
QL_PUBLIC struct ql_http_server *ql_http_server_create(const struct ql_http_server_ops *ops,
						       void *arg,
						       const struct ql_http_limits *limits);
/** After the engine that it listens with has been freed. */
QL_PUBLIC void ql_http_server_free(struct ql_http_server *server);

/**
 * Serve on @p engine, as ql_listen() does.
 * @param alpns  in order of preference, separated by commas; NULL for "h3,hq-interop"
 * @return as ql_listen(); -EINVAL for an unknown name in @p alpns; -EEXIST when @p server listens
 * already
 */
QL_PUBLIC int ql_http_listen(struct ql_http_server *server, struct ql_engine *engine, uint16_t port,
			     struct ql_tls_ctx *tls, const struct ql_transport *transport,
			     const char *alpns);

/**
 * For servers that offer protocols of their own beside HTTP: the entries to hand to ql_listen()
 * instead of ql_http_listen(), from the same transport.
 * @return how many of the 2 were filled; -EINVAL for an unknown name in @p alpns
 */
QL_PUBLIC int ql_http_server_protos(struct ql_http_server *server,
				    const struct ql_transport *transport, const char *alpns,
				    struct ql_proto protos[2]);

/**
 * End well: requests that run, and those that are on their way here, are answered; others are not
 * begun. Peers are told by GOAWAY, twice (RFC 9114, 5.2): that it ends, and, when they know that,
 * with which request. A connection that has had no request for QL_HTTP_LINGER_NS is closed with
 * H3_NO_ERROR; not at once, for clients that lose what they have not read by then.
 *
 * To be called after ql_listen_stop(), and again now and then, while the lane turns on, until
 * ql_http_server_conns() is 0, or the application has waited enough and calls
 * ql_http_server_close().
 */
QL_PUBLIC void ql_http_server_drain(struct ql_http_server *server);
#define QL_HTTP_LINGER_NS (2 * QL_NSEC_PER_SEC)
/** Close every connection with H3_NO_ERROR; the lane has to turn on until the peers are told. */
QL_PUBLIC void ql_http_server_close(struct ql_http_server *server);
/** Connections of the server that have not ended. */
QL_PUBLIC unsigned int ql_http_server_conns(const struct ql_http_server *server);

/**
 * Answer a request, once.
 * @param fields  the response's header fields, without ":status"; copied
 * @param body	  copied (not what it points to); NULL for none
 * @return 0; -EALREADY for a second answer; -EPIPE when the client does not want it any more;
 * -EINVAL for a malformed status or field; -ENOMEM. On an error body->release is not called.
 */
QL_PUBLIC int ql_http_respond(struct ql_http_request *req, unsigned int status,
			      const struct ql_http_field *fields, size_t n_fields,
			      const struct ql_http_body *body);

/** @} */
/** @name Client
 * @{
 */

struct ql_http_client_ops {
	/**
	 * With ql_transport.early_data and a session that allows it: requests that do no harm when
	 * they are done twice, GET and HEAD without a body, may be started from here on, before
	 * connected(). They go out in early data, which others may record and send again, and which
	 * the server may refuse: then they are sent again by themselves. May be NULL.
	 */
	void (*early)(struct ql_http_conn *conn, void *arg);
	/** Requests may be started. */
	void (*connected)(struct ql_http_conn *conn, void *arg);
	/** The peer allows more requests, after -EAGAIN. May be NULL. */
	void (*available)(struct ql_http_conn *conn, void *arg);
	/** Last callback of a connection, after done() of each request. May be NULL. */
	void (*closed)(struct ql_http_conn *conn, const struct ql_close_info *info, void *arg);
	/**
	 * A token for a later connection to the server, valid during the call, for
	 * ql_conn_set_token() with ql_http_quic() of that. May be NULL.
	 */
	void (*new_token)(struct ql_http_conn *conn, const uint8_t *token, size_t len, void *arg);
	/**
	 * A session for a later connection to the server, for ql_transport.session of
	 * ql_http_connect(); as new_session() in qlane/conn.h. May be NULL.
	 */
	void (*new_session)(struct ql_http_conn *conn, const uint8_t *session, size_t len,
			    void *arg);
};

/**
 * Connect to a server, as ql_connect() does.
 * @param alpns  as ql_http_listen()
 * @param ops	 not copied
 * @param limits copied; NULL for the defaults
 * @return as ql_connect()
 */
QL_PUBLIC int ql_http_connect(struct ql_engine *engine, const struct ql_path *path,
			      struct ql_tls_ctx *tls, const char *sni,
			      const struct ql_transport *transport, const char *alpns,
			      const struct ql_http_client_ops *ops, void *arg,
			      const struct ql_http_limits *limits, uint64_t now,
			      struct ql_http_conn **conn);

/** End the connection with H3_NO_ERROR; requests that are not done fail with -ECONNABORTED. */
QL_PUBLIC void ql_http_close(struct ql_http_conn *conn);

struct ql_http_response_ops {
	/** The response's header section is here. */
	void (*headers)(struct ql_http_request *req, unsigned int status);
	/** The next bytes of its body, valid during the call; ql_http_credit() them. */
	void (*data)(struct ql_http_request *req, const uint8_t *data, size_t len);
	/**
	 * The end of each request: 0 when the response is complete, -ECONNRESET when the server
	 * reset it, -ECONNABORTED when the connection ended, -ECANCELED when we did, -EPROTO for a
	 * malformed response, -EMSGSIZE for a header section above the limit. The pointer is dead
	 * after this call.
	 */
	void (*done)(struct ql_http_request *req, int error);
};

struct ql_http_submit {
	const char *method;    /**< "GET" if NULL */
	const char *authority; /**< host, and port unless it is 443 */
	const char *path;      /**< with its query, in the encoding of URLs */
	const struct ql_http_field *fields;
	size_t n_fields;
	const struct ql_http_body *body; /**< or NULL */
	/**
	 * Of the response, told by the Priority field, and of our own body; NULL for urgency 3, not
	 * incremental, which is not told.
	 */
	const struct ql_http_priority *priority;
};

/**
 * Start a request.
 * @param user	ql_http_user() of the request
 * @param req	receives the request; may be NULL
 * @return 0; -EAGAIN when the peer allows no more at the moment; -ENOTCONN before connected(), but
 * see early(), and after a GOAWAY or the close; -EINVAL for a malformed field; -ENOTSUP for what
 * HTTP/0.9 cannot say; -ENOMEM. On an error body->release is not called, nor done().
 */
QL_PUBLIC int ql_http_submit(struct ql_http_conn *conn, const struct ql_http_submit *submit,
			     const struct ql_http_response_ops *ops, void *user,
			     struct ql_http_request **req);

/** ql_http_submit() of a plain GET. */
QL_PUBLIC int ql_http_get(struct ql_http_conn *conn, const char *authority, const char *path,
			  const struct ql_http_response_ops *ops, void *user,
			  struct ql_http_request **req);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* QLANE_HTTP3_H */
