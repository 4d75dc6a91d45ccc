/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/dnn_engine.h"

#include <string.h>

#define OFFERS_MAX 64 /* of one heuristic */

typedef cudnnBackendDescriptor_t desc;

static enum status describe(const struct library *l, desc *device, cudnnBackendAttributeName_t name,
                            cudnnBackendAttributeType_t type, int64_t count, const void *value,
                            struct why *why)
{
    cudnnStatus_t trouble;

    *device = NULL;
    trouble = l->descriptor_create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, device);
    if (!trouble)
        trouble = l->set(*device, name, type, count, value);
    if (!trouble)
        trouble = l->finalize(*device);
    if (!trouble)
        return ST_OK;
    library_drop(l, device);
    return library_fail(l, trouble, "cuDNN cannot read the device's properties", why);
}

enum status dnn_engine_describe(const struct library *l, desc *device, const char *json,
                                struct why *why)
{
    return describe(l, device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                    (int64_t)strlen(json) + 1, json, why);
}

enum status engine_describe_own(const struct library *l, desc *device, cudnnHandle_t handle,
                                struct why *why)
{
    return describe(l, device, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle, why);
}

/* Listing */

/* Descriptors of one type, for cuDNN to fill: it wants them made before they are asked for. */
static int make_all(const struct library *l, cudnnBackendDescriptorType_t type, desc *d, int count)
{
    int made = 0;

    while (made < count && (d[made] = library_make(l, type)))
        made++;
    return made;
}

static void drop_all(const struct library *l, desc *d, int count)
{
    while (count)
        library_drop(l, &d[--count]);
}

/* cuDNN may say that it has more than it was asked for. */
static int at_most(int64_t count, int max)
{
    return count < max ? (int)count : max;
}

/* Sums of f16 or bf16 are kept in f32, f32 stays f32, and chance decides nothing. */
static bool is_exact(const struct library *l, desc engine)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = 0;

    if (l->get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
               CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, note))
        return false;
    for (int i = 0; i < at_most(count, CUDNN_NUMERICAL_NOTE_TYPE_COUNT); i++)
        if (note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
            note[i] == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
            note[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)
            return false;
    return true;
}

static bool is_compiled(const struct library *l, desc engine)
{
    cudnnBackendBehaviorNote_t note[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    int64_t count = 0;

    if (l->get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
               CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &count, note))
        return false;
    for (int i = 0; i < at_most(count, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT); i++)
        if (note[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
            return true;
    return false;
}

static bool read_knob(const struct library *l, struct plan_knob *out, desc choice)
{
    cudnnBackendKnobType_t type;
    int64_t count = 0;

    if (l->get(choice, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &count, &type) ||
        l->get(choice, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &count, &out->value))
        return false;
    out->type = type;
    return true;
}

static bool read_knobs(const struct library *l, struct plan_engine *out, desc config)
{
    desc choice[CUDNN_KNOB_TYPE_COUNTS];
    int made = make_all(l, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, choice, CUDNN_KNOB_TYPE_COUNTS);
    int64_t count = 0;
    bool known;

    known = !l->get(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, made,
                    &count, choice) &&
            count <= at_most(made, PLAN_KNOBS_MAX);
    for (int i = 0; known && i < count; i++)
        known = read_knob(l, &out->knob[i], choice[i]);
    out->knobs = known ? (int32_t)count : 0;
    drop_all(l, choice, made);
    return known;
}

/* Stream-K cuts a sum where the tiles of the whole batch say so: an image's last bits would depend
   on who shares its batch. */
static bool depends_on_batch(const struct plan_engine *engine)
{
    for (int i = 0; i < engine->knobs; i++)
        if (engine->knob[i].type == CUDNN_KNOB_TYPE_STREAM_K && engine->knob[i].value)
            return true;
    return false;
}

/* False when this is nothing for us. */
static bool read_offer(const struct library *l, struct plan_engine *out, desc config)
{
    desc engine = library_make(l, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t count = 0;
    bool wanted;

    memset(out, 0, sizeof(*out));
    wanted =
        engine &&
        !l->get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                &engine) &&
        !l->get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &out->index) &&
        is_exact(l, engine) && read_knobs(l, out, config) && !depends_on_batch(out);
    if (wanted)
        out->compiled = is_compiled(l, engine);
    library_drop(l, &engine);
    return wanted;
}

static bool is_known(const struct plan_engine *list, int count, const struct plan_engine *one)
{
    for (int i = 0; i < count; i++)
        if (memcmp(&list[i], one, sizeof(*one)) == 0)
            return true;
    return false;
}

static int ask(const struct graph *g, const struct target *t, cudnnBackendHeurMode_t mode,
               desc config[OFFERS_MAX])
{
    const struct library *l = g->library;
    desc h = library_make(l, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    int64_t count = 0;
    bool asked;

    asked = h &&
            !l->set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                    &g->top) &&
            !l->set(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) &&
            (!t->device || !l->set(h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &t->device)) &&
            !l->finalize(h) &&
            !l->get(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, OFFERS_MAX,
                    &count, config);
    library_drop(l, &h);
    return asked ? at_most(count, OFFERS_MAX) : 0;
}

int dnn_engine_list(const struct graph *g, const struct target *t, struct plan_engine *out, int max)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    desc config[OFFERS_MAX];
    int listed = 0;

    for (int i = 0; i < 2; i++) {
        int made = make_all(g->library, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, config, OFFERS_MAX);
        int count = made == OFFERS_MAX ? ask(g, t, modes[i], config) : 0;

        for (int j = 0; j < count && listed < max; j++)
            if (read_offer(g->library, &out[listed], config[j]) &&
                !is_known(out, listed, &out[listed]))
                listed++;
        drop_all(g->library, config, made);
    }
    return listed;
}

