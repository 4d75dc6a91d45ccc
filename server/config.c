/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include "engine/judge.h"
#include "kernels/devices.h"
#include "models/vae.h"
#include "server/request.h"
#include "server/shipped.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array)     (sizeof(array) / sizeof((array)[0]))
#define CONFIG_SEATS_MAX    64
#define CONFIG_QUEUE_MAX    4096
#define CONFIG_THREADS_MAX  256
#define CONFIG_IO_MAX       16
#define CONFIG_SIDE_MAX     8192
#define CONFIG_CONNECTS_MAX 65536
#define CONFIG_TILE_MAX     1024
#define CONFIG_ROOM_MAX     (1 << 24) /* 16 TiB */
#define CONFIG_BODY_MIN     1024      /* a short prompt, and a review */
#define CONFIG_BODY_MAX     (64 << 20)
#define CONFIG_BODY_DEFAULT (1 << 20) /* two texts of 32,000 characters, as \uXXXX\uXXXX each */

enum kind {
    KIND_TEXT,
    KIND_INT,
    KIND_LIMIT,  /* a number that a running server can change */
    KIND_FILE,   /* a text that names a file which SIGHUP reads again */
    KIND_SECRET, /* a text that names a file; what the environment has is the secret itself */
    KIND_URL,
    KIND_TILE,
    KIND_MODELS, /* folders that a running server can change */
    KIND_PRECISION,
    KIND_ACCESS,
    KIND_SWITCH,
    KIND_HOOK_ACTION,
};

struct setting {
    const char *name;
    enum kind kind;
    size_t at; /* in struct config */
    int low, high;
    const char *value, *help; /* for people */
};

#define AT(field) offsetof(struct config, field)

