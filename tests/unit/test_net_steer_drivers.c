// SPDX-License-Identifier: BSD-3-Clause
/*
 * The rules as drivers take them, or refuse them, and what their devices then do with packets: written
 * down from the sources of DPDK's drivers for ixgbe (and txgbe, which is a copy), igb and enic, whose
 * demands are special. Connection IDs and packets are those of the engines.
 */
#include "net/steer.h"

#include <errno.h>

#include <rte_errno.h>

#include "conn/cid.h"
#include "test_net_util.h"

#define PORT	  4433
#define IDS	  500
#define RULES_MAX 2048
#define RUNS	  4
#define BY_HASH	  -1

enum driver { IXGBE, IGB, ENIC };

/* A rule in the device: bytes of the frame, or for enic of the UDP payload. */
struct held {
	unsigned int queue, n;
	bool ip6;
	struct {
		unsigned int offset, len;
		uint8_t bytes[16], masks[16];
	} runs[RUNS];
};

static struct {
	enum driver driver;
	unsigned int queues, n, lost, room;
	bool simple;	    /* enic without advanced filters, or igb of the first kind */
	uint16_t port_mask; /* of all rules of an ixgbe */
	int32_t offset;
	struct held rules[RULES_MAX];
} nic;

static struct ql_flow_rules rules;
static char why[QL_STEERING_WHY];
static struct ql_cid_word word;

static int refuse(struct rte_flow_error *error, const char *message)
{
	error->message = message;
	rte_errno = EINVAL;
	return -EINVAL;
}

static bool is_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

/* ---- ixgbe_parse_fdir_filter_normal() of 22.11, as far as it goes for UDP ---- */

static int ixgbe(const struct rte_flow_item *items, struct held *to, uint16_t *port_mask,
		 int32_t *offset, struct rte_flow_error *error)
{
	static const char no[] = "Not supported by fdir filter";
	const struct rte_flow_item_ipv4 *ip4_mask = items[1].mask;
	const struct rte_flow_item_udp *udp = items[2].spec, *udp_mask = items[2].mask;
	const struct rte_flow_item_raw *raw = items[3].spec, *mask = items[3].mask;
	struct rte_flow_item_ipv4 addrs;

	if (items[0].type != RTE_FLOW_ITEM_TYPE_ETH || items[0].spec || items[0].mask)
		return refuse(error, no);
	if (items[1].type != RTE_FLOW_ITEM_TYPE_IPV4 || !ip4_mask)
		return refuse(error, no);
	addrs = *ip4_mask;
	addrs.hdr.src_addr = addrs.hdr.dst_addr = 0;
	if (!is_zero(&addrs, sizeof(addrs)))
		return refuse(error, no);
	if (items[2].type != RTE_FLOW_ITEM_TYPE_UDP || !udp_mask || udp_mask->hdr.dgram_len ||
	    udp_mask->hdr.dgram_cksum)
		return refuse(error, no);
	if (items[3].type != RTE_FLOW_ITEM_TYPE_RAW || !raw || !mask || !mask->relative ||
	    !mask->search || mask->reserved || (uint32_t)mask->offset != 0xffffffff ||
	    mask->limit != 0xffff || mask->length != 0xffff)
		return refuse(error, no);
	if (raw->relative || raw->search || raw->reserved || raw->offset > 62 || raw->offset % 2 ||
	    raw->limit || raw->length != 2 ||
	    (raw->pattern[0] == 0xff && raw->pattern[1] == 0xff) || mask->pattern[0] != 0xff ||
	    mask->pattern[1] != 0xff)
		return refuse(error, no);
	if (items[4].type != RTE_FLOW_ITEM_TYPE_END)
		return refuse(error, no);
	if (!items[1].spec && !udp) /* nothing would be written to the device */
		return refuse(error, no);
	to->n = 1;
	to->runs[0].offset = (unsigned int)raw->offset;
	to->runs[0].len = 2;
	memcpy(to->runs[0].bytes, raw->pattern, 2);
	if (udp_mask->hdr.dst_port) {
		to->runs[1].offset = 14 + 20 + 2;
		to->runs[1].len = 2;
		memcpy(to->runs[1].bytes, &udp->hdr.dst_port, 2);
		to->n = 2;
	}
	*port_mask = udp_mask->hdr.dst_port;
	*offset = raw->offset;
	return 0;
}

