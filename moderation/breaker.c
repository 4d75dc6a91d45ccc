/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/breaker.h"

#include "base/crypto.h"
#include "base/json.h"
#include "moderation/wilson.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct breaker {
    pthread_mutex_t lock;
    struct policy_breaker rules;
    int count;
    uint64_t hash[BREAKER_SLICES_MAX]; /* of the slices' names: most are told apart by it */
    struct breaker_slice slice[BREAKER_SLICES_MAX];
};

static const char *const state_names[BREAKER_STATES] = {"closed", "open", "half_open"};

/* ---- the window ---- */

static bool bit_at(const struct breaker_slice *s, int at)
{
    return s->window[at / 8] >> (at % 8) & 1;
}

static void set_bit(struct breaker_slice *s, int at, bool on)
{
    uint8_t bit = (uint8_t)(1 << (at % 8));

    s->window[at / 8] = (uint8_t)(on ? s->window[at / 8] | bit : s->window[at / 8] & ~bit);
}

static int oldest_of(const struct breaker_slice *s)
{
    return (s->next - s->outcomes + BREAKER_WINDOW_MAX) % BREAKER_WINDOW_MAX;
}

/* The ring is always of the largest size; only the newest `window` outcomes of it count. */
static void keep_newest(struct breaker_slice *s, int window)
{
    while (s->outcomes > window) {
        s->overturned -= bit_at(s, oldest_of(s));
        s->outcomes--;
    }
}

static void put_outcome(struct breaker_slice *s, bool overturned, int window)
{
    keep_newest(s, window - 1);
    set_bit(s, s->next, overturned);
    s->next = (s->next + 1) % BREAKER_WINDOW_MAX;
    s->outcomes++;
    s->overturned += overturned;
}

static void forget(struct breaker_slice *s)
{
    s->overturned = s->outcomes = s->next = 0;
    memset(s->window, 0, sizeof(s->window));
}

/* ---- the table; all with the lock held ---- */

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211u;
    return hash;
}

static int find(const struct breaker *b, const char *slice)
{
    uint64_t hash = hash_of(slice);

    for (int i = 0; i < b->count; i++) {
        if (b->hash[i] == hash && !strcmp(b->slice[i].slice, slice))
            return i;
    }
    return -1;
}

/* The closed slice that was quiet the longest; below 0: none is closed. */
static int find_quiet(const struct breaker *b)
{
    int at = -1;

    for (int i = 0; i < b->count; i++) {
        if (b->slice[i].state == BREAKER_CLOSED &&
            (at < 0 || b->slice[i].last_s < b->slice[at].last_s))
            at = i;
    }
    return at;
}

/* Its place, or a new one, or that of a quiet one; below 0: there is none. */
static int place_for(struct breaker *b, const char *slice)
{
    int at = find(b, slice);

    if (at >= 0)
        return at;
    at = b->count < BREAKER_SLICES_MAX ? b->count++ : find_quiet(b);
    if (at < 0)
        return at;
    b->slice[at] = (struct breaker_slice){.state = BREAKER_CLOSED};
    snprintf(b->slice[at].slice, sizeof(b->slice[at].slice), "%s", slice);
    b->hash[at] = hash_of(b->slice[at].slice);
    return at;
}

/* ---- opening ---- */

enum status breaker_open(struct breaker **out, const struct policy_breaker *rules, struct why *why)
{
    struct breaker *b = calloc(1, sizeof(*b));

    *out = b;
    if (!b)
        return why_fail(why, ST_FULL, "no memory for the breakers of %d slices",
                        BREAKER_SLICES_MAX);
    pthread_mutex_init(&b->lock, NULL);
    breaker_set_rules(b, rules);
    return ST_OK;
}

void breaker_close(struct breaker **b)
{
    if (*b)
        pthread_mutex_destroy(&(*b)->lock);
    free(*b);
    *b = NULL;
}

void breaker_set_rules(struct breaker *b, const struct policy_breaker *rules)
{
    assert(rules->window >= 1 && rules->window <= BREAKER_WINDOW_MAX && rules->min_n >= 1 &&
           rules->min_n <= rules->window);
    pthread_mutex_lock(&b->lock);
    b->rules = *rules;
    for (int i = 0; i < b->count; i++)
        keep_newest(&b->slice[i], rules->window);
    pthread_mutex_unlock(&b->lock);
}

/* ---- asking ---- */

