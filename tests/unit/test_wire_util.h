// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the tests of lib/wire share: bytes from hexadecimal text, buffers that end where their
 * allocation ends (so that AddressSanitizer and valgrind see a byte read or written behind them),
 * and pseudo-random numbers that are the same in every run.
 */
#ifndef TEST_WIRE_UTIL_H
#define TEST_WIRE_UTIL_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* For loops of many turns: Check's own assertions report each success through a pipe. */
#define REQUIRE(condition)                                        \
	do {                                                      \
		if (!(condition))                                 \
			ck_abort_msg("required: %s", #condition); \
	} while (0)

/* Space in front of a buffer, so that an empty one too has an end to run over. */
#define EXACT_LEAD 8

/* Not inline: gcc 12 takes the end of what it sees allocated for a read of it. */
__attribute__((noinline, unused)) static uint8_t *exact_alloc(size_t len)
{
	uint8_t *base = malloc(EXACT_LEAD + len);

	REQUIRE(base != NULL);
	memset(base, 0xa5, EXACT_LEAD + len);
	return base + EXACT_LEAD;
}

static inline uint8_t *exact_copy(const uint8_t *data, size_t len)
{
	uint8_t *p = exact_alloc(len);

	if (len > 0)
		memcpy(p, data, len);
	return p;
}

static inline void exact_free(uint8_t *p)
{
	free(p - EXACT_LEAD);
}

/* Whether nothing has been written to an exact_alloc() of len bytes. */
static inline bool exact_untouched(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0xa5)
			return false;
	return true;
}

static inline unsigned int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *d = strchr(digits, c);

	REQUIRE(c != '\0' && d != NULL);
	return (unsigned int)(d - digits);
}

/* Pairs of digits, spaces between them if wanted. Returns the number of bytes. */
static inline size_t hex(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		REQUIRE(n < size);
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text++;
	}
	return n;
}

/* splitmix64 */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number below 2^62 whose width is as random as its bits. */
static inline uint64_t rnd_varint(uint64_t *state)
{
	unsigned int bits = (unsigned int)(rnd(state) % 63);

	return rnd(state) & ((UINT64_C(1) << bits) - 1);
}

/* Runs the cases and returns main()'s value. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
