// SPDX-License-Identifier: BSD-3-Clause
#include "conn/version.h"

#include "conn/conn.h"

/* ---- Lists ---- */

static const uint32_t all[] = {QL_VERSION_1, QL_VERSION_2};

_Static_assert(sizeof(all) <= QL_VERSIONS_MAX * sizeof(all[0]), "a list holds all versions");

static bool among(uint32_t version, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == version)
			return true;
	}
	return false;
}

unsigned int ql_versions(const struct ql_transport *t, uint32_t out[QL_VERSIONS_MAX])
{
	unsigned int n = 0;

	while (n < QL_VERSIONS_MAX && t->versions[n]) {
		out[n] = t->versions[n];
		n++;
	}
	if (n > 0)
		return n;
	memcpy(out, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

bool ql_version_listed(const struct ql_transport *t, uint32_t version)
{
	uint32_t list[QL_VERSIONS_MAX];

	return among(version, list, ql_versions(t, list));
}

bool ql_versions_valid(const struct ql_transport *t)
{
	for (unsigned int i = 0; i < QL_VERSIONS_MAX; i++) {
		uint32_t v = t->versions[i];

		if (v == 0)
			continue;
		if (!ql_version_supported(v) || among(v, t->versions, i) ||
		    (i > 0 && t->versions[i - 1] == 0))
			return false;
	}
	return t->first_version == 0 || ql_version_listed(t, t->first_version);
}

/* The oldest: most servers know it, and from there to the others is no way (RFC 9368, 2.5). */
uint32_t ql_version_first(const struct ql_transport *t)
{
	if (t->first_version)
		return t->first_version;
	return ql_version_listed(t, QL_VERSION_1) ? QL_VERSION_1 : t->versions[0];
}

uint32_t ql_version_choose(const struct ql_transport *t, const uint32_t *offered, size_t n)
{
	uint32_t list[QL_VERSIONS_MAX];
	unsigned int n_list = ql_versions(t, list);

	for (unsigned int i = 0; i < n_list; i++) {
		if (among(list[i], offered, n))
			return list[i];
	}
	return 0;
}

/* ---- Version Information ---- */

void ql_version_write(const struct ql_conn *conn, struct ql_tparams *tp)
{
	struct ql_tp_version_info *vi = &tp->version_info;

	_Static_assert(QL_VERSIONS_MAX <= QL_TP_VERSIONS_MAX, "a list fits");
	ql_tp_set(tp, QL_TP_VERSION_INFORMATION);
	vi->chosen = conn->version;
	vi->n_available = ql_versions(&conn->hs->endpoint.transport, vi->available);
}

/* Go on in another version: from here on with its keys for Initial packets. */
static int take_up(struct ql_conn *conn, uint32_t version)
{
	conn->version = version;
	return ql_handshake_initial_keys(conn);
}

static uint64_t on_client_params(struct ql_conn *conn, const struct ql_tp_version_info *vi)
{
	struct ql_handshake *hs = conn->hs;
	const struct ql_transport *t = &hs->endpoint.transport;
	struct ql_keys *rx = &conn->early[QL_SPACE_INITIAL].rx;
	uint32_t version;

	if (vi->chosen != conn->version)
		return QL_ERR_VERSION_NEGOTIATION_ERROR;
	if (t->versions[0] == 0) /* no preference */
		return 0;
	/* The client's own is among them, so there is one. */
	version = ql_version_choose(t, vi->available, vi->n_available);
	if (version == conn->version || version == 0)
		return 0;
	/* What the client sends before it learns of it is still to be opened (RFC 9369, 4.1). */
	hs->other_rx = *rx;
	hs->other_version = conn->version;
	memset(rx, 0, sizeof(*rx));
	return take_up(conn, version) < 0 ? QL_ERR_INTERNAL_ERROR : 0;
}

static uint64_t on_server_params(struct ql_conn *conn, const struct ql_tp_version_info *vi)
{
	const struct ql_handshake *hs = conn->hs;
	const struct ql_transport *t = &hs->endpoint.transport;
	uint32_t listed[QL_TP_VERSIONS_MAX + 1];

	if (vi->chosen != conn->version || !ql_version_listed(t, vi->chosen))
		return QL_ERR_VERSION_NEGOTIATION_ERROR;
	if (!hs->restarted)
		return 0;
	/* With these in a Version Negotiation packet, would we have begun as we did? */
	memcpy(listed, vi->available, vi->n_available * sizeof(listed[0]));
	listed[vi->n_available] = conn->version;
	if (vi->n_available == 0 ||
	    ql_version_choose(t, listed, vi->n_available + 1) != hs->first_version)
		return QL_ERR_VERSION_NEGOTIATION_ERROR;
	return 0;
}

uint64_t ql_version_on_params(struct ql_conn *conn, const struct ql_tparams *tp)
{
	const struct ql_tp_version_info v1_only = {
		.chosen = QL_VERSION_1, .available = {QL_VERSION_1}, .n_available = 1};
	const struct ql_handshake *hs = conn->hs;

	if (ql_tp_has(tp, QL_TP_VERSION_INFORMATION))
		return conn->server ? on_client_params(conn, &tp->version_info)
				    : on_server_params(conn, &tp->version_info);
	/* A peer that knows nothing of all this: then nothing may have been negotiated. */
	if (conn->server || (!hs->restarted && conn->version == hs->first_version))
		return 0;
	/* Except that servers of version 1 need not know (RFC 9368, 8). */
	if (conn->version == hs->first_version && conn->version == QL_VERSION_1)
		return on_server_params(conn, &v1_only);
	return QL_ERR_VERSION_NEGOTIATION_ERROR;
}

/* ---- Packets of another version ---- */

struct ql_keys *ql_version_initial_keys(struct ql_conn *conn, uint32_t version)
{
	struct ql_handshake *hs = conn->hs;
	struct ql_keys *keys;

	if (!hs || !conn->early || !conn->early[QL_SPACE_INITIAL].rx.ready)
		return NULL;
	keys = &hs->other_rx;
	if (conn->server)
		return keys->ready && version == hs->other_version ? keys : NULL;
	if (hs->version_settled || !ql_version_listed(&hs->endpoint.transport, version))
		return NULL;
	/* Kept, so that forgeries cost little. */
	if ((!keys->ready || hs->other_version != version) &&
	    ql_handshake_try_keys(conn, version, keys) < 0)
		return NULL;
	hs->other_version = version;
	return keys;
}

int ql_version_learned(struct ql_conn *conn, uint32_t version)
{
	conn->hs->version_settled = true;
	ql_handshake_free_keys(conn, &conn->hs->other_rx);
	return take_up(conn, version);
}

/* ---- Version Negotiation ---- */

/* The one that we like best in a Version Negotiation packet, 0 if there is none. */
static uint32_t best(const struct ql_conn *conn, const struct ql_pkt_hdr *negotiation)
{
	uint32_t list[QL_VERSIONS_MAX];
	unsigned int n = ql_versions(&conn->hs->endpoint.transport, list);

	for (unsigned int i = 0; i < n; i++) {
		for (size_t k = 0; k < ql_pkt_vn_count(negotiation); k++) {
			if (ql_pkt_vn_version(negotiation, k) == list[i])
				return list[i];
		}
	}
	return 0;
}

int ql_version_restart(struct ql_conn *conn, const struct ql_pkt_hdr *negotiation)
{
	struct ql_mem *mem = conn->host->mem;
	struct ql_handshake *hs = conn->hs;
	uint32_t version = best(conn, negotiation);
	int rc;

	if (version == 0)
		return -EPROTONOSUPPORT;
	hs->restarted = true;
	hs->first_version = conn->version = version;
	/* Nothing of the first attempt is of use: it never was a connection. */
	if (conn->early_data == QL_EARLY_OPEN)
		ql_early_answered(conn, false);
	ql_rec_requeue_space(&conn->rec, QL_SPACE_INITIAL);
	ql_sendbuf_drop(&hs->crypto_out[QL_SPACE_INITIAL], mem);
	ql_sendbuf_init(&hs->crypto_out[QL_SPACE_INITIAL]);
	ql_mem_free(mem, hs->token, hs->token_len); /* of the other version (RFC 9369, 5) */
	hs->token = NULL;
	hs->token_len = 0;
	ql_handshake_free_keys(conn, &hs->other_rx);
	ql_tls_free(hs->tls);
	hs->tls = NULL;
	ql_rng_bytes(conn->host->rng, hs->original_dcid.id, hs->original_dcid.len);
	conn->peer_cids.e[0].cid = hs->original_dcid;
	rc = ql_handshake_initial_keys(conn);
	if (rc == 0)
		rc = ql_handshake_start(conn, hs->sni);
	return rc;
}
