/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file, section by section, in the order in which sections need one another: categories have to
 * be known before anything can speak of them. Each function stands at its own object. What can be
 * judged at one key is judged here, and has that key's line; the rest is in policy_check.c.
 */
#include "moderation/policy_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "moderation-policy/1"

static const char *const band_words[] = {"allow", "blur", "hold", "block", NULL};

/* ---- words ---- */

static bool is_id(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static const char *read_id(struct strict *s, const char *key, bool needed)
{
    const char *id = strict_text(s, key, POLICY_ID_MAX - 1, needed);

    if (!id || is_id(id))
        return id;
    strict_fail(s, key, "'%s' may have small letters, digits, '.', '_' and '-'", key);
    return NULL;
}

static const char *read_hash(struct strict *s, const char *key, bool needed)
{
    const char *hash = strict_text(s, key, 64, needed);

    if (!hash || (strlen(hash) == 64 && strspn(hash, "0123456789abcdef") == 64))
        return hash;
    strict_fail(s, key, "'%s' has to be a SHA-256: 64 hexadecimal digits, small letters", key);
    return NULL;
}

/* "2026-11-23T00:00:00Z" */
static const char *read_time(struct strict *s, const char *key)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    const char *time = strict_text(s, key, sizeof(form) - 1, false);
    bool fine = time && strlen(time) == sizeof(form) - 1;

    for (size_t i = 0; fine && form[i]; i++)
        fine = form[i] == 'd' ? time[i] >= '0' && time[i] <= '9' : time[i] == form[i];
    if (time && !fine)
        strict_fail(s, key, "'%s' has to be a time like 2030-12-31T00:00:00Z", key);
    return time;
}

static enum band read_action(struct strict *s, const char *key, enum band otherwise)
{
    enum band band = (enum band)strict_word(s, key, band_words, (int)otherwise);

    if (band == BAND_BLUR)
        strict_fail(s, key, "'%s' has to be one of: allow, hold, block", key);
    return band;
}

/* ---- the head ---- */

static void read_languages(struct policy *p, struct strict *s)
{
    struct policy_settings *set = &p->settings;

    set->language[0] = "en";
    set->language_count = 1;
    if (!strict_enter_list(s, "languages"))
        return;
    set->language_count = strict_count(s);
    if (set->language_count < 1 || set->language_count > POLICY_LANGUAGES_MAX) {
        strict_fail(s, NULL, "'languages' has to name 1 to %d languages", POLICY_LANGUAGES_MAX);
        set->language_count = 0;
    }
    for (int i = 0; i < set->language_count && !s->st; i++) {
        set->language[i] = strict_text_at(s, i, 15);
        for (int k = 0; k < i && !s->st; k++) {
            if (!strcmp(set->language[i], set->language[k]))
                strict_fail(s, NULL, "language '%s' stands here twice", set->language[i]);
        }
    }
    strict_leave(s);
}

static void read_approvers(struct policy *p, struct strict *s)
{
    struct policy_settings *set = &p->settings;

    if (!strict_enter_list(s, "approved_by"))
        return;
    if (strict_count(s) > POLICY_APPROVERS_MAX)
        strict_fail(s, NULL, "'approved_by' has room for %d names", POLICY_APPROVERS_MAX);
    for (int i = 0; !s->st && i < strict_count(s); i++)
        set->approved_by[set->approver_count++] = strict_text_at(s, i, POLICY_ID_MAX - 1);
    strict_leave(s);
}

static void read_head(struct policy *p, struct strict *s)
{
    static const char *const states[] = {"live", "shadow", "draft", "retired", NULL};
    const char *schema = strict_text(s, "schema", 64, true);

    if (schema && strcmp(schema, SCHEMA) != 0)
        strict_fail(s, "schema", "this limner reads '" SCHEMA "', not '%.64s'", schema);
    strict_keys(s, "schema policy_id version parent_sha256 status effective_from author "
                   "approved_by change_reason languages classifiers ignore categories contexts "
                   "tenants abstain breaker audit_sample drift on_error prompt_stage appeals "
                   "retention capacity canary");
    p->id = read_id(s, "policy_id", true);
    p->version = strict_int(s, "version", 1, INT_MAX, STRICT_NEEDED);
    p->settings.status = (enum policy_status)strict_word(s, "status", states, STRICT_NEEDED);
    p->settings.parent_sha256 = read_hash(s, "parent_sha256", false);
    p->settings.effective_from = read_time(s, "effective_from");
    p->settings.author = strict_text(s, "author", POLICY_ID_MAX - 1, false);
    p->settings.change_reason = strict_text(s, "change_reason", POLICY_REASON_MAX, false);
    p->on_error = read_action(s, "on_error", BAND_HOLD);
    if (p->on_error == BAND_ALLOW)
        strict_fail(s, "on_error",
                    "'on_error' may be hold or block: what nobody has judged is not "
                    "sent");
    read_approvers(p, s);
    read_languages(p, s);
}

