// SPDX-License-Identifier: BSD-3-Clause
/*
 * Network paths of one connection: validation, migration, limits (RFC 9000, sections 8.1, 8.2, 9).
 *
 * ql_conn.path is the path in use; most connections never have another, and then there is no
 * struct ql_paths at all. It is taken from the engine's memory when a PATH_CHALLENGE or a packet
 * from elsewhere comes, or when we want to move, and holds QL_CONN_PATHS paths:
 *
 *	active		in use
 *	fallback	the last one that was validated, often the same: where to go when the
 *			active one fails (9.3.2)
 *	target		to be used once it is validated: a client's move, or a server's other
 *			address
 *
 * Who moves: a server's packets follow the client's highest numbered packet that is more than a
 * probe, at once, if only the client's address differs; the new path is validated meanwhile, and so
 * is the old one, in case somebody else forwarded the packet (9.3.3). A client moves by
 * ql_conn_migrate(), or to the server's preferred address.
 *
 * Paths without a use are forgotten after a while, and the peer's connection ID that belongs to
 * them is retired.
 */
#ifndef QL_CONN_PATH_H
#define QL_CONN_PATH_H

#include <qlane/common.h>

#include "conn/cid.h"
#include "wire/frame.h"

#define QL_CONN_PATHS	   3
#define QL_PATH_RESPONSES  4 /* PATH_RESPONSEs that may wait, a path; the latest count (21.8) */
#define QL_PATH_CHALLENGES 4 /* of those sent, the latest that may be answered */

struct ql_conn;

struct ql_conn_path {
	struct ql_path addr;
	bool used;
	bool validated;	    /* the peer answers there (8.2.3) */
	bool full;	    /* and gets datagrams of QL_INITIAL_MIN bytes (8.2.1) */
	bool challenging;   /* being validated, perhaps again */
	bool challenge_due; /* a PATH_CHALLENGE has to go out */
	bool has_rec;
	uint8_t rec_id; /* its state in recovery/; shared if only a port differs (9.4) */
	uint8_t n_responses;
	uint8_t n_challenges;	 /* sent in this validation */
	uint8_t challenges_full; /* bits: went out in a full datagram */
	uint8_t responses[QL_PATH_RESPONSES][QL_PATH_DATA_LEN];
	uint8_t challenges[QL_PATH_CHALLENGES][QL_PATH_DATA_LEN];
	uint64_t pto;		 /* between the first two challenges, ns; then doubled */
	uint64_t next_challenge; /* when to repeat it, ns; QL_NEVER */
	uint64_t deadline; /* of the validation, or when the path is forgotten, ns; QL_NEVER */
	uint64_t seen;	   /* when the last packet came */
	uint64_t cid_seq;  /* of the peer's ID to send to; the active path's is the current one */
	uint64_t rx_seq;   /* of our ID that the peer sends to there */
	uint64_t rx_bytes, tx_bytes; /* while the path is not validated, or not in use */
};

struct ql_paths {
	struct ql_conn_path e[QL_CONN_PATHS];
	struct ql_conn_path *active, *fallback;
	struct ql_conn_path *target; /* may be NULL */
	bool asked;		     /* the target is the application's wish: it wants to know */
	uint8_t last_rec_id;
};

void ql_paths_fini(struct ql_conn *conn);

/* ---- Receive ---- */

/* Whether a 1-RTT packet may come by another path than the one in use (9). */
bool ql_paths_accept(const struct ql_conn *conn, const struct ql_path *path);

void ql_paths_on_challenge(struct ql_conn *conn, const struct ql_path *path, const uint8_t *data);
void ql_paths_on_response(struct ql_conn *conn, const uint8_t *data);

/*
 * A packet has been handled that came by another path, or while the one in use is not validated.
 * len: bytes of its datagram. moves: it is the highest numbered, and no mere probe.
 */
void ql_paths_on_packet(struct ql_conn *conn, const struct ql_path *path, size_t len, bool moves);

/* ---- Send ---- */

/* The next path, from *i on, that has PATH_CHALLENGE or PATH_RESPONSE to send and may; or NULL.
 * window: congestion control lets go. *room: bytes of its datagram. */
struct ql_conn_path *ql_paths_next_due(struct ql_conn *conn, unsigned int *i, bool window,
				       size_t *room);

/* Some path has something to send, now or when its limits allow. */
bool ql_paths_waiting(const struct ql_conn *conn);

/* The connection ID for it; NULL when there is none left. */
const struct ql_cid *ql_path_cid(struct ql_conn *conn, struct ql_conn_path *p);

/* Write what is due. full: the datagram will have QL_INITIAL_MIN bytes. */
uint8_t *ql_path_put(struct ql_conn *conn, struct ql_conn_path *p, uint8_t *q, const uint8_t *end,
		     bool full);

/* Bytes that a datagram to this path may have now (8.1). */
size_t ql_path_room(const struct ql_conn *conn, const struct ql_conn_path *p);

/* That many went out, to this path (NULL: the active one), which is not validated or not in use. */
void ql_path_count_tx(struct ql_conn *conn, struct ql_conn_path *p, size_t bytes);

/* ---- Moving ---- */

/*
 * A client validates a path with this local and remote address and then uses it. asked: tell the
 * application how it ends. 0; -EALREADY while there is another target; -EAGAIN when the peer has
 * given no connection ID for it; -ENOTSUP when the peer's are empty; -ENOMEM.
 */
int ql_paths_move(struct ql_conn *conn, const struct ql_path *path, bool asked);

/* ql_conn.path_deadline has come. */
void ql_paths_on_deadline(struct ql_conn *conn);

#endif
