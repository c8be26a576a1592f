// SPDX-License-Identifier: BSD-3-Clause
#include "sim/middle.h"

#include <err.h>

#include <rte_mbuf.h>

#include "crypto/protect.h"
#include "crypto/secret.h"

/* Keys of Initial packets. Their memory. */
struct keys {
	struct ql_aead aead;
	struct ql_hp hp;
};

static _Alignas(64) uint8_t region[1 << 16];
static struct ql_mem mem;

static void make_keys(struct keys *k, uint32_t version, const struct ql_cid *dcid, bool from_server)
{
	struct ql_secret client, server;
	struct ql_key_material m;

	if (ql_initial_secrets(version, dcid->id, dcid->len, &client, &server) < 0 ||
	    ql_secret_expand(version, from_server ? &server : &client, &m) < 0 ||
	    ql_aead_init(&k->aead, &mem, QL_AES128_GCM_SHA256, m.key, m.iv) < 0 ||
	    ql_hp_init(&k->hp, &mem, QL_AES128_GCM_SHA256, m.hp) < 0)
		errx(1, "middle: no keys");
}

static void free_keys(struct keys *k)
{
	ql_aead_fini(&k->aead, &mem);
	ql_hp_fini(&k->hp, &mem);
}

bool sim_middle_convert(struct ql_datagram *d, const struct ql_cid *dcid, bool from_server,
			uint32_t version)
{
	uint8_t *p = rte_pktmbuf_mtod(d->mbuf, uint8_t *);
	/* of version 1, the other way round for version 2 */
	uint8_t type = version == QL_VERSION_2 ? 0x10 : 0x00;
	struct keys from, to;
	struct ql_pkt_hdr h;
	struct ql_open_job open;
	struct ql_seal_job seal;
	bool ok;

	if (ql_pkt_parse(p, d->mbuf->data_len, 0, &h) < 0 || h.type != QL_PKT_INITIAL)
		return false;
	ql_mem_init(&mem, region, sizeof(region));
	make_keys(&from, h.version, dcid, from_server);
	make_keys(&to, version, dcid, from_server);
	open = (struct ql_open_job){.aead = &from.aead,
				    .hp = &from.hp,
				    .pkt = p,
				    .pn_offset = (uint16_t)h.pn_offset,
				    .len = (uint16_t)h.size};
	ok = ql_open_one(&open) >= 0;
	if (!ok)
		goto out;
	p[0] = (uint8_t)((open.first & ~0x30) | type);
	ql_put_be32(p + 1, version);
	ql_pn_put(p + h.pn_offset, open.pn, open.pn_len);
	seal = (struct ql_seal_job){.aead = &to.aead,
				    .hp = &to.hp,
				    .hdr = p,
				    .pn = open.pn,
				    .hdr_len = (uint16_t)(open.payload - p),
				    .payload_len = open.payload_len,
				    .pn_len = open.pn_len};
	ql_seal_one(&seal);
out:
	free_keys(&from);
	free_keys(&to);
	return ok;
}

size_t sim_middle_negotiate(const struct ql_datagram *d, const uint32_t *versions, size_t n,
			    uint8_t *buf, size_t room)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *), *end;
	struct ql_pkt_hdr h;

	if (!(p[0] & QL_PKT_LONG) || ql_pkt_parse_long(p, d->mbuf->data_len, &h) < 0)
		return 0;
	end = ql_pkt_put_version_negotiation(buf, buf + room, 0, h.scid, h.dcid, versions, n);
	return end ? (size_t)(end - buf) : 0;
}
