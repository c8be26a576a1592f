// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/error.h>

#include "test_wire_util.h"

/* RFC 9000, section 20.1, and RFC 9368: code and name in the order of the codes. */
START_TEST(test_names)
{
	static const char *const names[] = {
		"NO_ERROR",
		"INTERNAL_ERROR",
		"CONNECTION_REFUSED",
		"FLOW_CONTROL_ERROR",
		"STREAM_LIMIT_ERROR",
		"STREAM_STATE_ERROR",
		"FINAL_SIZE_ERROR",
		"FRAME_ENCODING_ERROR",
		"TRANSPORT_PARAMETER_ERROR",
		"CONNECTION_ID_LIMIT_ERROR",
		"PROTOCOL_VIOLATION",
		"INVALID_TOKEN",
		"APPLICATION_ERROR",
		"CRYPTO_BUFFER_EXCEEDED",
		"KEY_UPDATE_ERROR",
		"AEAD_LIMIT_REACHED",
		"NO_VIABLE_PATH",
		"VERSION_NEGOTIATION_ERROR",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_str_eq(ql_err_name(i), names[i]);
}
END_TEST

START_TEST(test_alerts)
{
	ck_assert_uint_eq(QL_ERR_CRYPTO(0), 0x100);
	ck_assert_uint_eq(QL_ERR_CRYPTO(120), 0x178);
	ck_assert_str_eq(ql_err_name(0x178), "CRYPTO_ERROR(no_application_protocol)");
	ck_assert_str_eq(ql_err_name(0x128), "CRYPTO_ERROR(handshake_failure)");
	ck_assert_str_eq(ql_err_name(0x130), "CRYPTO_ERROR(unknown_ca)");
	ck_assert_str_eq(ql_err_name(0x16d), "CRYPTO_ERROR(missing_extension)");
	/* Every code of the range, whether there is such an alert or not. */
	for (uint64_t code = 0x100; code <= 0x1ff; code++)
		ck_assert_int_eq(strncmp(ql_err_name(code), "CRYPTO_ERROR", 12), 0);
	ck_assert_str_eq(ql_err_name(0x1ff), "CRYPTO_ERROR");
}
END_TEST

START_TEST(test_unknown)
{
	ck_assert_str_eq(ql_err_name(0x12), "UNKNOWN_ERROR");
	ck_assert_str_eq(ql_err_name(0xff), "UNKNOWN_ERROR");
	ck_assert_str_eq(ql_err_name(0x200), "UNKNOWN_ERROR");
	ck_assert_str_eq(ql_err_name(UINT64_MAX), "UNKNOWN_ERROR");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire/error");
	TCase *tc = tcase_create("error");

	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_alerts);
	tcase_add_test(tc, test_unknown);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