/* 0 to just below 1, the same for the same decision and slice. */
static double place_of(const char *decision, const char *slice)
{
    char text[POLICY_SLICE_MAX + 128];
    uint8_t hash[32];
    uint64_t number = 0;
    int bytes = snprintf(text, sizeof(text), "half-open|%.100s|%s", decision, slice);

    crypto_sha256(hash, text, (size_t)bytes);
    for (int i = 0; i < 8; i++)
        number = number << 8 | hash[i];
    return (double)(number >> 11) * 0x1p-53;
}

bool breaker_is_open(struct breaker *b, const char *slice, const char *decision)
{
    bool open = false;
    int at;

    pthread_mutex_lock(&b->lock);
    at = find(b, slice);
    if (at >= 0 && b->slice[at].state == BREAKER_OPEN)
        open = true;
    else if (at >= 0 && b->slice[at].state == BREAKER_HALF_OPEN)
        open = place_of(decision, slice) >= b->rules.half_open_share;
    pthread_mutex_unlock(&b->lock);
    return open;
}

bool breaker_ask(void *ask, const char *slice)
{
    const struct breaker_ask *a = ask;

    return breaker_is_open(a->breaker, slice, a->decision);
}

/* ---- outcomes ---- */

/* After an outcome: does even the lowest believable share speak against blocking? */
static bool is_too_often(const struct breaker_slice *s, const struct policy_breaker *rules)
{
    return wilson_interval(s->overturned, s->outcomes, rules->confidence).low > rules->max_overturn;
}

static void move(struct breaker_slice *s, enum breaker_state state, int64_t now_s)
{
    s->state = state;
    s->since_s = now_s;
}

static bool judge(struct breaker_slice *s, const struct policy_breaker *rules, const char *decision,
                  int version, int64_t now_s)
{
    if (s->state == BREAKER_OPEN || s->outcomes < rules->min_n)
        return false;
    if (is_too_often(s, rules)) {
        move(s, BREAKER_OPEN, now_s);
        s->version = version;
        s->closed_by[0] = '\0';
        snprintf(s->opened_by, sizeof(s->opened_by), "%s", decision);
        return true;
    }
    if (s->state == BREAKER_CLOSED)
        return false;
    move(s, BREAKER_CLOSED, now_s);
    return true;
}

enum status breaker_add(struct breaker *b, const char *slice, const char *decision, bool overturned,
                        int version, int64_t now_s, struct breaker_slice *row, bool *changed)
{
    struct breaker_slice *s;
    int at;

    *changed = false;
    pthread_mutex_lock(&b->lock);
    at = place_for(b, slice);
    if (at >= 0) {
        s = &b->slice[at];
        put_outcome(s, overturned, b->rules.window);
        s->last_s = now_s;
        *changed = judge(s, &b->rules, decision, version, now_s);
        *row = *s;
    }
    pthread_mutex_unlock(&b->lock);
    return at >= 0 ? ST_OK : ST_FULL;
}

static enum status approve(struct breaker_slice *s, const char *who, int version, int64_t now_s,
                           struct why *why)
{
    if (s->state != BREAKER_OPEN)
        return why_fail(why, ST_INVALID, "the breaker of %s is %s, not open", s->slice,
                        state_names[s->state]);
    if (version <= s->version)
        return why_fail(why, ST_REFUSED,
                        "the breaker of %s opened under version %d of the policy: activate a newer "
                        "one first",
                        s->slice, s->version);
    move(s, BREAKER_HALF_OPEN, now_s);
    forget(s);
    snprintf(s->closed_by, sizeof(s->closed_by), "%s", who);
    return ST_OK;
}

enum status breaker_approve(struct breaker *b, const char *slice, const char *who, int version,
                            int64_t now_s, struct breaker_slice *row, struct why *why)
{
    enum status st;
    int at;

    pthread_mutex_lock(&b->lock);
    at = find(b, slice);
    st = at < 0 ? ST_MISSING : approve(&b->slice[at], who, version, now_s, why);
    if (!st)
        *row = b->slice[at];
    pthread_mutex_unlock(&b->lock);
    if (at < 0)
        return why_fail(why, st, "there is no slice '%.200s'", slice);
    return st;
}

/* ---- rows ---- */

enum status breaker_restore(struct breaker *b, const struct breaker_slice *row)
{
    int at;

    pthread_mutex_lock(&b->lock);
    at = place_for(b, row->slice);
    if (at >= 0) {
        b->slice[at] = *row;
        keep_newest(&b->slice[at], b->rules.window);
    }
    pthread_mutex_unlock(&b->lock);
    return at >= 0 ? ST_OK : ST_FULL;
}

int breaker_list(struct breaker *b, int from, struct breaker_slice *out, int max)
{
    int count = 0;

    pthread_mutex_lock(&b->lock);
    while (count < max && from + count < b->count) {
        out[count] = b->slice[from + count];
        count++;
    }
    pthread_mutex_unlock(&b->lock);
    return count;
}

