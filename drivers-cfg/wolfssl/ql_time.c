// SPDX-License-Identifier: BSD-3-Clause
#include <stdatomic.h>
#include <stddef.h>
#include <sys/time.h>

#include <wolfssl/internal.h>
#include <wolfssl/ql_time.h>

static int64_t system_time(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

static _Atomic(ql_wolfssl_time_fn) time_fn = system_time;

void ql_wolfssl_set_time(ql_wolfssl_time_fn fn)
{
	atomic_store_explicit(&time_fn, fn ? fn : system_time, memory_order_release);
}

/* The two that wolfSSL leaves to us (USER_TICKS). */

sword64 TimeNowInMilliseconds(void)
{
	return atomic_load_explicit(&time_fn, memory_order_acquire)();
}

word32 LowResTimer(void)
{
	return (word32)(TimeNowInMilliseconds() / 1000);
}