/* ---- categories ---- */

/* What a key does not say stays; null takes the band away. */
static void read_band(struct strict *s, const char *key, double *band)
{
    if (strict_says(s, key))
        *band = strict_real(s, key, 0, 1, NAN);
}

static void read_bands(struct strict *s, struct policy_bands *bands)
{
    read_band(s, "blur", &bands->blur);
    read_band(s, "hold", &bands->hold);
    read_band(s, "block", &bands->block);
}

static void read_classes(struct strict *s, const char *key, unsigned *classes)
{
    if (!strict_enter_list(s, key))
        return;
    for (int i = 0; !s->st && i < strict_count(s); i++) {
        const char *name = strict_text_at(s, i, POLICY_ID_MAX);
        int class = name ? scores_find_class(name) : -1;

        if (class < 0)
            strict_fail(s, NULL,
                        "'%.64s' is no class: there are Drawing, Hentai, Neutral, Porn, Sexy",
                        name ? name : "");
        else if (*classes & 1u << class)
            strict_fail(s, NULL, "class '%s' stands here twice", name);
        else
            *classes |= 1u << class;
    }
    strict_leave(s);
}

static void read_source(struct policy_category *c, struct strict *s)
{
    static const char *const ops[] = {"sum", "class", "max", "safety", "prompt", NULL};
    int count;

    if (!strict_enter(s, "from")) {
        strict_fail(s, "from", "'from' is needed here: {\"op\": \"sum\", \"classes\": [...]}");
        return;
    }
    strict_keys(s, "op classes");
    c->source = (enum policy_source)strict_word(s, "op", ops, STRICT_NEEDED);
    read_classes(s, "classes", &c->classes);
    count = __builtin_popcount(c->classes);
    if (c->source >= POLICY_SAFETY && count > 0)
        strict_fail(s, "classes", "op '%s' takes no classes", ops[c->source]);
    else if (c->source == POLICY_CLASS && count != 1)
        strict_fail(s, "classes", "op 'class' takes exactly one class");
    else if (c->source < POLICY_SAFETY && count == 0)
        strict_fail(s, "classes", "op '%s' takes at least one class", ops[c->source]);
    strict_leave(s);
}

static void read_reasons(struct policy *p, struct policy_category *c, struct strict *s)
{
    const char *key;

    if (!strict_enter(s, "reason")) {
        strict_fail(s, "reason", "'reason' is needed here: {\"%s\": \"...\"}",
                    p->settings.language[0]);
        return;
    }
    for (int i = 0; i < p->settings.language_count && !s->st; i++) {
        const char *language = p->settings.language[i];

        if (!strict_has(s, language))
            strict_fail(s, NULL, "category '%s' has no reason in '%s', which is one of 'languages'",
                        c->id, language);
        c->reason[i] = strict_text(s, language, POLICY_REASON_MAX, true);
    }
    for (int i = 0; (key = strict_key_at(s, i)); i++) {
        bool known = false;

        for (int k = 0; k < p->settings.language_count; k++)
            known |= !strcmp(key, p->settings.language[k]);
        if (!known)
            strict_fail(s, key, "'%.15s' is not one of 'languages'", key);
    }
    strict_leave(s);
}

