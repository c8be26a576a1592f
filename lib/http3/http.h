// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the files of http3/ share: connections, requests, and the table that h3.c and hq.c fill.
 *
 *	conn.c	  QUIC's callbacks in, dispatched to the version in use; connections, both roles
 *	request.c requests: life, sending of bodies, received fields; most of the public calls
 *	h3.c	  HTTP/3 on nghttp3 (RFC 9114, 9204, 9218)
 *	encode.c  what h3.c sends on streams of requests, as bytes
 *	settings.c what a client remembers of a server's SETTINGS
 *	uni.c	  what h3.c has to do with the peer's unidirectional streams before nghttp3
 *	hq.c	  HTTP/0.9
 *	pool.c	  memory for requests
 *
 * A request lives from the opening of its stream until the stream's stream_closed(); the
 * application sees it from request()/submit to done(), which is inside that span. Whatever a call
 * or callback wants done to streams is noted in request.due and carried out by ql_http_leave() of
 * the outermost call, so that nothing is closed or freed while nghttp3 or a loop is working on it.
 */
#ifndef QL_HTTP3_HTTP_H
#define QL_HTTP3_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <nghttp3/nghttp3.h>

#include <qlane/http3.h>

#include "http3/encode.h"
#include "http3/pool.h"
#include "http3/settings.h"

#define QL_HTTP_BUCKETS	   64	 /* of the table from stream ID to request, a power of two */
#define QL_HTTP_MAX_FIELDS 64	 /* that can be sent in one message */
#define QL_HTTP_PRIORITY   8	 /* bytes of a Priority field's value, with its zero byte */
#define QL_HTTP_PIECE	   16384 /* most that a body's read() is asked for at once, bytes */

/* Bytes on their way in memory of ours: what one read() of a body gave, or what did not fit. */
struct ql_http_piece {
	STAILQ_ENTRY(ql_http_piece) next;
	size_t len;
	uint64_t end; /* offset in the stream behind it */
	uint8_t bytes[];
};

/* Received header fields: name, zero, value, zero, and so on. */
struct ql_http_fields {
	char *buf;
	size_t len, cap;
	size_t counted; /* as RFC 9114, 4.2.2 counts; goes on when the fields are over the limit */
};

/* ql_http_request.due */
#define QL_HTTP_DUE_STOP  0x1u /* STOP_SENDING with .code */
#define QL_HTTP_DUE_RESET 0x2u /* RESET_STREAM with .code */
#define QL_HTTP_DUE_DONE  0x4u /* done() with .error */

struct ql_http_request {
	struct ql_http_conn *hc;
	struct ql_stream *stream; /* NULL once it is closed, while the response waits for QPACK */
	uint64_t id;
	const struct ql_http_response_ops *ops; /* client */
	void *user;

	TAILQ_ENTRY(ql_http_request) in_conn;
	LIST_ENTRY(ql_http_request) in_bucket;
	TAILQ_ENTRY(ql_http_request) in_todo;
	unsigned int due;
	uint64_t code; /* to stop and reset with */
	uint64_t peer_code;
	int error; /* first failure, negative errno */

	struct ql_http_fields fields, trailers;
	nghttp3_pri pri; /* as last told to the stream */

	struct ql_http_body body;
	STAILQ_HEAD(, ql_http_piece) pieces; /* unacknowledged, oldest first */
	uint64_t sent, acked;		     /* bytes of the stream given to QUIC, acknowledged */
	uint64_t body_until;		     /* what of them has all of the body, with body_end */
	size_t held;			     /* bytes of pieces */

	bool announced : 1; /* the application knows it */
	bool submitted : 1; /* our message was given to the version below */
	bool has_body : 1;  /* body.release is still to be called */
	bool body_end : 1;  /* QUIC has all of the body */
	bool waiting : 1;   /* for read() to have something, or for held to sink */
	bool fin_sent : 1;  /* QUIC has all of our message */
	bool write_end : 1; /* our direction was reset, by us or because it was stopped */
	bool received : 1;  /* the peer's whole message is here */
	bool fin_read : 1;  /* it was given to nghttp3, which may wait for QPACK's table */
	bool read_end : 1;  /* nothing more will be read: received, reset, or stopped */
	bool headers : 1;   /* the peer's header section is here */
	bool finished : 1;  /* done() was called, or is not to be */
};

