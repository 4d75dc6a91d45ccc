/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/payload.h"

#include <string.h>

#define ID_BITS  64
#define CRC_BITS 24
#define STATES   64 /* the six bits that came last, the newest lowest */

static uint32_t crc24(uint64_t id)
{
    uint32_t crc = 0xb704ce;

    for (int i = ID_BITS - 1; i >= 0; i--) {
        uint32_t top = (crc >> 23) ^ ((uint32_t)(id >> i) & 1);

        crc = (crc << 1) & 0xffffff;
        if (top)
            crc ^= 0x864cfb;
    }
    return crc;
}

/* The three coded bits for a state and the bit that comes: bit 2 belongs to the first polynomial.
 */
static unsigned coded(unsigned state, unsigned bit)
{
    static const unsigned polynomials[3] = {0133, 0171, 0165};
    unsigned window = (state << 1 | bit) & 127, out = 0;

    for (int i = 0; i < 3; i++)
        out = out << 1 | ((unsigned)__builtin_parity(window & polynomials[i]));
    return out;
}

static unsigned word_bit(uint64_t id, uint32_t crc, int step)
{
    if (step < ID_BITS)
        return (unsigned)(id >> (ID_BITS - 1 - step)) & 1;
    if (step < ID_BITS + CRC_BITS)
        return (crc >> (ID_BITS + CRC_BITS - 1 - step)) & 1;
    return 0;
}

void payload_encode(int8_t out[PAYLOAD_BITS], uint64_t id)
{
    uint32_t crc = crc24(id);
    unsigned state = 0;

    for (int step = 0; step < PAYLOAD_STEPS; step++) {
        unsigned bit = word_bit(id, crc, step), three = coded(state, bit);

        for (int i = 0; i < 3; i++)
            out[3 * step + i] = (three >> (2 - i) & 1) ? -1 : 1;
        state = (state << 1 | bit) & (STATES - 1);
    }
}

double payload_fit(const float soft[PAYLOAD_BITS], uint64_t id)
{
    int8_t bits[PAYLOAD_BITS];
    double sum = 0;

    payload_encode(bits, id);
    for (int i = 0; i < PAYLOAD_BITS; i++)
        sum += (double)soft[i] * bits[i];
    return sum;
}

/* The best paths into a state, best first. */
struct paths {
    float fit[PAYLOAD_LIST];
};

struct trellis {
    struct paths now[STATES], next[STATES];
    /* Where each path came from: the old state's highest bit, and its place in the list there. */
    uint8_t from[PAYLOAD_STEPS][STATES][PAYLOAD_LIST];
};

/* Merges the lists of the two states that lead to `state`. */
static void step_into(struct trellis *t, int step, unsigned state, const float gain[8])
{
    unsigned bit = state & 1, old[2] = {state >> 1, state >> 1 | STATES / 2};
    float add[2] = {gain[coded(old[0], bit)], gain[coded(old[1], bit)]};
    const float *fit[2] = {t->now[old[0]].fit, t->now[old[1]].fit};
    int place[2] = {0, 0};

    for (int i = 0; i < PAYLOAD_LIST; i++) {
        int which = fit[1][place[1]] + add[1] > fit[0][place[0]] + add[0];

        t->next[state].fit[i] = fit[which][place[which]] + add[which];
        t->from[step][state][i] = (uint8_t)(which << 4 | place[which]);
        place[which]++;
    }
}

static void run(struct trellis *t, const float soft[PAYLOAD_BITS])
{
    const float never = -1e30f;

    for (int s = 0; s < STATES; s++)
        for (int i = 0; i < PAYLOAD_LIST; i++)
            t->now[s].fit[i] = never;
    t->now[0].fit[0] = 0;
    for (int step = 0; step < PAYLOAD_STEPS; step++) {
        float gain[8];

        for (int three = 0; three < 8; three++) {
            gain[three] = 0;
            for (int i = 0; i < 3; i++)
                gain[three] += (three >> (2 - i) & 1) ? -soft[3 * step + i] : soft[3 * step + i];
        }
        for (unsigned state = 0; state < STATES; state++)
            step_into(t, step, state, gain);
        memcpy(t->now, t->next, sizeof(t->now));
    }
}

/* Walks back from the end, where the tail has brought the state to 0. */
static bool read_word(uint64_t *id, const struct trellis *t, unsigned place)
{
    uint64_t word = 0;
    uint32_t crc = 0;
    unsigned state = 0;

    for (int step = PAYLOAD_STEPS - 1; step >= 0; step--) {
        unsigned bit = state & 1, from = t->from[step][state][place];

        if (step < ID_BITS)
            word |= (uint64_t)bit << (ID_BITS - 1 - step);
        else if (step < ID_BITS + CRC_BITS)
            crc |= bit << (ID_BITS + CRC_BITS - 1 - step);
        state = state >> 1 | (from >> 4 ? STATES / 2 : 0);
        place = from & 15;
    }
    *id = word;
    return crc == crc24(word);
}

bool payload_decode(uint64_t *id, const float soft[PAYLOAD_BITS])
{
    struct trellis t;

    run(&t, soft);
    for (unsigned place = 0; place < PAYLOAD_LIST; place++)
        if (t.now[0].fit[place] > -1e29f && read_word(id, &t, place))
            return true;
    return false;
}
