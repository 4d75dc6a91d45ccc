/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "codec/encode.h"
#include "engine/generate.h"
#include "engine/judge.h"
#include "engine/marking.h"
#include "kernels/devices.h"
#include "models/digest.h"
#include "models/vae.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/marks.h"
#include "server/save.h"
#include "server/shipped.h"
#include "server/show.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH   30
#define THREADS_MAX 256
#define TILE_MAX    1024

static const char help[] =
    "limner generate - make one picture here and now\n\n"
    "    limner generate \"PROMPT\" [-o FILE] [flags]\n\n"
    "    -o, --output FILE     .png, .webp or .jpg; without it limner-SEED.png\n"
    "    --model DIR           a model folder; without it the starter model\n"
    "    --width, --height N   pixels; without them what the model was made for\n"
    "    --steps N             denoising steps\n"
    "    --guidance X          how closely the prompt is followed\n"
    "    --negative TEXT       what the picture shall not show\n"
    "    --sampler NAME        euler, euler_ancestral, ddim, dpmpp_2m or lcm\n"
    "    --seed N              the same seed gives the same picture; without it a random one\n"
    "    --quality N           0 to 100, for .webp and .jpg; 90 without it\n"
    "    --noise FILE          first noise from a safetensors file, tensor \"noise\"\n"
    "    --dump FILE           write every stage into one safetensors file\n"
    "    --threads N           threads that compute; without it one per core\n"
    "    --device NAME         auto, cpu, or cuda:0; auto takes a GPU when there is one\n"
    "    --precision NAME      auto, f32, mixed (bf16 where a CPU is faster with it), bf16,\n"
    "                          f16 or fp8 (large linears in eight bits)\n"
    "    --vae-tile N          decode in tiles of N latents; without it in one piece, if memory\n"
    "                          allows\n"
    "    --policy FILE         what may be made and shown; without it $LIMNER_POLICY, or the one "
    "that\n"
    "                          ships with limner\n"
    "    --marks on|off        mark, sign and log it; without it $LIMNER_MARKS, or on\n"
    "    --state DIR           where the keys and the log are; without it $LIMNER_STATE, or "
    "./state\n"
    "    --provider NAME       who answers for the picture; without it $LIMNER_PROVIDER\n"
    "    --show                show it on a terminal that can (kitty, Ghostty, Konsole, iTerm2,\n"
    "                          WezTerm, mintty)\n";

struct command {
    struct generate_options generate;
    const char *output, *device, *policy;
    const char *marks_word, *state, *provider;
    struct judge *judge;
    struct store *store;
    struct marks marks;
    enum format format;
    int quality;
    bool seed_given, show, help;
    char output_default[64];
    char model_default[PATH_MAX], policy_default[PATH_MAX], classifiers[PATH_MAX];
};

enum flag {
    FLAG_OUTPUT = 'o',
    FLAG_HELP = 'h',
    FLAG_MODEL = 256,
    FLAG_WIDTH,
    FLAG_HEIGHT,
    FLAG_STEPS,
    FLAG_GUIDANCE,
    FLAG_NEGATIVE,
    FLAG_SAMPLER,
    FLAG_SEED,
    FLAG_QUALITY,
    FLAG_NOISE,
    FLAG_DUMP,
    FLAG_THREADS,
    FLAG_DEVICE,
    FLAG_PRECISION,
    FLAG_VAE_TILE,
    FLAG_POLICY,
    FLAG_MARKS,
    FLAG_STATE,
    FLAG_PROVIDER,
    FLAG_SHOW,
};

static const struct option flags[] = {
    {"output", required_argument, NULL, FLAG_OUTPUT},
    {"help", no_argument, NULL, FLAG_HELP},
    {"model", required_argument, NULL, FLAG_MODEL},
    {"width", required_argument, NULL, FLAG_WIDTH},
    {"height", required_argument, NULL, FLAG_HEIGHT},
    {"steps", required_argument, NULL, FLAG_STEPS},
    {"guidance", required_argument, NULL, FLAG_GUIDANCE},
    {"negative", required_argument, NULL, FLAG_NEGATIVE},
    {"sampler", required_argument, NULL, FLAG_SAMPLER},
    {"seed", required_argument, NULL, FLAG_SEED},
    {"quality", required_argument, NULL, FLAG_QUALITY},
    {"noise", required_argument, NULL, FLAG_NOISE},
    {"dump", required_argument, NULL, FLAG_DUMP},
    {"threads", required_argument, NULL, FLAG_THREADS},
    {"device", required_argument, NULL, FLAG_DEVICE},
    {"precision", required_argument, NULL, FLAG_PRECISION},
    {"vae-tile", required_argument, NULL, FLAG_VAE_TILE},
    {"policy", required_argument, NULL, FLAG_POLICY},
    {"marks", required_argument, NULL, FLAG_MARKS},
    {"state", required_argument, NULL, FLAG_STATE},
    {"provider", required_argument, NULL, FLAG_PROVIDER},
    {"show", no_argument, NULL, FLAG_SHOW},
    {NULL, 0, NULL, 0},
};

