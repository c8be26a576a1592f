// SPDX-License-Identifier: BSD-3-Clause
/*
 * What somebody else's program looks like that is built against the installed library: every public
 * header, and an engine made and freed. Also compiled as C++.
 */
#include <qlane/common.h>
#include <qlane/conn.h>
#include <qlane/engine.h>
#include <qlane/error.h>
#include <qlane/http3.h>
#include <qlane/net.h>
#include <qlane/observe.h>
#include <qlane/stream.h>
#include <qlane/tls.h>

#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

int main(int argc, char **argv)
{
	struct ql_engine_config config;
	struct ql_engine *engine;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	memset(&config, 0, sizeof(config));
	config.socket_id = -1;
	config.tx_pool = rte_pktmbuf_pool_create("pool", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	config.limits.memory = 1 << 20;
	config.limits.connections = 64;
	engine = ql_engine_create(&config);
	if (!engine)
		return 1;
	printf("%s %s\n", ql_version(), ql_err_name(QL_ERR_NO_ERROR));
	ql_engine_free(engine);
	return rte_eal_cleanup() != 0;
}