/* ---- cons_parse_flex_filter() of igb, without items that are relative ---- */

static int igb(const struct rte_flow_item *items, struct held *to, struct rte_flow_error *error)
{
	unsigned int end = 0;

	for (unsigned int i = 0; items[i].type != RTE_FLOW_ITEM_TYPE_END; i++) {
		const struct rte_flow_item_raw *raw = items[i].spec, *mask = items[i].mask;
		unsigned int offset;

		/* the last of the parsers that look at it is that for RSS */
		if (nic.simple || items[i].type != RTE_FLOW_ITEM_TYPE_RAW || items[i].last ||
		    !mask->length || !mask->relative || raw->relative || i == RUNS)
			return refuse(error, "Not supported action.");
		offset = mask->offset ? (unsigned int)raw->offset : 0;
		for (unsigned int k = 0; k < raw->length; k++)
			if (mask->pattern[k] != 0xff)
				return refuse(error, "Not supported action.");
		to->runs[i].offset = offset;
		to->runs[i].len = raw->length;
		memcpy(to->runs[i].bytes, raw->pattern, raw->length);
		to->n = i + 1;
		end = RTE_MAX(end, offset + raw->length);
	}
	end = RTE_ALIGN(end, 8);
	return end > 0 && end <= 128 ? 0 : refuse(error, "Not supported action.");
}

/* ---- enic_copy_item_raw_v2() ---- */

static int enic(const struct rte_flow_item *items, struct held *to, struct rte_flow_error *error)
{
	const struct rte_flow_item_raw *raw = items[3].spec, *mask = items[3].mask;

	if (nic.simple || items[0].type != RTE_FLOW_ITEM_TYPE_ETH ||
	    (items[1].type != RTE_FLOW_ITEM_TYPE_IPV4 &&
	     items[1].type != RTE_FLOW_ITEM_TYPE_IPV6) ||
	    items[2].type != RTE_FLOW_ITEM_TYPE_UDP || items[3].type != RTE_FLOW_ITEM_TYPE_RAW ||
	    items[4].type != RTE_FLOW_ITEM_TYPE_END)
		return refuse(error, "enic cannot do that");
	if (!raw || !mask || !raw->relative || raw->offset || raw->search || raw->limit ||
	    raw->length == 0 || raw->length + 8 > 64 || !raw->pattern || !mask->pattern ||
	    (mask->length && mask->length < raw->length))
		return refuse(error, "enic cannot do that");
	ck_assert_uint_le(raw->length, sizeof(to->runs[0].bytes));
	to->n = 1;
	to->ip6 = items[1].type == RTE_FLOW_ITEM_TYPE_IPV6;
	to->runs[0].len = raw->length;
	memcpy(to->runs[0].bytes, raw->pattern, raw->length);
	memcpy(to->runs[0].masks, mask->pattern, raw->length);
	return 0;
}

/* ---- What they have in common ---- */

static int look(const struct rte_flow_item *items, const struct rte_flow_action *actions,
		struct held *to, uint16_t *port_mask, int32_t *offset, struct rte_flow_error *error)
{
	int rc;

