// SPDX-License-Identifier: BSD-3-Clause
/* What belongs to which device, by the order of the options. Ports themselves: tests/e2e. */
#include "device.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct ql_devices devices;

static const struct ql_option table[] = {
	{"device", "NAME", "", ql_device_name, 0},
	{"ip", "ADDR", "", ql_device_ip, 0},
	{"gateway", "ADDR", "", ql_device_gateway, 0},
	{"tap-ip", "ADDR", "", ql_device_tap_ip, 0},
	{"vlan", "N", "", ql_device_vlan, 0, 1, 4094},
	{"mtu", "N", "", ql_device_mtu, 0, 1280, 9600},
	{NULL},
};

static void setup(void)
{
	memset(&devices, 0, sizeof(devices));
}

static bool read_all(size_t n, const char *const *args)
{
	return ql_options_read(table, &devices, "test", (int)n, (char **)(uintptr_t)args, NULL) ==
	       0;
}
#define READ(...)                                                        \
	read_all(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
		 (const char *[]){__VA_ARGS__})

START_TEST(first_port)
{
	ck_assert(!ql_devices_check(&devices));
	ck_assert(READ("--ip", "10.9.0.2/24", "--gateway=10.9.0.1", "--ip", "fd00::2/64", "--vlan",
		       "7", "--mtu", "9000", "--tap-ip", "10.9.0.1/24"));
	ck_assert(ql_devices_check(&devices));
	ck_assert_uint_eq(devices.n, 1);
	ck_assert_ptr_null(devices.at[0].name);
	ck_assert_uint_eq(devices.at[0].ip.n, 2);
	ck_assert_uint_eq(devices.at[0].gateway.n, 1);
	ck_assert_uint_eq(devices.at[0].tap_ip.n, 1);
	ck_assert_uint_eq(devices.at[0].vlan, 7);
	ck_assert_uint_eq(devices.at[0].mtu, 9000);
	/* what comes before a name would be nobody's */
	ck_assert(!READ("--device", "net_tap0"));
}
END_TEST

START_TEST(several)
{
	struct ql_ifaddrs all;

	ck_assert(READ("--device", "a", "--ip", "10.9.0.2/24", "--vlan", "7", "--device", "1",
		       "--ip", "10.8.0.2/24,fd00::2/64"));
	ck_assert(ql_devices_check(&devices));
	ck_assert_uint_eq(devices.n, 2);
	ck_assert_str_eq(devices.at[0].name, "a");
	ck_assert_str_eq(devices.at[1].name, "1");
	ck_assert_uint_eq(devices.at[0].ip.n, 1);
	ck_assert_uint_eq(devices.at[1].ip.n, 2);
	ck_assert_uint_eq(devices.at[0].vlan, 7);
	ck_assert_uint_eq(devices.at[1].vlan, 0);
	all = ql_devices_ips(&devices);
	ck_assert_uint_eq(all.n, 3);
	ck_assert(ql_addr_eq(&all.at[2].addr, &devices.at[1].ip.at[1].addr));
	ck_assert(READ("--device", "b"));
	ck_assert(!ql_devices_check(&devices)); /* it has no address */
}
END_TEST

START_TEST(too_many)
{
	for (int i = 0; i < QL_DEVICES; i++)
		ck_assert(READ("--device", "x", "--ip", "10.9.0.2/24", "--ip", "fd00::2/64"));
	ck_assert(!READ("--device", "x"));
	ck_assert(!READ("--ip", "10.9.0.3/24")); /* the 17th of all */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/device");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, first_port);
	tcase_add_test(tc, several);
	tcase_add_test(tc, too_many);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
