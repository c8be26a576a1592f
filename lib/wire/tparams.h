// SPDX-License-Identifier: BSD-3-Clause
/*
 * Transport parameters: RFC 9000, section 18; max_datagram_frame_size of RFC 9221, grease_quic_bit
 * of RFC 9287, version_information of RFC 9368, min_ack_delay of draft-ietf-quic-ack-frequency.
 * The struct is plain data and owns nothing; the work is linear in the size of the input.
 */
#ifndef QL_WIRE_TPARAMS_H
#define QL_WIRE_TPARAMS_H

#include "wire/cid.h"
#include "wire/varint.h"

/* A bit each in struct ql_tparams.present. */
enum ql_tp {
	QL_TP_ORIGINAL_DCID, /* server */
	QL_TP_MAX_IDLE_TIMEOUT,
	QL_TP_STATELESS_RESET_TOKEN, /* server */
	QL_TP_MAX_UDP_PAYLOAD_SIZE,
	QL_TP_INITIAL_MAX_DATA,
	QL_TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL,
	QL_TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE,
	QL_TP_INITIAL_MAX_STREAM_DATA_UNI,
	QL_TP_INITIAL_MAX_STREAMS_BIDI,
	QL_TP_INITIAL_MAX_STREAMS_UNI,
	QL_TP_ACK_DELAY_EXPONENT,
	QL_TP_MAX_ACK_DELAY,
	QL_TP_DISABLE_ACTIVE_MIGRATION, /* the bit is the value */
	QL_TP_PREFERRED_ADDRESS,	/* server */
	QL_TP_ACTIVE_CONNECTION_ID_LIMIT,
	QL_TP_INITIAL_SCID,
	QL_TP_RETRY_SCID, /* server */
	QL_TP_MAX_DATAGRAM_FRAME_SIZE,
	QL_TP_GREASE_QUIC_BIT, /* the bit is the value */
	QL_TP_VERSION_INFORMATION,
	QL_TP_MIN_ACK_DELAY,
	QL_TP_COUNT
};

#define QL_TP_MAX_UDP_PAYLOAD_DEFAULT	 65527
#define QL_TP_ACK_DELAY_EXPONENT_DEFAULT 3
#define QL_TP_MAX_ACK_DELAY_DEFAULT	 25 /* ms */
#define QL_TP_ACTIVE_CID_LIMIT_DEFAULT	 2

/* Versions kept of a list; of more, those that we know are. */
#define QL_TP_VERSIONS_MAX 16

struct ql_tp_preferred_address {
	uint8_t ipv4[4];    /* all zero: none of this family */
	uint16_t ipv4_port; /* host order */
	uint8_t ipv6[16];
	uint16_t ipv6_port; /* host order */
	struct ql_cid cid;  /* never empty */
	uint8_t reset_token[QL_RESET_TOKEN_LEN];
};

struct ql_tp_version_info {
	uint32_t chosen;
	uint32_t available[QL_TP_VERSIONS_MAX];
	size_t n_available;
};

/*
 * Integers hold their default when they are not present. What is neither an integer nor a flag has
 * a meaning only when present.
 */
struct ql_tparams {
	uint32_t present;	       /* 1 << enum ql_tp */
	uint64_t max_idle_timeout;     /* ms; 0: none */
	uint64_t max_udp_payload_size; /* bytes; may be above the default, which means nothing */
	uint64_t initial_max_data;
	uint64_t initial_max_stream_data_bidi_local;
	uint64_t initial_max_stream_data_bidi_remote;
	uint64_t initial_max_stream_data_uni;
	uint64_t initial_max_streams_bidi;
	uint64_t initial_max_streams_uni;
	uint64_t ack_delay_exponent;
	uint64_t max_ack_delay; /* ms */
	uint64_t active_connection_id_limit;
	uint64_t max_datagram_frame_size; /* bytes of a whole frame; 0: none accepted */
	uint64_t min_ack_delay;		  /* us; only when present */
	struct ql_cid original_dcid;
	struct ql_cid initial_scid;
	struct ql_cid retry_scid;
	uint8_t stateless_reset_token[QL_RESET_TOKEN_LEN];
	struct ql_tp_preferred_address preferred_address;
	struct ql_tp_version_info version_info;
};

static inline bool ql_tp_has(const struct ql_tparams *tp, enum ql_tp id)
{
	return tp->present >> id & 1;
}

static inline void ql_tp_set(struct ql_tparams *tp, enum ql_tp id)
{
	tp->present |= UINT32_C(1) << id;
}

/* Nothing present, integers at their defaults. */
void ql_tparams_init(struct ql_tparams *tp);

/*
 * Decodes the parameters that a server (from_server) or a client has sent; unknown ones are
 * skipped. 0, or -EBADMSG for a TRANSPORT_PARAMETER_ERROR: cut off, of a wrong length, out of
 * range, sent twice, not a client's to send. *bad, unless NULL, is the name of the parameter at
 * fault.
 *
 * The caller has still to compare connection IDs, and to find them missing (RFC 9000, section 7.3),
 * and to compare version_information with the version in use (RFC 9368, section 4).
 */
int ql_tparams_decode(struct ql_tparams *tp, bool from_server, const uint8_t *p, size_t len,
		      const char **bad);

/* An unknown parameter to send (RFC 9000, section 18.1): any n, any value. */
struct ql_tp_grease {
	uint64_t n; /* below 2^56: the ID is 31 * n + 27 */
	const uint8_t *value;
	size_t len;
};

/* Enough for ql_tparams_encode() without grease. */
#define QL_TPARAMS_MAX_SIZE 640

/*
 * Writes the parameters: an integer that differs from its default or is marked present, everything
 * else if present; what is a server's only if from_server. grease may be NULL.
 * Returns the byte after them, or NULL when they do not fit before end. Ranges are not checked.
 */
uint8_t *ql_tparams_encode(const struct ql_tparams *tp, bool from_server,
			   const struct ql_tp_grease *grease, uint8_t *p, const uint8_t *end);

/* The name as the RFC writes it. */
const char *ql_tp_name(enum ql_tp id);

#endif