static const struct setting settings[] = {
    {"listen", KIND_TEXT, AT(listen), 0, 0, "HOST:PORT", "where pictures are asked for"},
    {"metrics", KIND_TEXT, AT(metrics), 0, 0, "HOST:PORT", "health checks and metrics"},
    {"metrics-auth", KIND_ACCESS, AT(metrics_auth), 0, 0, "auto|open|key",
     "who may read the metrics; auto: a key is needed where other machines reach them"},
    {"state", KIND_TEXT, AT(state), 0, 0, "DIR", "what must survive a restart"},
    {"model", KIND_MODELS, AT(model), 0, 0, "DIR", "a model folder; may be said several times"},
    {"threads", KIND_INT, AT(threads), 0, CONFIG_THREADS_MAX, "N",
     "threads that compute; 0: one per core"},
    {"device", KIND_TEXT, AT(device), 0, 0, "auto|cpu|cuda|cuda:0,1",
     "where to compute; auto: on every GPU, or else the CPU"},
    {"precision", KIND_PRECISION, AT(precision), 0, 0, "auto|f32|mixed|bf16|f16|fp8",
     "auto: f32 on a CPU, bf16 on a GPU; mixed: bf16 where a CPU is faster with it"},
    {"seats", KIND_INT, AT(seats), 1, CONFIG_SEATS_MAX, "N", "pictures made at the same time"},
    {"queue", KIND_INT, AT(queue), REQUEST_IMAGES_MAX, CONFIG_QUEUE_MAX, "N",
     "pictures that may wait"},
    {"queue-seconds", KIND_INT, AT(queue_s), 0, 86400, "SECONDS",
     "how far ahead a picture's end may be foretold; beyond, it is refused; 0: any"},
    {"size-max", KIND_INT, AT(size_max), 0, CONFIG_SIDE_MAX, "PIXELS",
     "longest side; 0: the model's own limit"},
    {"vae-tile", KIND_TILE, AT(vae_tile), 0, CONFIG_TILE_MAX, "LATENTS",
     "decode in tiles of this many; 0: in one piece if memory allows"},
    {"images-max", KIND_LIMIT, AT(images_max), 1, REQUEST_IMAGES_MAX, "N",
     "pictures that one request may ask for"},
    {"steps-max", KIND_LIMIT, AT(steps_max), 1, SAMPLER_STEPS_MAX, "N",
     "denoising steps of a picture; a model's own number is cut to it"},
    {"prompt-max", KIND_LIMIT, AT(prompt_max), 1, REQUEST_PROMPT_MAX, "N",
     "characters of a prompt, and of a negative prompt"},
    {"body-max", KIND_INT, AT(body_max), CONFIG_BODY_MIN, CONFIG_BODY_MAX, "BYTES",
     "of a request's body; beyond, it is answered 413"},
    {"jobs-keep", KIND_INT, AT(jobs_keep_s), 1, 31622400, "SECONDS",
     "how long a job that is over, its pictures and its Idempotency-Key are kept"},
    {"jobs-room", KIND_INT, AT(jobs_mib), 1, CONFIG_ROOM_MAX, "MIB",
     "how much of these is kept; beyond, the oldest go"},
    {"policy", KIND_FILE, AT(policy), 0, 0, "FILE",
     "what is allowed, held and blocked; not named: the one that comes with limner"},
    {"policy-shadow", KIND_FILE, AT(policy_shadow), 0, 0, "FILE",
     "a candidate, whose decisions are only written down beside the live ones"},
    {"classifiers", KIND_TEXT, AT(classifiers), 0, 0, "DIR", "what looks at the pictures"},
    {"judge-threads", KIND_INT, AT(judge_threads), 1, JUDGE_THREADS_MAX, "N",
     "threads that look at pictures"},
    {"vault-key", KIND_SECRET, AT(vault_key), 0, 0, "FILE",
     "file with the master key of what is held; not named: vault.key in the state folder. "
     "LIMNER_VAULT_KEY is the key itself, and wins"},
    {"public-url", KIND_URL, AT(public_url), 0, 0, "URL",
     "how clients reach this server: links in answers begin with it"},
    {"marks", KIND_SWITCH, AT(marks), 0, 0, "on|off",
     "mark, sign and log every picture; off: only where nobody gets the pictures"},
    {"provider", KIND_TEXT, AT(provider), 0, 0, "NAME",
     "who answers for the pictures, as their manifests say"},
    {"io-threads", KIND_INT, AT(io_threads), 1, CONFIG_IO_MAX, "N", "threads for the network"},
    {"connections", KIND_INT, AT(connections), 1, CONFIG_CONNECTS_MAX, "N",
     "connections at the same time"},
    {"prompt-hook", KIND_TEXT, AT(prompt_hook), 0, 0, "URL|off",
     "a service that is asked about every prompt; its secret: LIMNER_PROMPT_HOOK_SECRET"},
    {"prompt-hook-ms", KIND_INT, AT(prompt_hook_ms), 1, HOOK_MS_MAX, "MS",
     "how long it has to answer"},
    {"prompt-hook-fail", KIND_HOOK_ACTION, AT(prompt_hook_fail), 0, 0, "block|hold|allow",
     "what becomes of a prompt that it gave no answer about"},
    {"drain", KIND_INT, AT(drain_s), 0, 3600, "SECONDS",
     "how long a stopping server finishes its work"},
};

#undef AT
#define AT(field) offsetof(struct tenant_limits, field)
#define WEBHOOK   COUNT_OF(limits) /* its place among the values of a tenant */

/* Of each tenant, in the file. */
static const struct setting limits[] = {
    {"weight", KIND_INT, AT(weight), 1, 1000, "N", "share of the devices beside others who wait"},
    {"deadline-ms", KIND_INT, AT(deadline_ms), 0, 86400000, "MS", "of a request that states none"},
    {"requests-per-minute", KIND_INT, AT(requests_per_minute), 0, 1000000, "N", ""},
    {"images-per-minute", KIND_INT, AT(images_per_minute), 0, 1000000, "N", ""},
    {"requests-per-day", KIND_INT, AT(requests_per_day), 0, 1000000000, "N", "days are UTC's"},
    {"images-per-day", KIND_INT, AT(images_per_day), 0, 1000000000, "N", ""},
    {"concurrency", KIND_INT, AT(concurrency), 0, CONFIG_QUEUE_MAX, "N",
     "pictures on their way at the same time"},
};

static void *field_of(struct config *c, const struct setting *s)
{
    return (char *)c + s->at;
}

