/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/link.h"

#include "base/crypto.h"

#include <assert.h>

struct token {
    uint8_t bytes[8 + 32];
};

static void sign(uint8_t mark[32], const uint8_t secret[SECRET_BYTES], const char *purpose,
                 const char *id, const uint8_t expiry[8])
{
    struct crypto_hmac h;

    crypto_hmac(&h, secret, SECRET_BYTES);
    crypto_hmac_add_text(&h, purpose);
    crypto_hmac_add_text(&h, id);
    crypto_hmac_add(&h, expiry, 8);
    crypto_hmac_end(&h, mark);
}

void link_make(char out[LINK_MAX], const uint8_t secret[SECRET_BYTES], const char *purpose,
               const char *id, int64_t expires_s)
{
    struct token t;

    for (int i = 0; i < 8; i++)
        t.bytes[i] = (uint8_t)((uint64_t)expires_s >> (56 - 8 * i));
    sign(t.bytes + 8, secret, purpose, id, t.bytes);
    assert(crypto_base64url_length(sizeof(t.bytes)) < LINK_MAX);
    crypto_base64url_encode(out, t.bytes, sizeof(t.bytes));
}

enum status link_check(const uint8_t secret[SECRET_BYTES], const char *purpose, const char *id,
                       const char *token, int64_t now_s)
{
    uint8_t mark[32];
    uint64_t expires = 0;
    struct token t;

    if (!crypto_base64url_decode(t.bytes, sizeof(t.bytes), token))
        return ST_INVALID;
    sign(mark, secret, purpose, id, t.bytes);
    if (!crypto_equal(mark, t.bytes + 8, sizeof(mark)))
        return ST_INVALID;
    for (int i = 0; i < 8; i++)
        expires = expires << 8 | t.bytes[i];
    return (int64_t)expires > now_s ? ST_OK : ST_LATE;
}
