// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/common.h>

#include "test_recovery_util.h"

static const struct {
	const char *text, *formatted;
	bool ip4;
	uint16_t port;
} good[] = {
	{"1.2.3.4", "1.2.3.4:9", true, 9},
	{"1.2.3.4:443", "1.2.3.4:443", true, 443},
	{"0.0.0.0:0", "0.0.0.0:0", true, 0},
	{"255.255.255.255:65535", "255.255.255.255:65535", true, 65535},
	{"1.2.3.4:00080", "1.2.3.4:80", true, 80},
	{"::", "[::]:9", false, 9},
	{"::1", "[::1]:9", false, 9},
	{"2001:db8::1", "[2001:db8::1]:9", false, 9},
	{"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:9", false, 9},
	{"[2001:db8::1]", "[2001:db8::1]:9", false, 9},
	{"[2001:db8::1]:443", "[2001:db8::1]:443", false, 443},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", false, 65535},
	{"::ffff:1.2.3.4", "1.2.3.4:9", true, 9},
	{"[::ffff:1.2.3.4]:5", "1.2.3.4:5", true, 5},
	{"1:2:3:4:5:6:255.255.255.255", "[1:2:3:4:5:6:ffff:ffff]:9", false, 9},
};

START_TEST(test_good)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct ql_addr a, b;
		char buf[QL_ADDR_STRLEN];

		memset(&a, 0xff, sizeof(a));
		ck_assert_msg(ql_addr_parse(good[i].text, 9, &a) == 0, "%s", good[i].text);
		ck_assert_uint_eq(a.port, good[i].port);
		ck_assert_msg(ql_addr_is_ip4(&a) == good[i].ip4, "%s", good[i].text);
		ck_assert_ptr_eq(ql_addr_format(&a, buf), buf);
		ck_assert_str_eq(buf, good[i].formatted);
		ck_assert_int_eq(ql_addr_parse(buf, 1, &b), 0);
		ck_assert(ql_addr_eq(&a, &b));
	}
}
END_TEST

START_TEST(test_bytes)
{
	static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, 1, 2, 3, 4};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct ql_addr a;

	ck_assert_int_eq(ql_addr_parse("1.2.3.4:443", 0, &a), 0);
	ck_assert_mem_eq(a.ip, v4, 16);
	ck_assert_int_eq(ql_addr_parse("2001:db8::1", 7, &a), 0);
	ck_assert_mem_eq(a.ip, v6, 16);
	ck_assert_uint_eq(a.port, 7);
}
END_TEST

START_TEST(test_bad)
{
	static const char *const bad[] = {
		"",
		":",
		":80",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.4:",
		"1.2.3.4:65536",
		"1.2.3.4:100000",
		"1.2.3.4:000080",
		"1.2.3.4:-1",
		"1.2.3.4:+1",
		"1.2.3.4: 1",
		"1.2.3.4:0x1",
		"1.2.3.4 ",
		" 1.2.3.4",
		"localhost",
		"localhost:80",
		"[",
		"[]",
		"[]:80",
		"[::1",
		"[::1]80",
		"[::1]:",
		"[::1]:65536",
		"[::1]:1:2",
		"[1.2.3.4]",
		"[1.2.3.4]:80",
		"[[::1]]",
		"::1]",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"::1::2",
		"fe80::1%eth0",
		"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555]:1",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"00000000000000000000000000000000000000000000000000000000:80",
		"[0000000000000000000000000000000000000000000000000000000]:80",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ql_addr a, before;

		memset(&a, 0x5a, sizeof(a));
		before = a;
		ck_assert_msg(ql_addr_parse(bad[i], 9, &a) == -EINVAL, "\"%s\"", bad[i]);
		ck_assert(ql_addr_eq(&a, &before));
	}
}
END_TEST

START_TEST(test_equal)
{
	struct ql_addr a, b;
	struct ql_path p, q;

	ck_assert_int_eq(ql_addr_parse("1.2.3.4:5", 0, &a), 0);
	b = a;
	ck_assert(ql_addr_eq(&a, &b));
	b.port++;
	ck_assert(!ql_addr_eq(&a, &b));
	b = a;
	b.ip[0] = 1;
	ck_assert(!ql_addr_eq(&a, &b));
	b = a;
	b.ip[15]++;
	ck_assert(!ql_addr_eq(&a, &b));
	p = (struct ql_path){.local = a, .remote = b};
	q = p;
	ck_assert(ql_path_eq(&p, &q));
	q.local.port++;
	ck_assert(!ql_path_eq(&p, &q));
	q = p;
	q.remote.port++;
	ck_assert(!ql_path_eq(&p, &q));
}
END_TEST

START_TEST(test_version)
{
	unsigned int major, minor, patch;

	ck_assert_int_eq(sscanf(ql_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}
END_TEST

RUN("base/addr", mem_open, mem_close, test_good, test_bytes, test_bad, test_equal, test_version)
