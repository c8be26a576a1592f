// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * DPDK ports and the loop of an lcore.
 *
 * A ql_port is one Ethernet device with its queues and our addresses on it. A ql_lane is what one
 * lcore runs: an engine, and one receive and transmit queue of each port it serves. Set up: open
 * the ports, create engines and lanes, then ql_lane_run() on each lcore. A port is set up and
 * closed by the main thread while no lane runs; a lane is used by its lcore only.
 *
 * The port answers ARP, neighbour discovery and ICMP echo for its own addresses and for nothing
 * else, and drops whatever is not UDP to one of them.
 */
#ifndef QLANE_NET_H
#define QLANE_NET_H

#include <qlane/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ql_port;
struct ql_lane;

/** An address with the length of its network's prefix; the port number is not used. */
struct ql_ifaddr {
	struct ql_addr addr;
	uint8_t prefix; /**< bits, of IPv4's 32 or IPv6's 128 */
};

/** Read "10.9.0.2/24" or "fd00::2/64"; without "/n" the prefix is the whole address. 0 or -EINVAL.
 */
QL_PUBLIC int ql_ifaddr_parse(const char *text, struct ql_ifaddr *ifaddr);

#define QL_PORT_ADDRS	 16 /**< addresses of one port */
#define QL_PORT_GATEWAYS 2  /**< one for each address family */

struct ql_port_config {
	uint16_t port_id;	   /**< DPDK's */
	uint16_t queues;	   /**< receive and transmit queues, one pair a lane [1] */
	uint16_t rx_desc, tx_desc; /**< descriptors a queue [1024, cut to what the device allows] */
	uint16_t mtu;		   /**< bytes of an IP packet [what the device has] */
	uint16_t vlan;		   /**< tag of all our frames, 0 for none */
	uint32_t mbufs;		   /**< in the port's pool [by queues and descriptors] */
	/** Lanes may sleep until something arrives (QL_IDLE_SLEEP), where the device can tell. */
	bool rx_interrupts;
	/** A device that leaves checksums to us sends UDP over IPv4 without (RFC 768). For links that are
	 * memory, like net_ring and net_memif: QUIC finds what was damaged anyway. [false] */
	bool no_checksum;
	/** Of several queues: packets are spread by addresses and ports alone. [false] */
	bool hash_only;
	/** What the engines' new connection IDs look like: of ql_engine_config.cids the first. [none] */
	const struct ql_cid_config *cids;
	uint16_t udp_port; /**< that is served there; some NICs match IDs only for one [any] */
	struct ql_ifaddr addrs[QL_PORT_ADDRS];
	unsigned int n_addrs;
	struct ql_addr gateways[QL_PORT_GATEWAYS];
	unsigned int n_gateways;
	/** net_tap only: addresses for the kernel's end, which is also brought up. */
	struct ql_ifaddr kernel_addrs[QL_PORT_ADDRS];
	unsigned int n_kernel_addrs;
};

/** Room for an error text, in bytes. */
#define QL_NET_ERRLEN 256

/**
 * Configure the device, its queues and offloads, and start it. A device that has none gets a MAC;
 * a TAP's end of ours differs in a bit from the kernel's end. A link that is down is waited for
 * for 2 s, and is no error. A device that refuses its queues or to start is closed.
 * @param err receives one line: what failed, and the cure
 * @return the port, or NULL with errno set
 */
QL_PUBLIC struct ql_port *ql_port_open(const struct ql_port_config *config,
				       char err[QL_NET_ERRLEN]);
QL_PUBLIC void ql_port_close(struct ql_port *port);
/** DPDK's number of it. */
QL_PUBLIC uint16_t ql_port_id(const struct ql_port *port);
/** The pool of the port's mbufs; good for ql_engine_config.tx_pool. */
QL_PUBLIC struct rte_mempool *ql_port_pool(const struct ql_port *port);
/** Bytes of UDP payload that fit the MTU in IPv4 or IPv6. */
QL_PUBLIC uint16_t ql_port_udp_payload(const struct ql_port *port, bool ip6);

/** How packets find their queue, where a port has several. The queue of a lane is to have the number
 * of its engine (ql_engine_config.lcore_index). */
enum ql_steering {
	QL_STEER_ONE_QUEUE,
	QL_STEER_RULES,	 /**< rules of rte_flow match the connection ID */
	QL_STEER_TAP,	 /**< net_tap: a BPF program in the kernel does */
	QL_STEER_RSS,	 /**< a hash of addresses and ports, the device's or the kernel's */
	QL_STEER_DEVICE, /**< as the device likes; nothing is known of it */
};

#define QL_STEERING_WHY 160 /**< bytes of a reason */

struct ql_port_steering {
	enum ql_steering how;
	char why[QL_STEERING_WHY]; /**< one line: why so, or why not better; may be empty */
};

/** It is tried in this order when the port opens, and stays so: rules, all or none; TAP; RSS. */
QL_PUBLIC void ql_port_steering(const struct ql_port *port, struct ql_port_steering *steering);
/**
 * Whether the port goes on to bring packets to their engines when new connection IDs are of this
 * configuration, NULL for none: what it matches in them has to stay where it is.
 * @param err receives one line: why not, and the cure
 * @return 0, -EBUSY, -ENOTSUP (they are encrypted), -EINVAL
 */
QL_PUBLIC int ql_port_takes_cids(const struct ql_port *port, const struct ql_cid_config *config,
				 char err[QL_NET_ERRLEN]);
