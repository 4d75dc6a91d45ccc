/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_console.h"

#include "server/web.h"

static void send_page(struct http_request *r, const char *page)
{
    struct answer answer;

    web_answer(&answer, page, WEB_ASK | WEB_BLOBS);
    http_answer(r, &answer);
}

void api_console_review(struct service *s, struct http_request *r)
{
    (void)s;
    send_page(r, web_review);
}

void api_console_lead(struct service *s, struct http_request *r)
{
    (void)s;
    send_page(r, web_lead);
}

void api_console_officer(struct service *s, struct http_request *r)
{
    (void)s;
    send_page(r, web_officer);
}
