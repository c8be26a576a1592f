// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "observe/counters.h"

#define MAX_OBSERVED 128 /* one a lane */
#define MAX_PORTS    32

/* Telemetry's thread reads, the application's adds and removes. No lane ever takes the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char name[QL_OBSERVED_NAME]; /* "" for a free place */
	struct ql_observed what;
} table[MAX_OBSERVED];

static const struct ql_port *ports[MAX_PORTS];

static int find(const char *name)
{
	for (int i = 0; i < MAX_OBSERVED; i++)
		if (strcmp(table[i].name, name) == 0)
			return i;
	return -1;
}

static int list_engines(const char *cmd __rte_unused, const char *params __rte_unused,
			struct rte_tel_data *d)
{
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_OBSERVED; i++)
		if (table[i].name[0] != '\0')
			rte_tel_data_add_array_string(d, table[i].name);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void add_counter(void *arg, const char *group, const char *name, uint64_t value)
{
	char key[64];

	snprintf(key, sizeof(key), "%s/%s", group, name);
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	rte_tel_data_add_dict_uint(arg, key, value);
#else
	rte_tel_data_add_dict_u64(arg, key, value);
#endif
}

/* Without a name: the only one that there is. */
static int give_stats(const char *cmd __rte_unused, const char *params, struct rte_tel_data *d)
{
	int found = -1, n = 0;

	pthread_mutex_lock(&lock);
	if (params && params[0] != '\0') {
		found = find(params);
	} else {
		for (int i = 0; i < MAX_OBSERVED; i++)
			if (table[i].name[0] != '\0') {
				found = i;
				n++;
			}
		if (n > 1)
			found = -1;
	}
	if (found >= 0) {
		rte_tel_data_start_dict(d);
		rte_tel_data_add_dict_string(d, "name", table[found].name);
		ql_counters_walk(&table[found].what, add_counter, d);
	}
	pthread_mutex_unlock(&lock);
	return found >= 0 ? 0 : -ENOENT;
}

static int give_ports(const char *cmd __rte_unused, const char *params __rte_unused,
		      struct rte_tel_data *d)
{
	struct ql_port_steering steering;
	char key[8], text[QL_STEERING_WHY + 32];

	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_PORTS; i++) {
		if (!ports[i])
			continue;
		ql_port_steering(ports[i], &steering);
		snprintf(key, sizeof(key), "%u", ql_port_id(ports[i]));
		snprintf(text, sizeof(text), "%s%s%s", ql_steering_name(steering.how),
			 steering.why[0] ? ": " : "", steering.why);
		rte_tel_data_add_dict_string(d, key, text);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

/* Called with the lock held. */
static void register_commands(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	rte_telemetry_register_cmd("/qlane/engines", list_engines,
				   "Names of the engines. Takes no parameters");
	rte_telemetry_register_cmd("/qlane/stats", give_stats,
				   "Counters of an engine and its lane. Parameters: string name");
	rte_telemetry_register_cmd("/qlane/ports", give_ports,
				   "How packets of ports find their queues. Takes no parameters");
}

int ql_telemetry_add(const struct ql_observed *what)
{
	int i, rc = 0;

	if (!ql_observed_name_ok(what->name))
		return -EINVAL;
	pthread_mutex_lock(&lock);
	register_commands();
	if (find(what->name) >= 0) {
		rc = -EEXIST;
	} else if ((i = find("")) < 0) {
		rc = -ENOSPC;
	} else {
		strcpy(table[i].name, what->name);
		table[i].what = *what;
		table[i].what.name = table[i].name;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

void ql_telemetry_remove(const char *name)
{
	int i;

	if (!ql_observed_name_ok(name))
		return;
	pthread_mutex_lock(&lock);
	i = find(name);
	if (i >= 0)
		memset(&table[i], 0, sizeof(table[i]));
	pthread_mutex_unlock(&lock);
}

static int find_port(const struct ql_port *port)
{
	for (int i = 0; i < MAX_PORTS; i++)
		if (ports[i] == port)
			return i;
	return -1;
}

int ql_telemetry_add_port(const struct ql_port *port)
{
	int i, rc = 0;

	pthread_mutex_lock(&lock);
	register_commands();
	if (find_port(port) >= 0)
		rc = -EEXIST;
	else if ((i = find_port(NULL)) < 0)
		rc = -ENOSPC;
	else
		ports[i] = port;
	pthread_mutex_unlock(&lock);
	return rc;
}

void ql_telemetry_remove_port(const struct ql_port *port)
{
	int i;

	pthread_mutex_lock(&lock);
	i = find_port(port);
	if (i >= 0)
		ports[i] = NULL;
	pthread_mutex_unlock(&lock);
}
