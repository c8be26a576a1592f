// SPDX-License-Identifier: BSD-3-Clause
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "outfile.h"
#include "reach.h"
#include "url.h"

#define TEXT 256

struct item {
	struct ql_url url;
	struct target *target;
	struct link *link;
	char *name; /* of its file, below the folder */
	struct ql_have have;
	struct ql_outfile file;
	bool taken;		     /* what comes is the content that is wanted */
	struct ql_http_request *req; /* while it runs */
	bool open;		     /* the file is */
	off_t sent;		     /* bytes of the upload that HTTP has */
	struct ql_digest *digest;    /* of them; NULL */
	char trailer[QL_DIGEST];
	bool again; /* it was asked for too early once */
	unsigned int status;
	char why[TEXT]; /* of a failure of our own making */
	TAILQ_ENTRY(item) next;
};

TAILQ_HEAD(items, item);

/* A server: what has one host and port. */
struct target {
	char host[256];
	uint16_t port;
	struct ql_addr addr;
	struct items waiting;
	unsigned int files;
	unsigned int links; /* not closed */
	TAILQ_ENTRY(target) next;
};

/* A connection to it. */
struct link {
	struct ql_fetch *fetch;
	struct target *target;
	struct ql_http_conn *http;   /* NULL once it is closed */
	struct items lost;	     /* failed with the connection; closed() will tell why */
	unsigned int running, begun; /* requests */
	bool closing;
	uint64_t bytes;		     /* of content */
	uint64_t move_at, update_at; /* when to do that next, by bytes */
	struct ql_addr moving;	     /* there; port 0: not */
	TAILQ_ENTRY(link) next;
};

struct ql_fetch {
	struct ql_fetch_options o;
	struct ql_fetch_stats stats;
	int root;   /* -1 without */
	int upload; /* the file to send, -1 for none */
	off_t upload_size;
	const char *why; /* it was given up; NULL */
	struct ql_ifaddrs ip;
	struct ql_lane *lane;
	bool told_no_move;
	TAILQ_HEAD(, target) targets;
	TAILQ_HEAD(, link) links;
	struct items ended;
};

/* Set-up. */

static bool open_upload(struct ql_fetch *f)
{
	struct stat st;

	f->upload = open(f->o.upload, O_RDONLY | O_CLOEXEC);
	if (f->upload < 0 || fstat(f->upload, &st) < 0) {
		ql_complain("--upload %s: %s", f->o.upload, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		ql_complain("--upload %s: not a regular file", f->o.upload);
		return false;
	}
	f->upload_size = st.st_size;
	return true;
}

struct ql_fetch *ql_fetch_new(const struct ql_fetch_options *options)
{
	struct ql_fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->o = *options;
	f->root = f->upload = -1;
	TAILQ_INIT(&f->targets);
	TAILQ_INIT(&f->links);
	TAILQ_INIT(&f->ended);
	if (f->o.upload && !open_upload(f)) {
		ql_fetch_free(f);
		return NULL;
	}
	if (!f->o.out)
		return f;
	if (mkdir(f->o.out, 0777) == 0 || errno == EEXIST)
		f->root = open(f->o.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->root < 0 || faccessat(f->root, ".", W_OK, AT_EACCESS) < 0) {
		ql_complain("--out %s: %s", f->o.out, strerror(errno));
		ql_fetch_free(f);
		return NULL;
	}
	return f;
}

static void free_items(struct items *items)
{
	struct item *item;

	while ((item = TAILQ_FIRST(items)) != NULL) {
		TAILQ_REMOVE(items, item, next);
		free(item->name);
		free(item);
	}
}

void ql_fetch_free(struct ql_fetch *f)
{
	struct target *target;
	struct link *link;

	while ((target = TAILQ_FIRST(&f->targets)) != NULL) {
		TAILQ_REMOVE(&f->targets, target, next);
		free_items(&target->waiting);
		free(target);
	}
	while ((link = TAILQ_FIRST(&f->links)) != NULL) {
		TAILQ_REMOVE(&f->links, link, next);
		free(link);
	}
	free_items(&f->ended);
	if (f->root >= 0)
		close(f->root);
	if (f->upload >= 0)
		close(f->upload);
	free(f);
}

static struct target *target_of(struct ql_fetch *f, const struct ql_url *url)
{
	struct target *t;

	TAILQ_FOREACH (t, &f->targets, next) {
		if (t->port == url->port && strcasecmp(t->host, url->host) == 0)
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	memcpy(t->host, url->host, sizeof(t->host));
	t->port = url->port;
	TAILQ_INIT(&t->waiting);
	TAILQ_INSERT_TAIL(&f->targets, t, next);
	return t;
}

bool ql_fetch_add(struct ql_fetch *f, const char *url)
{
	struct item *item = calloc(1, sizeof(*item));
	char name[2048 + sizeof("/index.html")];
	const char *wrong;

	if (!item) {
		ql_complain("no memory for so many URLs");
		return false;
	}
	wrong = ql_url_parse(url, &item->url);
	if (!wrong && !ql_url_file(&item->url, name, sizeof(name)))
		wrong = "its path is too long for a file name";
	if (wrong) {
		ql_complain("URL '%s': %s", url, wrong);
		free(item);
		return false;
	}
	item->name = strdup(name);
	item->target = target_of(f, &item->url);
	if (!item->name || !item->target) {
		ql_complain("no memory for so many URLs");
		free(item->name);
		free(item);
		return false;
	}
	TAILQ_INSERT_TAIL(&item->target->waiting, item, next);
	item->target->files++;
	f->stats.files++;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct item *const *)a)->name, (*(struct item *const *)b)->name);
}

