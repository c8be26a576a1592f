// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/clock.h"

#include <pthread.h>
#include <time.h>

#include "ql_build.h"

#if QL_HAVE_WOLFSSL_TIME
#include <wolfssl/ql_time.h>
#endif

static __thread int64_t attached;

#if QL_HAVE_WOLFSSL_TIME
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
#if QL_HAVE_WOLFSSL_TIME
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
#endif
	attached = ms;
	return before;
}

bool ql_clock_attachable(void)
{
	return QL_HAVE_WOLFSSL_TIME;
}