static const struct setting *find(const char *name, size_t bytes)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (strlen(settings[i].name) == bytes && !memcmp(settings[i].name, name, bytes))
            return &settings[i];
    }
    return NULL;
}

/* ---- one value ---- */

static enum status read_int(int *out, const struct setting *s, const char *value,
                            const char *origin, struct why *why)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < s->low || number > s->high)
        return why_fail(why, ST_INVALID, "%s: %s must be an integer from %d to %d, not '%s'",
                        origin, s->name, s->low, s->high, value);
    if (s->kind == KIND_TILE && number % VAE_TILE_STEP)
        return why_fail(why, ST_INVALID, "%s: %s must be a multiple of %d, not '%s'", origin,
                        s->name, VAE_TILE_STEP, value);
    *out = (int)number;
    return ST_OK;
}

static enum status set_precision(struct config *c, const char *value, const char *origin,
                                 struct why *why)
{
    struct why reason = {""};

    if (devices_precision(&c->precision, value, &reason))
        return why_fail(why, ST_INVALID, "%s: %s", origin, reason.text);
    return ST_OK;
}

static const char *const accesses[] = {
    [CONFIG_ACCESS_AUTO] = "auto", [CONFIG_ACCESS_OPEN] = "open", [CONFIG_ACCESS_KEY] = "key"};

static enum status set_access(struct config *c, const char *value, const char *origin,
                              struct why *why)
{
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        if (!strcmp(accesses[i], value)) {
            c->metrics_auth = (enum config_access)i;
            return ST_OK;
        }
    }
    return why_fail(why, ST_INVALID, "%s: metrics-auth must be auto, open or key, not '%.32s'",
                    origin, value);
}

static enum status set_hook_action(struct config *c, const char *value, const char *origin,
                                   struct why *why)
{
    int action = hook_find_action(value);

    if (action < 0)
        return why_fail(why, ST_INVALID,
                        "%s: prompt-hook-fail must be block, hold or allow, not '%.32s'", origin,
                        value);
    c->prompt_hook_fail = (enum hook_action)action;
    return ST_OK;
}

static enum status set_switch(bool *out, const struct setting *s, const char *value,
                              const char *origin, struct why *why)
{
    *out = !strcmp(value, "on");
    if (*out || !strcmp(value, "off"))
        return ST_OK;
    return why_fail(why, ST_INVALID, "%s: %s must be on or off, not '%.32s'", origin, s->name,
                    value);
}

/* What is sent to clients as the beginning of a link, or is called by us. */
static enum status check_url(const char *name, const char *value, const char *origin,
                             struct why *why)
{
    size_t bytes = strlen(value);
    bool good = (!strncmp(value, "http://", 7) && bytes > 7) ||
                (!strncmp(value, "https://", 8) && bytes > 8);

    for (size_t i = 0; i < bytes && good; i++)
        good = value[i] > ' ' && value[i] < 127 && !strchr("\"'<>\\", value[i]);
    if (good && bytes < CONFIG_WEBHOOK_MAX && value[bytes - 1] != '/')
        return ST_OK;
    return why_fail(why, ST_INVALID,
                    "%s: %s must be an http:// or https:// address of at most %d characters, "
                    "without a slash at its end, not '%.64s'",
                    origin, name, CONFIG_WEBHOOK_MAX - 1, value);
}

static enum status set_url(struct config *c, const struct setting *s, const char *value,
                           const char *origin, struct why *why)
{
    enum status st = check_url(s->name, value, origin, why);

    if (!st)
        *(const char **)field_of(c, s) = value;
    return st;
}

static enum status add_model(struct config *c, const char *value, const char *origin,
                             struct why *why)
{
    if (c->model_count == ENGINE_MODELS_MAX)
        return why_fail(why, ST_INVALID, "%s: at most %d models can be served", origin,
                        ENGINE_MODELS_MAX);
    c->model[c->model_count++] = value;
    return ST_OK;
}

