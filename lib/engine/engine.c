// SPDX-License-Identifier: BSD-3-Clause
#include "engine/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

/* Wide enough for Ethernet with a VLAN tag, IPv6 and UDP in front of the payload. */
#define HEADERS_ROOM 66

#define DEFAULT_CONNECTIONS 16384
#define DEFAULT_HANDSHAKES  1024
#define DEFAULT_MEMORY	    (UINT64_C(256) << 20)
#define UDP_PAYLOAD_MIN	    1200
#define UDP_PAYLOAD_MAX	    16383

static const struct ql_transport transport_defaults = {
	.idle_timeout_ns = 30 * QL_NSEC_PER_SEC,
	.handshake_timeout_ns = 10 * QL_NSEC_PER_SEC,
	.max_data = UINT64_C(16) << 20,
	.max_stream_data = UINT64_C(4) << 20,
	.max_data_cap = UINT64_C(64) << 20,
	.max_stream_data_cap = UINT64_C(64) << 20,
	.max_streams_bidi = 128,
	.max_streams_uni = 16,
	.send_buffer = UINT64_C(256) << 10,
	.send_buffer_cap = UINT64_C(64) << 20,
	.priority_share = QL_SCHED_SHARE,
	.initial_rtt_ns = 333 * QL_NSEC_PER_MSEC,
	.ack_delay_ns = 5 * QL_NSEC_PER_MSEC,
	.datagram_queue_bytes = UINT64_C(256) << 10,
	.datagram_queue_count = 256,
	.udp_payload = UDP_PAYLOAD_MIN,
	.udp_payload_max = 1472, /* of an Ethernet, over IPv4 */
};

#if QL_THREAD_CHECK
void ql_engine_check_thread(struct ql_engine *e)
{
	if (!e->owned) {
		e->owner = pthread_self();
		e->owned = true;
	} else if (!pthread_equal(e->owner, pthread_self())) {
		fprintf(stderr, "qlane: %s used from a thread that does not own it\n", e->name);
		__builtin_trap();
	}
}
#endif

/* ---- Life ---- */

static int take_region(struct ql_engine *e, int socket_id)
{
	size_t size = e->limits.memory & ~(size_t)63;

	e->region_size = size;
	if (rte_eal_has_hugepages())
		e->region = rte_malloc_socket("ql_engine", size, RTE_CACHE_LINE_SIZE, socket_id);
	if (!e->region) {
		void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return -ENOMEM;
		madvise(p, size, MADV_HUGEPAGE);
		e->region = p;
		e->region_mapped = true;
	}
	ql_mem_init(&e->mem, e->region, size);
	return 0;
}

static bool is_given(const uint8_t secret[32])
{
	static const uint8_t none[32];

	return memcmp(secret, none, sizeof(none)) != 0;
}

/* A secret of the caller's, or of our own making where that is all zero. */
static void take_secret(struct ql_engine *e, uint8_t secret[32], const uint8_t given[32])
{
	ql_rng_bytes(&e->rng, secret, 32);
	if (is_given(given))
		memcpy(secret, given, 32);
}

/*
 * What connection IDs and reset tokens come from. All engines of a mesh have to read each other's
 * IDs; those that are given a secret, on whatever machine, by that.
 */
static void take_id_secrets(struct ql_engine *e, const uint8_t given[32], uint8_t ids[32],
			    uint8_t resets[32])
{
	take_secret(e, resets, given);
	memcpy(ids, e->mesh && !is_given(given) ? e->mesh->secret : resets, 32);
}

