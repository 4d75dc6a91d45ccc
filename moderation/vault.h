/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - held pictures and prompts: encrypted with a key of their own, so that destroying one
 * small key erases them wherever copies of the bytes may lie.
 *
 * AES-256-GCM with a random key per object; the object's id, decision and tenant are authenticated
 * with it. The key is wrapped by a master key, which comes from a file that only its owner may read
 * or from the environment, and is never in the store. Master keys have names: a new one seals, old
 * ones still open.
 */
#ifndef MODERATION_VAULT_H
#define MODERATION_VAULT_H

#include "store/store.h"

struct vault;

#define VAULT_KEYS_MAX 32

/* `path`: a file of lines "NAME 64-HEX-DIGITS", the first one seals; made with one random key when
   it is not there. Empty lines and those that begin with # are passed by; one without a name has
   one that is made of its key. ST_INVALID: others may read it, or it makes no sense. */
MUST_USE enum status vault_open(struct vault **out, const char *path, struct why *why);
/* The same from text: of the environment, and for tests. */
MUST_USE enum status vault_open_text(struct vault **out, const char *text, struct why *why);
void vault_close(struct vault **v);

/* id, decision, tenant and times are set; key, master and data are filled in, and data.data is the
   caller's to free. ST_FULL, ST_IO: nothing was. Any thread, as the next. */
MUST_USE enum status vault_seal(const struct vault *v, struct store_object *o, const void *bytes,
                                size_t count, struct why *why);
/* *out is the caller's, to wipe and free. ST_MISSING: its key was destroyed, or its master key is
   not here; ST_INVALID: it was altered. */
MUST_USE enum status vault_unseal(const struct vault *v, const struct store_object *o,
                                  struct store_bytes *out, struct why *why);

#endif /* MODERATION_VAULT_H */