static enum status set(struct config *c, const struct setting *s, const char *value,
                       const char *origin, struct why *why)
{
    if (!*value)
        return why_fail(why, ST_INVALID, "%s: %s is empty", origin, s->name);
    switch (s->kind) {
    case KIND_TEXT:
    case KIND_FILE:
    case KIND_SECRET:
        *(const char **)field_of(c, s) = value;
        return ST_OK;
    case KIND_INT:
    case KIND_TILE:
    case KIND_LIMIT:
        return read_int(field_of(c, s), s, value, origin, why);
    case KIND_PRECISION:
        return set_precision(c, value, origin, why);
    case KIND_ACCESS:
        return set_access(c, value, origin, why);
    case KIND_SWITCH:
        return set_switch(field_of(c, s), s, value, origin, why);
    case KIND_HOOK_ACTION:
        return set_hook_action(c, value, origin, why);
    case KIND_MODELS:
        return add_model(c, value, origin, why);
    case KIND_URL:
        return set_url(c, s, value, origin, why);
    }
    return ST_INVALID;
}

/* ---- the file ---- */

static struct config_file_names file_names(void)
{
    struct config_file_names names = {.limit_count = COUNT_OF(limits) + 1};

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (settings[i].kind != KIND_MODELS)
            names.setting[names.setting_count++] = settings[i].name;
    }
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        names.limit[i] = limits[i].name;
    names.limit[WEBHOOK] = "webhook";
    return names;
}

#define ORIGIN_MAX (PATH_MAX + TENANT_NAME_MAX + 32)

/* The limits and the webhook that `from` says; whose they are is for sentences. */
static enum status set_limits(struct tenant_limits *out, char webhook[CONFIG_WEBHOOK_MAX],
                              const struct config_file_tenant *from, const char *path,
                              const char *whose, struct why *why)
{
    enum status st = ST_OK;

    for (size_t i = 0; i <= WEBHOOK && !st; i++) {
        const char *value = from->value[i];
        char origin[ORIGIN_MAX];

        if (!value)
            continue;
        snprintf(origin, sizeof(origin), "%s:%d: %s", path, from->line[i], whose);
        st = i == WEBHOOK ? check_url("webhook", value, origin, why)
                          : read_int((int *)(void *)((char *)out + limits[i].at), &limits[i], value,
                                     origin, why);
        if (i == WEBHOOK && !st)
            snprintf(webhook, CONFIG_WEBHOOK_MAX, "%s", value);
    }
    return st;
}

static enum status add_tenant(struct config *c, const struct config_file_tenant *from,
                              const char *path, struct why *why)
{
    struct tenant_limits *tenant = &c->tenant[c->tenant_count];
    char whose[TENANT_NAME_MAX + 16], *webhook = c->webhook[c->tenant_count];

    if (!tenant_name_is_good(from->name))
        return why_fail(why, ST_INVALID,
                        "%s:%d: a tenant's name is 1 to %d letters, digits, '.', '_' and '-', not "
                        "'%.80s'",
                        path, from->name_line, TENANT_NAME_MAX - 1, from->name);
    for (int i = 0; i < c->tenant_count; i++) {
        if (!strcmp(c->tenant[i].name, from->name))
            return why_fail(why, ST_INVALID, "%s:%d: tenant %s is listed twice", path,
                            from->name_line, from->name);
    }
    *tenant = c->others;
    snprintf(tenant->name, sizeof(tenant->name), "%s", from->name);
    c->tenant_count++;
    snprintf(whose, sizeof(whose), "tenant %s", from->name);
    memcpy(webhook, c->webhook_others, CONFIG_WEBHOOK_MAX);
    return set_limits(tenant, webhook, from, path, whose, why);
}

static enum status set_tenants(struct config *c, const char *path, struct why *why)
{
    const struct config_file *f = c->file;
    enum status st = ST_OK;

    if (f->others)
        st = set_limits(&c->others, c->webhook_others, f->others, path, "tenant-default", why);
    for (unsigned i = 0; i < f->tenant_count && !st; i++)
        st = add_tenant(c, &f->tenant[i], path, why);
    return st;
}

static enum status read_file(struct config *c, const char *path, struct why *why)
{
    const struct config_file_names names = file_names();
    enum status st = config_file_load(&c->file, path, &names, why);
    char origin[ORIGIN_MAX];
    int value = 0;