static bool names_differ(struct ql_fetch *f)
{
	struct item **all = calloc(f->stats.files + 1, sizeof(struct item *)), *item;
	struct target *t;
	unsigned int n = 0;
	bool differ = true;

	if (!all)
		return false;
	TAILQ_FOREACH (t, &f->targets, next) {
		TAILQ_FOREACH (item, &t->waiting, next)
			all[n++] = item;
	}
	qsort(all, n, sizeof(all[0]), by_name);
	for (unsigned int i = 1; i < n && differ; i++) {
		differ = strcmp(all[i - 1]->name, all[i]->name) != 0;
		if (!differ)
			ql_complain("https://%s%s and https://%s%s would go to the same file, %s",
				    all[i - 1]->url.authority, all[i - 1]->url.path,
				    all[i]->url.authority, all[i]->url.path, all[i]->name);
	}
	free(all);
	return differ;
}

bool ql_fetch_prepare(struct ql_fetch *f)
{
	struct target *t;

	if (f->stats.files == 0) {
		ql_complain("no URL to fetch; --help has examples");
		return false;
	}
	TAILQ_FOREACH (t, &f->targets, next) {
		if (f->o.requests && t->files > (uint64_t)f->o.requests * f->o.connections) {
			ql_complain("%u files from %s are more than --connections times "
				    "--requests",
				    t->files, t->host);
			return false;
		}
		if (f->o.to)
			t->addr = *f->o.to;
		else if (!ql_reach_resolve(t->host, t->port, &t->addr))
			return false;
	}
	return f->root < 0 || names_differ(f);
}

/* One URL goes from the target of a fetch to that of another. False without memory. */
static bool hand_over(struct item *item, struct ql_fetch *from, struct ql_fetch *to)
{
	struct target *t = target_of(to, &item->url);

	if (!t)
		return false;
	t->addr = item->target->addr;
	TAILQ_REMOVE(&item->target->waiting, item, next);
	item->target->files--;
	from->stats.files--;
	item->target = t;
	TAILQ_INSERT_TAIL(&t->waiting, item, next);
	t->files++;
	to->stats.files++;
	return true;
}

bool ql_fetch_split(struct ql_fetch *f, struct ql_fetch **at, unsigned int n)
{
	unsigned int connections = f->o.connections, made = 1;
	struct item *item, *behind;
	struct target *t;
	bool good = true;

	at[0] = f;
	for (unsigned int i = 0; good && i < n; i++) {
		if (i > 0)
			at[i] = ql_fetch_new(&f->o);
		good = at[i] != NULL;
		made = good ? i + 1 : made;
	}
	TAILQ_FOREACH (t, &f->targets, next) {
		unsigned int i = 0;

		for (item = TAILQ_FIRST(&t->waiting); good && item; item = behind, i++) {
			behind = TAILQ_NEXT(item, next);
			good = i % n == 0 || hand_over(item, f, at[i % n]);
		}
	}
	for (unsigned int i = 0; good && i < n; i++)
		at[i]->o.connections = connections / n + (i < connections % n);
	if (good)
		return true;
	ql_complain("no memory for so many URLs");
	while (--made > 0)
		ql_fetch_free(at[made]);
	return false;
}

