// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pair.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <signal.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "rings.h"
#include "sim/env.h"

#define CLIENTS 8 /* addresses of each side, for more connections than there are port numbers */
#define SERVERS 4
#define PORTS	60000

#define LINK_WAIT_MS 30000

#define HUGE_MIB 400 /* for two ports with jumbo frames */

struct pair_shared {
	_Atomic unsigned int wanted, taken; /* marks */
	_Atomic bool up, stop;
	struct pair_figures at[PAIR_MARKS]; /* the server's */
	uint64_t resident;
};

static uint64_t turn_ns, made; /* see pair_config.turn */

static const char *const names[] = {
	[PAIR_RING] = "ring", [PAIR_LCORES] = "lcores", [PAIR_MEMIF] = "memif", [PAIR_TAP] = "tap"};

const char *pair_link_name(enum pair_link link)
{
	return names[link];
}

/* ---- EAL and devices ---- */

static unsigned long free_hugepages_mib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long pages = 0, kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "HugePages_Free: %lu", &pages);
		sscanf(line, "Hugepagesize: %lu", &kib);
	}
	if (f)
		fclose(f);
	return pages * kib / 1024;
}

static void start_eal(const struct pair_config *c, const char *lcores)
{
	static char argv[16][32]; /* EAL keeps and changes them */
	const char *args[16] = {"bench",	  "-l",		  lcores, "--no-pci",
				"--no-telemetry", "--log-level=4"};
	char *list[17] = {NULL};
	int n = 6;

	/* for the mbufs; engines may be elsewhere */
	if (!c->small_pages && free_hugepages_mib() >= HUGE_MIB) {
		args[n++] = "--in-memory";
		if (c->link == PAIR_MEMIF) /* what its zero-copy takes */
			args[n++] = "--single-file-segments";
	} else {
		args[n++] = "--no-huge";
		args[n++] = "--no-shconf";
		args[n++] = "-m";
		args[n++] = "640";
	}
	for (int i = 0; i < n; i++) {
		snprintf(argv[i], sizeof(argv[i]), "%s", args[i]);
		list[i] = argv[i];
	}
	if (rte_eal_init(n, list) < 0)
		errx(1, "no EAL: %s", rte_strerror(rte_errno));
}

static uint16_t device(const char *name, const char *args)
{
	uint16_t id;

	if (rte_eal_hotplug_add("vdev", name, args) < 0 ||
	    rte_eth_dev_get_port_by_name(name, &id) < 0)
		errx(1, "no device %s (%s): %s", name, args, rte_strerror(rte_errno));
	return id;
}

static void shell(const char *command)
{
	if (system(command) != 0)
		errx(1, "failed: %s (tests/bench/run.sh does it in a namespace of its own)",
		     command);
}

static void make_taps(uint16_t ports[2])
{
	ports[PAIR_SERVER] = device("net_tap0", "iface=qlbench0");
	ports[PAIR_CLIENT] = device("net_tap1", "iface=qlbench1");
	shell("ip link add qlbench type bridge mcast_snooping 0 && "
	      "ip link set qlbench0 master qlbench && ip link set qlbench1 master qlbench && "
	      "ip link set qlbench0 up && ip link set qlbench1 up && ip link set qlbench up");
}

static void make_devices(const struct pair *pair, uint16_t ports[2], bool server)
{
	char args[96];

	switch (pair->config.link) {
	case PAIR_RING:
	case PAIR_LCORES:
		if (ql_rings_create(ports) < 0)
			errx(1, "no memory for rings");
		break;
	case PAIR_MEMIF:
		snprintf(args, sizeof(args), "role=%s,socket=/tmp/qlane-bench-%d,rsize=11%s",
			 server ? "server" : "client", server ? getppid() : getpid(),
			 server || !rte_eal_has_hugepages() ? "" : ",zero-copy=yes");
		ports[server ? PAIR_SERVER : PAIR_CLIENT] = device("net_memif0", args);
		break;
	case PAIR_TAP:
		make_taps(ports);
		break;
	}
}

/* ---- Ends ---- */

static struct ql_addr address(enum pair_side side, unsigned int i)
{
	return (struct ql_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 9, side, (uint8_t)(1 + i)}};
}

struct ql_path pair_path(uint32_t i)
{
	uint32_t n = i / PORTS;
	struct ql_path path = {.local = address(PAIR_CLIENT, n % CLIENTS),
			       .remote = address(PAIR_SERVER, n / CLIENTS % SERVERS)};