/* ---- what is asked ---- */

static enum status read_int(int *out, const char *name, const char *text, int high, struct why *why)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 0 || value > high)
        return why_fail(why, ST_INVALID, "--%s must be an integer from 0 to %d, not '%s'", name,
                        high, text);
    *out = (int)value;
    return ST_OK;
}

static enum status read_guidance(double *out, const char *text, struct why *why)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value < 0)
        return why_fail(why, ST_INVALID, "--guidance must be a number from 0, not '%s'", text);
    *out = value;
    return ST_OK;
}

static enum status read_seed(struct command *c, const char *text, struct why *why)
{
    char *end;

    errno = 0;
    c->generate.picture.seed = strtoull(text, &end, 10);
    c->seed_given = true;
    if (errno || end == text || *end || *text == '-')
        return why_fail(why, ST_INVALID, "--seed must be an integer from 0 to 2^64 - 1, not '%s'",
                        text);
    return ST_OK;
}

static enum status read_precision(struct command *c, const char *text, struct why *why)
{
    return devices_precision(&c->generate.device.precision, text, why);
}

static enum status read_tile(struct command *c, const char *text, struct why *why)
{
    enum status st = read_int(&c->generate.vae_tile, "vae-tile", text, TILE_MAX, why);

    if (st || c->generate.vae_tile % VAE_TILE_STEP == 0)
        return st;
    return why_fail(why, ST_INVALID, "--vae-tile must be a multiple of %d, not '%s'", VAE_TILE_STEP,
                    text);
}

static enum status read_flag(struct command *c, int flag, struct why *why)
{
    struct picture *p = &c->generate.picture;

    switch (flag) {
    case FLAG_OUTPUT:
        c->output = optarg;
        return ST_OK;
    case FLAG_MODEL:
        c->generate.model_folder = optarg;
        return ST_OK;
    case FLAG_WIDTH:
        return read_int(&p->width, "width", optarg, INT_MAX, why);
    case FLAG_HEIGHT:
        return read_int(&p->height, "height", optarg, INT_MAX, why);
    case FLAG_STEPS:
        return read_int(&p->steps, "steps", optarg, SAMPLER_STEPS_MAX, why);
    case FLAG_GUIDANCE:
        return read_guidance(&p->guidance, optarg, why);
    case FLAG_NEGATIVE:
        p->negative = optarg;
        return ST_OK;
    case FLAG_SAMPLER:
        c->generate.sampler_default = false;
        return sampler_from_name(&p->sampler, optarg, why);
    case FLAG_SEED:
        return read_seed(c, optarg, why);
    case FLAG_QUALITY:
        return read_int(&c->quality, "quality", optarg, 100, why);
    case FLAG_NOISE:
        c->generate.noise_path = optarg;
        return ST_OK;
    case FLAG_DUMP:
        c->generate.dump_path = optarg;
        return ST_OK;
    case FLAG_THREADS:
        return read_int(&c->generate.device.threads, "threads", optarg, THREADS_MAX, why);
    case FLAG_DEVICE:
        c->device = optarg;
        return ST_OK;
    case FLAG_PRECISION:
        return read_precision(c, optarg, why);
    case FLAG_VAE_TILE:
        return read_tile(c, optarg, why);
    case FLAG_POLICY:
        c->policy = optarg;
        return ST_OK;
    case FLAG_MARKS:
        c->marks_word = optarg;
        return ST_OK;
    case FLAG_STATE:
        c->state = optarg;
        return ST_OK;
    case FLAG_PROVIDER:
        c->provider = optarg;
        return ST_OK;
    case FLAG_SHOW:
        c->show = true;
        return ST_OK;
    case FLAG_HELP:
        c->help = true;
        return ST_OK;
    default:
        return why_fail(why, ST_INVALID, "limner generate --help lists the flags");
    }
}

