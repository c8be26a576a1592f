// SPDX-License-Identifier: BSD-3-Clause
#include "conn/datagram.h"

#include <errno.h>
#include <string.h>

struct ql_datagram_item {
	STAILQ_ENTRY(ql_datagram_item) link;
	uint64_t id;
	uint64_t expiry; /* 0: never */
	size_t len;
	uint8_t data[];
};

void ql_datagrams_init(struct ql_datagrams *d, uint64_t rx_max, uint64_t most_bytes,
		       uint32_t most_count)
{
	*d = (struct ql_datagrams){
		.rx_max = rx_max, .most_bytes = most_bytes, .most_count = most_count};
	STAILQ_INIT(&d->queue);
}

static inline bool expired(const struct ql_datagram_item *it, uint64_t now)
{
	return it->expiry != 0 && it->expiry <= now;
}

/* it has left the queue. */
static void release(struct ql_datagrams *d, struct ql_mem *mem, struct ql_datagram_item *it)
{
	d->count--;
	d->bytes -= it->len;
	ql_mem_free(mem, it, sizeof(*it) + it->len);
}

static void drop_head(struct ql_datagrams *d, struct ql_mem *mem)
{
	struct ql_datagram_item *it = STAILQ_FIRST(&d->queue);

	STAILQ_REMOVE_HEAD(&d->queue, link);
	release(d, mem, it);
}

void ql_datagrams_fini(struct ql_datagrams *d, struct ql_mem *mem)
{
	while (d->count > 0)
		drop_head(d, mem);
}

size_t ql_datagrams_fit(const struct ql_datagrams *d, size_t room)
{
	size_t most = d->tx_max < room ? (size_t)d->tx_max : room, len;

	if (most < 1 || !ql_frame_fit(most - 1, most, &len))
		return 0;
	return len;
}

static void drop_expired(struct ql_datagrams *d, struct ql_mem *mem, uint64_t now)
{
	struct ql_datagram_list keep = STAILQ_HEAD_INITIALIZER(keep);
	struct ql_datagram_item *it;

	while ((it = STAILQ_FIRST(&d->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->queue, link);
		if (expired(it, now)) {
			d->dropped++;
			release(d, mem, it);
		} else {
			STAILQ_INSERT_TAIL(&keep, it, link);
		}
	}
	STAILQ_CONCAT(&d->queue, &keep);
}

static inline bool full(const struct ql_datagrams *d, size_t len)
{
	return d->count >= d->most_count || d->bytes + len > d->most_bytes;
}

int ql_datagrams_add(struct ql_datagrams *d, struct ql_mem *mem, const void *data, size_t len,
		     uint64_t expiry, uint64_t id, uint64_t now, size_t room)
{
	struct ql_datagram_item *it;

	if (d->tx_max < 2) /* no room for type and Length */
		return -EOPNOTSUPP;
	if (len > ql_datagrams_fit(d, room))
		return -EMSGSIZE;
	if (full(d, len))
		drop_expired(d, mem, now);
	if (full(d, len))
		return -EAGAIN;
	it = ql_mem_alloc(mem, sizeof(*it) + len);
	if (!it)
		return -ENOMEM;
	it->id = id;
	it->expiry = expiry;
	it->len = len;
	if (len > 0)
		memcpy(it->data, data, len);
	STAILQ_INSERT_TAIL(&d->queue, it, link);
	d->count++;
	d->bytes += len;
	return 0;
}

uint8_t *ql_datagrams_put(struct ql_datagrams *d, struct ql_mem *mem, uint8_t *p,
			  const uint8_t *end, struct ql_sent *sent, uint64_t now, size_t room)
{
	struct ql_datagram_item *it;

	while ((it = STAILQ_FIRST(&d->queue)) != NULL) {
		struct ql_sent_frame rec = {.kind = QL_SENT_DATAGRAM, .id = it->id};
		size_t size = ql_frame_datagram_hdr_size(it->len, true) + it->len;

		if (expired(it, now) || size > room || size > d->tx_max) {
			d->dropped++;
			drop_head(d, mem);
			continue;
		}
		if (size > (size_t)(end - p) || ql_sent_add(sent, &rec) < 0)
			break;
		p = ql_frame_put_datagram_hdr(p, it->len, true);
		memcpy(p, it->data, it->len);
		p += it->len;
		d->sent++;
		drop_head(d, mem);
	}
	return p;
}