	path.local.port = (uint16_t)(1024 + i % PORTS);
	path.remote.port = PAIR_PORT;
	return path;
}

static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		errx(1, "cannot read /proc/self/statm");
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void open_end(struct pair *pair, enum pair_side side, uint16_t port_id)
{
	const struct pair_config *c = &pair->config;
	struct pair_end *e = &pair->ends[side];
	struct ql_port_config port = {.port_id = port_id,
				      .mtu = c->mtu,
				      .no_checksum = !c->checksums,
				      .n_addrs = side == PAIR_SERVER ? SERVERS : CLIENTS};
	struct ql_engine_config engine = {
		.name = side == PAIR_SERVER ? "server" : "client",
		.limits = {.connections = c->conns, .memory = (uint64_t)c->memory << 20}};
	char text[QL_NET_ERRLEN];

	for (unsigned int i = 0; i < port.n_addrs; i++)
		port.addrs[i] = (struct ql_ifaddr){.addr = address(side, i), .prefix = 16};
	e->port = ql_port_open(&port, text);
	if (!e->port)
		errx(1, "%s", text);
	if (side == PAIR_SERVER)
		pair->shared->resident = resident();
	engine.tx_pool = ql_port_pool(e->port);
	engine.socket_id = -1;
	if (c->turn)
		engine.seed[0] = (uint8_t)side;
	else if (getrandom(engine.seed, sizeof(engine.seed), 0) != sizeof(engine.seed))
		err(1, "no random bytes");
	e->engine = ql_engine_create(&engine);
	e->lane = e->engine ? ql_lane_create(e->engine, -1) : NULL;
	if (!e->lane || ql_lane_add_port(e->lane, e->port, 0) < 0)
		err(1, "no engine of %u MiB", c->memory);
	e->tls = side == PAIR_SERVER ? sim_env_tls_server() : sim_env_tls_client();
	e->longest = c->longest * (rte_get_tsc_hz() / 1000000) / 1000;
	e->f.floors.longest = e->longest;
}

/* A memif's sides find each other when both are there: no handshake is to wait for that. */
static void wait_for_link(uint16_t port)
{
	struct rte_eth_link link;

	for (unsigned int ms = 0; ms < LINK_WAIT_MS; ms++) {
		if (rte_eth_link_get_nowait(port, &link) == 0 &&
		    link.link_status == RTE_ETH_LINK_UP)
			return;
		usleep(1000);
	}
	errx(1, "the link does not come up");
}

static void close_end(struct pair_end *e)
{
	if (!e->engine)
		return;
	ql_engine_free(e->engine);
	ql_lane_free(e->lane);
	ql_port_close(e->port);
	ql_tls_ctx_free(e->tls);
}

/* ---- Turns ---- */

uint64_t pair_now(void)
{
	return turn_ns ? QL_NSEC_PER_SEC + made * turn_ns : ql_lane_now();
}

static uint64_t turn(struct pair_end *e)
{
	uint64_t now = pair_now(), start = rte_rdtsc();
	bool busy;
#if QL_WITH_FLOORS
	struct ql_floors before = e->f.floors;

	ql_floors_use(&e->f.floors);
#endif
	busy = ql_lane_poll(e->lane, now);
#if QL_WITH_FLOORS
	ql_floors_use(NULL);
	if (!busy)
		e->f.floors = before;
#endif
	start = rte_rdtsc() - start;
	made += turn_ns > 0;
	if (!busy)
		return now;
	if (start <= e->longest) {
		e->f.turns++;
		e->f.cycles += start;
	} else {
		e->f.interrupted++;
	}
	return now;
}

static void take_figures(struct pair_end *e, struct pair_figures *f)
{
	*f = e->f;
	ql_engine_stats(e->engine, &f->engine);
	ql_lane_stats(e->lane, &f->lane);
	f->received = e->received ? *e->received : 0;
	f->resident = resident();
}

/* A server on its own. */
static int server_loop(void *arg)
{
	struct pair *pair = arg;
	struct pair_shared *s = pair->shared;

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		unsigned int wanted = atomic_load_explicit(&s->wanted, memory_order_relaxed);

		turn(&pair->ends[PAIR_SERVER]);
		if (wanted == atomic_load_explicit(&s->taken, memory_order_relaxed))
			continue;
		take_figures(&pair->ends[PAIR_SERVER], &s->at[wanted - 1]);
		atomic_store(&s->taken, wanted);
	}
	return 0;
}

static void check_child(struct pair *pair)
{
	if (waitpid(pair->child, NULL, WNOHANG) != 0)
		errx(1, "the server's process has ended");
}

