// SPDX-License-Identifier: BSD-3-Clause
/*
 * Fetching many URLs to files, or sending a file to them, over one or more connections to each
 * server, with as many requests at a time as the servers allow. Set up first, before EAL; then one
 * thread runs it. Each failure is told by one line on standard error when it happens.
 */
#ifndef QL_APP_FETCH_H
#define QL_APP_FETCH_H

#include <qlane/http3.h>

#include "ask.h"
#include "options.h"
#include "session.h"

struct ql_fetch;

struct ql_fetch_options {
	const char *upload;	      /* a file to send to each URL by PUT; NULL to fetch them */
	bool digest;		      /* and what its digest is, behind it */
	struct ql_ask ask;	      /* of them; the priority counts for uploads as well */
	struct ql_ask_priority later; /* a priority from a response's first bytes on */
	const char *out;	  /* folder, made if it is missing; NULL to throw contents away */
	const char *sni;	  /* instead of the URLs' hosts */
	const struct ql_addr *to; /* connect there instead of to the URLs' hosts; NULL */
	unsigned int connections; /* to each server */
	unsigned int parallel;	  /* requests on a connection at a time at most */
	unsigned int requests;	  /* and in all; 0 for no limit */
	uint64_t move_bytes;	  /* move after so many bytes on a connection, again and again; 0 */
	uint64_t update_bytes;	  /* the same with an update of the keys; 0 */
	struct ql_sessions *sessions; /* to resume from, and to keep; NULL */
};

struct ql_fetch_stats {
	unsigned int files, done, failed; /* done: with status 200, and written; or taken */
	unsigned int same;		  /* of these, that were there already */
	uint64_t bytes;			  /* of content, so far */
	unsigned int connections;	  /* that were made */
	unsigned int retries;		  /* of these, that a Retry delayed */
	unsigned int version_2;		  /* of these, in version 2 of QUIC */
	unsigned int resumed;		  /* of these, that went on from a session */
	unsigned int early;		  /* of these, whose early data the server took */
	unsigned int early_refused;	  /* and did not take */
	unsigned int moves;		  /* of connections to another address or port */
	uint64_t handshake_ns;		  /* the longest of theirs */
};

/* Options are copied, strings are not. NULL after a message. */
struct ql_fetch *ql_fetch_new(const struct ql_fetch_options *options);
/* Closed connections only: after the engine was freed. */
void ql_fetch_free(struct ql_fetch *fetch);

/* One more URL. False after a message. */
bool ql_fetch_add(struct ql_fetch *fetch, const char *url);
/* Names to addresses, and no two URLs to one file. False after a message. */
bool ql_fetch_prepare(struct ql_fetch *fetch);

/* Port of the first URL's server. */
uint16_t ql_fetch_port(const struct ql_fetch *fetch);

/*
 * Share the URLs and the connections to each server out, after ql_fetch_prepare(): at[0] is fetch with
 * what it keeps, and the others are new. For lcores, which then have nothing in common but the sessions.
 * n is at most the number of connections. False after a message; then there are no new ones.
 */
bool ql_fetch_split(struct ql_fetch *fetch, struct ql_fetch **at, unsigned int n);

struct ql_lane;

struct ql_fetch_network {
	struct ql_engine *engine;
	struct ql_lane *lane; /* NULL: any port of ours will do */
	struct ql_tls_ctx *tls;
	struct ql_transport transport;
	const char *alpns;
	struct ql_ifaddrs ip; /* ours; the one nearest to the server is taken */
};

/* Open the connections. False after a message. */
bool ql_fetch_start(struct ql_fetch *fetch, const struct ql_fetch_network *network, uint64_t now);
/* Every URL has its file or its failure. */
bool ql_fetch_ended(const struct ql_fetch *fetch);
/*
 * Fail what is not there yet, for this reason: what was not begun now, what is running when its
 * connection is closed. The text is not copied.
 */
void ql_fetch_give_up(struct ql_fetch *fetch, const char *why);
/* Close the connections; true when all are closed. To be called until then. */
bool ql_fetch_close(struct ql_fetch *fetch);

const struct ql_fetch_stats *ql_fetch_stats(const struct ql_fetch *fetch);

#endif /* QL_APP_FETCH_H */
