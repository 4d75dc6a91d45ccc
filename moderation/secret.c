/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/secret.h"

#include "base/crypto.h"
#include "base/keyfile.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum status secret_open(uint8_t out[SECRET_BYTES], const char *folder, struct why *why)
{
    char path[PATH_MAX], fresh[2 * SECRET_BYTES + 2], text[KEYFILE_BYTES_MAX];
    enum status st;

    if (snprintf(path, sizeof(path), "%s/%s", folder, SECRET_FILE) >= (int)sizeof(path))
        return why_fail(why, ST_INVALID, "the name of the state folder is too long");
    if (crypto_random(out, SECRET_BYTES))
        return why_fail(why, ST_IO, "the system gives no random bytes");
    crypto_hex(fresh, out, SECRET_BYTES);
    snprintf(fresh + 2 * SECRET_BYTES, 2, "\n");
    st = keyfile_read(text, path, fresh, why);
    if (!st && !crypto_unhex(out, SECRET_BYTES, text, strcspn(text, "\r\n")))
        st = why_fail(why, ST_INVALID,
                      "%s: 64 digits of hex are expected; move it away to have a "
                      "new one, and all links that were sent are dead",
                      path);
    crypto_wipe(text, sizeof(text));
    crypto_wipe(fresh, sizeof(fresh));
    if (st)
        crypto_wipe(out, SECRET_BYTES);
    return st;
}