/* Keys, and what is found by them. */
static int take_tables(struct ql_engine *e, const struct ql_engine_config *config)
{
	struct ql_sipkey table_key, resets_key;
	uint8_t secret[32], ids[32];
	int rc;

	ql_rng_bytes(&e->rng, &table_key, sizeof(table_key));
	ql_rng_bytes(&e->rng, &resets_key, sizeof(resets_key));
	take_id_secrets(e, config->reset_key, ids, secret);
	rc = ql_cid_scheme_init(&e->host.cids, config->lcore_index, config->generation, ids,
				secret);
	ql_wipe(ids, sizeof(ids));
	if (rc == 0)
		rc = ql_cid_scheme_configure(&e->host.cids, &e->mem, config->cids, config->n_cids);
	take_secret(e, secret, config->token_key);
	if (rc == 0)
		rc = ql_tokens_init(&e->tokens, &e->mem, secret);
	take_secret(e, secret, config->ticket_key);
	if (rc == 0)
		rc = ql_tickets_init(&e->tickets, &e->mem, secret);
	ql_wipe(secret, sizeof(secret));
	if (rc == 0)
		rc = ql_conntable_init(&e->table, e->limits.connections, e->limits.handshakes,
				       config->socket_id, &table_key);
	e->timers = rte_calloc_socket("ql_timers", e->limits.connections, sizeof(*e->timers),
				      RTE_CACHE_LINE_SIZE, config->socket_id);
	if (rc == 0 && !e->timers)
		rc = -ENOMEM;
	if (rc == 0)
		rc = ql_resets_init(&e->resets, e->limits.connections, config->socket_id,
				    &resets_key);
	return rc;
}

/* Everything that creation took, or the part of it that it got to. */
static void give(struct ql_engine *e)
{
	if (e->mesh)
		ql_mesh_leave(e->mesh, e->host.lcore_index);
	ql_cid_scheme_fini(&e->host.cids, &e->mem);
	ql_tokens_fini(&e->tokens);
	ql_tickets_fini(&e->tickets);
	if (e->early)
		ql_held_free(&e->early->held);
	rte_free(e->early);
	rte_pktmbuf_free_bulk(e->host.spare, e->host.n_spare);
	ql_resets_fini(&e->resets);
	rte_free(e->timers);
	ql_conntable_fini(&e->table);
	if (e->region_mapped)
		munmap(e->region, e->region_size);
	else
		rte_free(e->region);
	ql_wipe(e, sizeof(*e));
	rte_free(e);
}

struct ql_engine *ql_engine_create(const struct ql_engine_config *config)
{
	struct ql_engine *e;
	uint32_t room;
	int rc = 0;