    if (st)
        return st;
    for (size_t i = 0; i < COUNT_OF(settings) && !st; i++) {
        if (settings[i].kind == KIND_MODELS)
            continue;
        snprintf(origin, sizeof(origin), "%s:%d", path, c->file->line[value]);
        if (c->file->value[value])
            st = set(c, &settings[i], c->file->value[value], origin, why);
        value++;
    }
    for (unsigned i = 0; i < c->file->model_count && !st; i++) {
        snprintf(origin, sizeof(origin), "%s:%d", path, c->file->model_line[i]);
        st = add_model(c, c->file->model[i], origin, why);
    }
    return st ? st : set_tenants(c, path, why);
}

/* ---- the environment ---- */

static void variable_of(char *out, size_t bytes, const char *name)
{
    int used = snprintf(out, bytes, "LIMNER_%s", name);

    assert(used > 0 && (size_t)used < bytes);
    for (; *out; out++)
        *out = *out == '-' ? '_' : (char)toupper((unsigned char)*out);
}

static enum status read_environment(struct config *c, struct why *why)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        char variable[48];
        const char *value;
        enum status st;

        variable_of(variable, sizeof(variable), settings[i].name);
        value = getenv(variable);
        if (!value || settings[i].kind == KIND_SECRET)
            continue;
        if (settings[i].kind == KIND_MODELS)
            c->model_count = 0;
        st = set(c, &settings[i], value, variable, why);
        if (st)
            return st;
    }
    return ST_OK;
}

/* ---- the command line ---- */

/* Called for every "--name value" or "--name=value" with the setting, or NULL for --config. */
typedef enum status (*flag_visit)(struct config *c, const struct setting *s, const char *value,
                                  const char *flag, struct why *why);

static bool is_named(const char *arg, size_t bytes, const char *name)
{
    return strlen(name) == bytes && !memcmp(arg, name, bytes);
}

static enum status visit_flag(struct config *c, int count, char *const *args, int *at,
                              flag_visit visit, struct why *why)
{
    const char *arg = args[*at], *name = arg + 2;
    size_t bytes = strcspn(arg, "=") - 2;
    const char *value = arg[bytes + 2] == '=' ? arg + bytes + 3 : NULL;
    const struct setting *s = find(name, bytes);

    if (!s && !is_named(name, bytes, "config"))
        return why_fail(why, ST_INVALID, "there is no flag %.64s; limner serve --help lists them",
                        arg);
    if (!value && *at + 1 >= count)
        return why_fail(why, ST_INVALID, "%s needs a value", arg);
    if (!value)
        value = args[++*at];
    return visit(c, s, value, s ? s->name : "config", why);
}

static enum status visit_flags(struct config *c, int count, char *const *args, flag_visit visit,
                               struct why *why)
{
    enum status st = ST_OK;

    for (int i = 0; i < count && !st; i++) {
        if (!strcmp(args[i], "--help") || !strcmp(args[i], "-h"))
            c->help = true;
        else if (!strcmp(args[i], "--check-config"))
            c->check_only = true;
        else if (strncmp(args[i], "--", 2) == 0 && args[i][2])
            st = visit_flag(c, count, args, &i, visit, why);
        else
            st = why_fail(why, ST_INVALID, "'%.64s' is no flag; limner serve --help lists them",
                          args[i]);
    }
    return st;
}

static enum status visit_config(struct config *c, const struct setting *s, const char *value,
                                const char *flag, struct why *why)
{
    (void)flag;
    if (s)
        return ST_OK;
    if (c->file)
        return why_fail(why, ST_INVALID, "--config may be said once");
    return read_file(c, value, why);
}

static enum status visit_setting(struct config *c, const struct setting *s, const char *value,
                                 const char *flag, struct why *why)
{
    char origin[48];

    if (!s)
        return ST_OK;
    snprintf(origin, sizeof(origin), "--%s", flag);
    return set(c, s, value, origin, why);
}

/* The first --model of the command line replaces what file and environment said. */
static bool says_model(int count, char *const *args)
{
    for (int i = 0; i < count; i++) {
        if (!strcmp(args[i], "--model") || !strncmp(args[i], "--model=", 8))
            return true;
    }
    return false;
}

