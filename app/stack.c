// SPDX-License-Identifier: BSD-3-Clause
#include "stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include <qlane/steer.h>

#include "watch.h"

#define HUGEPAGES    "/sys/kernel/mm/hugepages"
#define CAP_NET_BIT  12 /* CAP_NET_ADMIN in /proc/self/status */
#define WITHOUT_HUGE "--no-huge --no-shconf -m 512"

/* Reasons. EAL says only "failed"; these look at the machine. */

static bool has_arg(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return false;
}

/* The value of the n-th "--name=value" or "--name value", from 0 on; NULL when there is none. */
static const char *arg_value(int argc, char **argv, const char *name, int n)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		const char *value = NULL;

		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			value = argv[i] + len + 1;
		else if (strcmp(argv[i], name) == 0 && i + 1 < argc)
			value = argv[i + 1];
		if (value && n-- == 0)
			return value;
	}
	return NULL;
}

/* The interface's name in "net_tap0,iface=NAME,..."; false when this is no such device. */
static bool tap_name(const char *vdev, char name[IF_NAMESIZE])
{
	const char *iface = strstr(vdev, "iface=");

	if (strncmp(vdev, "net_tap", 7) != 0)
		return false;
	name[0] = 0;
	if (iface)
		snprintf(name, IF_NAMESIZE, "%.*s", (int)strcspn(iface + 6, ","), iface + 6);
	return true;
}

static bool has_net_admin(void)
{
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];

	if (!f)
		return geteuid() == 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	fclose(f);
	return caps >> CAP_NET_BIT & 1;
}

/* A TAP device that a process has open has a carrier. */
static bool tap_in_use(const char *name)
{
	char path[64 + IF_NAMESIZE], carrier = 0;
	int fd;

	if (if_nametoindex(name) == 0)
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &carrier, 1) != 1)
		carrier = 0;
	if (fd >= 0)
		close(fd);
	return carrier == '1';
}

/* Pages that can be had: free ones, or such as the kernel would make when asked. */
static bool free_hugepages(void)
{
	static const char *const counts[] = {"free_hugepages", "nr_overcommit_hugepages"};
	DIR *dir = opendir(HUGEPAGES);
	unsigned long long pages = 0, n;
	char path[sizeof(HUGEPAGES) + 256 + 32];
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL) {
		for (int i = 0; i < 2; i++) {
			FILE *f;

			snprintf(path, sizeof(path), HUGEPAGES "/%s/%s", e->d_name, counts[i]);
			f = fopen(path, "r");
			if (f && fscanf(f, "%llu", &n) == 1)
				pages += n;
			if (f)
				fclose(f);
		}
	}
	if (dir)
		closedir(dir);
	return pages > 0;
}

static bool has_memory(int argc, char **argv)
{
	if (has_arg(argc, argv, "--no-huge") || free_hugepages())
		return true;
	ql_complain("there are no free hugepages: reserve some with drivers-cfg/hugepages.sh, or "
		    "run without them by these EAL arguments: %s",
		    WITHOUT_HUGE);
	return false;
}

/* Another primary process holds a lock on the configuration of its file prefix. */
static bool config_locked(const char *prefix, char *path, size_t size)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	bool locked;
	int fd;

	if (!dir)
		dir = geteuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	snprintf(path, size, "%s/dpdk/%s/config", dir ? dir : "/tmp", prefix);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	locked = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}

static bool taps_free(int argc, char **argv)
{
	char name[IF_NAMESIZE];
	const char *vdev;

	for (int n = 0; (vdev = arg_value(argc, argv, "--vdev", n)) != NULL; n++) {
		if (!tap_name(vdev, name))
			continue;
		if (!has_net_admin()) {
			ql_complain("no permission to make a TAP device (--vdev=%s): that takes "
				    "CAP_NET_ADMIN. Run it with sudo",
				    vdev);
			return false;
		}
		if (name[0] && tap_in_use(name)) {
			ql_complain(
				"the TAP device %s is in use by another process; is another "
				"Qlane running? Choose another name: --vdev=net_tap0,iface=NAME",
				name);
			return false;
		}
	}
	return true;
}