/* How far the end of a server has got (RFC 9114, 5.2). */
enum ql_http_drain {
	QL_HTTP_NO_DRAIN,
	QL_HTTP_DRAIN,	      /* begun */
	QL_HTTP_DRAIN_NOTICE, /* a GOAWAY that excludes no request is under way, */
	QL_HTTP_DRAIN_LAST,   /* that which says with which it ends */
};

/* What a version of HTTP does; everything is called between ql_http_enter() and _leave(). */
struct ql_http_version {
	const char *alpn;
	int (*start)(struct ql_http_conn *hc); /* negative errno, or an HTTP/3 error code > 0 */
	void (*stop)(struct ql_http_conn *hc);
	void (*data)(struct ql_http_conn *hc, struct ql_stream *stream, const uint8_t *data,
		     size_t len, bool fin);
	/* For streams that belong to no request. */
	void (*writable)(struct ql_http_conn *hc, struct ql_stream *stream);
	/* The peer's direction, or ours, has ended without FIN. */
	void (*read_ended)(struct ql_http_request *req);
	void (*write_ended)(struct ql_http_request *req);
	void (*stream_closed)(struct ql_http_conn *hc, uint64_t id, uint64_t code);
	int (*submit)(struct ql_http_request *req, const struct ql_http_submit *submit);
	int (*respond)(struct ql_http_request *req, unsigned int status,
		       const struct ql_http_field *fields, size_t n);
	/* Write what stands before so many bytes of content so that it ends at end, in
	 * QL_HTTP_FRAME_HEAD bytes at most; where it begins. NULL: nothing does. */
	uint8_t *(*content_head)(uint8_t *end, uint64_t len);
	/* Send what follows the content, and the end. As ql_http_put(). NULL: there is no such thing. */
	int (*send_trailers)(struct ql_http_request *req, const struct ql_http_field *fields,
			     size_t n);
	/* Our stream has the priority already. 0 or a negative errno. */
	int (*set_priority)(struct ql_http_request *req, const struct ql_http_priority *priority);
	void (*pump)(struct ql_http_conn *hc); /* give QUIC what there is to send */
	/* Tell the client that no more requests are taken; true when it knows. NULL: it cannot. */
	bool (*drain)(struct ql_http_conn *hc);
	/* What a server's clients may rely on in early data; NULL for nothing. */
	uint64_t (*promise)(const struct ql_http_limits *limits);
	bool has_settings; /* sessions go with them */
};

extern const struct ql_http_version ql_http_h3, ql_http_hq;

struct ql_http_conn {
	bool is_conn; /* true; what ql_conn_user() gives is this or a ql_http_server */
	const struct ql_http_version *version; /* NULL until ALPN has settled it */
	struct ql_conn *conn;
	struct ql_http_server *server; /* NULL on a client */
	const struct ql_http_client_ops *ops;
	void *arg;
	struct ql_http_limits limits;
	uint64_t max_streams; /* requests that the peer may have open; server */
	uint64_t opened;      /* requests that it has opened */
	LIST_ENTRY(ql_http_conn) in_server;
	TAILQ_HEAD(, ql_http_request) requests;
	LIST_HEAD(ql_http_bucket, ql_http_request) buckets[QL_HTTP_BUCKETS];
	TAILQ_HEAD(, ql_http_request) due;
	struct ql_http_request *current; /* that ql_http_leave() works on */
	unsigned int depth;		 /* of calls between enter and leave */
	bool dirty;			 /* there may be something to pump */
	bool starved;			 /* a submit got -EAGAIN */
	bool goaway;
	bool closing;
	uint8_t drain;	     /* enum ql_http_drain; server */
	uint64_t idle_since; /* ns, if there is no request */
	/* Bytes of the control stream given to QUIC, acknowledged, and given before the GOAWAY. */
	uint64_t control_sent, control_acked, goaway_at;

