/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of Qlane's wolfSSL; installed as <wolfssl/options.h>. Every wolfSSL header
 * includes it, when the library is built and when it is used.
 *
 * TLS 1.3 for QUIC alone, with every speed-up for x86-64 and portable C elsewhere.
 */
#ifndef WOLFSSL_OPTIONS_H
#define WOLFSSL_OPTIONS_H

/* QUIC, and the OpenSSL-like API that it is part of */
#define WOLFSSL_QUIC
#define OPENSSL_EXTRA
#define HAVE_EX_DATA
/* A peer's four header bytes decide how much is allocated: by default up to 1 MB. */
#define WOLFSSL_QUIC_MAX_RECORD_CAPACITY 65536

/* TLS 1.3 and nothing older */
#define WOLFSSL_TLS13
#define WOLFSSL_NO_TLS12
#define NO_OLD_TLS
#define NO_PSK /* external keys; tickets do not need it */
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
/* The nonces of others' tickets are of up to 255 bytes (RFC 8446, 4.6.1), rustls' of 32; ours of 1. */
#define WOLFSSL_TICKET_NONCE_MALLOC
#define WOLFSSL_EARLY_DATA
#define HAVE_SECRET_CALLBACK /* the key log */
#define HAVE_KEYING_MATERIAL /* exporters, RFC 8446 section 7.5 */

/* Packets */
#define HAVE_AESGCM
#define GCM_TABLE_4BIT
#define HAVE_AES_ECB
#define WOLFSSL_AES_DIRECT
#define WOLFSSL_AES_COUNTER
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH

/* Hashes */
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define HAVE_HKDF

/* Key exchange: X25519, P-256, P-384, P-521, X25519MLKEM768 */
#define HAVE_ECC
#define ECC_SHAMIR
#define ECC_MIN_KEY_SZ 256
#define HAVE_ECC384
#define HAVE_ECC521
#define HAVE_CURVE25519
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE
#define NO_DH

/* Certificates: RSA, ECDSA, Ed25519; from files, folders and the system's store */
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define WOLFSSL_MIN_RSA_BITS 2048
#define HAVE_ED25519
#define WOLFSSL_ASN_TEMPLATE
#define WOLFSSL_SYS_CA_CERTS
#define WOLFSSL_ENCRYPTED_KEYS
#define WOLFSSL_BASE64_ENCODE
#define WOLFSSL_IP_ALT_NAME
/* A chain may carry more than is needed, as servers on the Internet do (cross-signed roots). */
#define WOLFSSL_ALT_CERT_CHAINS

/* Side channels */
#define TFM_TIMING_RESISTANT
#define ECC_TIMING_RESISTANT
#define WC_RSA_BLINDING
/*
 * wolfSSL's own wipes word by word between two instructions that lock the bus, some 700 times a
 * handshake. What counts is that the compiler leaves it in.
 */
#if defined(BUILDING_WOLFSSL) && !defined(__ASSEMBLER__)
#define WOLFSSL_NO_FORCE_ZERO
#define ForceZero ql_wolfssl_wipe
#include <wolfssl/ql_wipe.h>
#endif

/* Big numbers: code for each size, in assembly where there is any */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_SP_LARGE_CODE
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define HAVE___UINT128_T 1

#ifdef __x86_64__
#define WOLFSSL_X86_64_BUILD
#define USE_INTEL_SPEEDUP
#define WOLFSSL_AESNI
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64_ASM
#endif

/* Not wanted */
#define NO_DSA
#define NO_RC4
#define NO_MD4
#define NO_DES3
#define NO_DES3_TLS_SUITES
#define WC_NO_ASYNC_THREADING
#define NO_CRYPT_TEST

/* Platform: GCC or Clang on Linux */
#define HAVE_LIMITS_H 1
#define WOLFSSL_HAVE_ATOMIC_H
#define WOLFSSL_HAVE_ASSERT_H
#define HAVE_C___ATOMIC 1
#define HAVE_THREAD_LS
#define NO_ERROR_QUEUE /* of OpenSSL's: errors are returned; it writes text on every WANT_READ */
#define WOLFSSL_USE_ALIGN

/*
 * Randomness. By default each wolfSSL_new costs a system call, a global lock and a new generator;
 * see <wolfssl/ql_rand.h>.
 */
#define CUSTOM_RAND_GENERATE_BLOCK ql_wolfssl_rand
#define WOLFSSL_NO_GETPID	   /* asked for by a generator that could be forked */
#ifndef __ASSEMBLER__
#include <wolfssl/ql_rand.h>
#endif

/* The age of tickets: by the caller's clock, where one is set (<wolfssl/ql_time.h>). */
#define USER_TICKS

#endif /* WOLFSSL_OPTIONS_H */
