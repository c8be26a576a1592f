// SPDX-License-Identifier: BSD-3-Clause
/*
 * A server's session tickets: the sealing of what TLS wants to have back (RFC 8446, section 4.6.1).
 * TLS lays the parts out one after another:
 *
 *	name	16	"QLticket", and the number of the key's period
 *	iv	16	nonce, random: 12 bytes; four zeroes
 *	text		what TLS puts in, then ours: when it was issued (8 bytes, ns) and the
 *			binding; sealed with AES-128-GCM
 *	mac	32	its tag, 16 bytes; zeroes
 *
 * A ticket is good for one version of QUIC (RFC 9369, section 5), which is authenticated, as the
 * name is.
 *
 * The binding says for what server early data was promised: a hash of its limits and its protocol.
 *
 * Keys change with the time (period.h); engines with the same secret and the same clock take each
 * other's tickets. A ticket is good for QL_TICKET_LIFE.
 */
#ifndef QL_CRYPTO_TICKET_H
#define QL_CRYPTO_TICKET_H

#include "crypto/period.h"
#include "crypto/replay.h"
#include "crypto/rng.h"

#define QL_TICKET_LIFE	  QL_PERIOD
#define QL_TICKET_NAME	  16
#define QL_TICKET_IV	  16
#define QL_TICKET_MAC	  32
#define QL_TICKET_BINDING 16
#define QL_TICKET_EXTRA	  (8 + QL_TICKET_BINDING) /* bytes that the text grows by */

/* What an engine has for the tickets of its servers. */
struct ql_tickets {
	struct ql_period_keys keys;
	struct ql_replay *replay; /* the owner's; NULL: no early data is taken */
	uint64_t replays; /* early data refused with tickets that were used before, or may have been
			   */
};

/* What a ticket tells. */
struct ql_ticket {
	uint8_t id[QL_REPLAY_ID]; /* no other has it */
	uint64_t issued;	  /* ns */
	uint8_t binding[QL_TICKET_BINDING];
};

/* Takes two keys' memory from mem. 0 or -ENOMEM. */
int ql_tickets_init(struct ql_tickets *t, struct ql_mem *mem,
		    const uint8_t secret[QL_PERIOD_SECRET]);
void ql_tickets_fini(struct ql_tickets *t);
/* Another secret for new tickets; those of the present one go on opening. 0 or -ENOMEM. */
int ql_tickets_rekey(struct ql_tickets *t, const uint8_t secret[QL_PERIOD_SECRET]);

/*
 * Seal the len bytes at text, behind which there is room for QL_TICKET_EXTRA more, and fill the
 * other parts. version is QUIC's. 0 or -ENOMEM.
 */
int ql_ticket_seal(struct ql_tickets *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		   const uint8_t binding[QL_TICKET_BINDING], uint8_t name[QL_TICKET_NAME],
		   uint8_t iv[QL_TICKET_IV], uint8_t mac[QL_TICKET_MAC], uint8_t *text, size_t len);

/*
 * Open one in place: len is that of the text as sealed. What TLS had put in is at text then, with
 * QL_TICKET_EXTRA bytes less. 0; -EBADMSG for one that is not ours, altered, of another version, or
 * of a key too old;
 * -ETIMEDOUT for one that is older than QL_TICKET_LIFE.
 */
int ql_ticket_open(struct ql_tickets *t, uint64_t now, uint32_t version,
		   const uint8_t name[QL_TICKET_NAME], const uint8_t iv[QL_TICKET_IV],
		   const uint8_t mac[QL_TICKET_MAC], uint8_t *text, size_t len,
		   struct ql_ticket *out);

#endif