	memset(to, 0, sizeof(*to));
	for (unsigned int i = 0; i < RUNS; i++)
		memset(to->runs[i].masks, 0xff, sizeof(to->runs[i].masks));
	ck_assert_int_eq(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	ck_assert_int_eq(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	to->queue = ((const struct rte_flow_action_queue *)actions[0].conf)->index;
	if (to->queue >= nic.queues)
		return refuse(error, "no such queue");
	switch (nic.driver) {
	case IXGBE:
		return ixgbe(items, to, port_mask, offset, error);
	case IGB:
		rc = igb(items, to, error);
		return rc == 0 && to->queue >= 8 ? refuse(error, "no such queue") : rc;
	default:
		return enic(items, to, error);
	}
}

static int validate(uint16_t port_id, const struct rte_flow_attr *attr,
		    const struct rte_flow_item items[], const struct rte_flow_action actions[],
		    struct rte_flow_error *error)
{
	struct held held;
	uint16_t port_mask;
	int32_t offset;

	(void)port_id;
	ck_assert(attr->ingress && attr->priority == 0);
	return look(items, actions, &held, &port_mask, &offset, error);
}

static struct rte_flow *create(uint16_t port_id, const struct rte_flow_attr *attr,
			       const struct rte_flow_item items[],
			       const struct rte_flow_action actions[], struct rte_flow_error *error)
{
	uint16_t port_mask = 0;
	int32_t offset = 0;
	struct held held;

	(void)port_id;
	(void)attr;
	if (look(items, actions, &held, &port_mask, &offset, error) < 0)
		return NULL;
	/* one mask, and one place, for all */
	if (nic.n == 0) {
		nic.port_mask = port_mask;
		nic.offset = offset;
	} else if (nic.port_mask != port_mask || nic.offset != offset) {
		refuse(error, "only support one global mask");
		return NULL;
	}
	if (nic.n == nic.room) {
		if (nic.driver != IXGBE) {
			refuse(error, "Failed to create flow.");
			return NULL;
		}
		nic.lost++; /* nobody is told */
		return (struct rte_flow *)&nic;
	}
	nic.rules[nic.n++] = held;
	return (struct rte_flow *)&nic;
}

static int destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
	(void)port_id;
	(void)error;
	ck_assert_ptr_eq(flow, &nic);
	nic.n--;
	return 0;
}

static const struct ql_flow_api api = {validate, create, destroy, NULL, NULL};

static void setup(void)
{
	memset(&nic, 0, sizeof(nic));
	nic.queues = 16;
	why[0] = 0;
	ck_assert_int_eq(ql_cid_word_of(NULL, &word), 0);
}

static int make(enum driver driver, uint16_t queues, uint16_t vlan)
{
	static const char *const names[] = {
		[IXGBE] = "net_ixgbe", [IGB] = "net_e1000_igb", [ENIC] = "net_enic"};
	const struct ql_flow_plan plan = {.style = ql_flow_style_of(names[driver]),
					  .word = word,
					  .queues = queues,
					  .udp_port = PORT,
					  .vlan = vlan};

	nic.driver = driver;
	nic.room = driver == IGB ? 8 : RULES_MAX;
	nic.n = 0;
	return ql_flow_rules_create(&rules, &api, 3, &plan, why);
}

/* ---- The device at work ---- */

static bool run_fits(const struct held *r, unsigned int i, const uint8_t *at)
{
	for (unsigned int k = 0; k < r->runs[i].len; k++)
		if ((at[k] ^ r->runs[i].bytes[k]) & r->runs[i].masks[k])
			return false;
	return true;
}

static bool fits(const struct held *r, const struct tf *f, bool ip6)
{
	if (nic.driver == ENIC)
		return r->ip6 == ip6 && run_fits(r, 0, f->b + 14 + (ip6 ? 40 : 20) + 8);
	if (nic.driver == IXGBE && ip6) /* the rules are for IPv4 with UDP */
		return false;
	for (unsigned int i = 0; i < r->n; i++)
		if (!run_fits(r, i, f->b + r->runs[i].offset))
			return false;
	return true;
}

static int queue_of(const struct tf *f, bool ip6)
{
	int queue = BY_HASH;

	for (unsigned int i = 0; i < nic.n; i++) {
		if (!fits(&nic.rules[i], f, ip6))
			continue;
		ck_assert_int_eq(queue, BY_HASH); /* one rule at most */
		queue = (int)nic.rules[i].queue;
	}
	return queue;
}

static void frame(struct tf *f, bool ip6, const uint8_t *payload, size_t len)
{
	if (ip6)
		tf_udp6(f, -1, 0, len);
	else
		tf_udp4(f, -1, 0, len);
	memcpy(f->b + f->n - len, payload, len);
}

static struct ql_rng rng;

/* A packet to the ID of an engine; what is behind it is random, and the first byte is protected. */
static int short_packet(const struct ql_cid_scheme *s, bool ip6, uint8_t word_seen[2])
{
	uint8_t p[64];
	struct ql_cid cid;
	struct tf f;

	ql_rng_bytes(&rng, p, sizeof(p));
	p[0] = (p[0] & 0x3f) | 0x40;
	ql_local_cid_make(s, &rng, ql_rng_u32(&rng) & 0xffff, &cid);
	memcpy(p + 1, cid.id, cid.len);
	memcpy(word_seen, p + word.offset, 2);
	frame(&f, ip6, p, sizeof(p));
	return queue_of(&f, ip6);
}

static int long_packet(uint32_t version, bool ip6)
{
	uint8_t p[64];
	struct tf f;

	ql_rng_bytes(&rng, p, sizeof(p));
	p[0] |= 0x80;
	for (int i = 0; i < 4; i++)
		p[1 + i] = (uint8_t)(version >> 8 * (3 - i));
	p[5] = 8 + p[6] % 13;
	frame(&f, ip6, p, sizeof(p));
	return queue_of(&f, ip6);
}

/* Each engine's IDs come to its queue, in both versions of IP; how many came by RSS instead. */
static unsigned int each_finds_its_queue(unsigned int queues, const struct ql_cid_config *config,
					 bool ip6)
{
	static const uint8_t secret[QL_CID_SECRET] = {1, 2, 3};
	unsigned int by_hash = 0;

	ql_rng_init(&rng, secret);
	for (unsigned int q = 0; q < queues; q++) {
		struct ql_cid_scheme s;

		ck_assert_int_eq(ql_cid_scheme_init(&s, (uint16_t)q, 0, secret, secret), 0);
		ck_assert_int_eq(ql_cid_scheme_configure(&s, NULL, config, config ? 1 : 0), 0);
		for (unsigned int i = 0; i < IDS; i++) {
			uint8_t seen[2];
			int queue = short_packet(&s, ip6, seen);

			ck_assert(queue == BY_HASH || queue == (int)q);
			by_hash += queue == BY_HASH;
		}
	}
	for (unsigned int i = 0; i < IDS; i++) {
		ck_assert_int_eq(long_packet(QL_VERSION_1, ip6), BY_HASH);
		ck_assert_int_eq(long_packet(QL_VERSION_2, ip6), BY_HASH);
		ck_assert_int_eq(long_packet(0, ip6), BY_HASH);
	}
	return by_hash;
}

/* ---- */

/* A table of the words of its IDs for each queue; the one that a long header has is left out. */
START_TEST(ixgbe_words)
{
	unsigned int by_hash;

	ck_assert_msg(make(IXGBE, 4, 0) == 0, "%s", why);
	ck_assert_uint_eq(nic.n, 4 * 256 - 1);
	ck_assert_int_eq(nic.offset, 44);
	ck_assert_ptr_nonnull(strstr(why, "1023 rules"));
	ck_assert_ptr_nonnull(strstr(why, "IPv6 by RSS"));
	by_hash = each_finds_its_queue(4, NULL, false);
	ck_assert_uint_lt(by_hash, IDS / 50); /* of engine 0 one in 256 */
	ck_assert_uint_eq(each_finds_its_queue(4, NULL, true), 4 * IDS);
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_uint_eq(nic.n, 0);
}
END_TEST

/* Its table is never full: then it would drop rules silently. */
START_TEST(ixgbe_room)
{
	ck_assert_int_eq(make(IXGBE, 7, 0), 0);
	ck_assert_uint_eq(nic.n, 7 * 256 - 1);
	ck_assert_uint_eq(nic.lost, 0);
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_int_eq(make(IXGBE, 8, 0), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(why, "7 queues"));
	ck_assert_uint_eq(nic.n, 0);
}
END_TEST

/* Behind a server ID of 2 bytes; those of other lengths put the word where long headers have IDs, or
 * where no word is. */
START_TEST(ixgbe_server_id)
{
	struct ql_cid_config c = {.rotation = 2, .server_id_len = 2, .server_id = {0xab, 0xcd}};

	ck_assert_int_eq(ql_cid_word_of(&c, &word), 0);
	ck_assert_int_eq(make(IXGBE, 4, 0), 0);
	ck_assert_int_eq(nic.offset, 46);
	ck_assert_uint_eq(nic.n, 4 * (256 - 3));
	ck_assert_uint_lt(each_finds_its_queue(4, &c, false), 4 * IDS / 25);
	ql_flow_rules_destroy(&rules, &api, 3);
	for (c.server_id_len = 1; c.server_id_len <= QL_CID_SERVER_ID_MAX; c.server_id_len++) {
		if (c.server_id_len == 2)
			continue;
		ck_assert_int_eq(ql_cid_word_of(&c, &word), 0);
		ck_assert_int_eq(make(IXGBE, 4, 0), -EINVAL);
		ck_assert_ptr_nonnull(strstr(why, "server ID"));
	}
}
END_TEST

START_TEST(igb_bytes)
{
	ck_assert_msg(make(IGB, 4, 0) == 0, "%s", why);
	ck_assert_uint_eq(nic.n, 8);
	ck_assert_uint_eq(each_finds_its_queue(4, NULL, false), 0);
	ck_assert_uint_eq(each_finds_its_queue(4, NULL, true), 0);
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_int_eq(make(IGB, 5, 0), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(why, "4 queues"));
	nic.simple = true; /* 82576 has no such filters */
	ck_assert_int_eq(make(IGB, 2, 0), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "Not supported action."));
	ck_assert_uint_eq(nic.n, 0);
}
END_TEST

