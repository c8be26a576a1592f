// SPDX-License-Identifier: BSD-3-Clause
#include "bench/load.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <qlane/error.h>

/* Others may have the machine for a while, and connections wait until all are there. */
#define HANDSHAKE_NS (60 * QL_NSEC_PER_SEC)
#define IDLE_NS	     (1200 * QL_NSEC_PER_SEC)

void load_init(struct load *load, const struct load_config *config, uint16_t udp_payload)
{
	uint64_t places = (uint64_t)config->conns * config->streams;

	*load = (struct load){.config = *config};
	load->protocol = config->http ? &load_http : &load_perf;
	load->transport.udp_payload_max = udp_payload;
	/* those that the server has not yet heard to be over count as well */
	load->transport.max_streams_bidi = 4 * (uint64_t)config->streams + 64;
	load->transport.handshake_timeout_ns = HANDSHAKE_NS;
	load->transport.idle_timeout_ns = IDLE_NS;
	load->links = calloc(config->conns, sizeof(*load->links));
	load->requests = calloc(places, sizeof(*load->requests));
	load->latency = calloc(config->count, sizeof(*load->latency));
	load->content = calloc(1, config->http ? config->reply + 1 : 1);
	if (!load->links || !load->requests || !load->latency || !load->content)
		err(1, "no memory for %lu requests", config->count);
	for (uint64_t i = 0; i < places; i++) {
		load->requests[i].next = load->spare;
		load->spare = &load->requests[i];
	}
}

void load_free(struct load *load)
{
	if (load->http)
		ql_http_server_free(load->http);
	free(load->links);
	free(load->requests);
	free(load->latency);
	free(load->content);
}

void load_serve(void *arg, struct pair_end *end)
{
	struct load *load = arg;

	load->protocol->serve(load, end, &load->transport);
}

void load_connect(struct load *load, struct pair *pair, uint32_t i)
{
	struct ql_path path = pair_path(i);

	load->links[i].load = load;
	load->protocol->connect(&load->links[i], &pair->ends[PAIR_CLIENT], &path, &load->transport);
}

/* One more request, on this connection. False if that is not to be now. */
static bool start(struct load *load, struct load_link *link, uint64_t due)
{
	struct load_request *r = load->spare;

	if (load->started == load->config.count || link->running == load->config.streams)
		return false;
	load->spare = r->next;
	*r = (struct load_request){.link = link, .due = due};
	if (!load->protocol->ask(link, r)) {
		r->next = load->spare;
		load->spare = r;
		return false;
	}
	link->running++;
	load->started++;
	return true;
}

void load_begin(struct load *load, uint64_t now)
{
	load->running = true;
	load->begun = now;
	if (load->config.rate > 0)
		return;
	for (uint32_t k = 0; k < load->config.streams; k++)
		for (uint32_t i = 0; i < load->config.conns; i++)
			start(load, &load->links[i], now);
}

/*
 * Requests at a rate go to the connections in turn, those that have room; their time runs from when they
 * were due. What is late goes all at once, as it would if others had sent it meanwhile.
 */
void load_tick(struct load *load, uint64_t now)
{
	const struct load_config *c = &load->config;
	uint64_t due = (uint64_t)((double)load->started / c->rate * 1e9) + load->begun;
	uint32_t full = 0; /* connections in a row without room */

	while (due <= now && load->started < c->count && full < c->conns) {
		struct load_link *link = &load->links[load->next_link];

		load->next_link = (load->next_link + 1) % c->conns;
		if (start(load, link, due)) {
			due = (uint64_t)((double)load->started / c->rate * 1e9) + load->begun;
			full = 0;
		} else {
			full++;
		}
	}
}

void load_connected(struct load_link *link)
{
	link->load->connected++;
}

void load_available(struct load_link *link)
{
	struct load *load = link->load;

	if (!load->running || load->config.rate > 0)
		return;
	while (start(load, link, pair_now()))
		;
}

void load_closed(struct load_link *link, const struct ql_close_info *info)
{
	link->conn = NULL;
	if (!link->load->over)
		errx(1, "a connection has ended: %s %s (cause %d), after %u were made",
		     ql_err_name(info->error), info->reason, info->cause, link->load->connected);
}

void load_done(struct load_request *r, uint64_t now)
{
	struct load_link *link = r->link;
	struct load *load = link->load;
	uint64_t took = (now - r->due) / LOAD_TICK;

	if (r->got != load->config.reply)
		errx(1, "a reply has %lu bytes, not %lu", r->got, load->config.reply);
	load->latency[load->done++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	link->running--;
	r->next = load->spare;
	load->spare = r;
	if (load->config.rate == 0)
		start(load, link, now);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t load_latency(struct load *load, uint64_t first, double q)
{
	uint64_t n = load->done - first, i = (uint64_t)((double)n * q);

	if (n == 0)
		return 0;
	qsort(load->latency + first, n, sizeof(load->latency[0]), by_size);
	return (uint64_t)load->latency[first + (i < n ? i : n - 1)] * LOAD_TICK;
}
