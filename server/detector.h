/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detector.h - detections for anybody who asks over HTTP: one thread, a short queue, and so many a
 * minute from each address.
 *
 * A detection takes a good part of a second of one core, and is free. So it runs beside what makes
 * pictures on a thread of its own; who comes when the queue is full is told when to come again.
 * Uploads are copied, looked at, and forgotten. Addresses are kept as hashes with a random start,
 * for a minute.
 */
#ifndef SERVER_DETECTOR_H
#define SERVER_DETECTOR_H

#include "server/detect.h"
#include "server/service.h"

#define DETECTOR_WAITING    8  /* uploads at once, the one that is looked at not counted */
#define DETECTOR_PER_MINUTE 20 /* of one address */

struct detector;

/* What `tools` points to outlives it. */
MUST_USE enum status detector_open(struct detector **out, const struct detect_tools *tools,
                                   struct why *why);
/* What waits is told 503. While http still runs; the handlers of api_detect.h refuse from then on,
   since the service is draining. */
void detector_close(struct detector **d);

enum detector_format {
    DETECTOR_JSON,
    DETECTOR_RAW,
    DETECTOR_PAGE
}; /* raw: JSON with the numbers */

/* On an io thread: look at `file`, which lies in the request, and answer it. */
void detector_handle(struct detector *d, struct http_request *r, struct http_text file,
                     enum detector_format format);
/* The same of what lies at this URL, which is fetched (fetch.h) for at most DETECTOR_FETCH_MS. */
#define DETECTOR_FETCH_MS 5000
void detector_handle_url(struct detector *d, struct http_request *r, const char *url,
                         enum detector_format format);

#endif /* SERVER_DETECTOR_H */