/* Every configuration of a load balancer that can be read. */
START_TEST(igb_server_ids)
{
	struct ql_cid_config c = {.server_id = {1, 2, 3, 4, 5, 6, 7, 8}};

	for (c.rotation = 0; c.rotation < 7; c.rotation++) {
		for (c.server_id_len = 1; c.server_id_len <= QL_CID_SERVER_ID_MAX;
		     c.server_id_len++) {
			ck_assert_int_eq(ql_cid_word_of(&c, &word), 0);
			ck_assert_int_eq(make(IGB, 2, 0), 0);
			ck_assert_uint_eq(each_finds_its_queue(2, &c, c.rotation % 2), 0);
			ql_flow_rules_destroy(&rules, &api, 3);
		}
	}
}
END_TEST

START_TEST(enic_masks)
{
	struct ql_cid_config c = {.rotation = 1, .server_id_len = 8};

	ck_assert_msg(make(ENIC, 16, 0) == 0, "%s", why);
	ck_assert_uint_eq(nic.n, 32);
	ck_assert_uint_eq(each_finds_its_queue(16, NULL, false), 0);
	ck_assert_uint_eq(each_finds_its_queue(16, NULL, true), 0);
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_int_eq(ql_cid_word_of(&c, &word), 0);
	ck_assert_int_eq(make(ENIC, 3, 0), 0);
	ck_assert_uint_eq(each_finds_its_queue(3, &c, true), 0);
	ql_flow_rules_destroy(&rules, &api, 3);
	nic.simple = true;
	ck_assert_int_eq(make(ENIC, 2, 0), -EINVAL);
	ck_assert_uint_eq(nic.n, 0);
}
END_TEST

/* Places in the frame are others then. */
START_TEST(behind_a_tag)
{
	ck_assert_int_eq(make(IXGBE, 2, 7), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "VLAN"));
	ck_assert_int_eq(make(IGB, 2, 7), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "VLAN"));
	ck_assert_int_eq(make(ENIC, 2, 7), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/steer_rules: drivers");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, ixgbe_words);
	tcase_add_test(tc, ixgbe_room);
	tcase_add_test(tc, ixgbe_server_id);
	tcase_add_test(tc, igb_bytes);
	tcase_add_test(tc, igb_server_ids);
	tcase_add_test(tc, enic_masks);
	tcase_add_test(tc, behind_a_tag);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
