// SPDX-License-Identifier: BSD-3-Clause
/*
 * What engines in one process need that have no network: an EAL without hugepages, devices and
 * files, a pool of mbufs, and credentials. For unit tests, benches and the simulator.
 *
 * Nothing here returns an error: a test that has no EAL has nothing to go on with, so a message
 * goes to stderr and the process ends.
 */
#ifndef SIM_ENV_H
#define SIM_ENV_H

#include <qlane/tls.h>

struct rte_mempool;

/* The server's name in the credentials. */
#define SIM_NAME "server.example"

/*
 * Once a process, on the thread that will use the engines. Children of a fork share EAL's memory:
 * each test that has a process of its own should have an EAL of its own, too.
 */
void sim_env_init(void);

/* The same with a heap of so many MiB, for large pools of mbufs; 256 otherwise. */
void sim_env_init_mib(unsigned int mib);

/* The same with a hugepage heap of so many MiB, for figures. Falls back to the above. */
void sim_env_init_huge(unsigned int mib);

/* n mbufs with room for udp_payload bytes behind the headroom. They live as long as the process. */
struct rte_mempool *sim_env_pool(const char *name, unsigned int n, unsigned int udp_payload);

/* PEM files: a server's chain and key (P-256), and the authority that signed it. */
const char *sim_env_cert(void);
const char *sim_env_key(void);
const char *sim_env_ca(void);

/* Contexts with those, to be freed with ql_tls_ctx_free(). */
struct ql_tls_ctx *sim_env_tls_server(void);
struct ql_tls_ctx *sim_env_tls_client(void);

/* splitmix64: the pseudo-random numbers of tests. Any seed will do. */
static inline uint64_t sim_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Below n, which is not 0. */
static inline uint64_t sim_below(uint64_t *state, uint64_t n)
{
	return (uint64_t)((unsigned __int128)sim_random(state) * n >> 64);
}

#endif