/* ---- together ---- */

static enum status read_config_file(struct config *c, int count, char *const *args, struct why *why)
{
    const char *path = getenv("LIMNER_CONFIG");
    enum status st = visit_flags(c, count, args, visit_config, why);

    if (!st && !c->file && path)
        st = read_file(c, path, why);
    return st;
}

enum status config_read(struct config *out, int count, char *const *args, struct why *why)
{
    enum status st;

    *out = (struct config){
        .listen = "127.0.0.1:8080",
        .metrics = "127.0.0.1:9090",
        .state = "./state",
        .seats = 4,
        .queue = 64,
        .queue_s = 600,
        .device = "auto",
        .io_threads = 2,
        .connections = 1024,
        .prompt_hook = "off",
        .prompt_hook_ms = 1000,
        .prompt_hook_fail = HOOK_HOLD,
        .drain_s = 30,
        .images_max = REQUEST_IMAGES_MAX,
        .steps_max = SAMPLER_STEPS_MAX,
        .prompt_max = REQUEST_PROMPT_MAX,
        .body_max = CONFIG_BODY_DEFAULT,
        .jobs_keep_s = 86400,
        .jobs_mib = 1024,
        .public_url = "",
        .judge_threads = 1,
        .marks = true,
        .provider = CONFIG_PROVIDER,
        .others = {.weight = 1},
    };
    st = read_config_file(out, count, args, why);
    if (!st)
        st = read_environment(out, why);
    if (!st && says_model(count, args))
        out->model_count = 0;
    return st ? st : visit_flags(out, count, args, visit_setting, why);
}

/* One that was named stays; else the one that is found goes into `room`. */
static enum status add_shipped(const char **out, char *room, size_t bytes, enum shipped what,
                               struct why *why)
{
    enum status st = *out ? ST_OK : shipped_find(room, bytes, what, why);

    if (!st && !*out)
        *out = room;
    return st;
}

enum status config_add_shipped(struct config *c, struct why *why)
{
    enum status st =
        add_shipped(&c->model[0], c->model_default, sizeof(c->model_default), SHIPPED_STARTER, why);

    if (!st && !c->model_count)
        c->model_count = 1;
    if (!st)
        st = add_shipped(&c->policy, c->policy_default, sizeof(c->policy_default), SHIPPED_POLICY,
                         why);
    return st ? st
              : add_shipped(&c->classifiers, c->classifiers_default, sizeof(c->classifiers_default),
                            SHIPPED_CLASSIFIERS, why);
}

void config_close(struct config *c)
{
    const struct config_file_names names = file_names();

    config_file_close(&c->file, &names);
}

void config_help(FILE *out)
{
    struct config c = {.model_count = 0};
    struct why why;

    fputs(
        "limner serve - answer requests for pictures over HTTP\n\n"
        "    limner serve [--config FILE] [flags]\n\n"
        "Every flag is also LIMNER_... in the environment and a name in the file, which is YAML:\n"
        "`listen: 127.0.0.1:8080`, `model: [DIR]`. Flags win over the environment, and that over\n"
        "the file. SIGHUP reads keys, tenants, the limits of requests, the policies and the "
        "models\n"
        "again.\n\n",
        out);
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        char flag[48];

        snprintf(flag, sizeof(flag), "--%s %s", settings[i].name, settings[i].value);
        fprintf(out, "    %-24s %s\n", flag, settings[i].help);
    }
    fprintf(out, "    %-24s %s\n", "--check-config", "print the settings and stop");
    fputs(
        "\nOf every tenant, below its name in `tenants:`, or in `tenant-default:`; 0: no limit\n\n",
        out);
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        fprintf(out, "    %-24s %s\n", limits[i].name, limits[i].help);
    fprintf(out, "    %-24s %s\n", "webhook", "an address that is told of decisions and appeals");
    if (config_read(&c, 0, NULL, &why) == ST_OK && config_add_shipped(&c, &why) == ST_OK) {
        fputs("\nAs things are here, without flags:\n\n", out);
        if (config_print(&c, out))
            fputs("(no memory to show them)\n", out);
    }
    config_close(&c);
}

