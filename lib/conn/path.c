// SPDX-License-Identifier: BSD-3-Clause
#include "conn/path.h"

#include <errno.h>
#include <string.h>

#include "conn/conn.h"

#define SMALLEST    64 /* bytes of room that a datagram for a lone PATH_CHALLENGE needs */
#define KEEP_PTOS   3  /* how long a path is kept that is of no more use, and is validated */
#define MAX_BACKOFF 6  /* doublings of the time between challenges */

/* The PTO of a path that nothing is known of (RFC 9002, 6.2.2). */
static uint64_t initial_pto(const struct ql_conn *conn)
{
	struct ql_rtt rtt;

	ql_rtt_init(&rtt, 0);
	return ql_rtt_pto(&rtt, conn->rec.max_ack_delay);
}

static bool same_hosts(const struct ql_path *a, const struct ql_path *b)
{
	return memcmp(a->local.ip, b->local.ip, sizeof(a->local.ip)) == 0 &&
	       memcmp(a->remote.ip, b->remote.ip, sizeof(a->remote.ip)) == 0;
}

static struct ql_conn_path *find(const struct ql_conn *conn, const struct ql_path *addr)
{
	struct ql_paths *paths = conn->paths;

	for (unsigned int i = 0; paths && i < QL_CONN_PATHS; i++) {
		if (paths->e[i].used && ql_path_eq(&paths->e[i].addr, addr))
			return &paths->e[i];
	}
	return NULL;
}

/* After any change of what is to be done when. */
static void update(struct ql_conn *conn)
{
	uint64_t t = QL_NEVER;

	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		const struct ql_conn_path *p = &conn->paths->e[i];

		if (!p->used)
			continue;
		t = p->next_challenge < t ? p->next_challenge : t;
		t = p->deadline < t ? p->deadline : t;
	}
	conn->path_deadline = t;
}

/* ---- Connection IDs (9.5) ---- */

static struct ql_peer_cid *cid_by_seq(struct ql_conn *conn, uint64_t seq)
{
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		if (conn->peer_cids.e[i].used && conn->peer_cids.e[i].seq == seq)
			return &conn->peer_cids.e[i];
	}
	return NULL;
}

static uint64_t current_seq(const struct ql_conn *conn)
{
	return conn->peer_cids.e[conn->peer_cids.current].seq;
}

static uint64_t seq_of(const struct ql_conn *conn, const struct ql_conn_path *p)
{
	return p == conn->paths->active ? current_seq(conn) : p->cid_seq;
}

/* Whether a path other than this one has it. */
static bool cid_taken(const struct ql_conn *conn, uint64_t seq, const struct ql_conn_path *but)
{
	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		const struct ql_conn_path *p = &conn->paths->e[i];

		if (p->used && p != but && seq_of(conn, p) == seq)
			return true;
	}
	return false;
}

/* An ID that no path has used yet. False when there is none. */
static bool take_cid(struct ql_conn *conn, struct ql_conn_path *p)
{
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		const struct ql_peer_cid *e = &conn->peer_cids.e[i];

		if (e->used && !cid_taken(conn, e->seq, p)) {
			p->cid_seq = e->seq;
			return true;
		}
	}
	return false;
}

static void release_cid(struct ql_conn *conn, const struct ql_conn_path *p)
{
	uint64_t seq = seq_of(conn, p);
	struct ql_peer_cid *e = cid_by_seq(conn, seq);

	if (!e || e->cid.len == 0 || cid_taken(conn, seq, p))
		return;
	e->used = false;
	if (!ql_peer_cids_retire(&conn->peer_cids, seq))
		ql_conn_fail(conn, QL_ERR_CONNECTION_ID_LIMIT_ERROR, 0,
			     "too many connection IDs to retire");
}

const struct ql_cid *ql_path_cid(struct ql_conn *conn, struct ql_conn_path *p)
{
	const struct ql_peer_cid *e = cid_by_seq(conn, seq_of(conn, p));

	/* The peer has asked for its retirement meanwhile. */
	if (!e && take_cid(conn, p))
		e = cid_by_seq(conn, p->cid_seq);
	return e ? &e->cid : NULL;
}