uint16_t ql_fetch_port(const struct ql_fetch *f)
{
	return TAILQ_FIRST(&f->targets)->addr.port;
}

/* Items. */

static void end(struct ql_fetch *f, struct item *item, const char *why)
{
	if (item->open && why && f->o.ask.resume)
		ql_outfile_keep(&item->file);
	else if (item->open && why)
		ql_outfile_abort(&item->file);
	item->open = false;
	TAILQ_INSERT_TAIL(&f->ended, item, next);
	if (!why) {
		f->stats.done++;
		return;
	}
	f->stats.failed++;
	ql_complain("https://%s%s: %s", item->url.authority, item->url.path, why);
}

static void fail_all(struct ql_fetch *f, struct items *items, const char *why)
{
	struct item *item;

	while ((item = TAILQ_FIRST(items)) != NULL) {
		TAILQ_REMOVE(items, item, next);
		end(f, item, why);
	}
}

static int open_file(struct item *item, const struct ql_http_request *req, enum ql_answer answer)
{
	const char *length = ql_http_header(req, "content-length");
	const char *modified = ql_http_header(req, "last-modified");
	const struct ql_fetch *f = item->link->fetch;
	int rc;

	switch (answer) {
	case QL_ANSWER_ALL:
		/* the part is of another file */
		if (item->have.part > 0 && ql_outfile_reopen(&item->file, f->root, item->name) == 0)
			ql_outfile_abort(&item->file);
		rc = ql_outfile_open(&item->file, f->root, item->name,
				     length ? strtoull(length, NULL, 10) : 0);
		break;
	case QL_ANSWER_REST:
	case QL_ANSWER_DONE:
		rc = ql_outfile_reopen(&item->file, f->root, item->name);
		break;
	default:
		return 0;
	}
	item->open = rc == 0;
	if (item->open && modified && (f->o.ask.resume || f->o.ask.newer))
		ql_http_date_parse(modified, time(NULL), &item->file.modified);
	return rc;
}

static void on_headers(struct ql_http_request *req, unsigned int status)
{
	struct item *item = ql_http_user(req);
	struct ql_fetch *f = item->link->fetch;
	enum ql_answer answer;
	int rc = 0;

	item->status = status;
	if (f->upload >= 0)
		return;
	answer =
		ql_ask_answer(&f->o.ask, &item->have, status, ql_http_header(req, "content-range"));
	item->taken = answer != QL_ANSWER_NO;
	f->stats.same += answer == QL_ANSWER_SAME;
	if (f->o.later.given)
		ql_http_set_priority(req, &f->o.later.p); /* over HTTP/0.9 there is none */
	if (f->root >= 0)
		rc = open_file(item, req, answer);
	if (rc < 0) {
		snprintf(item->why, TEXT, "cannot write %s/%.100s: %s", f->o.out, item->name,
			 strerror(-rc));
		ql_http_cancel(req, QL_H3_REQUEST_CANCELLED);
	}
}

/* From another port, and of our addresses the next of the family. */
static void move(struct link *link)
{
	struct ql_fetch *f = link->fetch;
	struct ql_conn *conn = ql_http_quic(link->http);
	struct ql_addr to = ql_conn_path(conn)->local;
	unsigned int at = 0;
	int rc;

	while (at < f->ip.n && memcmp(f->ip.at[at].addr.ip, to.ip, sizeof(to.ip)) != 0)
		at++;
	for (unsigned int i = 1; i <= f->ip.n; i++) {
		const struct ql_addr *a = &f->ip.at[(at + i) % f->ip.n].addr;

		if (ql_addr_is_ip4(a) == ql_addr_is_ip4(&to)) {
			memcpy(to.ip, a->ip, sizeof(to.ip));
			break;
		}
	}
	to.port = ql_reach_port(f->lane, &to, &link->target->addr);
	rc = ql_conn_migrate(conn, &to);
	if (rc == 0) {
		link->moving = to;
	} else if ((rc == -EPERM || rc == -ENOTSUP) && !f->told_no_move) {
		f->told_no_move = true;
		ql_complain("%s does not let its clients move", link->target->host);
	}
}