/* ---- printing ---- */

#define NUMBER_MAX 12

/* A file's worth of texts that are borrowed from the configuration, and numbers as texts. */
struct draft {
    struct config_file file;
    struct config_file_tenant others, tenant[CONFIG_FILE_TENANTS_MAX];
    char *model[ENGINE_MODELS_MAX];
    char number[COUNT_OF(settings)][NUMBER_MAX];
    char limit[CONFIG_FILE_TENANTS_MAX + 1][COUNT_OF(limits)][NUMBER_MAX];
};

/* libcyaml's structures are of plain pointers, also where it only reads. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* What was not said is not written. */
static char *draft_text(const char *text)
{
    return text && *text ? borrow(text) : NULL;
}

static char *draft_value(const struct config *c, const struct setting *s, char *number)
{
    const void *field = (const char *)c + s->at;

    if (s->kind == KIND_TEXT || s->kind == KIND_FILE || s->kind == KIND_SECRET ||
        s->kind == KIND_URL)
        return draft_text(*(const char *const *)field);
    if (s->kind == KIND_PRECISION)
        return borrow(devices_precision_name(c->precision));
    if (s->kind == KIND_ACCESS)
        return borrow(accesses[c->metrics_auth]);
    if (s->kind == KIND_SWITCH)
        return borrow(*(const bool *)field ? "on" : "off");
    if (s->kind == KIND_HOOK_ACTION)
        return borrow(hook_action_name(c->prompt_hook_fail));
    snprintf(number, NUMBER_MAX, "%d", *(const int *)field);
    return number;
}

static void draft_limits(struct config_file_tenant *out, const struct tenant_limits *from,
                         char (*number)[NUMBER_MAX])
{
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        snprintf(number[i], NUMBER_MAX, "%d",
                 *(const int *)(const void *)((const char *)from + limits[i].at));
        out->value[i] = number[i];
    }
}

static void draft_write(struct draft *d, const struct config *c)
{
    int value = 0;

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (settings[i].kind != KIND_MODELS)
            d->file.value[value++] = draft_value(c, &settings[i], d->number[i]);
    }
    for (int i = 0; i < c->model_count; i++)
        d->model[i] = borrow(c->model[i]);
    d->file.model = d->model;
    d->file.model_count = (unsigned)c->model_count;
    draft_limits(&d->others, &c->others, d->limit[CONFIG_FILE_TENANTS_MAX]);
    d->others.value[WEBHOOK] = draft_text(c->webhook_others);
    d->file.others = &d->others;
    for (int i = 0; i < c->tenant_count; i++) {
        d->tenant[i].name = borrow(c->tenant[i].name);
        draft_limits(&d->tenant[i], &c->tenant[i], d->limit[i]);
        d->tenant[i].value[WEBHOOK] = draft_text(c->webhook[i]);
    }
    d->file.tenant = d->tenant;
    d->file.tenant_count = (unsigned)c->tenant_count;
}

enum status config_print(const struct config *c, FILE *out)
{
    const struct config_file_names names = file_names();
    struct draft *draft = calloc(1, sizeof(*draft));
    enum status st = ST_FULL;

    if (draft) {
        draft_write(draft, c);
        st = config_file_print(&draft->file, &names, out);
    }
    free(draft);
    return st;
}

static bool is_same(const struct config *a, const struct config *b, const struct setting *s)
{
    char first[NUMBER_MAX], second[NUMBER_MAX];
    const char *left = draft_value(a, s, first), *right = draft_value(b, s, second);

    return left && right ? !strcmp(left, right) : left == right;
}

void config_compare(const struct config *a, const struct config *b, char *out, size_t bytes)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(settings) && used < bytes; i++) {
        if (settings[i].kind != KIND_LIMIT && settings[i].kind != KIND_FILE &&
            settings[i].kind != KIND_MODELS && !is_same(a, b, &settings[i]))
            used += (size_t)snprintf(out + used, bytes - used, "%s%s", used ? "," : "",
                                     settings[i].name);
    }
}
