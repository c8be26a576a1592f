// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * QUIC transport error codes: what a CONNECTION_CLOSE frame of type 0x1c carries (RFC 9000,
 * section 20.1; RFC 9368, section 10.2). Codes that an application closes with, or resets a
 * stream with, are the application protocol's own and have nothing to do with these.
 */
#ifndef QLANE_ERROR_H
#define QLANE_ERROR_H

#include <stdint.h>

#include <qlane/common.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ql_error {
	QL_ERR_NO_ERROR = 0x00,
	QL_ERR_INTERNAL_ERROR = 0x01,
	QL_ERR_CONNECTION_REFUSED = 0x02,
	QL_ERR_FLOW_CONTROL_ERROR = 0x03,
	QL_ERR_STREAM_LIMIT_ERROR = 0x04,
	QL_ERR_STREAM_STATE_ERROR = 0x05,
	QL_ERR_FINAL_SIZE_ERROR = 0x06,
	QL_ERR_FRAME_ENCODING_ERROR = 0x07,
	QL_ERR_TRANSPORT_PARAMETER_ERROR = 0x08,
	QL_ERR_CONNECTION_ID_LIMIT_ERROR = 0x09,
	QL_ERR_PROTOCOL_VIOLATION = 0x0a,
	QL_ERR_INVALID_TOKEN = 0x0b,
	QL_ERR_APPLICATION_ERROR = 0x0c,
	QL_ERR_CRYPTO_BUFFER_EXCEEDED = 0x0d,
	QL_ERR_KEY_UPDATE_ERROR = 0x0e,
	QL_ERR_AEAD_LIMIT_REACHED = 0x0f,
	QL_ERR_NO_VIABLE_PATH = 0x10,
	QL_ERR_VERSION_NEGOTIATION_ERROR = 0x11,
	QL_ERR_CRYPTO_ERROR = 0x100, /**< plus a TLS alert: up to 0x1ff (RFC 9001, section 4.8) */
};

/** The code of a fatal TLS alert (0..255). */
#define QL_ERR_CRYPTO(alert) (QL_ERR_CRYPTO_ERROR + (uint8_t)(alert))

/**
 * The name of a transport error code as the RFC writes it ("FLOW_CONTROL_ERROR"), with the alert's
 * name for the TLS alerts that exist ("CRYPTO_ERROR(handshake_failure)").
 * @return static text, "UNKNOWN_ERROR" for a code that no specification above names.
 */
QL_PUBLIC const char *ql_err_name(uint64_t code);

#ifdef __cplusplus
}
#endif

#endif /* QLANE_ERROR_H */
