/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What time wolfSSL thinks it is, for the age of session tickets; installed as <wolfssl/ql_time.h>,
 * part of libwolfssl. Certificates are checked by the system's time, whatever is set here. Only
 * Qlane's build of wolfSSL has it: test for the function ql_wolfssl_set_time.
 *
 * A clock returns milliseconds above 0, from an origin of its choice that all ends of its sessions
 * have in common. It is called on the thread that runs the handshake.
 */
#ifndef QL_WOLFSSL_TIME_H
#define QL_WOLFSSL_TIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t (*ql_wolfssl_time_fn)(void);

/*
 * Sets the clock, for all threads; NULL restores the default, the system's time.
 * At any time, best once at the start, before the first handshake.
 */
void ql_wolfssl_set_time(ql_wolfssl_time_fn fn);

#ifdef __cplusplus
}
#endif

#endif /* QL_WOLFSSL_TIME_H */
