// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/clock.h"

#include <pthread.h>
#include <time.h>

/* Only a wolfSSL that was built with our hook has this header. */
#if __has_include(<wolfssl/ql_time.h>)
#include <wolfssl/ql_time.h>
#define HAVE_HOOK 1
#else
#define HAVE_HOOK 0
#endif

static __thread int64_t attached;

#if HAVE_HOOK
static int64_t wolfssl_time(void)
{
	struct timespec now;

	if (attached)
		return attached;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void install(void)
{
	ql_wolfssl_set_time(wolfssl_time);
}
#endif

int64_t ql_clock_attach(int64_t ms)
{
	int64_t before = attached;
#if HAVE_HOOK
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
#endif
	attached = ms;
	return before;
}

bool ql_clock_attachable(void)
{
	return HAVE_HOOK;
}
