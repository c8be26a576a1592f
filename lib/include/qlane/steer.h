// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * How a packet finds its engine, when a process has several.
 *
 * Every connection ID that an engine gives out names the engine: by a 16-bit word that a NIC, or
 * whatever else brings packets to queues, can match without keys. struct ql_cid_word says where it
 * is. What comes to another engine all the same crosses over the mesh that they share, once.
 *
 * IDs that clients choose for their first packets name nobody: who receives one has the connection,
 * and the client's repeats have to come there as well, as they do when queues are chosen by
 * addresses and ports (RSS). Where they are not, ql_mesh_config.spread lets a hash of the ID decide.
 */
#ifndef QLANE_STEER_H
#define QLANE_STEER_H

#include <qlane/common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Engines of one process at most: an ID has so much room for the index. */
#define QL_ENGINES_MAX 256

/**
 * What names the engine in a datagram with a short header (the first octet's top bit is 0). The
 * engine with index i owns those for which
 *
 *	((payload[1] ^ first_value) & first_mask) == 0 and
 *	((payload[offset] << 8 | payload[offset + 1]) & mask) == i
 *
 * What fails the first line is none of our connection IDs with the word there, and may go anywhere;
 * who cannot match it as well leaves it out. It compares lengths: all configurations whose word is in
 * the same place pass it, so that they can change while it is in use. Offsets are in bytes of UDP payload.
 */
struct ql_cid_word {
	uint16_t offset;     /**< even, unless a load balancer's server ID has an odd length */
	uint16_t mask;	     /**< of the word in network order: its low bits */
	uint8_t first_mask;  /**< of the connection ID's first octet, at offset 1: its length */
	uint8_t first_value; /**< the whole of it, with the rotation bits */
};

/** Bytes of a load balancer's server ID at most; configurations that are known at a time. */
#define QL_CID_SERVER_ID_MAX 8
#define QL_CID_CONFIGS	     3

/**
 * How a load balancer of draft-ietf-quic-load-balancers finds this machine in connection IDs. These
 * always encode their length, and have the nonce behind the server ID: 11 bytes, or as many more as
 * make 16 of both where they are encrypted, which takes one pass then instead of four.
 */
struct ql_cid_config {
	uint8_t rotation;      /**< config rotation bits, 0 to 6 */
	uint8_t server_id_len; /**< 1 to QL_CID_SERVER_ID_MAX; even if NICs are to match the word */
	uint8_t server_id[QL_CID_SERVER_ID_MAX];
	bool encrypted; /**< with key; nobody but the load balancer sees server and engine then */
	uint8_t key[16];
};

/**
 * Where the word is in IDs of a configuration, NULL for those without one.
 * @return 0; -ENOTSUP when the IDs are encrypted, so that only engines can read them; -EINVAL
 */
QL_PUBLIC int ql_cid_word_of(const struct ql_cid_config *config, struct ql_cid_word *word);

/**
 * The rings by which the engines of a process hand datagrams to their owners: one of a single
 * producer and a single consumer for each pair, so that nobody waits and nothing is locked. A ring
 * carries struct ql_datagram, which an lcore has in its hand when it finds that the packet is not
 * its own, and its mbuf with it: who handles it frees it, on another lcore than took it from the
 * pool, which is what the pools' caches are for.
 */
struct ql_mesh;

struct ql_mesh_config {
	unsigned int engines; /**< 1 to QL_ENGINES_MAX */
	/** Datagrams that one ring holds, rounded up to a power of two. What finds it full is
	 * dropped. [16384 / engines, at least 128 and at most 2048] */
	unsigned int ring_size;
	int socket_id; /**< NUMA node for its memory, or -1 (SOCKET_ID_ANY) */
	/**
	 * Ports bring packets to engines without regard to addresses: for IDs of clients' choice a
	 * hash names the engine. [false]
	 */
	bool spread;
	uint8_t seed[32]; /**< random, and secret */
};

/**
 * Set-up only: before the engines, which take it by ql_engine_config.mesh.
 * @return NULL with errno set: EINVAL, ENOMEM. Needs an initialised EAL.
 */
QL_PUBLIC struct ql_mesh *ql_mesh_create(const struct ql_mesh_config *config);

/** After the engines. Frees the datagrams that are still in it. NULL: does nothing. */
QL_PUBLIC void ql_mesh_free(struct ql_mesh *mesh);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_STEER_H */