static void count_moves(struct link *link)
{
	const struct ql_addr *now = &ql_conn_path(ql_http_quic(link->http))->local;

	if (link->moving.port && ql_addr_eq(now, &link->moving)) {
		link->fetch->stats.moves++;
		link->moving.port = 0;
	}
}

/* Bytes of content on a connection, after so many of which it moves, and changes its keys. */
static void count_bytes(struct link *link, size_t bytes)
{
	struct ql_fetch *f = link->fetch;

	f->stats.bytes += bytes;
	link->bytes += bytes;
	if (f->o.move_bytes && link->bytes >= link->move_at) {
		count_moves(link);
		link->move_at = link->bytes + f->o.move_bytes;
		move(link);
	}
	if (f->o.update_bytes && link->bytes >= link->update_at) {
		link->update_at = link->bytes + f->o.update_bytes;
		ql_conn_update_keys(ql_http_quic(link->http));
	}
}

static void on_data(struct ql_http_request *req, const uint8_t *data, size_t len)
{
	struct item *item = ql_http_user(req);
	struct ql_fetch *f = item->link->fetch;
	int rc;

	ql_http_credit(req, len);
	if (!item->taken || item->status == 416 || item->why[0])
		return;
	count_bytes(item->link, len);
	rc = item->open ? ql_outfile_write(&item->file, data, len) : 0;
	if (rc < 0) {
		snprintf(item->why, TEXT, "cannot write %s/%.100s: %s", f->o.out, item->name,
			 strerror(-rc));
		ql_http_cancel(req, QL_H3_REQUEST_CANCELLED);
	}
}
static void fill(struct link *link);

static void on_done(struct ql_http_request *req, int error)
{
	struct item *item = ql_http_user(req);
	struct link *link = item->link;
	char why[TEXT] = "";
	int rc = 0;

	link->running--;
	item->req = NULL;
	if (!error && item->status == 425 && !item->again) { /* RFC 8470, 5.2 */
		item->again = true;
		item->status = 0;
		item->taken = false;
		TAILQ_INSERT_HEAD(&link->target->waiting, item, next);
		fill(link);
		return;
	}
	if (item->why[0]) {
		memcpy(why, item->why, TEXT);
	} else if (error == -ECONNABORTED) {
		TAILQ_INSERT_TAIL(&link->lost, item, next);
		return;
	} else if (error == -ECONNRESET) {
		snprintf(why, TEXT, "reset by the server with code %" PRIu64,
			 ql_http_error_code(req));
	} else if (error) {
		snprintf(why, TEXT, "%s",
			 error == -EMSGSIZE ? "the response's header is too large"
			 : error == -EPROTO ? "the response is malformed"
					    : strerror(-error));
	} else if (link->fetch->upload < 0 ? !item->taken
					   : item->status < 200 || item->status > 299) {
		snprintf(why, TEXT, "status %u", item->status);
	} else if (item->open) {
		rc = ql_outfile_commit(&item->file);
		item->open = false;
		if (rc < 0)
			snprintf(why, TEXT, "cannot write %s/%.100s: %s", link->fetch->o.out,
				 item->name, strerror(-rc));
	}
	end(link->fetch, item, why[0] ? why : NULL);
	fill(link);
}

static const struct ql_http_response_ops response_ops = {
	.headers = on_headers,
	.data = on_data,
	.done = on_done,
};

/* ---- Uploads ---- */

static ssize_t read_upload(void *arg, void *buf, size_t room, bool *last)
{
	struct item *item = arg;
	struct ql_fetch *f = item->link->fetch;
	off_t left = f->upload_size - item->sent;
	ssize_t n;

	if (room > (uint64_t)left)
		room = (size_t)left;
	n = room > 0 ? pread(f->upload, buf, room, item->sent) : 0;
	if (n < 0 || (n == 0 && left > 0)) {
		snprintf(item->why, TEXT, "cannot read %.100s: %s", f->o.upload,
			 n < 0 ? strerror(errno) : "it has shrunk");
		return -EIO;
	}
	item->sent += n;
	if (item->digest)
		ql_digest_add(item->digest, buf, (size_t)n);
	*last = item->sent == f->upload_size;
	count_bytes(item->link, (size_t)n);
	return n;
}

