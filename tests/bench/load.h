// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the client of a pair does with its server: connections, and requests on each of them, as fast
 * as the answers come or at a given rate. By the performance protocol (app/perf.h), or over HTTP/3.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <qlane/http3.h>

#include "bench/pair.h"
#include "perf.h"

struct load_config {
	uint32_t conns;
	uint32_t streams;	 /* requests at a time on a connection */
	uint64_t request, reply; /* bytes of each; a request of perf's has 8 at least */
	uint64_t count;		 /* requests in all */
	double rate;		 /* a second; 0: as fast as it goes */
	bool http;
	bool check; /* compare what comes */
	bool hold;  /* leave requests unfinished */
};

struct load;

/* A connection of the client's. */
struct load_link {
	struct load *load;
	void *conn; /* ql_conn or ql_http_conn; NULL when it is gone */
	uint32_t running;
};

/* A request that runs. */
struct load_request {
	struct load_link *link;
	uint64_t due, ended;	   /* ns: when it was to be sent, and had its answer */
	uint64_t got, given;	   /* bytes, of the reply and of the request */
	struct load_request *next; /* of those that are free */
};

/* How it is said. */
struct load_protocol {
	void (*serve)(struct load *load, struct pair_end *end,
		      const struct ql_transport *transport);
	void (*connect)(struct load_link *link, struct pair_end *end, const struct ql_path *path,
			const struct ql_transport *transport);
	bool (*ask)(struct load_link *link, struct load_request *r); /* false: not now */
};

struct load {
	struct load_config config;
	const struct load_protocol *protocol;
	struct ql_transport transport;
	struct load_link *links;
	struct load_request *requests, *spare;
	uint32_t connected, next_link;
	uint64_t started, done;
	uint64_t begun;	   /* ns, of requests at a rate */
	uint32_t *latency; /* of each request that is done, in units of LOAD_TICK ns */
	bool running;	   /* requests go */
	bool over;	   /* connections may end */
	/* The server's. */
	struct ql_perf_server perf;
	struct ql_http_server *http;
	uint8_t *content; /* of HTTP's replies */
};

#define LOAD_TICK 10

extern const struct load_protocol load_perf, load_http;

/* Both sides' part; before pair_open(). */
void load_init(struct load *load, const struct load_config *config, uint16_t udp_payload);
void load_free(struct load *load);
/* For pair_open(). */
void load_serve(void *load, struct pair_end *end);

/* Start connection number i. */
void load_connect(struct load *load, struct pair *pair, uint32_t i);
/* Let requests go from now on, and do what is due. */
void load_begin(struct load *load, uint64_t now);
void load_tick(struct load *load, uint64_t now);

/* What protocols tell: a connection is up, allows more requests or is gone, an answer complete. */
void load_connected(struct load_link *link);
void load_available(struct load_link *link);
void load_closed(struct load_link *link, const struct ql_close_info *info);
void load_done(struct load_request *r, uint64_t now);

/* The q-th part of the requests from the first-th on took so long or less, ns; sorts them. */
uint64_t load_latency(struct load *load, uint64_t first, double q);

#endif