static void read_category(struct policy *p, struct strict *s)
{
    struct policy_category *c = &p->category[p->category_count];

    strict_keys(s, "id from clause clause_url dsa_category dsa_keyword reason appealable "
                   "always_block bands prompt");
    c->bands = (struct policy_bands){NAN, NAN, NAN};
    c->id = read_id(s, "id", true);
    if (c->id && policy_find_category(p, c->id) >= 0)
        strict_fail(s, "id", "there is a category '%s' already", c->id);
    c->clause = strict_text(s, "clause", POLICY_ID_MAX - 1, true);
    c->clause_url = strict_text(s, "clause_url", POLICY_REASON_MAX, false);
    c->dsa_category = policy_dsa_category(s);
    c->dsa_keyword = policy_dsa_keyword(s);
    c->appealable = strict_bool(s, "appealable", true);
    c->always_block = strict_bool(s, "always_block", false);
    c->prompt = read_action(s, "prompt", c->always_block ? BAND_BLOCK : p->prompt);
    read_source(c, s);
    read_reasons(p, c, s);
    if (strict_enter(s, "bands")) {
        strict_keys(s, "blur hold block");
        read_bands(s, &c->bands);
        strict_leave(s);
    }
    p->category_count++;
}

static void read_categories(struct policy *p, struct strict *s)
{
    if (!strict_enter_list(s, "categories")) {
        strict_fail(s, "categories", "'categories' is needed here: [...]");
        return;
    }
    if (strict_count(s) < 1 || strict_count(s) > POLICY_CATEGORIES_MAX)
        strict_fail(s, NULL, "there have to be 1 to %d categories", POLICY_CATEGORIES_MAX);
    for (int i = 0; !s->st && strict_enter_at(s, i); i++) {
        read_category(p, s);
        strict_leave(s);
    }
    strict_leave(s);
}

/* The category that member `index` of the object here is about; below 0: no more, or a mistake. */
static int category_at(const struct policy *p, struct strict *s, int index)
{
    const char *id = strict_key_at(s, index);
    int category = id ? policy_find_category(p, id) : -1;

    if (id && category < 0)
        strict_fail(s, id, "there is no category '%.63s'", id);
    return category;
}

/* ---- classifiers ---- */

static void read_platt(struct policy *p, struct policy_calibration *c, struct strict *s)
{
    int category;

    for (int i = 0; (category = category_at(p, s, i)) >= 0; i++) {
        if (!strict_enter(s, p->category[category].id))
            continue;
        strict_keys(s, "a b");
        c->a[category] = strict_real(s, "a", 1e-3, 1e3, STRICT_NEEDED);
        c->b[category] = strict_real(s, "b", -100, 100, STRICT_NEEDED);
        strict_leave(s);
    }
    for (int i = 0; i < p->category_count; i++) {
        if (p->category[i].classes && c->a[i] == 0)
            strict_fail(s, NULL, "method 'platt' needs a and b for category '%s'",
                        p->category[i].id);
    }
}

static void read_params(struct policy *p, struct policy_calibration *c, struct strict *s)
{
    if (c->method == POLICY_IDENTITY) {
        if (strict_has(s, "params"))
            strict_fail(s, "params", "method 'identity' takes no params");
        return;
    }
    if (!strict_enter(s, "params")) {
        strict_fail(s, "params", "'params' is needed here: {...}");
        return;
    }
    if (c->method == POLICY_PLATT) {
        read_platt(p, c, s);
    } else {
        strict_keys(s, "T");
        c->temperature = strict_real(s, "T", 0.05, 100, STRICT_NEEDED);
    }
    strict_leave(s);
}

static void read_calibration(struct policy *p, enum scores_model role, struct strict *s)
{
    static const char *const methods[] = {"identity", "temperature", "platt", NULL};
    struct policy_calibration *c = &p->calibration[role];
    struct policy_classifier *k = &p->settings.classifier[role];
    const char *fitted;

    if (!strict_enter(s, "calibration"))
        return;
    strict_keys(s, "id method params weights_sha256 fitted_on n ece");
    k->calibration_id = read_id(s, "id", true);
    c->method = (enum policy_method)strict_word(s, "method", methods, STRICT_NEEDED);
    read_params(p, c, s);
    strict_text(s, "fitted_on", POLICY_ID_MAX - 1, false);
    strict_int(s, "n", 1, INT_MAX, 1);
    strict_real(s, "ece", 0, 1, 0);
    fitted = read_hash(s, "weights_sha256", c->method != POLICY_IDENTITY);
    if (fitted && (!k->weights_sha256 || strcmp(fitted, k->weights_sha256) != 0))
        strict_fail(s, "weights_sha256",
                    "calibration '%s' was fitted on other weights than those that classifier '%s' "
                    "names",
                    k->calibration_id ? k->calibration_id : "", k->id ? k->id : "");
    strict_leave(s);
}

