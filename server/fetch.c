/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONNECT_MS 3000

struct fetch {
    const struct fetch_options *options;
    struct bytes body;
    size_t size;
    bool refused, too_large, no_memory;
};

/* ---- where it leads ---- */

struct net {
    uint32_t address;
    int bits;
};

/* IANA's registry of special purposes, and what is reserved. */
static const struct net special[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
    {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
    {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},
};

static bool is_public_4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if ((address ^ special[i].address) >> (32 - special[i].bits) == 0)
            return false;
    }
    return true;
}

/* 2000::/3 is what is given out; of that not the protocols' own (2001::/23, Teredo among them),
   6to4 (2002::/16), which has any address of version 4 in it, and documentation. */
static bool is_public_6(const uint8_t a[16])
{
    if (a[0] >> 5 != 1)
        return false;
    if (a[0] == 0x20 && a[1] == 0x01 && ((a[2] & 0xfe) == 0 || (a[2] == 0x0d && a[3] == 0xb8)))
        return false;
    if (a[0] == 0x3f && a[1] == 0xff && a[2] >> 4 == 0)
        return false;
    return !(a[0] == 0x20 && a[1] == 0x02);
}

bool fetch_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        return is_public_4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;

        memcpy(&in, address, sizeof(in));
        return is_public_6(in.sin6_addr.s6_addr);
    }
    return false;
}

static bool is_usual_port(const struct sockaddr *address)
{
    uint16_t port;

    memcpy(&port, address->sa_data, sizeof(port)); /* both families have it first */
    return port == htons(80) || port == htons(443);
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *f = context;

    (void)purpose;
    if (!f->options->near && (!fetch_is_public(&to->addr) || !is_usual_port(&to->addr))) {
        f->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- what comes ---- */

static size_t on_body(char *data, size_t one, size_t count, void *context)
{
    struct fetch *f = context;

    (void)one;
    if (count > f->options->bytes_max - f->body.count) {
        f->too_large = true;
        return 0;
    }
    if (count > f->size - f->body.count) {
        size_t size = 2 * f->size + count;
        uint8_t *more = realloc(f->body.data, size);

        if (!more) {
            f->no_memory = true;
            return 0;
        }
        f->body.data = more;
        f->size = size;
    }
    memcpy(f->body.data + f->body.count, data, count);
    f->body.count += count;
    return count;
}

static bool set_up(CURL *e, struct fetch *f, const char *url)
{
    bool failed = curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK ||
                  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
                  curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") != CURLE_OK ||
                  curl_easy_setopt(e, CURLOPT_PROXY, "") != CURLE_OK ||
                  curl_easy_setopt(e, CURLOPT_USERAGENT, "limner") != CURLE_OK;

    curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)f->options->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    return !failed;
}

static enum status explain(const struct fetch *f, CURLcode code, long status, struct why *why)
{
    if (f->refused)
        return why_fail(why, ST_REFUSED,
                        "this address leads to a private network or an unusual port, where limner "
                        "does not look: send the picture itself");
    if (f->too_large)
        return why_fail(why, ST_INVALID, "what lies there is larger than %zu bytes",
                        f->options->bytes_max);
    if (f->no_memory || code == CURLE_OUT_OF_MEMORY)
        return why_fail(why, ST_FULL, "no memory for what lies there");
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_LOGIN_DENIED)
        return why_fail(why, ST_INVALID,
                        "url must be an http:// or https:// address, without a "
                        "name and password in it");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return why_fail(why, ST_LATE, "the server there takes too long: send the picture itself");
    if (code)
        return why_fail(why, ST_IO, "the server there cannot be reached: %s",
                        curl_easy_strerror(code));
    return why_fail(why, ST_MISSING, "the server there answered with %ld, and no picture", status);
}

enum status fetch_url(struct bytes *out, const char *url, const struct fetch_options *o,
                      struct why *why)
{
    struct fetch f = {.options = o};
    CURL *e;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    long status = 0;

    *out = (struct bytes){NULL, 0};
    if (strlen(url) >= FETCH_URL_MAX)
        return why_fail(why, ST_INVALID, "url must be shorter than %d characters", FETCH_URL_MAX);
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return explain(&f, CURLE_URL_MALFORMAT, 0, why);
    e = curl_easy_init();
    if (e && set_up(e, &f, url)) {
        code = curl_easy_perform(e);
        curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_easy_cleanup(e);
    if (!code && status == 200 && f.body.count) {
        *out = f.body;
        return ST_OK;
    }
    free(f.body.data);
    return explain(&f, code, status, why);
}