/* Making */

static cudnnStatus_t make_engine(const struct graph *g, const struct target *t, int64_t index,
                                 desc *out)
{
    const struct library *l = g->library;
    cudnnStatus_t trouble = l->descriptor_create(CUDNN_BACKEND_ENGINE_DESCRIPTOR, out);

    if (!trouble)
        trouble = l->set(*out, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                         &g->top);
    if (!trouble)
        trouble = l->set(*out, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index);
    if (!trouble && t->device)
        trouble = l->set(*out, CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                         &t->device);
    return trouble ? trouble : l->finalize(*out);
}

static cudnnStatus_t make_knob(const struct library *l, const struct plan_knob *knob, desc *out)
{
    cudnnBackendKnobType_t type = (cudnnBackendKnobType_t)knob->type;
    cudnnStatus_t trouble = l->descriptor_create(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, out);

    if (!trouble)
        trouble = l->set(*out, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
    if (!trouble)
        trouble =
            l->set(*out, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &knob->value);
    return trouble ? trouble : l->finalize(*out);
}

static cudnnStatus_t make_config(const struct library *l, desc engine, desc *knobs, int64_t count,
                                 desc *out)
{
    cudnnStatus_t trouble = l->descriptor_create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, out);

    if (!trouble)
        trouble =
            l->set(*out, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine);
    if (!trouble && count)
        trouble = l->set(*out, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                         count, knobs);
    return trouble ? trouble : l->finalize(*out);
}

static cudnnStatus_t make_plan(const struct library *l, const struct target *t, desc config,
                               desc *out)
{
    cudnnStatus_t trouble = l->descriptor_create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, out);

    if (!trouble)
        trouble = l->set(*out, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
    if (!trouble && t->device)
        trouble = l->set(*out, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                         1, &t->device);
    if (!trouble && t->handle)
        trouble = l->set(*out, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &t->handle);
    return trouble ? trouble : l->finalize(*out);
}

enum status dnn_engine_plan(const struct graph *g, const struct target *t,
                            const struct plan_engine *engine, desc *plan, int64_t *workspace,
                            struct why *why)
{
    const struct library *l = g->library;
    desc base = NULL, config = NULL, knob[PLAN_KNOBS_MAX] = {NULL};
    cudnnStatus_t trouble = make_engine(g, t, engine->index, &base);
    enum status st = ST_OK;
    int64_t count = 0;

    *plan = NULL;
    for (int i = 0; !trouble && i < engine->knobs; i++)
        trouble = make_knob(l, &engine->knob[i], &knob[i]);
    if (!trouble)
        trouble = make_config(l, base, knob, engine->knobs, &config);
    if (!trouble)
        trouble = make_plan(l, t, config, plan);
    if (!trouble)
        trouble = l->get(*plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                         &count, workspace);
    if (trouble) {
        st = library_fail(l, trouble, "cuDNN makes no plan", why);
        library_drop(l, plan);
    }
    library_drop(l, &config);
    drop_all(l, knob, engine->knobs);
    library_drop(l, &base);
    return st;
}
