// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/secret.h"

#include <errno.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "wire/packet.h"

/* What a version of QUIC has of its own in the key schedule. */
struct schedule {
	uint32_t version;
	uint8_t salt[20];
	const char *key, *iv, *hp, *ku;
};

static const struct schedule schedules[] = {
	{
		.version = QL_VERSION_1,
		.salt = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
			 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
		.key = "quic key",
		.iv = "quic iv",
		.hp = "quic hp",
		.ku = "quic ku",
	},
	{
		.version = QL_VERSION_2,
		.salt = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
		.key = "quicv2 key",
		.iv = "quicv2 iv",
		.hp = "quicv2 hp",
		.ku = "quicv2 ku",
	},
};

static const struct schedule *find(uint32_t version)
{
	for (size_t i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++)
		if (schedules[i].version == version)
			return &schedules[i];
	return NULL;
}

/* An HMAC that has taken its key, for all that is made of one secret. Needs wc_HmacFree(). */
static int take_key(Hmac *hmac, const struct ql_secret *secret)
{
	int rc = wc_HmacInit(hmac, NULL, INVALID_DEVID);

	if (!rc)
		rc = wc_HmacSetKey(hmac, secret->len == 48 ? WC_SHA384 : WC_SHA256, secret->bytes,
				   secret->len);
	return rc ? -EIO : 0;
}

/*
 * HKDF-Expand-Label with an empty context: RFC 8446, section 7.1. Of at most one hash, which a
 * single step of HKDF-Expand gives (RFC 5869, section 2.3). The hmac can be used again.
 */
static int expand_label(Hmac *hmac, const char *label, uint8_t *out, size_t len)
{
	size_t label_len = strlen(label);
	uint8_t info[2 + 1 + 6 + 32 + 1 + 1], hash[WC_MAX_DIGEST_SIZE];
	uint8_t *p = info;
	int rc;

	p = ql_put_be16(p, (uint16_t)len);
	*p++ = (uint8_t)(6 + label_len);
	p = ql_put_bytes(p, "tls13 ", 6);
	p = ql_put_bytes(p, label, label_len);
	*p++ = 0;
	*p++ = 1; /* the step */
	rc = wc_HmacUpdate(hmac, info, (word32)(p - info));
	if (!rc)
		rc = wc_HmacFinal(hmac, hash);
	if (!rc)
		memcpy(out, hash, len);
	ql_wipe(hash, sizeof(hash));
	return rc ? -EIO : 0;
}

int ql_initial_secrets(uint32_t version, const uint8_t *dcid, size_t dcid_len,
		       struct ql_secret *client, struct ql_secret *server)
{
	const struct schedule *s = find(version);
	struct ql_secret initial = {.suite = QL_AES128_GCM_SHA256, .len = 32};
	Hmac hmac;
	int rc;

	if (!s)
		return -EPROTONOSUPPORT;
	if (wc_HKDF_Extract(WC_SHA256, s->salt, sizeof(s->salt), dcid, (word32)dcid_len,
			    initial.bytes))
		return -EIO;
	*client = *server = (struct ql_secret){.suite = initial.suite, .len = initial.len};
	rc = take_key(&hmac, &initial);
	if (!rc)
		rc = expand_label(&hmac, "client in", client->bytes, client->len);
	if (!rc)
		rc = expand_label(&hmac, "server in", server->bytes, server->len);
	wc_HmacFree(&hmac);
	ql_wipe(&initial, sizeof(initial));
	return rc;
}

int ql_secret_expand(uint32_t version, const struct ql_secret *secret, struct ql_key_material *out)
{
	const struct schedule *s = find(version);
	size_t key_len = ql_suites[secret->suite].key_len;
	Hmac hmac;
	int rc;

	if (!s)
		return -EPROTONOSUPPORT;
	memset(out, 0, sizeof(*out));
	rc = take_key(&hmac, secret);
	if (!rc)
		rc = expand_label(&hmac, s->key, out->key, key_len);
	if (!rc)
		rc = expand_label(&hmac, s->iv, out->iv, sizeof(out->iv));
	if (!rc)
		rc = expand_label(&hmac, s->hp, out->hp, key_len);
	wc_HmacFree(&hmac);
	return rc;
}

int ql_secret_next(uint32_t version, struct ql_secret *secret)
{
	const struct schedule *s = find(version);
	struct ql_secret next = *secret;
	Hmac hmac;
	int rc;

	if (!s)
		return -EPROTONOSUPPORT;
	rc = take_key(&hmac, secret);
	if (!rc)
		rc = expand_label(&hmac, s->ku, next.bytes, next.len);
	if (!rc)
		*secret = next;
	wc_HmacFree(&hmac);
	ql_wipe(&next, sizeof(next));
	return rc;
}

int ql_secret_derive(const uint8_t secret[32], const char *label, void *out, size_t len)
{
	return wc_HKDF_Expand(WC_SHA256, secret, 32, (const byte *)label, (word32)strlen(label),
			      out, (word32)len)
		       ? -EIO
		       : 0;
}