	nghttp3_conn *h3;
	struct ql_http_encoder *encoder; /* the server's, or own */
	struct ql_http_encoder own;
	struct ql_stream *out[3]; /* control, QPACK encoder and decoder stream */
	uint64_t fail_code;	  /* what a callback of nghttp3 wants to close with */

	/* Client: the server's SETTINGS, those that early data relied on, and a session that waits
	 * for the former. */
	struct ql_http_settings settings, promised;
	bool has_settings, has_promised;
	uint8_t *session;
	size_t session_len;
};

struct ql_http_server {
	bool is_conn; /* false */
	const struct ql_http_server_ops *ops;
	void *arg;
	struct ql_http_limits limits;
	struct ql_http_encoder encoder;
	uint64_t max_streams;
	bool listening;
	bool draining;
	LIST_HEAD(, ql_http_conn) conns;
	unsigned int n_conns;
};

/* conn.c */

void ql_http_enter(struct ql_http_conn *hc);
void ql_http_leave(struct ql_http_conn *hc);
/* Close with an HTTP/3 error code; nothing is read or sent any more. */
void ql_http_fail(struct ql_http_conn *hc, uint64_t code, const char *reason);
/* The peer's SETTINGS are here. */
void ql_http_got_settings(struct ql_http_conn *hc, const struct ql_http_settings *settings);

/* request.c */

struct ql_http_request *ql_http_request_new(struct ql_http_conn *hc, struct ql_stream *stream);
struct ql_http_request *ql_http_request_find(struct ql_http_conn *hc, uint64_t id);
/* done() if that is still to come, body.release(), free. */
void ql_http_request_free(struct ql_http_request *req);
void ql_http_request_due(struct ql_http_request *req, unsigned int due);
/* Give it up: stop and reset with code, done() with error. */
void ql_http_request_abort(struct ql_http_request *req, int error, uint64_t code);
void ql_http_request_done(struct ql_http_request *req);
void ql_http_request_acked(struct ql_http_request *req, uint64_t acked);

/* A request of this method may be done twice: it may come in early data. */
bool ql_http_replayable(const char *method);

/* What the versions tell upwards: the header section, bytes and end of the peer's message. */
void ql_http_got_headers(struct ql_http_request *req);
void ql_http_got_data(struct ql_http_request *req, const uint8_t *data, size_t len);
void ql_http_got_end(struct ql_http_request *req);

/*
 * Send by copy, all of it: what QUIC has no room for is kept until it is acknowledged.
 * @return 0; negative errno: what was sent ends anywhere, if req.sent has changed
 */
int ql_http_put(struct ql_http_request *req, const void *data, size_t len, bool fin);
/* Content follows the header section, or at least its end has to be asked for. */
static inline bool ql_http_has_content(const struct ql_http_request *req)
{
	const struct ql_http_body *b = &req->body;

	return req->has_body && (b->read || b->len > 0 || b->trailers);
}
/* Bytes of content by reference, or 0. */
static inline uint64_t ql_http_whole(const struct ql_http_request *req)
{
	return req->has_body && !req->body.read ? req->body.len : 0;
}
/*
 * Send what there is of the content, and the end; aborts the request if that fails. headed: what
 * stands before content by reference was sent.
 */
void ql_http_send_body(struct ql_http_request *req, bool headed);

/*
 * @return 0; -ENOMEM; -EMSGSIZE when the section is over the limit, and the field was not kept
 */
int ql_http_fields_add(struct ql_http_fields *f, size_t max, const void *name, size_t name_len,
		       const void *value, size_t value_len);
/* Make room for need bytes behind f.len; 0 or -ENOMEM. */
int ql_http_fields_grow(struct ql_http_fields *f, size_t need);
const char *ql_http_fields_get(const struct ql_http_fields *f, const char *name);
void ql_http_fields_clear(struct ql_http_fields *f);

#endif /* QL_HTTP3_HTTP_H */