/* ---- Paths ---- */

static bool make_table(struct ql_conn *conn)
{
	struct ql_conn_path *p;

	if (conn->paths)
		return true;
	conn->paths = ql_mem_zalloc(conn->host->mem, sizeof(*conn->paths));
	if (!conn->paths)
		return false;
	p = &conn->paths->e[0];
	p->used = p->validated = p->full = p->has_rec = true;
	p->rec_id = conn->rec.path.id;
	p->addr = conn->path;
	p->next_challenge = p->deadline = QL_NEVER;
	p->rx_seq = conn->path_cid_seq;
	conn->paths->active = conn->paths->fallback = p;
	return true;
}

void ql_paths_fini(struct ql_conn *conn)
{
	ql_mem_free(conn->host->mem, conn->paths, sizeof(*conn->paths));
	conn->paths = NULL;
}

static void forget(struct ql_conn *conn, struct ql_conn_path *p)
{
	struct ql_paths *paths = conn->paths;
	bool shared = !p->has_rec || p->rec_id == conn->rec.path.id;

	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		const struct ql_conn_path *q = &paths->e[i];

		shared |= q != p && q->used && q->has_rec && q->rec_id == p->rec_id;
	}
	if (!shared)
		ql_rec_drop_path(&conn->rec, p->rec_id);
	release_cid(conn, p);
	if (paths->target == p)
		paths->target = NULL;
	memset(p, 0, sizeof(*p));
}

/* A place for one more path: a free one, or that of the one not heard of for the longest time. */
static struct ql_conn_path *take_place(struct ql_conn *conn)
{
	struct ql_paths *paths = conn->paths;
	struct ql_conn_path *best = NULL;

	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		struct ql_conn_path *p = &paths->e[i];

		if (!p->used)
			return p;
		if (p != paths->active && p != paths->fallback && p != paths->target &&
		    (!best || p->seen < best->seen))
			best = p;
	}
	if (best)
		forget(conn, best);
	return best;
}

/*
 * keep_cid: the peer may be where it was, behind a NAT that has changed its mind: it has not
 * changed its connection ID, and so we need not (9.5).
 */
static struct ql_conn_path *add(struct ql_conn *conn, const struct ql_path *addr, bool keep_cid)
{
	struct ql_conn_path *p;

	if (!make_table(conn))
		return NULL;
	p = take_place(conn);
	if (!p)
		return NULL;
	if (keep_cid)
		p->cid_seq = current_seq(conn);
	else if (!take_cid(conn, p))
		return NULL;
	p->used = true;
	p->addr = *addr;
	p->seen = conn->host->now;
	p->rx_seq = conn->rx_cid_seq;
	p->next_challenge = QL_NEVER;
	p->deadline = conn->host->now + KEEP_PTOS * initial_pto(conn);
	return p;
}

/* The same for the server, which learns of paths by packets. */
static struct ql_conn_path *add_peers(struct ql_conn *conn, const struct ql_path *addr)
{
	return add(conn, addr,
		   ql_peer_cid(&conn->peer_cids)->len == 0 ||
			   conn->rx_cid_seq == conn->path_cid_seq);
}

/* ---- Validation (8.2) ---- */

/* When it has failed (8.2.4). */
static uint64_t give_up(const struct ql_conn *conn)
{
	uint64_t pto = ql_conn_pto(conn), first = initial_pto(conn);

	return conn->host->now + 3 * (pto > first ? pto : first);
}

static void validate(struct ql_conn *conn, struct ql_conn_path *p)
{
	uint64_t pto = ql_conn_pto(conn), first = initial_pto(conn);

	p->challenging = p->challenge_due = true;
	p->n_challenges = 0;
	/* The peer is no farther away than it was, we guess. */
	p->pto = pto < first ? pto : first;
	p->next_challenge = QL_NEVER;
	p->deadline = give_up(conn);
	conn->path_due = true;
	QL_TRACE(conn, path, p, QL_TRACE_PATH_PROBED);
	update(conn);
	ql_conn_wake(conn);
}

