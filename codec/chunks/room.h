/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what a format has to know for chunks.c. Private to it.
 */
#ifndef CODEC_CHUNKS_ROOM_H
#define CODEC_CHUNKS_ROOM_H

#include "codec/chunks.h"

struct span {
    const uint8_t *data;
    size_t count;
};

/* Where a block stands, or would: `cut` goes, `at` is where the new one comes. */
struct place {
    struct chunks_range cut; /* count 0: there is none */
    size_t at;
};

/* How a file of one format is read and written. Nothing is believed of it but its first bytes. */
struct container {
    /* ST_INVALID: damaged. */
    enum status (*find)(struct place *out, enum chunks_kind kind, struct span file,
                        struct why *why);
    /* The payload of what was found, into room for place.cut.count bytes. */
    enum status (*take)(uint8_t *out, size_t *count, enum chunks_kind kind, struct span file,
                        struct chunks_range cut, struct why *why);
    /* How many bytes a block of so many is in the file. */
    size_t (*size)(enum chunks_kind kind, size_t bytes);
    void (*write)(uint8_t *out, enum chunks_kind kind, struct span data);
    /* A copy that is ready for a block. NULL: nothing is needed. */
    enum status (*prepare)(struct bytes *out, struct span file, enum chunks_kind kind,
                           struct why *why);
    /* After the copy has another length. With `prepare`, or not at all. */
    void (*settle)(struct bytes *file);
};

extern const struct container container_png, container_jpeg, container_webp;

static inline uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void write_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline uint32_t read_le32(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static inline void write_le32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

#endif /* CODEC_CHUNKS_ROOM_H */
