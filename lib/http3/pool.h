// SPDX-License-Identifier: BSD-3-Clause
/*
 * Memory for what comes and goes with each request, from base/pool.h: requests, pieces of bodies, and
 * all that nghttp3 keeps.
 */
#ifndef QL_HTTP3_POOL_H
#define QL_HTTP3_POOL_H

#include <nghttp3/nghttp3.h>

#include "base/pool.h"

/* For nghttp3. */
extern const nghttp3_mem ql_http_mem;

#endif /* QL_HTTP3_POOL_H */
