// SPDX-License-Identifier: BSD-3-Clause
#include "sim/env.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "unit/tls_certs.h"

/* ---- EAL ---- */

/* EAL keeps and changes what it is given. */
static void eal(const char *const args[])
{
	static char text[16][32];
	static char *argv[16];
	int argc = 0;

	for (; args[argc]; argc++) {
		snprintf(text[argc], sizeof(text[0]), "%s", args[argc]);
		argv[argc] = text[argc];
	}
	argv[argc] = NULL;
	if (rte_eal_init(argc, argv) < 0)
		errx(1, "no EAL: %s", rte_strerror(rte_errno));
}

void sim_env_init_mib(unsigned int mib)
{
	char megabytes[16];
	const char *const args[] = {"sim",
				    "-l",
				    "0",
				    "--no-huge",
				    "--no-pci",
				    "--no-shconf",
				    "--no-telemetry",
				    "-m",
				    megabytes,
				    "--log-level=4",
				    NULL};

	snprintf(megabytes, sizeof(megabytes), "%u", mib);
	eal(args);
}

void sim_env_init(void)
{
	sim_env_init_mib(256);
}

void sim_env_init_huge(unsigned int mib)
{
	char megabytes[16];
	const char *const args[] = {"sim",	"-l",	       "0",
				    "--no-pci", "--in-memory", "--no-telemetry",
				    "-m",	megabytes,     "--log-level=4",
				    NULL};
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned int pages = 0;

	/* EAL can be initialised only once, so look first. */
	if (f) {
		if (fscanf(f, "%u", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	snprintf(megabytes, sizeof(megabytes), "%u", mib);
	if (2 * pages < mib)
		sim_env_init();
	else
		eal(args);
}

struct rte_mempool *sim_env_pool(const char *name, unsigned int n, unsigned int udp_payload)
{
	struct rte_mempool *pool;

	pool = rte_pktmbuf_pool_create(name, n, n > 1024 ? 256 : 0, 0,
				       (uint16_t)(RTE_PKTMBUF_HEADROOM + udp_payload),
				       (int)rte_socket_id());
	if (!pool)
		errx(1, "no pool of %u mbufs: %s", n, rte_strerror(rte_errno));
	return pool;
}

/* ---- Credentials ---- */

/* A file in memory, by a name that can be opened. */
static const char *file(char name[32], const char *text)
{
	int fd;

	if (name[0])
		return name;
	fd = memfd_create("pem", 0);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "no file in memory");
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return name;
}

const char *sim_env_cert(void)
{
	static char name[32];

	return file(name, CERT_SERVER);
}

const char *sim_env_key(void)
{
	static char name[32];

	return file(name, KEY_SERVER);
}

const char *sim_env_ca(void)
{
	static char name[32];

	return file(name, CERT_CA);
}

static struct ql_tls_ctx *context(const struct ql_tls_config *config)
{
	char text[QL_TLS_ERRLEN];
	struct ql_tls_ctx *ctx = ql_tls_ctx_create(config, text);

	if (!ctx)
		errx(1, "no TLS context: %s", text);
	return ctx;
}

struct ql_tls_ctx *sim_env_tls_server(void)
{
	struct ql_tls_config config = {
		.server = true,
		.cert_file = sim_env_cert(),
		.key_file = sim_env_key(),
	};

	return context(&config);
}

struct ql_tls_ctx *sim_env_tls_client(void)
{
	struct ql_tls_config config = {.ca_file = sim_env_ca()};

	return context(&config);
}
