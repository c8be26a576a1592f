// SPDX-License-Identifier: BSD-3-Clause
/* What a server has in files from one start to the next: secrets, and which start it is. */
#ifndef QL_APP_KEYS_H
#define QL_APP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/steer.h>

#include "options.h"

/* The 32 bytes of a file that an option names, into key. False after a message. path NULL: true, and
 * key stays as it is. */
bool ql_key_read(const char *option, const char *path, uint8_t key[32]);

/*
 * The generation of this start, 0 and 1 in turn, and the file is written for the next one; made if it
 * is missing. False after a message.
 */
bool ql_generation_next(const char *option, const char *path, uint8_t *generation);

/* Load balancers' configurations; the first is that of new connection IDs. */
struct ql_cids {
	struct ql_cid_config at[QL_CID_CONFIGS];
	unsigned int n;
};

/* A setter: "ROTATION:SERVER-ID[:KEY]", the latter two in hexadecimal digits; struct ql_cids. */
const char *ql_option_cid(const struct ql_option *, void *to, const char *);

#endif /* QL_APP_KEYS_H */