	if (!config->tx_pool) {
		errno = EINVAL;
		return NULL;
	}
	room = rte_pktmbuf_data_room_size(config->tx_pool);
	if (room < RTE_PKTMBUF_HEADROOM + UDP_PAYLOAD_MIN || RTE_PKTMBUF_HEADROOM < HEADERS_ROOM ||
	    config->limits.connections > QL_CID_SLOTS || config->lcore_index >= QL_ENGINES_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if (ql_crypto_init() < 0) {
		errno = ENOTSUP;
		return NULL;
	}
	e = rte_zmalloc_socket("ql_engine", sizeof(*e), RTE_CACHE_LINE_SIZE, config->socket_id);
	if (!e) {
		errno = ENOMEM;
		return NULL;
	}
	snprintf(e->name, sizeof(e->name), "%s", config->name ? config->name : "engine");
	e->limits = config->limits;
	if (e->limits.connections == 0)
		e->limits.connections = DEFAULT_CONNECTIONS;
	if (e->limits.handshakes == 0)
		e->limits.handshakes = DEFAULT_HANDSHAKES;
	if (e->limits.handshakes > e->limits.connections)
		e->limits.handshakes = e->limits.connections;
	if (e->limits.memory == 0)
		e->limits.memory = DEFAULT_MEMORY;
	if (e->limits.windows == 0)
		e->limits.windows = e->limits.memory / 2;

	e->retry = config->retry;
	e->retry_handshakes = config->retry_handshakes;
	if (e->retry_handshakes == 0)
		e->retry_handshakes = e->limits.handshakes / 2;
	e->reset_rate = e->refusal_rate =
		(struct ql_rate){.interval = QL_REPLY_INTERVAL, .burst = QL_REPLY_BURST};

	e->socket_id = config->socket_id;
	e->host.lcore_index = config->lcore_index;
	ql_rng_init(&e->rng, config->seed);
	if (config->mesh)
		rc = ql_mesh_join(config->mesh, config->lcore_index);
	if (rc == 0)
		e->mesh = config->mesh;
	if (rc == 0)
		rc = take_region(e, config->socket_id);
	if (rc == 0)
		rc = take_tables(e, config);
	if (rc < 0) {
		give(e);
		errno = -rc;
		return NULL;
	}
	ql_wheel_init(&e->wheel, e->timers, 0);
	TAILQ_INIT(&e->host.ready);
	e->host.mem = &e->mem;
	e->host.rng = &e->rng;
	e->host.tx_pool = config->tx_pool;
	e->host.stats = &e->stats;
	e->host.tracer = config->tracer;
	e->host.windows.limit = e->limits.windows;
	room -= RTE_PKTMBUF_HEADROOM;
	e->host.tx_room = (uint16_t)(room < UDP_PAYLOAD_MAX ? room : UDP_PAYLOAD_MAX);
	e->host.tokens = &e->tokens;
	e->host.tickets = &e->tickets;
	e->host.token_clock = config->token_clock_ns;
	return e;
}

void ql_engine_free(struct ql_engine *e)
{
	if (!e)
		return;
	ql_engine_check_thread(e);
	for (uint32_t i = 0; i < e->table.n_slots; i++) {
		struct ql_engine_conn *ec = ql_conntable_at(&e->table, i);

		if (ec)
			ql_engine_reap(e, ec);
	}
	for (unsigned int i = 0; i < e->n_replies; i++)
		rte_pktmbuf_free(e->replies[i].mbuf);
	give(e);
}

/* Connections whose peers may still use IDs that were made before the last change. */
static bool has_old_ids(const struct ql_engine *e)
{
	for (uint32_t i = 0; e->host.cids.has_old && i < e->table.n_slots; i++) {
		const struct ql_engine_conn *ec = ql_conntable_at(&e->table, i);

		if (ec && ql_local_cids_old(&ec->conn.local_cids, &e->host.cids))
			return true;
	}
	return false;
}

int ql_engine_set_keys(struct ql_engine *e, const struct ql_engine_keys *keys)
{
	int rc = 0;

	ql_engine_check_thread(e);
	if (is_given(keys->reset_key)) {
		if (has_old_ids(e))
			return -EBUSY;
		rc = ql_cid_scheme_rekey(&e->host.cids, keys->reset_key, keys->reset_key);
	}
	if (rc == 0 && is_given(keys->token_key))
		rc = ql_tokens_rekey(&e->tokens, keys->token_key);
	if (rc == 0 && is_given(keys->ticket_key))
		rc = ql_tickets_rekey(&e->tickets, keys->ticket_key);
	return rc;
}

static unsigned int rotations_in_use(const struct ql_engine *e)
{
	unsigned int rotations = 1u << e->host.cids.rotation;

	for (uint32_t i = 0; i < e->table.n_slots; i++) {
		const struct ql_engine_conn *ec = ql_conntable_at(&e->table, i);

		if (ec)
			rotations |= ql_local_cids_rotations(&ec->conn.local_cids);
	}
	return rotations;
}

int ql_engine_set_cids(struct ql_engine *e, const struct ql_cid_config *cids, unsigned int n,
		       enum ql_cids_step step)
{
	int changes;