static void explain_eal(int argc, char **argv, int error)
{
	const char *prefix = arg_value(argc, argv, "--file-prefix", 0);
	bool huge = !has_arg(argc, argv, "--no-huge");
	char path[256];

	if (!prefix)
		prefix = "rte";
	if (config_locked(prefix, path, sizeof(path)))
		ql_complain("another DPDK process runs with the same --file-prefix (%s); it has "
			    "locked %s. Give this one another: --file-prefix NAME, or --in-memory",
			    prefix, path);
	else if (error == EACCES || error == EPERM || geteuid() != 0)
		ql_complain("EAL did not start (%s), which may be a matter of permission: run it "
			    "with sudo, or with %s",
			    rte_strerror(error), huge ? WITHOUT_HUGE : "rights to its devices");
	else
		ql_complain("EAL did not start (%s); its own messages are above. EAL's arguments "
			    "come before '--'",
			    rte_strerror(error));
}

/*
 * DPDK's drivers greet and grumble as they start, also when all is well. What they say is held
 * back, and shown when something fails, or when --log-level asks for it.
 */
static struct {
	FILE *file;
	char *text;
	size_t size;
	bool wanted;
} quiet;

static void quiet_begin(void)
{
	if (quiet.wanted)
		return;
	quiet.file = open_memstream(&quiet.text, &quiet.size);
	if (quiet.file)
		rte_openlog_stream(quiet.file);
}

static void quiet_end(bool show)
{
	if (!quiet.file)
		return;
	rte_openlog_stream(NULL);
	fclose(quiet.file);
	if (show)
		fwrite(quiet.text, 1, quiet.size, stderr);
	free(quiet.text);
	quiet.file = NULL;
}

bool ql_stack_eal(int argc, char **argv)
{
	int rc;

	if (!taps_free(argc, argv) || !has_memory(argc, argv))
		return false;
	for (int i = 0; i < argc; i++)
		quiet.wanted |= strncmp(argv[i], "--log-level", 11) == 0;
	quiet_begin();
	rc = rte_eal_init(argc, argv);
	quiet_end(rc < 0);
	if (rc < 0) {
		explain_eal(argc, argv, rte_errno);
		return false;
	}
	return true;
}

bool ql_stack_readable(const char *option, const char *path)
{
	if (!path || access(path, R_OK) == 0)
		return true;
	ql_complain("--%s %s: %s", option, path, strerror(errno));
	return false;
}

bool ql_stack_keylog(const struct ql_net_options *options, struct ql_keylog **keylog)
{
	const char *path = options->keylog ? options->keylog : getenv("SSLKEYLOGFILE");

	*keylog = NULL;
	if (!path || path[0] == 0)
		return true;
	*keylog = ql_keylog_open(path);
	if (!*keylog)
		ql_complain("%s %s: %s", options->keylog ? "--keylog" : "SSLKEYLOGFILE", path,
			    strerror(errno));
	return *keylog != NULL;
}

/* ---- Lanes ---- */

const char *ql_option_idle(const struct ql_option *option, void *to, const char *value)
{
	static const char *const names[] = {
		[QL_IDLE_POLL] = "poll", [QL_IDLE_PAUSE] = "pause", [QL_IDLE_SLEEP] = "sleep"};

	(void)option;
	for (int i = QL_IDLE_POLL; i <= QL_IDLE_SLEEP; i++) {
		if (strcmp(value, names[i]) == 0) {
			*(enum ql_idle *)to = (enum ql_idle)i;
			return NULL;
		}
	}
	return "poll, pause or sleep";
}

