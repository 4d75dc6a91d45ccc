/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/policy.h"

#include "base/crypto.h"
#include "moderation/policy_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const band_names[BAND_COUNT] = {"allow", "blur", "hold", "block"};
static const char *const cause_names[CAUSE_COUNT] = {"scores",  "disagreement", "margin",
                                                     "energy",  "unjudged",     "safety",
                                                     "breaker", "prompt",       "precedent"};

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    return -1;
}

const char *band_name(enum band band)
{
    return band_names[band];
}

const char *cause_name(enum cause cause)
{
    return cause_names[cause];
}

int band_find(const char *name)
{
    return find_name(band_names, BAND_COUNT, name);
}

int cause_find(const char *name)
{
    return find_name(cause_names, CAUSE_COUNT, name);
}

/* ---- opening ---- */

/* The reader has the text; what it says is taken apart. Closes a policy that is none. */
static enum status take(struct policy **out, struct policy *p)
{
    uint8_t hash[32];
    enum status st = p->file.st;

    if (!st) {
        policy_file_read(p);
        if (!p->file.st)
            policy_check(p);
        crypto_sha256(hash, p->file.text, p->file.bytes);
        crypto_hex(p->sha256, hash, sizeof(hash));
        st = p->file.st;
    }
    p->file.why = NULL; /* the caller's, and the caller goes on */
    *out = p;
    if (st)
        policy_close(out);
    return st;
}

static enum status make(struct policy **out, const char *name, struct why *why)
{
    *out = calloc(1, sizeof(**out));
    return *out ? ST_OK : why_fail(why, ST_FULL, "%s: no memory for a policy", name);
}

/* What stands before the last '/': "" for the root's, "." where there is none; to be freed. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *from = slash ? path : ".";
    size_t bytes = slash ? (size_t)(slash - path) : 1;
    char *folder = malloc(bytes + 1);

    if (folder) {
        memcpy(folder, from, bytes);
        folder[bytes] = '\0';
    }
    return folder;
}

enum status policy_open(struct policy **out, const char *path, struct why *why)
{
    struct policy *p;
    enum status st = make(&p, path, why);

    *out = NULL;
    if (st)
        return st;
    p->folder = folder_of(path);
    st = p->folder ? strict_load(&p->file, path, POLICY_FILE_BYTES_MAX, why)
                   : why_fail(why, ST_FULL, "%s: no memory for a path", path);
    if (!st)
        return take(out, p);
    policy_close(&p);
    return st;
}

enum status policy_open_text(struct policy **out, const char *text, size_t bytes, const char *name,
                             struct why *why)
{
    struct policy *p;
    enum status st;

    *out = NULL;
    if (bytes > POLICY_FILE_BYTES_MAX)
        return why_fail(why, ST_INVALID, "%s:1: the file is longer than %d bytes", name,
                        POLICY_FILE_BYTES_MAX);
    st = make(&p, name, why);
    if (st)
        return st;
    st = strict_init(&p->file, text, bytes, name, why);
    if (!st)
        return take(out, p);
    policy_close(&p);
    return st;
}

void policy_close(struct policy **p)
{
    if (*p) {
        strict_reset(&(*p)->file);
        free((*p)->folder);
        free((*p)->rules);
    }
    free(*p);
    *p = NULL;
}

/* ---- what it says ---- */

const char *policy_id(const struct policy *p)
{
    return p->id;
}

int policy_version(const struct policy *p)
{
    return p->version;
}

const char *policy_sha256(const struct policy *p)
{
    return p->sha256;
}

const struct policy_settings *policy_settings(const struct policy *p)
{
    return &p->settings;
}

int policy_category_count(const struct policy *p)
{
    return p->category_count;
}

const struct policy_category *policy_category(const struct policy *p, int index)
{
    assert(index >= 0 && index < p->category_count);
    return &p->category[index];
}

int policy_find_category(const struct policy *p, const char *id)
{
    for (int i = 0; i < p->category_count; i++) {
        if (!strcmp(p->category[i].id, id))
            return i;
    }
    return -1;
}

/* "de-CH" is answered in "de-CH", else in "de". */
const char *policy_reason(const struct policy *p, int category, const char *language)
{
    const struct policy_category *c = policy_category(p, category);
    size_t main = strcspn(language, "-");

    for (int i = 0; i < p->settings.language_count; i++) {
        if (!strcmp(p->settings.language[i], language))
            return c->reason[i];
    }
    for (int i = 0; i < p->settings.language_count; i++) {
        if (strlen(p->settings.language[i]) == main &&
            !strncmp(p->settings.language[i], language, main))
            return c->reason[i];
    }
    return c->reason[0];
}

int policy_context_count(const struct policy *p)
{
    return p->context_count;
}

const struct policy_context *policy_context_at(const struct policy *p, int index)
{
    assert(index >= 0 && index < p->context_count);
    return &p->context[index];
}

int policy_find_context(const struct policy *p, const char *id)
{
    for (int i = 0; i < p->context_count; i++) {
        if (!strcmp(p->context[i].id, id))
            return i;
    }
    return -1;
}

bool policy_context(const struct policy *p, const char *id, struct policy_context *out)
{
    int at = policy_find_context(p, id);

    if (at >= 0)
        *out = p->context[at];
    return at >= 0;
}
