// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/error.h>

const char *ql_err_name(uint64_t code)
{
	switch (code) {
	case QL_ERR_NO_ERROR:
		return "NO_ERROR";
	case QL_ERR_INTERNAL_ERROR:
		return "INTERNAL_ERROR";
	case QL_ERR_CONNECTION_REFUSED:
		return "CONNECTION_REFUSED";
	case QL_ERR_FLOW_CONTROL_ERROR:
		return "FLOW_CONTROL_ERROR";
	case QL_ERR_STREAM_LIMIT_ERROR:
		return "STREAM_LIMIT_ERROR";
	case QL_ERR_STREAM_STATE_ERROR:
		return "STREAM_STATE_ERROR";
	case QL_ERR_FINAL_SIZE_ERROR:
		return "FINAL_SIZE_ERROR";
	case QL_ERR_FRAME_ENCODING_ERROR:
		return "FRAME_ENCODING_ERROR";
	case QL_ERR_TRANSPORT_PARAMETER_ERROR:
		return "TRANSPORT_PARAMETER_ERROR";
	case QL_ERR_CONNECTION_ID_LIMIT_ERROR:
		return "CONNECTION_ID_LIMIT_ERROR";
	case QL_ERR_PROTOCOL_VIOLATION:
		return "PROTOCOL_VIOLATION";
	case QL_ERR_INVALID_TOKEN:
		return "INVALID_TOKEN";
	case QL_ERR_APPLICATION_ERROR:
		return "APPLICATION_ERROR";
	case QL_ERR_CRYPTO_BUFFER_EXCEEDED:
		return "CRYPTO_BUFFER_EXCEEDED";
	case QL_ERR_KEY_UPDATE_ERROR:
		return "KEY_UPDATE_ERROR";
	case QL_ERR_AEAD_LIMIT_REACHED:
		return "AEAD_LIMIT_REACHED";
	case QL_ERR_NO_VIABLE_PATH:
		return "NO_VIABLE_PATH";
	case QL_ERR_VERSION_NEGOTIATION_ERROR:
		return "VERSION_NEGOTIATION_ERROR";
	/* The alerts of RFC 8446, section 6, and no_application_protocol of RFC 7301. */
	case QL_ERR_CRYPTO(10):
		return "CRYPTO_ERROR(unexpected_message)";
	case QL_ERR_CRYPTO(20):
		return "CRYPTO_ERROR(bad_record_mac)";
	case QL_ERR_CRYPTO(22):
		return "CRYPTO_ERROR(record_overflow)";
	case QL_ERR_CRYPTO(40):
		return "CRYPTO_ERROR(handshake_failure)";
	case QL_ERR_CRYPTO(42):
		return "CRYPTO_ERROR(bad_certificate)";
	case QL_ERR_CRYPTO(43):
		return "CRYPTO_ERROR(unsupported_certificate)";
	case QL_ERR_CRYPTO(44):
		return "CRYPTO_ERROR(certificate_revoked)";
	case QL_ERR_CRYPTO(45):
		return "CRYPTO_ERROR(certificate_expired)";
	case QL_ERR_CRYPTO(46):
		return "CRYPTO_ERROR(certificate_unknown)";
	case QL_ERR_CRYPTO(47):
		return "CRYPTO_ERROR(illegal_parameter)";
	case QL_ERR_CRYPTO(48):
		return "CRYPTO_ERROR(unknown_ca)";
	case QL_ERR_CRYPTO(49):
		return "CRYPTO_ERROR(access_denied)";
	case QL_ERR_CRYPTO(50):
		return "CRYPTO_ERROR(decode_error)";
	case QL_ERR_CRYPTO(51):
		return "CRYPTO_ERROR(decrypt_error)";
	case QL_ERR_CRYPTO(70):
		return "CRYPTO_ERROR(protocol_version)";
	case QL_ERR_CRYPTO(71):
		return "CRYPTO_ERROR(insufficient_security)";
	case QL_ERR_CRYPTO(80):
		return "CRYPTO_ERROR(internal_error)";
	case QL_ERR_CRYPTO(86):
		return "CRYPTO_ERROR(inappropriate_fallback)";
	case QL_ERR_CRYPTO(90):
		return "CRYPTO_ERROR(user_canceled)";
	case QL_ERR_CRYPTO(109):
		return "CRYPTO_ERROR(missing_extension)";
	case QL_ERR_CRYPTO(110):
		return "CRYPTO_ERROR(unsupported_extension)";
	case QL_ERR_CRYPTO(112):
		return "CRYPTO_ERROR(unrecognized_name)";
	case QL_ERR_CRYPTO(113):
		return "CRYPTO_ERROR(bad_certificate_status_response)";
	case QL_ERR_CRYPTO(115):
		return "CRYPTO_ERROR(unknown_psk_identity)";
	case QL_ERR_CRYPTO(116):
		return "CRYPTO_ERROR(certificate_required)";
	case QL_ERR_CRYPTO(120):
		return "CRYPTO_ERROR(no_application_protocol)";
	default:
		if (code >= QL_ERR_CRYPTO_ERROR && code <= QL_ERR_CRYPTO(255))
			return "CRYPTO_ERROR";
		return "UNKNOWN_ERROR";
	}
}
