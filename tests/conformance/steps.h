// SPDX-License-Identifier: BSD-3-Clause
/*
 * What way a piece of code takes, by single steps of the CPU: how many instructions, and a hash of
 * where they are. Unlike its time it is the same in each run, so that a test can compare it.
 *
 *	steps_begin();
 *	something(secret);
 *	steps = steps_end();
 *
 * For x86-64, without sanitizers (whose checks would be counted): STEPS says whether it is there.
 */
#ifndef STEPS_H
#define STEPS_H

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

struct steps {
	uint64_t count;
	uint64_t hash;
};

#if defined(__SANITIZE_ADDRESS__)
#define STEPS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STEPS_SANITIZED 1
#endif
#endif

#if defined(__x86_64__) && !defined(STEPS_SANITIZED)
#define STEPS 1

#include <x86intrin.h>

#define TRAP_FLAG 0x100u

static volatile struct steps steps_now;

static void steps_trap(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	(void)sig;
	(void)info;
	steps_now.count++;
	steps_now.hash =
		(steps_now.hash ^ (uint64_t)uc->uc_mcontext.gregs[REG_RIP]) * 0x100000001b3u;
}

static inline void steps_begin(void)
{
	struct sigaction sa = {.sa_sigaction = steps_trap, .sa_flags = SA_SIGINFO};

	sigaction(SIGTRAP, &sa, NULL);
	steps_now.count = steps_now.hash = 0;
	__writeeflags(__readeflags() | TRAP_FLAG);
}

static inline struct steps steps_end(void)
{
	__writeeflags(__readeflags() & ~(unsigned long long)TRAP_FLAG);
	return (struct steps){.count = steps_now.count, .hash = steps_now.hash};
}
#else
#define STEPS 0

static inline void steps_begin(void)
{
}

static inline struct steps steps_end(void)
{
	return (struct steps){0};
}
#endif

#endif