static void stop_validating(struct ql_conn_path *p)
{
	p->challenging = p->challenge_due = false;
	p->next_challenge = QL_NEVER;
}

/* ---- Moving ---- */

static void tell(struct ql_conn *conn, int error)
{
	if (conn->ops && conn->ops->path_changed && conn->state < QL_CONN_CLOSING)
		conn->ops->path_changed(conn, error);
}

static void use(struct ql_conn *conn, struct ql_conn_path *p)
{
	struct ql_paths *paths = conn->paths;
	struct ql_conn_path *old = paths->active;
	bool has_cid = ql_path_cid(conn, p) != NULL;
	uint64_t now = conn->host->now;

	if (!p->has_rec) {
		p->has_rec = true;
		p->rec_id = same_hosts(&p->addr, &old->addr) ? old->rec_id : ++paths->last_rec_id;
	}
	if (p->rec_id != conn->rec.path.id)
		ql_rec_use_path(&conn->rec, p->rec_id, 0, now);
	if (!ql_addr_eq(&p->addr.remote, &old->addr.remote) && !conn->server)
		conn->no_migration = false; /* it was for the address of the handshake (18.2) */
	old->cid_seq = current_seq(conn);
	old->rx_seq = conn->path_cid_seq;
	old->rx_bytes = old->tx_bytes = 0;
	if (!old->challenging)
		old->deadline = now + KEEP_PTOS * ql_conn_pto(conn);
	paths->active = p;
	if (!p->challenging)
		p->deadline = QL_NEVER;
	if (p->full)
		paths->fallback = p;
	if (has_cid)
		conn->peer_cids.current =
			(uint8_t)(cid_by_seq(conn, p->cid_seq) - conn->peer_cids.e);
	conn->path = p->addr;
	conn->path_cid_seq = p->rx_seq;
	conn->peer_validated = !conn->server || p->validated;
	conn->rec.blocked = false;
	conn->ping |= !conn->server; /* what makes the server follow */
	QL_TRACE(conn, path, p, QL_TRACE_PATH_USED);
	update(conn);
	tell(conn, 0);
}

/* The client has gone there, it seems (9.3). */
static void follow(struct ql_conn *conn, struct ql_conn_path *p)
{
	struct ql_paths *paths = conn->paths;
	struct ql_conn_path *old = paths->active;

	if (!ql_path_cid(conn, p))
		return;
	if (!ql_addr_eq(&p->addr.local, &old->addr.local) && !p->full) {
		/* Our other address: no step before it is validated (9.6.2). */
		if (!p->challenging)
			validate(conn, p);
		paths->target = p;
		return;
	}
	if (!p->full && !p->challenging)
		validate(conn, p);
	if (!old->challenging)
		validate(conn, old); /* 9.3.3 */
	use(conn, p);
	if (!old->full && old != paths->fallback)
		forget(conn, old);
	update(conn);
}

/* It is validated, with full datagrams. */
static void on_validated(struct ql_conn *conn, struct ql_conn_path *p)
{
	struct ql_paths *paths = conn->paths;
	uint64_t keep = conn->host->now + KEEP_PTOS * ql_conn_pto(conn);

	stop_validating(p);
	p->deadline = keep;
	p->full = true;
	QL_TRACE(conn, path, p, QL_TRACE_PATH_VALIDATED);
	if (p == paths->active) {
		/* The client's next connection may come from there (9.3). */
		conn->send_new_token |=
			conn->server && !same_hosts(&p->addr, &paths->fallback->addr);
		if (paths->fallback != p && !paths->fallback->challenging)
			paths->fallback->deadline = keep;
		paths->fallback = p;
		p->deadline = QL_NEVER;
	} else if (p == paths->target) {
		paths->target = NULL;
		paths->asked = false;
		use(conn, p);
	}
}

