// SPDX-License-Identifier: BSD-3-Clause
#include "net/tap.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LOCAL_WAIT_MS 1000

struct request {
	struct nlmsghdr nh;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
	};
	uint8_t attrs[64];
};

static void put_attr(struct request *r, uint16_t type, const void *data, uint16_t len)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)r + NLMSG_ALIGN(r->nh.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->nh.nlmsg_len = NLMSG_ALIGN(r->nh.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/*
 * Send a request and wait for its acknowledgement, or for an answer of the given type, whose route
 * type is returned. Else the kernel's negative errno.
 */
static int talk(int fd, struct request *r, uint16_t type)
{
	struct {
		struct nlmsghdr nh;
		union {
			struct nlmsgerr err;
			struct rtmsg route;
		};
		uint8_t rest[512];
	} answer;
	ssize_t n;

	if (send(fd, r, r->nh.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, &answer, sizeof(answer), 0);
		if (n < 0)
			return -errno;
	} while (n < (ssize_t)NLMSG_LENGTH(sizeof(answer.route)) ||
		 answer.nh.nlmsg_seq != r->nh.nlmsg_seq ||
		 (answer.nh.nlmsg_type != NLMSG_ERROR && answer.nh.nlmsg_type != type));
	return answer.nh.nlmsg_type == NLMSG_ERROR ? answer.err.error : answer.route.rtm_type;
}

static int link_up(int fd, unsigned int if_index, uint32_t seq)
{
	struct request r = {
		.nh = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		       .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		       .nlmsg_seq = seq},
		.link = {.ifi_index = (int)if_index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
	};

	return talk(fd, &r, NLMSG_ERROR);
}

static int add_addr(int fd, unsigned int if_index, const struct ql_ifaddr *a, uint32_t seq)
{
	bool is4 = ql_addr_is_ip4(&a->addr);
	struct request r = {
		.nh = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
		       .nlmsg_type = RTM_NEWADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		       .nlmsg_seq = seq},
		.addr = {.ifa_family = is4 ? AF_INET : AF_INET6,
			 .ifa_prefixlen = a->prefix,
			 .ifa_flags = is4 ? 0 : IFA_F_NODAD,
			 .ifa_index = if_index},
	};
	uint16_t len = is4 ? 4 : 16;
	int rc;

	put_attr(&r, IFA_LOCAL, a->addr.ip + 16 - len, len);
	put_attr(&r, IFA_ADDRESS, a->addr.ip + 16 - len, len);
	rc = talk(fd, &r, NLMSG_ERROR);
	return rc == -EEXIST ? 0 : rc;
}

/*
 * The kernel makes an IPv6 address local some time after it has acknowledged it; until then it
 * drops what comes for it, answers of neighbour discovery first of all, and asks again only after
 * a second. Best effort: without it the first packets take that second.
 */
static void wait_until_local(int fd, const struct ql_ifaddr *a, uint32_t seq)
{
	struct request r = {
		.nh = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = seq},
		.route = {.rtm_family = AF_INET6, .rtm_dst_len = 128},
	};

	for (unsigned int ms = 0; ms < LOCAL_WAIT_MS; ms++) {
		r.nh.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
		put_attr(&r, RTA_DST, a->addr.ip, 16);
		if (talk(fd, &r, RTM_NEWROUTE) == RTN_LOCAL)
			return;
		usleep(1000);
	}
}

static const char *cure(int rc, bool ip6)
{
	if (ip6 && (rc == -EACCES || rc == -EPERM))
		return "; run as root (CAP_NET_ADMIN), and see that net.ipv6.conf.*.disable_ipv6 "
		       "is 0";
	if (rc == -EACCES || rc == -EPERM)
		return "; run as root (CAP_NET_ADMIN) or inside 'unshare -Urn'";
	if (rc == -ENODEV)
		return "; it is gone, or was moved to another network namespace";
	return "";
}

int ql_tap_setup_kernel(unsigned int if_index, const struct ql_ifaddr *addrs, unsigned int n,
			char err[QL_NET_ERRLEN])
{
	struct timeval patience = {.tv_sec = 5};
	char name[IF_NAMESIZE], text[QL_ADDR_STRLEN];
	int fd, rc;

	if (if_index == 0 || !if_indextoname(if_index, name)) {
		snprintf(err, QL_NET_ERRLEN,
			 "the kernel's end of the TAP device is not in this network namespace: "
			 "leave kernel addresses away and configure it where it is");
		return -ENODEV;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0) {
		rc = -errno;
		snprintf(err, QL_NET_ERRLEN, "%s: no netlink socket: %s", name, strerror(-rc));
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	rc = link_up(fd, if_index, 1);
	if (rc < 0)
		snprintf(err, QL_NET_ERRLEN, "cannot bring %s up: %s%s", name, strerror(-rc),
			 cure(rc, false));
	for (unsigned int i = 0; rc == 0 && i < n; i++) {
		rc = add_addr(fd, if_index, &addrs[i], i + 2);
		if (rc < 0)
			snprintf(err, QL_NET_ERRLEN, "cannot give %s (prefix %u) to %s: %s%s",
				 ql_addr_format(&addrs[i].addr, text), addrs[i].prefix, name,
				 strerror(-rc), cure(rc, !ql_addr_is_ip4(&addrs[i].addr)));
	}
	for (unsigned int i = 0; rc == 0 && i < n; i++)
		if (!ql_addr_is_ip4(&addrs[i].addr))
			wait_until_local(fd, &addrs[i], n + i + 2);
	close(fd);
	return rc;
}
