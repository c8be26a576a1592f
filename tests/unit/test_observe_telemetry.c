// SPDX-License-Identifier: BSD-3-Clause
/* Asks over DPDK's telemetry socket, as dpdk-telemetry.py does. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>

#include "test_observe_util.h"

static char reply[16384];

/* Ports are places in this string, by their number. */
static const char port_places[64];

static const struct ql_port *port_of(unsigned int id)
{
	return (const struct ql_port *)&port_places[id];
}

uint16_t ql_port_id(const struct ql_port *port)
{
	return (uint16_t)((const char *)port - port_places);
}

void ql_port_steering(const struct ql_port *port, struct ql_port_steering *steering)
{
	*steering = (struct ql_port_steering){.how = QL_STEER_RSS};
	if (ql_port_id(port) == 3)
		strcpy(steering->why, "as configured");
}

const char *ql_steering_name(enum ql_steering how)
{
	return how == QL_STEER_RSS ? "RSS" : "?";
}

static const char *ask(const char *command)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ssize_t n;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/dpdk_telemetry.v2", rte_eal_get_runtime_dir());
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_msg(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "%s: %s", a.sun_path,
		      strerror(errno));
	ck_assert_int_gt(recv(fd, reply, sizeof(reply) - 1, 0), 0); /* its greeting */
	ck_assert_int_eq(send(fd, command, strlen(command), 0), (ssize_t)strlen(command));
	n = recv(fd, reply, sizeof(reply) - 1, 0);
	ck_assert_int_gt(n, 0);
	reply[n] = '\0';
	close(fd);
	return reply;
}

START_TEST(served)
{
	struct ql_observed other = t_observed;
	char name[] = "second";

	t_fill();
	other.name = name;
	ck_assert_int_eq(ql_telemetry_add(&t_observed), 0);
	ck_assert_str_eq(ask("/qlane/engines"), "{\"/qlane/engines\":[\"lane-0_a\"]}");
	ask("/qlane/stats"); /* the only one needs no name */
	ck_assert_ptr_nonnull(strstr(reply, "\"name\":\"lane-0_a\""));
	ck_assert_ptr_nonnull(strstr(reply, "\"engine/conns\":1017"));
	ck_assert_ptr_nonnull(strstr(reply, "\"lane_drops/no_mbuf\":"));

	ck_assert_int_eq(ql_telemetry_add(&other), 0);
	strcpy(name, "xxxxxx"); /* the name was copied */
	ck_assert_str_eq(ask("/qlane/engines"), "{\"/qlane/engines\":[\"lane-0_a\",\"second\"]}");
	ask("/qlane/stats,second");
	ck_assert_ptr_nonnull(strstr(reply, "\"name\":\"second\""));
	ck_assert_str_eq(ask("/qlane/stats"), "{\"/qlane/stats\":null}");
	ck_assert_str_eq(ask("/qlane/stats,nobody"), "{\"/qlane/stats\":null}");

	ql_telemetry_remove("lane-0_a");
	ql_telemetry_remove("nobody");
	ql_telemetry_remove("");
	ck_assert_str_eq(ask("/qlane/engines"), "{\"/qlane/engines\":[\"second\"]}");
	ql_telemetry_remove("second");
	ck_assert_str_eq(ask("/qlane/engines"), "{\"/qlane/engines\":[]}");
}
END_TEST

START_TEST(ports)
{
	unsigned int n = 0;

	ck_assert_int_eq(ql_telemetry_add_port(port_of(3)), 0);
	ck_assert_int_eq(ql_telemetry_add_port(port_of(3)), -EEXIST);
	ck_assert_int_eq(ql_telemetry_add_port(port_of(12)), 0);
	ck_assert_str_eq(ask("/qlane/ports"),
			 "{\"/qlane/ports\":{\"3\":\"RSS: as configured\",\"12\":\"RSS\"}}");
	ql_telemetry_remove_port(port_of(3));
	ql_telemetry_remove_port(port_of(4)); /* which is not there */
	ck_assert_str_eq(ask("/qlane/ports"), "{\"/qlane/ports\":{\"12\":\"RSS\"}}");
	ql_telemetry_remove_port(port_of(12));
	while (ql_telemetry_add_port(port_of(n)) == 0)
		n++;
	ck_assert_uint_eq(n, 32);
	while (n > 0)
		ql_telemetry_remove_port(port_of(--n));
}
END_TEST

START_TEST(errors)
{
	struct ql_observed what = t_observed;
	char name[16];
	int n = 0, rc;

	what.name = "a b";
	ck_assert_int_eq(ql_telemetry_add(&what), -EINVAL);
	ck_assert_int_eq(ql_telemetry_add(&t_observed), 0);
	ck_assert_int_eq(ql_telemetry_add(&t_observed), -EEXIST);
	what.name = name;
	do
		snprintf(name, sizeof(name), "e%d", n++);
	while ((rc = ql_telemetry_add(&what)) == 0 && n < 10000);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_int_eq(n, 128);
	ql_telemetry_remove("e5");
	ck_assert_int_eq(ql_telemetry_add(&what), 0);
}
END_TEST

int main(void)
{
	char prefix[64];
	const char *args[] = {"test", "--no-huge", "--no-pci", "--no-shconf",	    "-m",
			      "64",   "-l",	   "0",	       "--log-level=error", prefix};
	Suite *s = suite_create("observe/telemetry");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	snprintf(prefix, sizeof(prefix), "--file-prefix=qltest%d", getpid());
	if (rte_eal_init((int)(sizeof(args) / sizeof(args[0])), (char **)(uintptr_t)args) < 0) {
		fprintf(stderr, "EAL does not start\n");
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, served);
	tcase_add_test(tc, ports);
	tcase_add_test(tc, errors);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	snprintf(reply, sizeof(reply), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	rmdir(reply); /* the EAL leaves it */
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