static void on_failed(struct ql_conn *conn, struct ql_conn_path *p)
{
	struct ql_paths *paths = conn->paths;
	bool asked = p == paths->target && paths->asked;

	QL_TRACE(conn, path, p, QL_TRACE_PATH_FAILED);
	stop_validating(p);
	p->deadline = QL_NEVER;
	if (p == paths->active) {
		if (p == paths->fallback)
			return;
		if (!ql_path_cid(conn, paths->fallback)) { /* the peer has taken its IDs back */
			ql_conn_drop(conn, QL_CLOSE_PATH);
			return;
		}
		use(conn, paths->fallback); /* 9.3.2 */
		forget(conn, p);
	} else if (p != paths->fallback) {
		forget(conn, p);
		if (asked) {
			paths->asked = false;
			tell(conn, -ETIMEDOUT);
		}
	}
}

int ql_paths_move(struct ql_conn *conn, const struct ql_path *addr, bool asked)
{
	struct ql_conn_path *p;

	if (ql_peer_cid(&conn->peer_cids)->len == 0)
		return -ENOTSUP;
	if (!make_table(conn))
		return -ENOMEM;
	if (conn->paths->target)
		return -EALREADY;
	p = find(conn, addr);
	if (!p)
		p = add(conn, addr, false);
	if (!p)
		return -EAGAIN;
	conn->paths->target = p;
	conn->paths->asked = asked;
	validate(conn, p);
	p->deadline = QL_NEVER; /* until it begins: between turns it is not known when that is */
	update(conn);
	return 0;
}

int ql_conn_migrate(struct ql_conn *conn, const struct ql_addr *local)
{
	struct ql_path path = {.local = *local, .remote = conn->path.remote};

	if (conn->server || local->port == 0 || ql_addr_eq(local, &conn->path.local) ||
	    ql_addr_is_ip4(local) != ql_addr_is_ip4(&conn->path.remote))
		return -EINVAL;
	if (conn->state != QL_CONN_CONFIRMED)
		return -ENOTCONN;
	if (conn->no_migration)
		return -EPERM;
	return ql_paths_move(conn, &path, true);
}

void ql_paths_on_deadline(struct ql_conn *conn)
{
	struct ql_paths *paths = conn->paths;
	uint64_t now = conn->host->now;

	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		struct ql_conn_path *p = &paths->e[i];

		if (!p->used)
			continue;
		if (now >= p->next_challenge) {
			p->challenge_due = true;
			p->next_challenge = QL_NEVER;
			conn->path_due = true;
		}
		if (now < p->deadline)
			continue;
		if (p->challenging)
			on_failed(conn, p);
		else if (p == paths->active || p == paths->fallback)
			p->deadline = QL_NEVER;
		else
			forget(conn, p);
	}
	update(conn);
}

/* ---- Receive ---- */

bool ql_paths_accept(const struct ql_conn *conn, const struct ql_path *path)
{
	return conn->state == QL_CONN_CONFIRMED && (conn->server || find(conn, path));
}

void ql_paths_on_challenge(struct ql_conn *conn, const struct ql_path *addr, const uint8_t *data)
{
	struct ql_conn_path *p;

	if (conn->state < QL_CONN_COMPLETE || !make_table(conn))
		return; /* the peer will ask again */
	p = find(conn, addr);
	if (!p)
		p = add_peers(conn, addr);
	if (!p)
		return;
	if (p->n_responses == QL_PATH_RESPONSES) {
		memmove(p->responses[0], p->responses[1],
			(QL_PATH_RESPONSES - 1) * sizeof(p->responses[0]));
		p->n_responses--;
	}
	memcpy(p->responses[p->n_responses++], data, QL_PATH_DATA_LEN);
	conn->path_due = true;
	/* The client will come this way, and it is better known before (9.6.3). */
	if (conn->server && !p->full && !p->challenging)
		validate(conn, p);
	update(conn);
}

void ql_paths_on_response(struct ql_conn *conn, const uint8_t *data)
{
	for (unsigned int i = 0; conn->paths && i < QL_CONN_PATHS; i++) {
		struct ql_conn_path *p = &conn->paths->e[i];

		for (unsigned int k = 0; k < QL_PATH_CHALLENGES && k < p->n_challenges; k++) {
			if (!p->used || !p->challenging ||
			    memcmp(p->challenges[k], data, QL_PATH_DATA_LEN) != 0)
				continue;
			p->validated = true;
			if (p == conn->paths->active) {
				conn->peer_validated = true;
				conn->rec.blocked = false;
			}
			if (p->challenges_full >> k & 1)
				on_validated(conn, p);
			else
				validate(conn, p); /* and now with full datagrams (8.2.1) */
			update(conn);
			return;
		}
	}
}