static bool open_port(struct ql_stack *stack, const struct ql_stack_config *c, unsigned int i)
{
	const struct ql_device *device = &c->net->devices.at[i];
	struct ql_port_config config = {
		.port_id = c->ports[i],
		.queues = (uint16_t)stack->n_lanes,
		.hash_only = c->net->hash_only,
		.no_checksum = c->net->no_checksum,
		.cids = c->net->cids.n ? c->net->cids.at : NULL,
		.udp_port = c->udp_port,
		.rx_interrupts = c->net->idle == QL_IDLE_SLEEP,
		.mtu = device->mtu,
		.vlan = device->vlan,
		.n_addrs = device->ip.n,
		.n_gateways = device->gateway.n,
		.n_kernel_addrs = device->tap_ip.n,
	};
	char err[QL_NET_ERRLEN];

	memcpy(config.addrs, device->ip.at, sizeof(config.addrs));
	memcpy(config.gateways, device->gateway.at, sizeof(config.gateways));
	memcpy(config.kernel_addrs, device->tap_ip.at, sizeof(config.kernel_addrs));
	quiet_begin();
	stack->ports[i] = ql_port_open(&config, err);
	quiet_end(!stack->ports[i]);
	if (!stack->ports[i]) {
		ql_complain("%s", err);
		return false;
	}
	stack->n_ports++;
	ql_telemetry_add_port(stack->ports[i]); /* as many as there is room for */
	return true;
}

static bool random_bytes(void *p, size_t len)
{
	if (getrandom(p, len, 0) == (ssize_t)len)
		return true;
	ql_complain("the kernel gives no random bytes: %s", strerror(errno));
	return false;
}

static bool is_zero(const uint8_t key[32])
{
	static const uint8_t zero[32];

	return memcmp(key, zero, sizeof(zero)) == 0;
}

/* What all engines have in common. */
static bool configure(const struct ql_stack_config *c, struct ql_engine_config *config)
{
	struct timespec clock;

	*config = (struct ql_engine_config){
		.limits = {.connections = c->max_conns, .memory = (uint64_t)c->net->memory << 20},
		.retry = c->net->retry,
	};
	/* tickets and tokens know UNIX time, so that other processes can tell how old they are */
	clock_gettime(CLOCK_REALTIME, &clock);
	config->token_clock_ns =
		(uint64_t)clock.tv_sec * QL_NSEC_PER_SEC + (uint64_t)clock.tv_nsec - ql_lane_now();
	/* a client may come back to another lcore */
	memcpy(config->ticket_key, c->net->ticket_key, sizeof(config->ticket_key));
	if (is_zero(config->ticket_key) &&
	    !random_bytes(config->ticket_key, sizeof(config->ticket_key)))
		return false;
	config->generation = c->net->generation;
	config->cids = c->net->cids.at;
	config->n_cids = c->net->cids.n;
	memcpy(config->reset_key, c->net->reset_key, sizeof(config->reset_key));
	memcpy(config->token_key, config->ticket_key, sizeof(config->token_key));
	return true;
}

static bool open_lane(struct ql_stack *stack, const struct ql_stack_config *c, unsigned int i,
		      struct ql_engine_config *config)
{
	struct ql_stack_lane *l = &stack->lanes[i];
	int rc = 0;

	snprintf(l->name, sizeof(l->name), "lane%u", i);
	config->name = l->name;
	config->mesh = stack->mesh;
	config->lcore_index = (uint16_t)i;
	config->socket_id = (int)rte_lcore_to_socket_id(l->lcore);
	config->tx_pool = ql_port_pool(stack->ports[0]);
	config->tracer = c->watch ? ql_watch_tracer(c->watch, i) : NULL;
	if (!random_bytes(config->seed, sizeof(config->seed)))
		return false;
	l->engine = ql_engine_create(config);
	if (!l->engine) {
		ql_complain("cannot make %s engine%s: %s. Give %s less with --memory MB, or DPDK "
			    "more (hugepages, or -m with --no-huge)",
			    stack->n_lanes == 1 ? "an" : "the", stack->n_lanes == 1 ? "" : "s",
			    strerror(errno), stack->n_lanes == 1 ? "it" : "each");
		return false;
	}
	l->lane = ql_lane_create(l->engine, config->socket_id);
	if (!l->lane)
		rc = -ENOMEM;
	for (unsigned int p = 0; rc == 0 && p < stack->n_ports; p++)
		rc = ql_lane_add_port(l->lane, stack->ports[p], (uint16_t)i);
	if (rc == 0)
		rc = ql_lane_set_idle(l->lane, c->net->idle);
	if (rc == 0)
		rc = ql_telemetry_add(&(struct ql_observed){l->name, l->engine, l->lane});
	/* two stacks in one process: the first one is seen */
	if (rc < 0 && rc != -EEXIST)
		ql_complain("cannot make a lane: %s", strerror(-rc));
	return rc == 0 || rc == -EEXIST;
}