/** @return "NIC rules" and the like. */
QL_PUBLIC const char *ql_steering_name(enum ql_steering how);

/** Why a frame did not become a datagram, or a datagram not a frame. Names by ql_net_drop_name().
 */
enum ql_net_drop {
	QL_NET_DROP_SHORT,     /**< shorter than its headers say */
	QL_NET_DROP_ETHERTYPE, /**< not IP or ARP, or another VLAN */
	QL_NET_DROP_NOT_OURS,  /**< for another MAC or IP address */
	QL_NET_DROP_SOURCE,    /**< from an address that nobody can have, or from our own */
	QL_NET_DROP_CHECKSUM,  /**< IPv4 header, UDP or ICMP checksum */
	QL_NET_DROP_FRAGMENT,  /**< IP fragment */
	QL_NET_DROP_PROTOCOL,  /**< IP, but neither UDP nor ICMP echo */
	QL_NET_DROP_SEGMENTS,  /**< larger than one mbuf */
	QL_NET_DROP_NEIGHBOUR, /**< next hop not resolved */
	QL_NET_DROP_ROUTE,     /**< no port has the source address, or no gateway */
	QL_NET_DROP_TOO_BIG,   /**< does not fit the port's MTU */
	QL_NET_DROP_RATE,      /**< more ICMP than we answer */
	QL_NET_DROP_TX_FULL,   /**< the device took less than it was given for too long */
	QL_NET_DROP_NO_MBUF,   /**< no mbuf for a request of our own */
	QL_NET_DROP_MAX,
};

struct ql_lane_stats {
	uint64_t turns, busy_turns; /**< turns of the loop; those that had something to do */
	uint64_t sleeps;	    /**< of QL_IDLE_SLEEP */
	uint64_t rx_frames, tx_frames;
	uint64_t answers; /**< to ARP, neighbour discovery and echo requests */
	uint64_t drops[QL_NET_DROP_MAX];
};

/** What a lane does when it has nothing to do. */
enum ql_idle {
	QL_IDLE_POLL, /**< looks again at once: the shortest delays, and a core that is always busy */
	/** Rests for up to QL_IDLE_PAUSE_NS: the core's other hyper-thread has its units meanwhile, and
	 * it needs less power where the CPU has an instruction for that (WAITPKG). */
	QL_IDLE_PAUSE,
	/**
	 * Sleeps after QL_IDLE_BEFORE_NS without work, until something arrives, the engine's next
	 * deadline, or QL_IDLE_SLEEP_NS are over: so late may it see what another engine hands over.
	 * Where a device has no receive interrupts it sleeps for QL_IDLE_NAP_NS at a time.
	 */
	QL_IDLE_SLEEP,
};
#define QL_IDLE_PAUSE_NS  (2 * QL_NSEC_PER_USEC)
#define QL_IDLE_BEFORE_NS (50 * QL_NSEC_PER_USEC)
#define QL_IDLE_SLEEP_NS  QL_NSEC_PER_MSEC
#define QL_IDLE_NAP_NS	  (100 * QL_NSEC_PER_USEC)

/** @return a lane for @p engine, or NULL with errno ENOMEM. The engine stays the caller's. */
QL_PUBLIC struct ql_lane *ql_lane_create(struct ql_engine *engine, int socket_id);
/** Serve queue pair @p queue of @p port as well. 0, -EINVAL, -ENOSPC. */
QL_PUBLIC int ql_lane_add_port(struct ql_lane *lane, struct ql_port *port, uint16_t queue);
QL_PUBLIC void ql_lane_free(struct ql_lane *lane);
/**
 * What ql_lane_rest() does from now on [QL_IDLE_POLL]; after its ports were added. 0 or a negative
 * errno.
 */
QL_PUBLIC int ql_lane_set_idle(struct ql_lane *lane, enum ql_idle idle);

/**
 * One turn: receive, let the engine work, send.
 * @param now time of the turn, ns, from ql_lane_now()
 * @return true when there was something to do
 */
QL_PUBLIC bool ql_lane_poll(struct ql_lane *lane, uint64_t now);
/** The TSC in ns. */
QL_PUBLIC uint64_t ql_lane_now(void);
/** There was nothing to do in a turn: poll, pause or sleep. */
QL_PUBLIC void ql_lane_rest(struct ql_lane *lane);
/** Turn until *@p stop is true, and rest when there is nothing to do. */
QL_PUBLIC void ql_lane_run(struct ql_lane *lane, const volatile bool *stop);

/**
 * A port number of ours for a connection from @p local to @p remote, so that the answers come to
 * this lane's queue, as far as it is known how the device chooses queues; where it is not, lanes
 * have different ones. The numbers from QL_SOURCE_PORTS on are given in turn: with n queues a lane
 * has about 32768 / n for each local address and remote address and port, and then begins anew.
 * Connections that are still open may then have the same addresses and ports as new ones, and are
 * told apart by their connection IDs alone (RFC 9000, 5.2), so that nothing but memory bounds
 * their number.
 */
QL_PUBLIC uint16_t ql_lane_source_port(struct ql_lane *lane, const struct ql_addr *local,
				       const struct ql_addr *remote);
#define QL_SOURCE_PORTS 32768

QL_PUBLIC void ql_lane_stats(const struct ql_lane *lane, struct ql_lane_stats *stats);
/** @return a short name such as "checksum" for metrics. */
QL_PUBLIC const char *ql_net_drop_name(enum ql_net_drop reason);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_NET_H */