static enum status read_format(struct command *c, struct why *why)
{
    const char *dot = strrchr(c->output, '.');

    if (dot && encode_format_from_name(&c->format, dot + 1) == ST_OK)
        return ST_OK;
    return why_fail(why, ST_INVALID, "'%s' must end in .png, .webp, .jpg or .jpeg", c->output);
}

/* What was left open: a seed, a name, the model. */
static enum status fill_in(struct command *c, struct why *why)
{
    enum status st;
    struct devices devices;
    uint32_t seed;

    st = devices_find(&devices, c->device, c->generate.device, why);
    if (st)
        return st;
    c->generate.device = devices.device[0]; /* one picture needs one */
    if (!c->seed_given) {
        if (crypto_random(&seed, sizeof(seed)))
            return why_fail(why, ST_IO, "the system has no random numbers; say --seed");
        c->generate.picture.seed = seed;
    }
    if (!c->output) {
        snprintf(c->output_default, sizeof(c->output_default), "limner-%" PRIu64 ".png",
                 c->generate.picture.seed);
        c->output = c->output_default;
    }
    st = read_format(c, why);
    if (!st && !c->generate.model_folder) {
        st = shipped_find(c->model_default, sizeof(c->model_default), SHIPPED_STARTER, why);
        c->generate.model_folder = c->model_default;
    }
    return st;
}

/* `args` begin with a name that getopt skips. */
static enum status read_command(struct command *c, int count, char **args, struct why *why)
{
    int flag;

    *c = (struct command){.quality = 90, .device = "auto"};
    c->generate.picture = (struct picture){.width = -1, .height = -1, .steps = -1, .guidance = -1};
    c->generate.sampler_default = true;
    while ((flag = getopt_long(count, args, "o:h", flags, NULL)) != -1) {
        enum status st = read_flag(c, flag, why);

        if (st)
            return st;
    }
    if (c->help)
        return ST_OK;
    if (optind != count - 1 || !*args[optind])
        return why_fail(why, ST_INVALID, "one prompt is needed, in quotes");
    c->generate.picture.prompt = args[optind];
    return fill_in(c, why);
}

/* ---- what may come out ---- */

/* Nobody is there who could look at a picture, and nothing is written down: what would be held is
   refused. */
static enum status open_judge(struct command *c, struct why *why)
{
    struct judge_options options = {.weights = c->classifiers,
                                    .threads = (int)sysconf(_SC_NPROCESSORS_ONLN)};
    enum status st = shipped_find(c->classifiers, sizeof(c->classifiers), SHIPPED_CLASSIFIERS, why);

    if (!c->policy)
        c->policy = getenv("LIMNER_POLICY");
    if (!st && !c->policy) {
        st = shipped_find(c->policy_default, sizeof(c->policy_default), SHIPPED_POLICY, why);
        c->policy = c->policy_default;
    }
    if (st)
        return st;
    if (c->generate.device.threads > 0)
        options.threads = c->generate.device.threads;
    if (options.threads > JUDGE_THREADS_MAX)
        options.threads = JUDGE_THREADS_MAX;
    options.policy = c->policy;
    st = judge_open(&c->judge, &options, why);
    c->generate.judge = c->judge;
    return st;
}

/* What was said, or stands in the environment, or else this. */
static const char *choose(const char *said, const char *variable, const char *otherwise)
{
    const char *set = getenv(variable);

    return said ? said : set && *set ? set : otherwise;
}

/* Keys and log of a state folder; a server may run on it at the same time. */
static enum status open_marks(struct command *c, struct why *why)
{
    const char *word = choose(c->marks_word, "LIMNER_MARKS", "on");
    const char *state = choose(c->state, "LIMNER_STATE", "./state");
    enum status st;

    if (!strcmp(word, "off"))
        return ST_OK;
    if (strcmp(word, "on") != 0)
        return why_fail(why, ST_INVALID, "--marks must be on or off, not '%.32s'", word);
    st = store_open(&c->store, state, why);
    return st ? st
              : marks_open(&c->marks,
                           &(struct marks_options){
                               .state = state,
                               .provider = choose(c->provider, "LIMNER_PROVIDER", CONFIG_PROVIDER),
                               .public_url = "",
                               .store = c->store},
                           why);
}

/* ---- what comes out ---- */