static bool make_mesh(struct ql_stack *stack)
{
	struct ql_mesh_config config = {.engines = stack->n_lanes, .socket_id = SOCKET_ID_ANY};

	struct ql_port_steering steering;

	if (stack->n_lanes == 1)
		return true;
	for (unsigned int i = 0; i < stack->n_ports; i++) {
		ql_port_steering(stack->ports[i], &steering);
		config.spread |= steering.how == QL_STEER_DEVICE;
	}
	if (!random_bytes(config.seed, sizeof(config.seed)))
		return false;
	stack->mesh = ql_mesh_create(&config);
	if (!stack->mesh)
		ql_complain("cannot make the rings between %u lcores: %s. Give DPDK more memory "
			    "(hugepages, or -m with --no-huge)",
			    stack->n_lanes, strerror(errno));
	return stack->mesh != NULL;
}

static bool take_lcores(struct ql_stack *stack, bool one_lane)
{
	unsigned int lcore;

	stack->lanes[stack->n_lanes++].lcore = rte_lcore_id();
	if (one_lane)
		return true;
	RTE_LCORE_FOREACH_WORKER (lcore) {
		if (stack->n_lanes == QL_LANES) {
			ql_complain("%u lcores are too many: at most %u", rte_lcore_count(),
				    QL_LANES);
			return false;
		}
		stack->lanes[stack->n_lanes++].lcore = lcore;
	}
	return true;
}

struct errand {
	void (*fn)(void *arg, unsigned int lane);
	void *arg;
	unsigned int lane;
};

static int run_errand(void *arg)
{
	const struct errand *e = arg;

	e->fn(e->arg, e->lane);
	return 0;
}

static void free_here(void *arg, unsigned int lane)
{
	struct ql_stack *stack = arg;

	ql_engine_free(stack->lanes[lane].engine);
}

/* On its own lcore: the application hears of connections that end. */
static void free_engine(struct ql_stack *stack, unsigned int lane)
{
	struct errand errand = {free_here, stack, lane};
	unsigned int lcore = stack->lanes[lane].lcore;

	if (lcore != rte_lcore_id() && rte_eal_remote_launch(run_errand, &errand, lcore) == 0)
		rte_eal_wait_lcore(lcore);
	else
		free_here(stack, lane);
}

void ql_stack_close(struct ql_stack *stack)
{
	for (unsigned int i = 0; i < stack->n_lanes; i++) {
		if (stack->lanes[i].lane)
			ql_telemetry_remove(stack->lanes[i].name);
		if (stack->lanes[i].engine)
			free_engine(stack, i);
	}
	ql_mesh_free(stack->mesh);
	for (unsigned int i = 0; i < stack->n_lanes; i++)
		if (stack->lanes[i].lane)
			ql_lane_free(stack->lanes[i].lane);
	for (unsigned int i = 0; i < stack->n_ports; i++) {
		ql_telemetry_remove_port(stack->ports[i]);
		ql_port_close(stack->ports[i]);
	}
	memset(stack, 0, sizeof(*stack));
}

bool ql_stack_open(struct ql_stack *stack, const struct ql_stack_config *config)
{
	struct ql_engine_config engine;
	bool good;

	memset(stack, 0, sizeof(*stack));
	good = take_lcores(stack, config->one_lane) && configure(config, &engine);
	for (unsigned int i = 0; good && i < config->net->devices.n; i++)
		good = open_port(stack, config, i);
	good = good && make_mesh(stack);
	for (unsigned int i = 0; good && i < stack->n_lanes; i++)
		good = open_lane(stack, config, i, &engine);
	explicit_bzero(&engine, sizeof(engine));
	if (!good)
		ql_stack_close(stack);
	return good;
}

