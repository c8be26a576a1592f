// SPDX-License-Identifier: BSD-3-Clause
/*
 * A small application for both ends of a connection. The client opens streams; each begins with
 * 16 bytes that say how many bytes follow and how many it wants, then those bytes; the server
 * answers with what is wanted. All bytes are of a pattern, and checked.
 *
 * Streams may also be reset and stopped by chance, on either side.
 *
 * It also checks what qlane/conn.h and qlane/stream.h promise: the order of callbacks, one end for
 * everything that began, offsets, releases. The first broken promise is kept as text, and counted.
 */
#ifndef SIM_APP_H
#define SIM_APP_H

#include <qlane/engine.h>
#include <qlane/stream.h>

#define SIM_ALPN "sim"

/* What a client does with a connection. */
struct sim_job {
	unsigned int streams;
	uint64_t download, upload; /* bytes of each stream */
	/* Leave the connection open when all streams have ended. */
	bool keep_open;
	/* How to close it otherwise. */
	uint64_t close_code;
	const char *close_reason;
};

struct sim_app {
	/* The test's, before and while it runs. */
	struct sim_job job;
	const char *alpn;    /* SIM_ALPN at first */
	bool by_reference;   /* send by ql_stream_send_ref() */
	uint64_t ref_window; /* bytes of a stream given so and not acknowledged; 0: 4 MiB */
	bool no_check;	     /* leave the pattern unchecked: for figures */
	bool no_credit;	     /* give no credit back */
	uint64_t refuse;     /* server: accepted() returns this */
	/* Chances in a million, at each arrival of data, to reset and to stop its stream. */
	unsigned int reset_chance, stop_chance;
	uint64_t *random; /* for these; see sim_below() */
	bool use_token;	  /* client: show the latest token, if there is one */
	bool use_session; /* client: resume the latest session, if there is one */
	/* Called at the end of connected() and of each stream; may be NULL. */
	void (*on_connected)(struct sim_app *app, struct ql_conn *conn);
	void (*on_stream_closed)(struct sim_app *app, struct ql_conn *conn);
	void *arg;

	/* What happened. */
	unsigned int accepted, connected, closed;
	unsigned int live;	    /* connections that are owed closed() */
	unsigned int opened, ended; /* streams */
	unsigned int complete;	    /* streams with all bytes in both directions */
	uint64_t received;	    /* bytes of the pattern */
	uint64_t acked;		    /* bytes sent on streams that the peer has acknowledged */
	uint64_t reset, stopped;    /* streams */
	unsigned int moved;	    /* path_changed() without error, and with */
	unsigned int not_moved;
	unsigned int causes[8];	     /* connections closed, by ql_close_info.cause */
	unsigned int faults;	     /* of these, with an error of QUIC's: ours or the peer's */
	uint64_t fault;		     /* the first such error */
	unsigned int misled;	     /* not among faults: closed with VERSION_NEGOTIATION_ERROR */
	unsigned int tokens;	     /* that came */
	uint8_t token[QL_TOKEN_MAX]; /* the latest */
	size_t token_len;
	unsigned int sessions;
	uint8_t session[QL_SESSION_MAX]; /* the latest */
	size_t session_len;
	unsigned int early; /* early() calls; a server's connections accepted early */
	unsigned int early_taken, early_refused; /* as connections know when they are complete */
	unsigned int resumed;			 /* connections */
	struct ql_close_info close;		 /* of the last connection that was closed */
	char reason[128];
	struct ql_conn *conn; /* the latest, NULL once closed */
	uint64_t connected_at, closed_at;

	unsigned int errors;
	char error[160]; /* the first */
};

/* Everything zero, but for the job (a copy; NULL for a server). */
void sim_app_init(struct sim_app *app, const struct sim_job *job);

/* For ql_listen() and ql_connect(). */
struct ql_proto sim_app_proto(struct sim_app *app);

/* ql_connect() to SIM_NAME for this application. */
int sim_app_connect(struct sim_app *app, struct ql_engine *engine, struct ql_tls_ctx *tls,
		    const struct ql_transport *transport, const struct ql_path *path, uint64_t now);

#endif
