// SPDX-License-Identifier: BSD-3-Clause
/**
 * @file
 * Streams: ordered bytes in one or both directions (RFC 9000, sections 2 and 3).
 *
 * A stream belongs to its connection and lives until stream_closed() returns. Same thread rule as
 * in conn.h. Bytes are sent in the order they are given; which stream goes first is decided by
 * ql_stream_set_priority().
 */
#ifndef QLANE_STREAM_H
#define QLANE_STREAM_H

#include <qlane/conn.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Flag of the send calls: these are the last bytes of the stream. */
#define QL_FIN 0x1u

/** Urgencies of RFC 9218: 0 goes first, 7 last. */
#define QL_URGENCY_DEFAULT 3
#define QL_URGENCY_LAST	   7

/** Says that a buffer given by reference is the application's again. */
typedef void (*ql_release_fn)(void *arg);

/**
 * Send by copy.
 * @return how many bytes were taken, which is less than @p len when the stream's send buffer is
 * full (QL_FIN then counts as not given; stream_writable() will tell when there is room); -EPIPE
 * when our side has ended (FIN, reset or STOP_SENDING); -ENOMEM when the engine's memory is used
 * up.
 */
QL_PUBLIC ssize_t ql_stream_send(struct ql_stream *stream, const void *data, size_t len,
				 unsigned int flags);

/**
 * Send by reference: all of @p data, which must stay as it is until @p release is called. That
 * happens once, when the peer has acknowledged all of it or when the stream ends otherwise.
 * @param release  may be NULL (stream_acked() and stream_closed() tell as well)
 * @return 0; -EPIPE and -ENOMEM as above, without a call of @p release.
 */
QL_PUBLIC int ql_stream_send_ref(struct ql_stream *stream, const void *data, size_t len,
				 unsigned int flags, ql_release_fn release, void *arg);

/** Bytes given to the send calls and not yet put into a packet for the first time. */
QL_PUBLIC uint64_t ql_stream_unsent(const struct ql_stream *stream);

/**
 * End our direction at once, dropping what was not sent (RESET_STREAM).
 * @return 0; -EPIPE when it had ended, with everything acknowledged or reset already.
 */
QL_PUBLIC int ql_stream_reset(struct ql_stream *stream, uint64_t app_error);

/**
 * Ask the peer to stop sending (STOP_SENDING); what still arrives is dropped, stream_data() will
 * not be called again.
 * @return 0; -EPIPE when the peer's direction had ended.
 */
QL_PUBLIC int ql_stream_stop(struct ql_stream *stream, uint64_t app_error);

/**
 * Give @p bytes of received data back to both levels of flow control: the application is done with
 * them. More than was received and not yet given back is cut to that.
 */
QL_PUBLIC void ql_stream_credit(struct ql_stream *stream, size_t bytes);

/**
 * Set what goes first (RFC 9218): a lower @p urgency (0 to 7) always goes before a higher one;
 * streams of one urgency share the path if @p incremental, else follow one another. Takes effect
 * with the next packet.
 */
QL_PUBLIC void ql_stream_set_priority(struct ql_stream *stream, unsigned int urgency,
				      bool incremental);

/**
 * A stream whose data goes before all urgencies: for what the application protocol itself has to
 * say, such as the control streams of HTTP/3. ql_stream_set_priority() ends that.
 */
QL_PUBLIC void ql_stream_set_control(struct ql_stream *stream);

QL_PUBLIC uint64_t ql_stream_id(const struct ql_stream *stream);
QL_PUBLIC struct ql_conn *ql_stream_conn(const struct ql_stream *stream);
/** One pointer of the application's; NULL at first. */
QL_PUBLIC void *ql_stream_user(const struct ql_stream *stream);
QL_PUBLIC void ql_stream_set_user(struct ql_stream *stream, void *user);

/** Bits of a stream ID (RFC 9000, 2.1). */
static inline bool ql_stream_id_is_uni(uint64_t id)
{
	return (id & 2) != 0;
}

static inline bool ql_stream_id_by_server(uint64_t id)
{
	return (id & 1) != 0;
}

#ifdef __cplusplus
}
#endif

#endif /* QLANE_STREAM_H */
