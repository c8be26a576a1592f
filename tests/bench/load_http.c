// SPDX-License-Identifier: BSD-3-Clause
/* GET over HTTP/3; a path as long as the request is to be. */
#include <err.h>
#include <string.h>

#include "bench/load.h"
#include "sim/env.h"

#define PATH_MAX_LEN 4096

/* ---- Server ---- */

static void on_request(struct ql_http_request *req, void *arg)
{
	const struct load *load = arg;
	const struct ql_http_body body = {.data = load->content, .len = load->config.reply};

	ql_http_respond(req, 200, NULL, 0, &body);
}

static void serve(struct load *load, struct pair_end *end, const struct ql_transport *transport)
{
	static const struct ql_http_server_ops ops = {.request = on_request};

	load->http = ql_http_server_create(&ops, load, NULL);
	if (!load->http ||
	    ql_http_listen(load->http, end->engine, PAIR_PORT, end->tls, transport, "h3") < 0)
		errx(1, "no server");
}

/* ---- Client ---- */

static void on_connected(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	load_connected(arg);
}

static void on_available(struct ql_http_conn *conn, void *arg)
{
	(void)conn;
	load_available(arg);
}

static void on_closed(struct ql_http_conn *conn, const struct ql_close_info *info, void *arg)
{
	(void)conn;
	load_closed(arg, info);
}

static void on_data(struct ql_http_request *req, const uint8_t *data, size_t len)
{
	struct load_request *r = ql_http_user(req);

	if (r->link->load->config.check && memcmp(data, r->link->load->content, len) != 0)
		errx(1, "wrong bytes in a reply");
	r->got += len;
	ql_http_credit(req, len);
}

static void on_done(struct ql_http_request *req, int error)
{
	struct load_request *r = ql_http_user(req);

	if (!r->link->load->running)
		return;
	if (error)
		errx(1, "a request fails: %s", strerror(-error));
	load_done(r, pair_now());
}

static bool ask(struct load_link *link, struct load_request *r)
{
	static const struct ql_http_response_ops ops = {.data = on_data, .done = on_done};
	static char path[PATH_MAX_LEN];
	uint64_t len = link->load->config.request;

	if (path[0] == 0) {
		memset(path, 'a', len < PATH_MAX_LEN ? len : PATH_MAX_LEN - 1);
		path[0] = '/';
	}
	return ql_http_get(link->conn, SIM_NAME, path, &ops, r, NULL) == 0;
}

static void connect_http(struct load_link *link, struct pair_end *end, const struct ql_path *path,
			 const struct ql_transport *transport)
{
	static const struct ql_http_client_ops ops = {
		.connected = on_connected, .available = on_available, .closed = on_closed};
	struct ql_http_conn *conn;
	int rc = ql_http_connect(end->engine, path, end->tls, SIM_NAME, transport, "h3", &ops, link,
				 NULL, pair_now(), &conn);

	if (rc < 0)
		errx(1, "cannot connect: %s", strerror(-rc));
	link->conn = conn;
}

const struct load_protocol load_http = {
	.serve = serve,
	.connect = connect_http,
	.ask = ask,
};
