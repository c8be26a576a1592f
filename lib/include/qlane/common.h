// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * What every public header uses: addresses, paths, datagrams, time.
 *
 * Time is a uint64_t in nanoseconds of one monotonic clock of the caller's choice (the lcore loop
 * takes the TSC, a simulator its own); the library compares and adds, and never reads a clock.
 */
#ifndef QLANE_COMMON_H
#define QLANE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Marks what libqlane exports; everything else is hidden. */
#define QL_PUBLIC __attribute__((visibility("default")))

#define QL_NSEC_PER_USEC UINT64_C(1000)
#define QL_NSEC_PER_MSEC UINT64_C(1000000)
#define QL_NSEC_PER_SEC	 UINT64_C(1000000000)

/** A deadline that never comes. */
#define QL_NEVER UINT64_MAX

/** Versions of QUIC, as packets name them: RFC 9000, RFC 9369. */
#define QL_VERSION_1 0x00000001u
#define QL_VERSION_2 0x6b3343cfu

struct rte_mbuf;

/**
 * An IP address and UDP port. An IPv4 address is held as IPv4-mapped IPv6 (::ffff:a.b.c.d), so that
 * two addresses are equal exactly when their bytes are. Fill the unused bytes with zero.
 */
struct ql_addr {
	uint8_t ip[16]; /**< network order */
	uint16_t port;	/**< host order */
};

/** Both ends of a network path, as seen from us. */
struct ql_path {
	struct ql_addr local;
	struct ql_addr remote;
};

/** Codepoints of the IP header's ECN field (RFC 3168). */
enum ql_ecn {
	QL_ECN_NOT_ECT = 0,
	QL_ECN_ECT1 = 1,
	QL_ECN_ECT0 = 2,
	QL_ECN_CE = 3,
};

/**
 * One UDP datagram on its way in or out of an engine. The mbuf's data is exactly the UDP payload,
 * in one segment. Whoever holds the ql_datagram owns the mbuf.
 */
struct ql_datagram {
	struct rte_mbuf *mbuf;
	struct ql_path path;
	uint8_t ecn; /**< enum ql_ecn */
};

/** @return true for 127.0.0.0/8 and ::1. */
static inline bool ql_addr_is_loopback(const struct ql_addr *a)
{
	static const uint8_t one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	static const uint8_t v4[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};

	return __builtin_memcmp(a->ip, one, sizeof(one)) == 0 ||
	       __builtin_memcmp(a->ip, v4, sizeof(v4)) == 0;
}

/** @return true for an IPv4-mapped address. */
static inline bool ql_addr_is_ip4(const struct ql_addr *a)
{
	static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return __builtin_memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

static inline bool ql_addr_eq(const struct ql_addr *a, const struct ql_addr *b)
{
	return __builtin_memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port;
}

static inline bool ql_path_eq(const struct ql_path *a, const struct ql_path *b)
{
	return ql_addr_eq(&a->remote, &b->remote) && ql_addr_eq(&a->local, &b->local);
}

/** Room for "[ffff:...:ffff]:65535" and its zero byte. */
#define QL_ADDR_STRLEN 56

/**
 * Read "1.2.3.4", "1.2.3.4:443", "2001:db8::1" or "[2001:db8::1]:443". Without a port in the text
 * the port becomes @p default_port.
 * @return 0, or -EINVAL when the text is no address.
 */
QL_PUBLIC int ql_addr_parse(const char *text, uint16_t default_port, struct ql_addr *addr);

/** Write "1.2.3.4:443" or "[2001:db8::1]:443" into @p buf. @return buf */
QL_PUBLIC const char *ql_addr_format(const struct ql_addr *addr, char buf[QL_ADDR_STRLEN]);

/** @return the library's version, such as "0.1.0". */
QL_PUBLIC const char *ql_version(void);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_COMMON_H */