static void read_shares(struct strict *s, const char *id, double shares[POLICY_BINS])
{
    double sum = 0;

    if (!strict_enter_list(s, id))
        return;
    if (strict_count(s) != POLICY_BINS)
        strict_fail(s, NULL, "a reference has %d shares", POLICY_BINS);
    for (int i = 0; i < POLICY_BINS; i++)
        sum += shares[i] = strict_real_at(s, i, 0, 1);
    if (fabs(sum - 1) > 1e-3)
        strict_fail(s, NULL, "the shares of a reference sum to 1, not %g", sum);
    strict_leave(s);
}

static void read_reference(struct policy *p, enum scores_model role, struct strict *s)
{
    struct policy_classifier *k = &p->settings.classifier[role];
    int category;

    if (!strict_enter(s, "reference"))
        return;
    for (int i = 0; (category = category_at(p, s, i)) >= 0; i++) {
        read_shares(s, p->category[category].id, k->reference[category]);
        k->has_reference[category] = true;
    }
    strict_leave(s);
}

static void read_classifier(struct policy *p, struct strict *s)
{
    static const char *const roles[] = {"main", "second_opinion", NULL};
    enum scores_model role = (enum scores_model)strict_word(s, "role", roles, SCORES_MAIN);
    struct policy_classifier *k = &p->settings.classifier[role];

    strict_keys(s, "id role weights_sha256 preprocess calibration reference");
    if (k->id)
        strict_fail(s, NULL, "there are two classifiers with the role '%s'", roles[role]);
    k->id = read_id(s, "id", true);
    k->weights_sha256 = read_hash(s, "weights_sha256", false);
    strict_text(s, "preprocess", POLICY_ID_MAX - 1, false);
    read_calibration(p, role, s);
    read_reference(p, role, s);
}

static void read_classifiers(struct policy *p, struct strict *s)
{
    for (int i = 0; i < SCORES_MODELS; i++)
        p->calibration[i].temperature = 1;
    if (!strict_enter_list(s, "classifiers"))
        return;
    for (int i = 0; !s->st && strict_enter_at(s, i); i++) {
        read_classifier(p, s);
        strict_leave(s);
    }
    strict_leave(s);
}

/* ---- contexts and tenants ---- */

static void read_relaxed(struct policy *p, struct policy_relaxed *r, struct strict *s)
{
    int category;

    for (int i = 0; (category = category_at(p, s, i)) >= 0; i++) {
        const struct policy_category *c = &p->category[category];

        if (c->always_block)
            strict_fail(s, c->id, "category '%s' is always_block: no context may touch it", c->id);
        if (!strict_enter(s, c->id))
            continue;
        strict_keys(s, "blur hold block prompt");
        read_bands(s, &r->bands[category]);
        r->prompt[category] = read_action(s, "prompt", c->prompt);
        strict_leave(s);
    }
}

static void read_context(struct policy *p, struct strict *s)
{
    static const char *const shown[] = {"nothing", "owner_blurred_preview", NULL};
    struct policy_context *c = &p->context[p->context_count];
    struct policy_relaxed *r = &p->relaxed[p->context_count];

    strict_keys(s, "id grant_required evidence_required max_grant_days overrides deliver_hold_as "
                   "reviewer_queue reviewer_skill");
    c->id = read_id(s, "id", true);
    if (c->id && policy_find_context(p, c->id) >= 0)
        strict_fail(s, "id", "there is a context '%s' already", c->id);
    c->grant_required = strict_bool(s, "grant_required", true);
    c->evidence_required = strict_bool(s, "evidence_required", false);
    c->max_grant_days = strict_int(s, "max_grant_days", 1, POLICY_DAYS_MAX, 180);
    c->preview = strict_word(s, "deliver_hold_as", shown, 1) == 1;
    c->reviewer_queue = read_id(s, "reviewer_queue", false);
    if (!c->reviewer_queue)
        c->reviewer_queue = "general";
    c->reviewer_skill = read_id(s, "reviewer_skill", false);
    for (int i = 0; i < p->category_count; i++) {
        r->bands[i] = p->category[i].bands;
        r->prompt[i] = p->category[i].prompt;
    }
    if (strict_enter(s, "overrides")) {
        read_relaxed(p, r, s);
        strict_leave(s);
    }
    p->context_count++;
}