int breaker_open_count(struct breaker *b)
{
    int count = 0;

    pthread_mutex_lock(&b->lock);
    for (int i = 0; i < b->count; i++)
        count += b->slice[i].state != BREAKER_CLOSED;
    pthread_mutex_unlock(&b->lock);
    return count;
}

const char *breaker_state_name(enum breaker_state state)
{
    return state_names[state];
}

/* The window as a word of 0 and 1 would not fit everywhere that a row goes: hex, oldest first. */
void breaker_print(char out[BREAKER_TEXT_MAX], const struct breaker_slice *row)
{
    struct json_out o = {0};
    struct breaker_slice turned = {.outcomes = row->outcomes};
    char hex[2 * sizeof(turned.window) + 1];

    for (int i = 0; i < row->outcomes; i++)
        set_bit(&turned, i, bit_at(row, (oldest_of(row) + i) % BREAKER_WINDOW_MAX));
    crypto_hex(hex, turned.window, (size_t)(row->outcomes + 7) / 8);
    json_out_object(&o, NULL);
    json_out_string(&o, "slice", row->slice);
    json_out_string(&o, "state", state_names[row->state]);
    json_out_int(&o, "since", row->since_s);
    json_out_int(&o, "last", row->last_s);
    json_out_int(&o, "version", row->version);
    json_out_string(&o, "opened_by", row->opened_by);
    json_out_string(&o, "closed_by", row->closed_by);
    json_out_int(&o, "outcomes", row->outcomes);
    json_out_string(&o, "window", hex);
    json_out_object_end(&o);
    snprintf(out, BREAKER_TEXT_MAX, "%s", o.failed ? "" : o.text);
    json_out_close(&o);
}

static bool read_text(char *out, size_t size, const struct json *root, const char *key)
{
    const char *text = NULL;

    if (json_get_string(root, key, &text, NULL) || !text || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_number(int64_t *out, const struct json *root, const char *key, int64_t most)
{
    *out = -1;
    return !json_get_int(root, key, out, NULL) && *out >= 0 && *out <= most;
}

static bool read_window(struct breaker_slice *out, const char *hex)
{
    static const char digits[] = "0123456789abcdef";

    if (strlen(hex) != (size_t)(out->outcomes + 7) / 8 * 2)
        return false;
    for (size_t i = 0; hex[i]; i++) {
        const char *digit = strchr(digits, hex[i]);

        if (!digit)
            return false;
        out->window[i / 2] |= (uint8_t)((digit - digits) << (i % 2 ? 0 : 4));
    }
    for (int i = 0; i < out->outcomes; i++)
        out->overturned += bit_at(out, i);
    out->next = out->outcomes % BREAKER_WINDOW_MAX;
    return true;
}

static bool read_row(struct breaker_slice *out, const struct json *root)
{
    char state[16], hex[2 * sizeof(out->window) + 1];
    int64_t version, outcomes;

    if (!read_text(out->slice, sizeof(out->slice), root, "slice") ||
        !read_text(state, sizeof(state), root, "state") ||
        !read_number(&out->since_s, root, "since", INT64_MAX) ||
        !read_number(&out->last_s, root, "last", INT64_MAX) ||
        !read_number(&version, root, "version", INT32_MAX) ||
        !read_text(out->opened_by, sizeof(out->opened_by), root, "opened_by") ||
        !read_text(out->closed_by, sizeof(out->closed_by), root, "closed_by") ||
        !read_number(&outcomes, root, "outcomes", BREAKER_WINDOW_MAX) ||
        !read_text(hex, sizeof(hex), root, "window"))
        return false;
    out->version = (int)version;
    out->outcomes = (int)outcomes;
    out->state = BREAKER_STATES;
    for (int i = 0; i < BREAKER_STATES; i++) {
        if (!strcmp(state, state_names[i]))
            out->state = (enum breaker_state)i;
    }
    return out->state != BREAKER_STATES && read_window(out, hex);
}

enum status breaker_parse(struct breaker_slice *out, const char *text, struct why *why)
{
    struct json *root = NULL;
    enum status st;
    bool fine;

    *out = (struct breaker_slice){.state = BREAKER_CLOSED};
    st = json_parse(&root, text, strlen(text), why);
    if (st)
        return st;
    fine = json_type_of(root) == JSON_TYPE_OBJECT && read_row(out, root);
    json_close(&root);
    return fine ? ST_OK : why_fail(why, ST_INVALID, "this is no breaker: %.80s", text);
}