	ql_engine_check_thread(e);
	changes = ql_cid_scheme_changes(&e->host.cids, cids, n);
	if (changes < 0)
		return changes;
	if (step == QL_CIDS_CHECK)
		return changes > 0 && (rotations_in_use(e) & (unsigned int)changes) ? -EBUSY : 0;
	if (step == QL_CIDS_KNOW)
		return ql_cid_scheme_know(&e->host.cids, &e->mem, cids, n);
	if (changes > 0) /* the step before is missing */
		return -EINVAL;
	ql_cid_scheme_use(&e->host.cids, cids, n);
	return 0;
}

/* ---- Endpoints ---- */

static void fill(uint64_t *v, uint64_t def)
{
	if (*v == 0)
		*v = def;
}

static int set_endpoint(struct ql_endpoint *ep, struct ql_tls_ctx *tls, bool server,
			const struct ql_transport *transport, const struct ql_proto *protos,
			unsigned int n_protos)
{
	const struct ql_transport *def = &transport_defaults;
	struct ql_transport *t = &ep->transport;

	if (!tls || n_protos == 0 || n_protos > QL_CONN_PROTOS)
		return -EINVAL;
	for (unsigned int i = 0; i < n_protos; i++) {
		size_t len = protos[i].alpn ? strlen(protos[i].alpn) : 0;

		if (len == 0 || len > 255 || !protos[i].ops || !protos[i].ops->stream_data)
			return -EINVAL;
	}
	memset(ep, 0, sizeof(*ep));
	ep->tls = tls;
	ep->server = server;
	memcpy(ep->protos, protos, n_protos * sizeof(*protos));
	ep->n_protos = n_protos;
	if (transport)
		*t = *transport;
	fill(&t->idle_timeout_ns, def->idle_timeout_ns);
	fill(&t->handshake_timeout_ns, def->handshake_timeout_ns);
	fill(&t->max_data, def->max_data);
	fill(&t->max_stream_data, def->max_stream_data);
	fill(&t->max_data_cap, def->max_data_cap);
	fill(&t->max_stream_data_cap, def->max_stream_data_cap);
	fill(&t->max_streams_bidi, def->max_streams_bidi);
	fill(&t->max_streams_uni, def->max_streams_uni);
	fill(&t->send_buffer, def->send_buffer);
	fill(&t->send_buffer_cap, def->send_buffer_cap);
	fill(&t->initial_rtt_ns, def->initial_rtt_ns);
	fill(&t->ack_delay_ns, def->ack_delay_ns);
	fill(&t->datagram_queue_bytes, def->datagram_queue_bytes);
	if (t->datagram_queue_count == 0)
		t->datagram_queue_count = def->datagram_queue_count;
	if (t->priority_share == 0)
		t->priority_share = def->priority_share;
	if (t->udp_payload == 0)
		t->udp_payload = def->udp_payload;
	if (t->udp_payload_max == 0)
		t->udp_payload_max = def->udp_payload_max;
	if (t->udp_payload < UDP_PAYLOAD_MIN || t->udp_payload > UDP_PAYLOAD_MAX ||
	    t->udp_payload_max < UDP_PAYLOAD_MIN || t->udp_payload_max > UDP_PAYLOAD_MAX ||
	    t->max_streams_bidi > QL_STREAMS_MAX || t->max_streams_uni > QL_STREAMS_MAX ||
	    t->max_data > QL_VARINT_MAX || t->max_stream_data > QL_VARINT_MAX ||
	    t->max_data_cap > QL_VARINT_MAX || t->max_stream_data_cap > QL_VARINT_MAX ||
	    t->priority_share == 1 || t->max_datagram_frame_size > QL_VARINT_MAX ||
	    (unsigned int)t->congestion > QL_CC_BBR || !ql_versions_valid(t) ||
	    (t->preferred_ip4.port && !ql_addr_is_ip4(&t->preferred_ip4)) ||
	    (t->preferred_ip6.port && ql_addr_is_ip4(&t->preferred_ip6)))
		return -EINVAL;
	return 0;
}

int ql_listen(struct ql_engine *e, uint16_t port, struct ql_tls_ctx *tls,
	      const struct ql_transport *transport, const struct ql_proto *protos,
	      unsigned int n_protos)
{
	int rc;

	ql_engine_check_thread(e);
	if (e->listening)
		return -EEXIST;
	rc = set_endpoint(&e->listener, tls, true, transport, protos, n_protos);
	if (rc < 0)
		return rc;
	if (e->listener.transport.early_data && !e->early) {
		e->early = rte_zmalloc_socket("ql_early", sizeof(*e->early), RTE_CACHE_LINE_SIZE,
					      e->socket_id);
		if (!e->early)
			return -ENOMEM;
		e->tickets.replay = &e->early->replay;
	}
	e->listen_port = port;
	e->listening = true;
	return 0;
}

void ql_listen_stop(struct ql_engine *e)
{
	ql_engine_check_thread(e);
	e->listening = false;
}

struct ql_engine_conn *ql_engine_conn_new(struct ql_engine *e, uint32_t *slot)
{
	struct ql_engine_conn *ec;