void ql_paths_on_packet(struct ql_conn *conn, const struct ql_path *addr, size_t len, bool moves)
{
	struct ql_conn_path *p = find(conn, addr);

	moves &= conn->server && conn->state == QL_CONN_CONFIRMED;
	if (!p && moves)
		p = add_peers(conn, addr);
	if (!p)
		return;
	p->seen = conn->host->now;
	p->rx_bytes += len;
	if (p == conn->paths->active)
		return;
	p->rx_seq = conn->rx_cid_seq;
	if (moves)
		follow(conn, p);
}

/* ---- Send ---- */

bool ql_paths_waiting(const struct ql_conn *conn)
{
	for (unsigned int i = 0; i < QL_CONN_PATHS; i++) {
		const struct ql_conn_path *p = &conn->paths->e[i];

		if (p->used && (p->challenge_due || p->n_responses > 0))
			return true;
	}
	return false;
}

size_t ql_path_room(const struct ql_conn *conn, const struct ql_conn_path *p)
{
	bool answer_only = p->n_responses > 0 && !p->challenge_due;
	size_t most = p == conn->paths->active ? conn->rec.path.mtu : QL_INITIAL_MIN;
	uint64_t left;

	/* Answers on a path not in use are limited even if it is validated: no flood comes of them.
	 */
	if (!conn->server || (p->validated && (p == conn->paths->active || !answer_only)))
		return most;
	left = 3 * p->rx_bytes > p->tx_bytes ? 3 * p->rx_bytes - p->tx_bytes : 0;
	return left < most ? (size_t)left : most;
}

struct ql_conn_path *ql_paths_next_due(struct ql_conn *conn, unsigned int *i, bool window,
				       size_t *room)
{
	for (; *i < QL_CONN_PATHS; (*i)++) {
		struct ql_conn_path *p = &conn->paths->e[*i];

		if (!p->used || (!p->challenge_due && p->n_responses == 0))
			continue;
		if (p == conn->paths->active && !p->challenge_due && !window)
			continue;
		*room = ql_path_room(conn, p);
		if (*room >= SMALLEST && ql_path_cid(conn, p)) {
			(*i)++;
			return p;
		}
	}
	return NULL;
}

void ql_path_count_tx(struct ql_conn *conn, struct ql_conn_path *p, size_t bytes)
{
	if (!p && conn->paths)
		p = conn->paths->active;
	if (p)
		p->tx_bytes += bytes;
	else if (conn->hs)
		conn->hs->tx_bytes += bytes;
}

uint8_t *ql_path_put(struct ql_conn *conn, struct ql_conn_path *p, uint8_t *q, const uint8_t *end,
		     bool full)
{
	uint8_t *next;

	while (p->n_responses > 0) {
		next = ql_frame_put_path_response(q, end, p->responses[p->n_responses - 1]);
		if (!next)
			return q;
		p->n_responses--;
		q = next;
	}
	if (p->challenge_due) {
		unsigned int k = p->n_challenges % QL_PATH_CHALLENGES;
		unsigned int backoff =
			p->n_challenges < MAX_BACKOFF ? p->n_challenges : MAX_BACKOFF;

		ql_rng_bytes(conn->host->rng, p->challenges[k], QL_PATH_DATA_LEN);
		next = ql_frame_put_path_challenge(q, end, p->challenges[k]);
		if (!next)
			return q;
		p->challenges_full = (uint8_t)((p->challenges_full & ~(1u << k)) | full << k);
		if (p->n_challenges++ == 0)
			p->deadline = give_up(conn);
		p->challenge_due = false;
		p->next_challenge = conn->host->now + (p->pto << backoff);
		q = next;
		update(conn);
	}
	return q;
}
