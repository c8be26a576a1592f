// SPDX-License-Identifier: BSD-3-Clause
/*
 * The time that wolfSSL takes the age of session tickets from: ours, as everything else, where
 * wolfSSL was built with our hook; else the system's. crypto/tls.h does this by itself for its own
 * calls.
 */
#ifndef QL_CRYPTO_CLOCK_H
#define QL_CRYPTO_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From here on wolfSSL on this thread takes it that this is the time, in ms; 0: the system's time.
 * Returns what was attached before.
 */
int64_t ql_clock_attach(int64_t ms);

/* Whether that has an effect. */
bool ql_clock_attachable(void);

#endif
