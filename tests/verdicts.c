/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/verdicts.h"

#include "moderation/vision.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOUD 12.0f /* a logit beside zeros: a probability of 0.99997 */

static const char vault_key[] =
    "test 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

/* ---- the classifiers ---- */

static atomic_int say;
static atomic_int batch_most;

enum status __real_vision_score(struct vision *v, struct scores *out,
                                const struct image *const *images, const int *safety, int count,
                                struct why *why);
enum status __wrap_vision_score(struct vision *v, struct scores *out,
                                const struct image *const *images, const int *safety, int count,
                                struct why *why);

static void by_pixel(struct scores *out, const struct image *image)
{
    int first = image->rgb[0];

    *out = (struct scores){.has = {true, true}};
    for (int m = 0; m < SCORES_MODELS; m++)
        out->logit[m][first % SCORES_CLASSES] = first == VERDICTS_NAN ? NAN : LOUD;
}

enum status __wrap_vision_score(struct vision *v, struct scores *out,
                                const struct image *const *images, const int *safety, int count,
                                struct why *why)
{
    int how = atomic_load(&say);

    if (count > atomic_load(&batch_most))
        atomic_store(&batch_most, count);
    if (how == VERDICTS_FAIL)
        return why_fail(why, ST_DEVICE, "the classifiers fail");
    if (how == VERDICTS_REAL)
        return __real_vision_score(v, out, images, safety, count, why);
    for (int i = 0; i < count; i++)
        by_pixel(&out[i], images[i]);
    return ST_OK;
}

/* ---- the vault ---- */

static atomic_bool locked;

enum status __real_vault_seal(const struct vault *v, struct store_object *o, const void *bytes,
                              size_t count, struct why *why);
enum status __wrap_vault_seal(const struct vault *v, struct store_object *o, const void *bytes,
                              size_t count, struct why *why);

enum status __wrap_vault_seal(const struct vault *v, struct store_object *o, const void *bytes,
                              size_t count, struct why *why)
{
    if (atomic_load(&locked))
        return why_fail(why, ST_IO, "the vault is locked");
    return __real_vault_seal(v, o, bytes, count, why);
}

void verdicts_lock_vault(bool lock)
{
    atomic_store(&locked, lock);
}

/* ---- what is said ---- */

void verdicts_say(enum verdicts_say how)
{
    atomic_store(&say, (int)how);
}

int verdicts_batch_most(void)
{
    return atomic_exchange(&batch_most, 0);
}

/* ---- the store that he sees ---- */

static struct verdicts *behind(struct store *s)
{
    return (struct verdicts *)s; /* it stands first */
}

static enum status add(struct store *s, const struct store_record *record, struct why *why)
{
    struct verdicts *v = behind(s);

    return v->add ? why_fail(why, v->add, "the disk says no")
                  : v->real->ops->decision_add(v->real, record, why);
}

static enum status precedent(struct store *s, const char *tenant, const char *subject,
                             enum store_standing *out, struct why *why)
{
    struct verdicts *v = behind(s);

    *out = v->said;
    if (v->precedent)
        return why_fail(why, v->precedent, "the disk says no");
    return v->said == STORE_STANDINGS ? v->real->ops->precedent(v->real, tenant, subject, out, why)
                                      : ST_OK;
}

static enum status next_note(struct store *s, const char *prefix, char name[STORE_NOTE_NAME_MAX],
                             char body[STORE_NOTE_BODY_MAX], struct why *why)
{
    struct verdicts *v = behind(s);

    return v->real->ops->note_next(v->real, prefix, name, body, why);
}

static enum status find_object(struct store *s, const char *id, struct store_object *out,
                               struct why *why)
{
    struct verdicts *v = behind(s);

    return v->real->ops->object_find(v->real, id, out, why);
}

static enum status get_note(struct store *s, const char *name, char body[STORE_NOTE_BODY_MAX],
                            struct why *why)
{
    struct verdicts *v = behind(s);

    return v->real->ops->note_get(v->real, name, body, why);
}

static enum status put_note(struct store *s, const char *name, const char *body, struct why *why)
{
    struct verdicts *v = behind(s);

    return v->real->ops->note_put(v->real, name, body, why);
}

static const struct store_ops ops = {.decision_add = add,
                                     .precedent = precedent,
                                     .note_next = next_note,
                                     .note_get = get_note,
                                     .note_put = put_note,
                                     .object_find = find_object};

/* ---- opening and closing ---- */

const char *verdicts_policy(const char *folder, int version, const char *members)
{
    static char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/policy-%d.json", folder, version);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"schema\":\"moderation-policy/1\",\"policy_id\":\"test\",\"version\":%d,"
            "\"status\":\"live\",\"change_reason\":\"a test's\",%s}\n",
            version, members);
    assert_int_equal(fclose(file), 0);
    return path;
}

static bool tell(void *context, const struct store_decision *d, struct store_message *out)
{
    struct verdicts *v = context;

    v->told++;
    *out = (struct store_message){.created_s = d->created_s, .next_s = d->created_s};
    snprintf(out->id, sizeof(out->id), "msg_%.32s", d->id + 4);
    memcpy(out->tenant, d->tenant, sizeof(out->tenant));
    snprintf(out->kind, sizeof(out->kind), "decision.%s", band_name((enum band)d->action));
    snprintf(out->payload, sizeof(out->payload), "{}");
    return true;
}

struct judge_options verdicts_options(struct verdicts *v, const char *policy)
{
    return (struct judge_options){.weights = VERDICTS_WEIGHTS,
                                  .policy = policy,
                                  .store = &v->store,
                                  .vault = v->vault,
                                  .secret = "a secret that is not one of ours",
                                  .threads = 1,
                                  .tell = tell,
                                  .context = v};
}

void verdicts_open(struct verdicts *v, const char *members)
{
    struct why why = {""};
    struct judge_options options;
    int number;

    verdicts_say(VERDICTS_REAL);
    *v = (struct verdicts){.store.ops = &ops, .said = STORE_STANDINGS};
    snprintf(v->folder, sizeof(v->folder), "%s/limner-judge.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(v->folder));
    if (store_open(&v->real, v->folder, &why) || vault_open_text(&v->vault, vault_key, &why))
        fail_msg("%s", why.text);
    options = verdicts_options(v, verdicts_policy(v->folder, 1, members));
    if (judge_open(&v->judge, &options, &why) ||
        judge_add_model(v->judge, &number, "tiny", "tests/golden/tiny_sd1", &why))
        fail_msg("%s", why.text);
    assert_int_equal(number, 0); /* which clean jobs say */
    verdicts_batch_most();       /* canaries came in one */
}

void verdicts_close(struct verdicts *v)
{
    verdicts_say(VERDICTS_REAL);
    verdicts_lock_vault(false);
    judge_close(&v->judge);
    vault_close(&v->vault);
    store_close(&v->real);
    program_remove(v->folder);
}
