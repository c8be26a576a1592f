// SPDX-License-Identifier: BSD-3-Clause
#include "echo.h"

#include <stdlib.h>
#include <sys/queue.h>

#include <qlane/conn.h>
#include <qlane/stream.h>

/* What waits for longer is of no use to who measures. */
#define EXPIRY_NS (2 * QL_NSEC_PER_SEC)

/* Codes of the application, for CONNECTION_CLOSE. */
enum { END = 0, NO_STREAMS = 1, NO_MEMORY = 2 };

struct link {
	struct ql_echo *echo;
	struct ql_conn *conn;
	LIST_ENTRY(link) next;
};

struct ql_echo {
	LIST_HEAD(, link) links;
	unsigned int n;
	struct ql_echo_stats stats;
};

struct ql_echo *ql_echo_create(void)
{
	return calloc(1, sizeof(struct ql_echo));
}

void ql_echo_free(struct ql_echo *echo)
{
	free(echo);
}

static uint64_t on_accepted(struct ql_conn *conn, void *arg)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NO_MEMORY;
	ql_conn_set_user(conn, link);
	link->echo = arg;
	link->conn = conn;
	LIST_INSERT_HEAD(&link->echo->links, link, next);
	link->echo->n++;
	link->echo->stats.conns++;
	return END;
}

static void on_closed(struct ql_conn *conn, const struct ql_close_info *info)
{
	struct link *link = ql_conn_user(conn);

	(void)info;
	LIST_REMOVE(link, next);
	link->echo->n--;
	free(link);
}

static void on_datagram(struct ql_conn *conn, const uint8_t *data, size_t len)
{
	struct link *link = ql_conn_user(conn);

	if (ql_datagram_send(conn, data, len, ql_conn_now(conn) + EXPIRY_NS, 0) == 0)
		link->echo->stats.returned++;
	else
		link->echo->stats.dropped++;
}

static void on_stream(struct ql_stream *stream)
{
	ql_conn_close(ql_stream_conn(stream), NO_STREAMS, "there are no streams in this protocol");
}

static void on_data(struct ql_stream *stream, const uint8_t *data, size_t len, bool fin)
{
	(void)stream, (void)data, (void)len, (void)fin; /* of a connection that is being closed */
}

static const struct ql_conn_ops ops = {
	.accepted = on_accepted,
	.closed = on_closed,
	.datagram = on_datagram,
	.stream_opened = on_stream,
	.stream_data = on_data,
};

struct ql_proto ql_echo_proto(struct ql_echo *echo)
{
	return (struct ql_proto){QL_ECHO_ALPN, &ops, echo};
}

void ql_echo_close(struct ql_echo *echo)
{
	struct link *link;

	LIST_FOREACH (link, &echo->links, next)
		ql_conn_close(link->conn, END, "the server ends");
}

unsigned int ql_echo_conns(const struct ql_echo *echo)
{
	return echo->n;
}

const struct ql_echo_stats *ql_echo_stats(const struct ql_echo *echo)
{
	return &echo->stats;
}