static bool server_is_alone(const struct pair *pair)
{
	return pair->config.link == PAIR_LCORES || pair->config.link == PAIR_MEMIF;
}

__attribute__((noinline)) void pair_turn_server(struct pair *pair)
{
	turn(&pair->ends[PAIR_SERVER]);
}

uint64_t pair_turn(struct pair *pair)
{
	if (!server_is_alone(pair))
		pair_turn_server(pair);
	else if (pair->child > 0 && ++pair->turns % (1 << 20) == 0)
		check_child(pair);
	return turn(&pair->ends[PAIR_CLIENT]);
}

void pair_mark(struct pair *pair)
{
	struct pair_figures *at = pair->at[pair->marks];
	struct pair_shared *s = pair->shared;
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	pair->cpu[pair->marks] = (uint64_t)cpu.tv_sec * QL_NSEC_PER_SEC + (uint64_t)cpu.tv_nsec;
	pair->time[pair->marks] = pair_now();
	if (!server_is_alone(pair)) {
		take_figures(&pair->ends[PAIR_SERVER], &at[PAIR_SERVER]);
	} else {
		atomic_store(&s->wanted, pair->marks + 1);
		while (atomic_load(&s->taken) != pair->marks + 1)
			pair_turn(pair);
		at[PAIR_SERVER] = s->at[pair->marks];
	}
	take_figures(&pair->ends[PAIR_CLIENT], &at[PAIR_CLIENT]);
	pair->marks++;
}

double pair_cycles(const struct pair *pair, unsigned int from, unsigned int to, enum pair_side side)
{
	const struct pair_figures *a = &pair->at[from][side], *b = &pair->at[to][side];
	double turns = (double)(b->turns - a->turns),
	       more = (double)(b->interrupted - a->interrupted);

	return turns > 0 ? (double)(b->cycles - a->cycles) * (turns + more) / turns : 0;
}

/* ---- Life ---- */

static void serve_alone(struct pair *pair, void (*serve)(void *arg, struct pair_end *end),
			void *arg)
{
	uint16_t ports[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	start_eal(&pair->config, "1");
	make_devices(pair, ports, true);
	open_end(pair, PAIR_SERVER, ports[PAIR_SERVER]);
	serve(arg, &pair->ends[PAIR_SERVER]);
	atomic_store(&pair->shared->up, true);
	server_loop(pair);
	close_end(&pair->ends[PAIR_SERVER]);
	rte_eal_cleanup();
	exit(0);
}

void pair_open(struct pair *pair, const struct pair_config *config,
	       void (*serve)(void *arg, struct pair_end *end), void *arg)
{
	uint16_t ports[2];

	*pair = (struct pair){.config = *config};
	turn_ns = config->turn;
	pair->shared = mmap(NULL, sizeof(*pair->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pair->shared == MAP_FAILED)
		err(1, "no shared memory");
	if (config->link == PAIR_MEMIF) {
		pair->child = fork();
		if (pair->child < 0)
			err(1, "no process");
		if (pair->child == 0)
			serve_alone(pair, serve, arg);
		/* a memif's client does not try again */
		while (!atomic_load(&pair->shared->up)) {
			check_child(pair);
			usleep(1000);
		}
	}
	start_eal(config, config->link == PAIR_LCORES ? "0,1" : "0");
	make_devices(pair, ports, false);
	if (config->link != PAIR_MEMIF) {
		open_end(pair, PAIR_SERVER, ports[PAIR_SERVER]);
		serve(arg, &pair->ends[PAIR_SERVER]);
	}
	open_end(pair, PAIR_CLIENT, ports[PAIR_CLIENT]);
	wait_for_link(ql_port_id(pair->ends[PAIR_CLIENT].port));
	pair->resident = pair->shared->resident;
	if (config->link == PAIR_LCORES && rte_eal_remote_launch(server_loop, pair, 1) < 0)
		errx(1, "no second lcore");
}

void pair_close(struct pair *pair)
{
	atomic_store(&pair->shared->stop, true);
	if (pair->config.link == PAIR_LCORES)
		rte_eal_wait_lcore(1);
	if (pair->child > 0)
		waitpid(pair->child, NULL, 0);
	close_end(&pair->ends[PAIR_SERVER]);
	close_end(&pair->ends[PAIR_CLIENT]);
	if (pair->config.link == PAIR_RING || pair->config.link == PAIR_LCORES)
		ql_rings_free();
	rte_eal_cleanup();
	munmap(pair->shared, sizeof(*pair->shared));
}