void ql_stack_run(struct ql_stack *stack, void (*fn)(void *arg, unsigned int lane), void *arg)
{
	struct errand errands[QL_LANES];

	for (unsigned int i = 1; i < stack->n_lanes; i++) {
		errands[i] = (struct errand){fn, arg, i};
		rte_eal_remote_launch(run_errand, &errands[i], stack->lanes[i].lcore);
	}
	fn(arg, 0);
	for (unsigned int i = 1; i < stack->n_lanes; i++)
		rte_eal_wait_lcore(stack->lanes[i].lcore);
}

uint64_t ql_stack_turn(struct ql_stack *stack, unsigned int lane)
{
	struct ql_lane *l = stack->lanes[lane].lane;
	uint64_t now = ql_lane_now();

	if (!ql_lane_poll(l, now))
		ql_lane_rest(l);
	return now;
}

bool ql_stack_takes_cids(const struct ql_stack *stack, const struct ql_cids *cids)
{
	char err[QL_NET_ERRLEN];

	for (unsigned int i = 0; i < stack->n_ports; i++) {
		if (ql_port_takes_cids(stack->ports[i], cids->n > 0 ? cids->at : NULL, err) < 0) {
			ql_complain("--cid: %s", err);
			return false;
		}
	}
	return true;
}

int ql_stack_report(const struct ql_stack *stack, FILE *out, bool json)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < stack->n_lanes; i++) {
		const struct ql_stack_lane *l = &stack->lanes[i];
		const struct ql_observed what = {l->name, l->engine, l->lane};

		rc = json ? ql_report_json(out, &what) : ql_report_text(out, &what);
	}
	return rc;
}

void ql_stack_describe(FILE *out, const struct ql_stack *stack)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct ql_port_steering steering;

	fprintf(out, "lcore%s", stack->n_lanes == 1 ? "" : "s");
	for (unsigned int i = 0; i < stack->n_lanes; i++)
		fprintf(out, "%s %u", i ? "," : "", stack->lanes[i].lcore);
	for (unsigned int i = 0; i < stack->n_ports; i++) {
		uint16_t id = ql_port_id(stack->ports[i]);

		if (rte_eth_dev_get_name_by_port(id, name) < 0)
			name[0] = 0;
		fprintf(out, ", port %u %s", id, name);
		ql_port_steering(stack->ports[i], &steering);
		if (steering.how != QL_STEER_ONE_QUEUE)
			fprintf(out, ": %s", ql_steering_name(steering.how));
		if (steering.why[0])
			fprintf(out, ", %s", steering.why);
	}
}

struct ql_transport ql_stack_transport(const struct ql_stack *stack,
				       const struct ql_net_options *options)
{
	struct ql_transport t = {.congestion = options->congestion,
				 .no_ecn = options->no_ecn,
				 .first_version = options->first_version,
				 .max_data = options->max_data,
				 .max_stream_data = options->max_stream_data,
				 .idle_timeout_ns = options->idle_timeout * QL_NSEC_PER_SEC,
				 .handshake_timeout_ns =
					 options->handshake_timeout * QL_NSEC_PER_SEC};

	/* as much as all of them take */
	for (unsigned int i = 0; i < stack->n_ports; i++) {
		const struct ql_ifaddrs *ip = &options->devices.at[i].ip;
		bool ip6 = false;
		uint16_t room;

		for (unsigned int k = 0; k < ip->n; k++)
			ip6 = ip6 || !ql_addr_is_ip4(&ip->at[k].addr);
		room = ql_port_udp_payload(stack->ports[i], ip6);
		if (i == 0 || room < t.udp_payload_max)
			t.udp_payload_max = room;
	}
	memcpy(t.versions, options->versions, sizeof(t.versions));
	return t;
}

void ql_stack_addresses(FILE *out, const struct ql_net_options *options, uint16_t port)
{
	const struct ql_ifaddrs ip = ql_devices_ips(&options->devices);

	for (unsigned int i = 0; i < ip.n; i++) {
		struct ql_addr addr = ip.at[i].addr;
		char text[QL_ADDR_STRLEN];

		addr.port = port;
		fprintf(out, "%s%s", i ? ", " : "", ql_addr_format(&addr, text));
	}
}
