/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmp.h - the same facts for readers that know XMP and not C2PA: IPTC's DigitalSourceType, the
 * fields that California's SB 942 asks for, and by option China's GB 45438 label.
 */
#ifndef WATERMARK_XMP_H
#define WATERMARK_XMP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XMP_BYTES_MAX    8192
#define XMP_SOURCE_TYPE  "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
#define XMP_INSTANCE_MAX 48 /* "xmp:iid:" and a UUID, with a NUL */

struct xmp_facts {
    const char *provider, *system, *version; /* UTF-8 */
    int64_t time_s;
    uint64_t id;
    const char *instance;     /* xmp:iid:... */
    const char *detector_url; /* NULL: none */
    bool gb45438;
};

/* A packet and a NUL; *bytes without it. ST_INVALID: the texts are too long. */
MUST_USE enum status xmp_write(char out[XMP_BYTES_MAX], size_t *bytes, const struct xmp_facts *f,
                               struct why *why);

/* "2026-12-01T02:30:00Z" */
#define XMP_TIME_MAX 24
void xmp_time(char out[XMP_TIME_MAX], int64_t time_s);

#endif /* WATERMARK_XMP_H */