static void read_contexts(struct policy *p, struct strict *s)
{
    if (!strict_enter_list(s, "contexts"))
        return;
    if (strict_count(s) > POLICY_CONTEXTS_MAX)
        strict_fail(s, NULL, "there may be %d contexts", POLICY_CONTEXTS_MAX);
    for (int i = 0; !s->st && strict_enter_at(s, i); i++) {
        read_context(p, s);
        strict_leave(s);
    }
    strict_leave(s);
}

static void tighten(struct strict *s, const char *key, double base, double *band)
{
    if (!strict_says(s, key))
        return;
    *band = strict_real(s, key, 0, 1, STRICT_NEEDED);
    if (*band > base)
        strict_fail(s, key,
                    "a tenant's override may only tighten: '%s' is %g for everybody, and %g "
                    "is laxer",
                    key, base, *band);
}

static void read_override(struct policy *p, struct strict *s)
{
    struct policy_override *o = &p->override[p->override_count];
    int category;

    strict_keys(s, "tenant categories may_only_tighten");
    o->tenant = strict_text(s, "tenant", POLICY_ID_MAX - 1, true);
    for (int i = 0; o->tenant && i < p->override_count; i++) {
        if (!strcmp(p->override[i].tenant, o->tenant))
            strict_fail(s, "tenant", "there is an override for tenant '%s' already", o->tenant);
    }
    if (!strict_bool(s, "may_only_tighten", true))
        strict_fail(s, "may_only_tighten",
                    "a tenant's override may only tighten; to relax a "
                    "category, grant the tenant a context");
    for (int i = 0; i < POLICY_CATEGORIES_MAX; i++)
        o->bands[i] = (struct policy_bands){NAN, NAN, NAN};
    if (strict_enter(s, "categories")) {
        for (int i = 0; (category = category_at(p, s, i)) >= 0; i++) {
            const struct policy_category *c = &p->category[category];

            if (!strict_enter(s, c->id))
                continue;
            strict_keys(s, "blur hold block");
            tighten(s, "blur", c->bands.blur, &o->bands[category].blur);
            tighten(s, "hold", c->bands.hold, &o->bands[category].hold);
            tighten(s, "block", c->bands.block, &o->bands[category].block);
            strict_leave(s);
        }
        strict_leave(s);
    }
    p->override_count++;
}

static void read_tenants(struct policy *p, struct strict *s)
{
    if (!strict_enter(s, "tenants"))
        return;
    strict_keys(s, "overrides");
    if (strict_enter_list(s, "overrides")) {
        if (strict_count(s) > POLICY_OVERRIDES_MAX)
            strict_fail(s, NULL, "there may be overrides for %d tenants", POLICY_OVERRIDES_MAX);
        for (int i = 0; !s->st && strict_enter_at(s, i); i++) {
            read_override(p, s);
            strict_leave(s);
        }
        strict_leave(s);
    }
    strict_leave(s);
}

/* ---- the prompt stage ---- */

static void read_prompt(struct policy *p, struct strict *s)
{
    struct policy_prompt *t = &p->settings.prompt;
    const char *rules;
    size_t bytes;

    t->appealable = true;
    p->prompt = BAND_BLOCK;
    if (!strict_enter(s, "prompt_stage"))
        return;
    strict_keys(s, "rules action appealable");
    p->prompt = read_action(s, "action", BAND_BLOCK);
    t->appealable = strict_bool(s, "appealable", true);
    rules = strict_text(s, "rules", 1024, false);
    if (rules) {
        bytes = strlen(rules) + (p->folder ? strlen(p->folder) : 0) + 2;
        p->rules = malloc(bytes);
        if (!p->rules)
            s->st = why_fail(s->why, ST_FULL, "%s: no memory for a path", s->name);
        else if (p->folder && rules[0] != '/')
            snprintf(p->rules, bytes, "%s/%s", p->folder, rules);
        else
            snprintf(p->rules, bytes, "%s", rules);
    }
    t->rules = p->rules;
    strict_leave(s);
}

void policy_file_read(struct policy *p)
{
    struct strict *s = &p->file;

    read_head(p, s);
    read_prompt(p, s);
    read_categories(p, s);
    read_classes(s, "ignore", &p->ignored);
    read_classifiers(p, s);
    read_contexts(p, s);
    read_tenants(p, s);
    policy_numbers_read(p);
}