	if (e->stats.conns >= e->limits.connections || e->stats.handshakes >= e->limits.handshakes)
		return NULL;
	ec = ql_mem_zalloc(&e->mem, sizeof(*ec));
	if (!ec)
		return NULL;
	*slot = ql_conntable_take(&e->table, ec);
	if (*slot == QL_SLOT_NONE) {
		ql_mem_free(&e->mem, ec, sizeof(*ec));
		return NULL;
	}
	return ec;
}

void ql_engine_conn_free(struct ql_engine *e, struct ql_engine_conn *ec, uint32_t slot)
{
	ql_conntable_release(&e->table, slot);
	ql_mem_free(&e->mem, ec, sizeof(*ec));
}

int ql_connect(struct ql_engine *e, const struct ql_path *path, struct ql_tls_ctx *tls,
	       const char *sni, const struct ql_transport *transport, const struct ql_proto *protos,
	       unsigned int n_protos, void *user, uint64_t now, struct ql_conn **conn)
{
	struct ql_engine_conn *ec;
	struct ql_endpoint ep;
	uint32_t slot;
	int rc;

	ql_engine_check_thread(e);
	rc = set_endpoint(&ep, tls, false, transport, protos, n_protos);
	if (rc < 0)
		return rc;
	e->host.now = now;
	ec = ql_engine_conn_new(e, &slot);
	if (!ec)
		return -ENOSPC;
	rc = ql_conn_init_client(&ec->conn, &e->host, slot, &ep, sni, path, user);
	if (rc < 0) {
		ql_engine_conn_free(e, ec, slot);
		return rc;
	}
	e->stats.conns_initiated++;
	*conn = &ec->conn;
	return 0;
}

/* ---- Figures ---- */

uint64_t ql_engine_deadline(const struct ql_engine *e)
{
	if (!TAILQ_EMPTY(&e->host.ready) || e->n_replies > 0)
		return 0;
	return ql_wheel_next(&e->wheel);
}

void ql_engine_stats(const struct ql_engine *e, struct ql_engine_stats *stats)
{
	*stats = e->stats;
	stats->memory_used = e->mem.used;
	stats->early_replays = e->tickets.replays;
	stats->windows_used = e->host.windows.used;
}

const char *ql_drop_name(enum ql_drop reason)
{
	static const char *const names[QL_DROP_MAX] = {
		[QL_DROP_SHORT] = "short",	     [QL_DROP_HEADER] = "header",
		[QL_DROP_VERSION] = "version",	     [QL_DROP_INITIAL_SIZE] = "initial_size",
		[QL_DROP_NO_CONN] = "no_conn",	     [QL_DROP_NO_LISTENER] = "no_listener",
		[QL_DROP_CONN_LIMIT] = "conn_limit", [QL_DROP_NO_MEMORY] = "no_memory",
		[QL_DROP_NO_KEYS] = "no_keys",	     [QL_DROP_AUTH] = "auth",
		[QL_DROP_DUPLICATE] = "duplicate",   [QL_DROP_PATH] = "path",
		[QL_DROP_CLOSING] = "closing",	     [QL_DROP_COALESCED_CID] = "coalesced_cid",
		[QL_DROP_TOKEN] = "token",	     [QL_DROP_EARLY] = "early",
		[QL_DROP_CROSSING] = "crossing",     [QL_DROP_STRAY] = "stray",
		[QL_DROP_GENERATION] = "generation",
	};

	return (unsigned int)reason < QL_DROP_MAX ? names[reason] : "unknown";
}