static size_t give_digest(void *arg, struct ql_http_field *fields, size_t max)
{
	struct item *item = arg;

	(void)max;
	ql_digest_value(item->digest, item->trailer);
	fields[0] = (struct ql_http_field){"content-digest", item->trailer};
	return 1;
}

static void end_upload(void *arg)
{
	struct item *item = arg;

	ql_digest_free(item->digest);
	item->digest = NULL;
}

static const struct ql_http_priority *priority_of(const struct ql_fetch *f)
{
	return f->o.ask.priority.given ? &f->o.ask.priority.p : NULL;
}

static int get(struct link *link, struct item *item)
{
	struct ql_fetch *f = link->fetch;
	struct ql_asked asked;
	struct ql_http_submit submit = {
		.authority = item->url.authority,
		.path = item->url.path,
		.priority = priority_of(f),
	};

	if (f->root >= 0 && (f->o.ask.resume || f->o.ask.newer))
		ql_outfile_look(f->root, item->name, &item->have);
	ql_ask(&f->o.ask, &item->have, &asked);
	submit.fields = asked.fields;
	submit.n_fields = asked.n;
	return ql_http_submit(link->http, &submit, &response_ops, item, &item->req);
}

static int put(struct link *link, struct item *item)
{
	const bool digest = link->fetch->o.digest;
	char length[24];
	const struct ql_http_field fields[] = {{"content-length", length},
					       {"trailer", "content-digest"}};
	const struct ql_http_body body = {.read = read_upload,
					  .release = end_upload,
					  .arg = item,
					  .trailers = digest ? give_digest : NULL};
	const struct ql_http_submit submit = {
		.method = "PUT",
		.authority = item->url.authority,
		.path = item->url.path,
		.fields = fields,
		.n_fields = digest ? 2 : 1,
		.body = &body,
		.priority = priority_of(link->fetch),
	};
	int rc;

	snprintf(length, sizeof(length), "%lld", (long long)link->fetch->upload_size);
	item->sent = 0;
	item->digest = digest ? ql_digest_new() : NULL;
	if (digest && !item->digest)
		return -ENOMEM;
	rc = ql_http_submit(link->http, &submit, &response_ops, item, &item->req);
	if (rc < 0)
		end_upload(item);
	return rc;
}

/* ---- Connections ---- */

static const char *why_not(int rc)
{
	return rc == -EINVAL	? "it cannot be asked for"
	       : rc == -ENOTSUP ? "HTTP/0.9 cannot send files"
				: strerror(-rc);
}

static void fill(struct link *link)
{
	const struct ql_fetch_options *o = &link->fetch->o;
	struct items *waiting = &link->target->waiting;
	struct item *item;
	int rc;

	while (link->running < o->parallel && (!o->requests || link->begun < o->requests) &&
	       !link->closing && (item = TAILQ_FIRST(waiting)) != NULL) {
		item->link = link;
		rc = link->fetch->upload >= 0 ? put(link, item) : get(link, item);
		if (rc == -EAGAIN || rc == -ENOTCONN)
			return;
		TAILQ_REMOVE(waiting, item, next);
		link->begun++;
		if (rc < 0)
			end(link->fetch, item, why_not(rc));
		else
			link->running++;
	}
}

static void on_early(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	fill(arg);
}

static void on_connected(struct ql_http_conn *conn, void *arg)
{
	struct link *link = arg;
	struct ql_fetch_stats *stats = &link->fetch->stats;
	enum ql_early early = ql_conn_early(ql_http_quic(conn));
	struct ql_conn_stats s;

	ql_conn_stats(ql_http_quic(conn), &s);
	stats->connections++;
	stats->retries += s.retried;
	stats->version_2 += ql_conn_version(ql_http_quic(conn)) == QL_VERSION_2;
	stats->resumed += s.resumed;
	stats->early += early == QL_EARLY_ACCEPTED;
	stats->early_refused += early == QL_EARLY_REJECTED;
	if (s.handshake_ns > stats->handshake_ns)
		stats->handshake_ns = s.handshake_ns;
	fill(link);
}

static void on_available(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	fill(arg);
}

