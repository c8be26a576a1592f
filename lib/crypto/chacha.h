// SPDX-License-Identifier: BSD-3-Clause
/*
 * The ChaCha20 block function (RFC 8439, section 2.3) on four unrelated states at a time, one in
 * each vector lane: for header protection masks and random bytes, where a block is all there is to
 * compute. Portable: the compiler makes SSE2, NEON or plain code of it.
 */
#ifndef QL_CRYPTO_CHACHA_H
#define QL_CRYPTO_CHACHA_H

#include <stdint.h>

typedef uint32_t ql_u32x4 __attribute__((vector_size(16)));

#define QL_CHACHA_LANES 4

/*
 * x[i][lane] is word i of a lane's state: words 0..3 are set here, 4..11 are the key, 12 the block
 * counter, 13..15 the nonce. Replaced by the key stream block.
 */
void ql_chacha20_x4(ql_u32x4 x[16]);

#endif