static void draw_progress(void *context, int done, int total)
{
    int filled = total > 0 ? done * BAR_WIDTH / total : 0;

    (void)context;
    fprintf(stderr, "\r[%.*s%.*s] %d/%d ", filled, "##############################",
            BAR_WIDTH - filled, "..............................", done, total);
    if (done == total)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 16, "");
}

static enum status show(const struct image *image, struct why *why)
{
    enum terminal terminal = show_detect(getenv("TERM"), getenv("TERM_PROGRAM"),
                                         getenv("KITTY_WINDOW_ID"), getenv("KONSOLE_VERSION"));
    struct bytes png = {0};
    enum status st;

    if (!isatty(STDOUT_FILENO) || terminal == TERMINAL_PLAIN)
        return why_fail(why, ST_UNSUPPORTED, "this terminal cannot show pictures");
    st = encode_image(&png, image, (struct encode_options){.format = FORMAT_PNG});
    if (!st)
        st = show_png(stdout, terminal, &png);
    bytes_close(&png);
    return st ? why_fail(why, st, "the picture could not be shown") : ST_OK;
}

static void report(const struct command *c, const struct generate_result *r)
{
    const struct picture *p = &r->picture;

    printf("%s: %dx%d, seed %" PRIu64 ", %d steps %s, guidance %g\n", c->output, p->width,
           p->height, p->seed, p->steps, sampler_name(p->sampler), p->guidance);
    fprintf(stderr, "load %.2f s, text %.2f s, denoise %.2f s, decode %.2f s, judge %.2f s\n",
            r->load_ms / 1e3, r->encode_ms / 1e3, r->denoise_ms / 1e3, r->decode_ms / 1e3,
            r->judge_ms / 1e3);
    if (r->action == BAND_BLUR)
        fputs("the policy wants this picture covered until somebody asks to see it\n", stderr);
    if (r->tile && c->generate.vae_tile)
        fprintf(stderr, "decoded in tiles of %d latents\n", r->tile);
    else if (r->tile)
        fprintf(stderr, "decoded in tiles of %d latents: there is no memory for one piece\n",
                r->tile);
    if (r->prompt_cut)
        fputs("the prompt was longer than this model reads; its end was ignored\n", stderr);
}

/* Through the stages that a server's pictures pass behind the judge. */
static enum status finish(struct command *c, struct generate_result *r, struct bytes *file,
                          struct why *why)
{
    char weights[DIGEST_HEX] = "", unmarked[65];
    struct marking m = {.format = c->format,
                        .quality = c->quality,
                        .model = r->model,
                        .weights_sha256 = weights,
                        .unmarked_sha256 = unmarked,
                        .endpoint = "generate",
                        .prompt = c->generate.picture.prompt,
                        .negative = c->generate.picture.negative,
                        .seed = r->picture.seed};
    uint8_t hash[32];
    enum status st = ST_OK;

    crypto_sha256(hash, r->image.rgb, image_bytes(&r->image));
    crypto_hex(unmarked, hash, sizeof(hash));
    if (c->marks.marker)
        st = digest_folder(weights, c->generate.model_folder, why);
    return st ? st : marking_run(c->marks.marker, &m, &r->image, file, why);
}

static enum status deliver(struct command *c, struct generate_result *r, struct why *why)
{
    struct bytes file = {0};
    struct why unshown = {""};
    enum status st = finish(c, r, &file, why);

    if (st)
        return st;
    st = save_file(c->output, file.data, file.count, why);
    bytes_close(&file);
    if (st)
        return st;
    report(c, r);
    if (c->show && show(&r->image, &unshown))
        fprintf(stderr, "limner: %s\n", unshown.text);
    return ST_OK;
}

int command_generate(int count, char **args)
{
    struct generate_result result = {0};
    struct why why = {""};
    struct command c;
    enum status st = read_command(&c, count + 1, args - 1, &why);

    if (st) {
        fprintf(stderr, "limner generate: %s\n", why.text);
        return 2;
    }
    if (c.help) {
        fputs(help, stdout);
        return 0;
    }
    if (isatty(STDERR_FILENO))
        c.generate.progress = draw_progress;
    st = open_judge(&c, &why);
    if (!st)
        st = open_marks(&c, &why);
    if (!st)
        st = generate_run(&c.generate, &result, &why);
    if (!st)
        st = deliver(&c, &result, &why);
    image_close(&result.image);
    judge_close(&c.judge);
    marks_close(&c.marks);
    store_close(&c.store);
    if (st)
        fprintf(stderr, "limner generate: %s\n", why.text);
    return st ? 1 : 0;
}
