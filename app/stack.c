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
#include <rte_lcore.h>
#include <rte_log.h>

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

int ql_stack_port(int eal_argc, char **eal_argv)
{
	uint16_t id = (uint16_t)rte_eth_find_next(0);

	if (id < RTE_MAX_ETHPORTS)
		return id;
	ql_complain("DPDK has no port%s. Bind a NIC (drivers-cfg/), or add a TAP device to the EAL "
		    "arguments: --vdev=net_tap0,iface=qlane0",
		    arg_value(eal_argc, eal_argv, "--vdev", 0)
			    ? ": the --vdev could not be made, its messages are above"
			    : "");
	return -1;
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

static bool open_port(struct ql_stack *stack, const struct ql_net_options *o, uint16_t port_id)
{
	struct ql_port_config config = {
		.port_id = port_id,
		.mtu = o->mtu,
		.vlan = o->vlan,
		.n_addrs = o->ip.n,
		.n_gateways = o->gateway.n,
		.n_kernel_addrs = o->tap_ip.n,
	};
	char err[QL_NET_ERRLEN];

	memcpy(config.addrs, o->ip.at, sizeof(config.addrs));
	memcpy(config.gateways, o->gateway.at, sizeof(config.gateways));
	memcpy(config.kernel_addrs, o->tap_ip.at, sizeof(config.kernel_addrs));
	quiet_begin();
	stack->port = ql_port_open(&config, err);
	quiet_end(!stack->port);
	if (!stack->port)
		ql_complain("%s", err);
	return stack->port != NULL;
}

bool ql_stack_open(struct ql_stack *stack, const struct ql_net_options *options, uint16_t port_id,
		   uint32_t max_conns, struct ql_tracer *tracer)
{
	struct ql_engine_config config = {
		.socket_id = (int)rte_socket_id(),
		.limits = {.connections = max_conns, .memory = (uint64_t)options->memory << 20},
		.retry = options->retry,
		.tracer = tracer,
	};
	struct timespec clock;

	/* tickets and tokens know UNIX time, so that other processes can tell how old they are */
	clock_gettime(CLOCK_REALTIME, &clock);
	config.token_clock_ns =
		(uint64_t)clock.tv_sec * QL_NSEC_PER_SEC + (uint64_t)clock.tv_nsec - ql_lane_now();
	memcpy(config.ticket_key, options->ticket_key, sizeof(config.ticket_key));
	memcpy(config.token_key, options->ticket_key, sizeof(config.token_key));
	memset(stack, 0, sizeof(*stack));
	stack->lcore = rte_lcore_id();
	if (!open_port(stack, options, port_id))
		return false;
	config.tx_pool = ql_port_pool(stack->port);
	if (getrandom(config.seed, sizeof(config.seed), 0) != (ssize_t)sizeof(config.seed)) {
		ql_complain("the kernel gives no random bytes: %s", strerror(errno));
		goto fail;
	}
	stack->engine = ql_engine_create(&config);
	if (!stack->engine) {
		ql_complain(
			"cannot make an engine: %s. Give it less with --memory MB, or DPDK more "
			"(hugepages, or -m with --no-huge)",
			strerror(errno));
		goto fail;
	}
	stack->lane = ql_lane_create(stack->engine, config.socket_id);
	if (!stack->lane || ql_lane_add_port(stack->lane, stack->port, 0) < 0) {
		ql_complain("cannot make a lane: no memory");
		goto fail;
	}
	return true;
fail:
	ql_stack_close(stack);
	return false;
}

void ql_stack_close(struct ql_stack *stack)
{
	if (stack->engine)
		ql_engine_free(stack->engine);
	if (stack->lane)
		ql_lane_free(stack->lane);
	if (stack->port)
		ql_port_close(stack->port);
	memset(stack, 0, sizeof(*stack));
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
	bool ip6 = false;

	for (unsigned int i = 0; i < options->ip.n; i++)
		ip6 = ip6 || !ql_addr_is_ip4(&options->ip.at[i].addr);
	t.udp_payload_max = ql_port_udp_payload(stack->port, ip6);
	memcpy(t.versions, options->versions, sizeof(t.versions));
	return t;
}

void ql_stack_addresses(FILE *out, const struct ql_net_options *options, uint16_t port)
{
	for (unsigned int i = 0; i < options->ip.n; i++) {
		struct ql_addr addr = options->ip.at[i].addr;
		char text[QL_ADDR_STRLEN];

		addr.port = port;
		fprintf(out, "%s%s", i ? ", " : "", ql_addr_format(&addr, text));
	}
}