static void on_closed(struct ql_http_conn *conn, const struct ql_close_info *info, void *arg)
{
	struct link *link = arg;
	struct target *t = link->target;
	char why[TEXT];

	(void)conn;
	link->http = NULL;
	link->closing = true;
	t->links--;
	if (link->fetch->why)
		snprintf(why, TEXT, "%s", link->fetch->why);
	else
		ql_reach_explain(info, &t->addr, why, sizeof(why));
	fail_all(link->fetch, &link->lost, why);
	if (t->links == 0)
		fail_all(link->fetch, &t->waiting, why);
}

static void on_token(struct ql_http_conn *conn, const uint8_t *token, size_t len, void *arg)
{
	const struct link *link = arg;

	(void)conn;
	if (link->fetch->o.sessions)
		ql_sessions_put_token(link->fetch->o.sessions, link->target->host,
				      link->target->port, token, len);
}

static void on_session(struct ql_http_conn *conn, const uint8_t *session, size_t len, void *arg)
{
	const struct link *link = arg;

	(void)conn;
	if (link->fetch->o.sessions)
		ql_sessions_put_session(link->fetch->o.sessions, link->target->host,
					link->target->port, session, len);
}

static const struct ql_http_client_ops client_ops = {
	.early = on_early,
	.connected = on_connected,
	.available = on_available,
	.closed = on_closed,
	.new_token = on_token,
	.new_session = on_session,
};

static bool open_link(struct ql_fetch *f, struct target *t, const struct ql_fetch_network *net,
		      uint64_t now)
{
	const struct ql_addr *local = ql_reach_from(&net->ip, &t->addr, t->host);
	struct ql_transport transport = net->transport;
	struct ql_path path = {.remote = t->addr};
	struct ql_saved saved = {0};
	struct link *link;
	int rc;

	if (!local)
		return false;
	path.local = *local;
	path.local.port = ql_reach_port(net->lane, &path.local, &path.remote);
	link = calloc(1, sizeof(*link));
	if (!link)
		return false;
	link->fetch = f;
	link->target = t;
	link->move_at = f->o.move_bytes;
	link->update_at = f->o.update_bytes;
	TAILQ_INIT(&link->lost);
	if (f->o.sessions)
		saved = ql_sessions_take(f->o.sessions, t->host, t->port);
	if (saved.session_len > 0) {
		transport.session = saved.session;
		transport.session_len = saved.session_len;
	}
	rc = ql_http_connect(net->engine, &path, net->tls, f->o.sni ? f->o.sni : t->host,
			     &transport, net->alpns, &client_ops, link, NULL, now, &link->http);
	if (rc < 0) {
		ql_complain("cannot connect to %s: %s", t->host, strerror(-rc));
		free(link);
		return false;
	}
	/* without memory for it, there may be a Retry */
	if (saved.token_len > 0)
		ql_conn_set_token(ql_http_quic(link->http), saved.token, saved.token_len);
	t->links++;
	TAILQ_INSERT_TAIL(&f->links, link, next);
	return true;
}

bool ql_fetch_start(struct ql_fetch *f, const struct ql_fetch_network *network, uint64_t now)
{
	struct target *t;

	f->ip = network->ip;
	f->lane = network->lane;
	TAILQ_FOREACH (t, &f->targets, next) {
		for (unsigned int i = 0; i < f->o.connections; i++) {
			if (!open_link(f, t, network, now))
				return false;
		}
	}
	return true;
}

bool ql_fetch_ended(const struct ql_fetch *f)
{
	return f->stats.done + f->stats.failed == f->stats.files;
}

void ql_fetch_give_up(struct ql_fetch *f, const char *why)
{
	struct target *t;
	struct link *link;

	f->why = why;
	TAILQ_FOREACH (link, &f->links, next)
		link->closing = true;
	TAILQ_FOREACH (t, &f->targets, next)
		fail_all(f, &t->waiting, why);
}

bool ql_fetch_close(struct ql_fetch *f)
{
	struct link *link;
	bool closed = true;

	TAILQ_FOREACH (link, &f->links, next) {
		if (link->http && !link->closing)
			count_moves(link);
		link->closing = true;
		if (link->http) {
			ql_http_close(link->http);
			closed = false;
		}
	}
	return closed;
}

const struct ql_fetch_stats *ql_fetch_stats(const struct ql_fetch *f)
{
	return &f->stats;
}
