/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark/key.h"

#include "base/crypto.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_WORDS 4096 /* twice what is drawn */

struct stream {
    uint32_t words[STREAM_WORDS];
    int next;
};

static uint32_t draw(struct stream *s)
{
    const uint8_t *b;

    assert(s->next < STREAM_WORDS); /* hardly a word is drawn again: half of them are spare */
    b = (const uint8_t *)&s->words[s->next++];
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* 0 to below - 1, each as likely as the others. */
static uint32_t draw_below(struct stream *s, uint32_t below)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % below, x;

    do
        x = draw(s);
    while (x >= limit);
    return x % below;
}

static void shuffle(struct stream *s, uint16_t *what, uint32_t count)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = draw_below(s, i + 1);
        uint16_t swap = what[i];

        what[i] = what[j];
        what[j] = swap;
    }
}

static int radius2(int kx, int ky)
{
    return kx * kx + ky * ky;
}

static void choose_lines(struct mark_key *k, struct stream *s)
{
    int8_t x[KEY_POINTS], y[KEY_POINTS];
    uint16_t which[KEY_POINTS];
    int count = 0;

    for (int b = 0; b <= KEY_OUTER; b++)
        for (int a = -KEY_OUTER; a <= KEY_OUTER; a++)
            if ((b > 0 || a > 0) && radius2(a, b) >= KEY_INNER * KEY_INNER &&
                radius2(a, b) <= KEY_OUTER * KEY_OUTER) {
                assert(count < KEY_POINTS);
                which[count] = (uint16_t)count;
                x[count] = (int8_t)a;
                y[count++] = (int8_t)b;
            }
    assert(count == KEY_POINTS);
    shuffle(s, which, KEY_POINTS);
    for (int i = 0; i < KEY_LINES; i++) {
        k->kx[i] = x[which[i]];
        k->ky[i] = y[which[i]];
    }
}

/* By insertion: few, and once per key. */
static void sort_lines(struct mark_key *k)
{
    for (int i = 0; i < KEY_LINES; i++) {
        int r = radius2(k->kx[i], k->ky[i]), to = i;

        while (to > 0 && radius2(k->kx[k->order[to - 1]], k->ky[k->order[to - 1]]) > r) {
            k->order[to] = k->order[to - 1];
            to--;
        }
        k->order[to] = (uint16_t)i;
    }
}

static void schedule(struct mark_key *k, struct stream *s)
{
    uint16_t place[KEY_CHIPS];

    choose_lines(k, s);
    sort_lines(k);
    for (int i = 0; i < KEY_LINES; i++) {
        double turn = 2 * M_PI * draw(s) / 4294967296.0;

        k->phase[i][0] = (float)cos(turn);
        k->phase[i][1] = (float)sin(turn);
    }
    for (uint16_t i = 0; i < KEY_CHIPS; i++)
        place[i] = i;
    shuffle(s, place, KEY_CHIPS);
    for (int i = 0; i < KEY_CHIPS; i++)
        k->bit[place[i]] = (uint16_t)(i % PAYLOAD_BITS);
    for (int i = 0; i < KEY_CHIPS; i++)
        k->sign[i] = draw(s) & 1 ? 1 : -1;
}

static uint32_t name_of(const uint8_t secret[MARK_SECRET_BYTES])
{
    static const char label[] = "limner mark key";
    uint8_t text[sizeof(label) + MARK_SECRET_BYTES], hash[32];

    memcpy(text, label, sizeof(label));
    memcpy(text + sizeof(label), secret, MARK_SECRET_BYTES);
    crypto_sha256(hash, text, sizeof(text));
    crypto_wipe(text, sizeof(text));
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

enum status mark_key_open(struct mark_key **out, const uint8_t secret[MARK_SECRET_BYTES],
                          struct why *why)
{
    static const char nonce[] = "limner-tile1"; /* exactly as long as a nonce */
    struct mark_key *k = calloc(1, sizeof(*k));
    struct stream *s = calloc(1, sizeof(*s));
    enum status st = ST_FULL;

    static_assert(sizeof(nonce) - 1 == CRYPTO_STREAM_NONCE_BYTES, "the length of a nonce");
    *out = NULL;
    if (k && s)
        st = crypto_stream(s->words, sizeof(s->words), secret, (const uint8_t *)nonce);
    if (st != ST_OK) {
        free(k);
        free(s);
        return why_fail(why, st, "no memory for a key of the mark");
    }
    k->id = name_of(secret);
    schedule(k, s);
    crypto_wipe(s, sizeof(*s));
    free(s);
    *out = k;
    return ST_OK;
}

void mark_key_close(struct mark_key **k)
{
    if (!*k)
        return;
    crypto_wipe(*k, sizeof(**k));
    free(*k);
    *k = NULL;
}

uint32_t mark_key_id(const struct mark_key *k)
{
    return k->id;
}
