/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - Rows of a step: a latent with guidance above 1 brings two, negative prompt first.
 * - The model sees in_scale * x; the sampler's arithmetic sees x.
 * - `previous` is overwritten after x' is mixed, because x' reads the old one.
 * - A step's noise depends on the picture's seed and its own step, never on the batch.
 */
#include "models/model.h"

#include "models/parts/keys.h"
#include "models/parts/model_parts.h"
#include "models/parts/prompt.h"
#include "models/parts/shifts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUIDANCE_MAX 100

/* What a row of a step is made of. */
enum input { INPUT_X, INPUT_SHIFT, INPUT_PROMPT, INPUTS };

/* Host memory that the const functions write: as much as the largest rehearsal asked for. */
struct scratch {
    int32_t *ids;                 /* [encoders][2][prompt_tokens] */
    struct scaled *input[INPUTS]; /* per row of a step, prepared ones included */
    int rows;
    struct advance *advance; /* per seat */
    int seats;
    size_t pixels; /* of the largest picture */
};

struct model {
    struct device *device;
    struct model_parts parts;
    struct model_info info;
    struct scratch *scratch;
    struct texts *texts;
};

/* Opening */

static void read_name(char *name, const char *folder)
{
    size_t end = strlen(folder), start;

    while (end > 1 && folder[end - 1] == '/')
        end--;
    for (start = end; start > 0 && folder[start - 1] != '/'; start--)
        ;
    snprintf(name, MODEL_NAME_MAX, "%.*s", (int)(end - start), folder + start);
}

/* What the folder's limner.json says beside what all pipelines of this kind have in common. */
static enum status read_limits(struct model_info *info, const char *folder, struct why *why)
{
    const struct range sizes = {info->size_multiple, 8192};
    char path[KEYS_PATH_MAX];
    struct keys c;
    FILE *file;
    enum status st = keys_path(path, folder, "limner.json", why);

    if (st)
        return st;
    file = fopen(path, "rb");
    if (!file)
        return ST_OK;
    fclose(file);
    keys_open(&c, folder, "limner.json", why);
    info->steps_default =
        keys_int(&c, "steps", info->steps_default, (struct range){1, SAMPLER_STEPS_MAX});
    info->guidance_default = keys_real(&c, "guidance", info->guidance_default);
    info->size_default = keys_int(&c, "size", info->size_default, sizes);
    info->size_min = keys_int(&c, "size_min", info->size_min, sizes);
    info->size_max = keys_int(&c, "size_max", info->size_max, sizes);
    if (!(info->guidance_default >= 0 && info->guidance_default <= GUIDANCE_MAX))
        keys_fail(&c, ST_INVALID, "guidance must be from 0 to %d", GUIDANCE_MAX);
    if (info->size_min > info->size_default || info->size_default > info->size_max ||
        info->size_default % info->size_multiple)
        keys_fail(&c, ST_INVALID,
                  "size_min %d, size %d and size_max %d must rise, size in steps of %d",
                  info->size_min, info->size_default, info->size_max, info->size_multiple);
    keys_close(&c);
    return c.status;
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* A model that was taught to be done in a few steps, without guidance: LCM's scheduler says so, and
   so does trailing spacing in an SDXL that predicts noise (Turbo, Lightning, Hyper), which is what
   makes one step start at the noisiest timestep. */
static bool takes_few_steps(const struct model_parts *p)
{
    const struct schedule_view *own = &p->schedule.view[p->schedule.sampler];

    return p->schedule.sampler == SAMPLER_LCM || (p->index.xl && own->spacing == SPACING_TRAILING &&
                                                  own->prediction == PREDICTION_EPSILON);
}

/* Steps and guidance: 4 and 1, which is none, for few steps; else 25, and the guidance that the
   pipeline's class has in diffusers. */
static void fill_info(struct model *m, const char *folder)
{
    struct unet_info unet = unet_info(m->parts.unet);
    struct vae_info vae = vae_info(m->parts.vae);
    struct model_info *info = &m->info;
    int multiple = vae.scale * unet.multiple;
    bool few_steps = takes_few_steps(&m->parts);

    read_name(info->name, folder);
    info->latent_channels = vae.latent_channels;
    info->latent_scale = vae.scale;
    info->size_multiple = multiple > 8 ? multiple : 8;
    info->size_default = unet.sample_size * vae.scale;
    info->size_default +=
        (info->size_multiple - info->size_default % info->size_multiple) % info->size_multiple;
    info->size_min = at_most(64, info->size_default / 2);
    if (info->size_min < info->size_multiple)
        info->size_min = info->size_multiple;
    info->size_max = at_most(2048, 2 * info->size_default);
    info->tile_own = vae.tile;
    info->prompt_tokens = tokenizer_length(m->parts.tokenizer[0]);
    info->encoders = m->parts.encoders;
    info->context_width = unet.context_width;
    info->sampler_default = m->parts.schedule.sampler;
    info->steps_default = few_steps ? 4 : 25;
    info->guidance_default = few_steps ? 1 : m->parts.index.xl ? 5 : 7.5;
    for (int i = 0; i < PART_COUNT; i++)
        info->weight_bytes += model_parts_bytes(&m->parts, (enum model_part)i, folder);
}

static enum status open_all(struct model *m, const char *folder, struct why *why)
{
    enum status st = model_parts_read_index(&m->parts, folder, why);

    for (int i = 0; i < PART_COUNT && !st; i++)
        st = model_parts_open(&m->parts, (enum model_part)i, m->device, folder, why);
    if (!st)
        st = model_parts_agree(&m->parts, m->device->dtype, why);
    if (st)
        return st;
    fill_info(m, folder);
    st = read_limits(&m->info, folder, why);
    if (st)
        return st;
    m->scratch = calloc(1, sizeof(*m->scratch));
    if (m->scratch)
        m->scratch->ids = calloc((size_t)prompt_id_count(&m->parts), sizeof(int32_t));
    if (!m->scratch || !m->scratch->ids)
        return why_fail(why, ST_FULL, "no memory for a model");
    return texts_open(&m->texts, prompt_texts(&m->parts), m->device, why);
}

/* In front of what ran out: which model, and how much it is. */
static enum status say_size(const struct model *m, const char *folder, struct why *why)
{
    struct why reason = why ? *why : (struct why){""};
    char name[MODEL_NAME_MAX];
    uint64_t bytes = 0;

    read_name(name, folder);
    for (int i = 0; i < PART_COUNT; i++)
        bytes += model_parts_bytes(&m->parts, (enum model_part)i, folder);
    return why_fail(why, ST_FULL, "%s needs %llu MiB for its weights alone: %s", name,
                    (unsigned long long)(bytes >> 20), reason.text);
}

enum status model_open(struct model **out, struct device *d, const char *folder, struct why *why)
{
    struct model *m = calloc(1, sizeof(*m));
    enum status st;

    *out = NULL;
    if (!m)
        return why_fail(why, ST_FULL, "no memory for a model");
    m->device = d;
    st = open_all(m, folder, why);
    if (st == ST_FULL)
        st = say_size(m, folder, why);
    if (st)
        model_close(&m);
    *out = m;
    return st;
}

void model_close(struct model **model)
{
    struct model *m = *model;

    if (!m)
        return;
    m->device->ops.repeat_forget(m->device, m);
    m->device->ops.repeat_forget(m->device, m->parts.vae);
    texts_close(&m->texts);
    model_parts_close(&m->parts);
    if (m->scratch) {
        free(m->scratch->ids);
        for (int i = 0; i < INPUTS; i++)
            free(m->scratch->input[i]);
        free(m->scratch->advance);
    }
    free(m->scratch);
    free(m);
    *model = NULL;
}

const struct model_info *model_info(const struct model *m)
{
    return &m->info;
}

static enum status check_size(const struct model_info *info, const char *field, int size,
                              struct why *why)
{
    if (size >= info->size_min && size <= info->size_max && size % info->size_multiple == 0)
        return ST_OK;
    return why_fail(why, ST_INVALID, "%s must be a multiple of %d from %d to %d, not %d", field,
                    info->size_multiple, info->size_min, info->size_max, size);
}

enum status model_check(const struct model *m, const struct picture *picture, struct why *why)
{
    struct sampler_plan plan;
    enum status st = check_size(&m->info, "width", picture->width, why);

    if (!st)
        st = check_size(&m->info, "height", picture->height, why);
    if (st)
        return st;
    if (!picture->prompt || !*picture->prompt)
        return why_fail(why, ST_INVALID, "prompt must not be empty");
    if (!(picture->guidance >= 0 && picture->guidance <= GUIDANCE_MAX))
        return why_fail(why, ST_INVALID, "guidance must be from 0 to %d", GUIDANCE_MAX);
    if ((int)picture->sampler < 0 || (int)picture->sampler >= SAMPLER_COUNT)
        return why_fail(why, ST_INVALID, "sampler must be from 0 to %d", SAMPLER_COUNT - 1);
    return sampler_make_plan(&plan, picture->sampler, &m->parts.schedule, picture->steps, why);
}

/* Sizing */

void model_set_tile(struct model *m, int tile)
{
    assert(tile >= 0 && tile % VAE_TILE_STEP == 0);
    if (m->info.tile_own)
        m->info.tile = tile;
}

void model_forget_texts(const struct model *m)
{
    texts_forget(m->texts);
}

static bool scratch_grow(const struct model *m, int seats, size_t pixels)
{
    struct scratch *s = m->scratch;
    int rows = device_rows(m->device, 2 * seats);

    for (int i = 0; i < INPUTS && rows > s->rows; i++) {
        struct scaled *bigger = realloc(s->input[i], (size_t)rows * sizeof(*bigger));

        if (!bigger)
            return false;
        s->input[i] = bigger;
    }
    s->rows = rows > s->rows ? rows : s->rows;
    if (seats > s->seats) {
        struct advance *bigger = realloc(s->advance, (size_t)seats * sizeof(*s->advance));

        if (!bigger)
            return false;
        s->advance = bigger;
        s->seats = seats;
    }
    s->pixels = pixels > s->pixels ? pixels : s->pixels;
    return true;
}

static struct tensor latent_view(const struct model *m, void *data, int width, int height)
{
    const struct model_info *info = &m->info;

    return tensor_view(data, DTYPE_F32, 1, height / info->latent_scale, width / info->latent_scale,
                       info->latent_channels);
}

static void latent_shape(const struct model *m, struct latent *l, int width, int height)
{
    l->x = latent_view(m, l->x.data, width, height);
    l->previous = latent_view(m, l->previous.data, width, height);
    l->output = latent_view(m, l->output.data, width, height);
    l->noise = latent_view(m, l->noise.data, width, height);
}

void model_latent_carve(const struct model *m, struct latent *l, int width_max, int height_max)
{
    struct arena *a = &m->device->arena;
    struct tensor like = latent_view(m, NULL, width_max, height_max);

    memset(l, 0, sizeof(*l));
    l->x = tensor_carve_like(a, like);
    l->previous = tensor_carve_like(a, like);
    l->output = tensor_carve_like(a, like);
    l->noise = tensor_carve_like(a, like);
    prompt_carve(&m->parts, l, m->device);
    shifts_shape(&m->parts, l, m->device->dtype);
    l->shift = tensor_carve_like(a, l->shift);
}

static void decode_pixels(const struct model *m, const struct latent *l, uint8_t *bytes,
                          float *rgb);

/* Everything a picture does, once, with seats that have no memory; what is done to them carves. */
enum status model_rehearse(const struct model *m, int seats, int width_max, int height_max,
                           struct why *why)
{
    struct latent *seat = calloc((size_t)seats, sizeof(*seat));
    struct latent **seat_list = calloc((size_t)seats, sizeof(seat_list[0]));
    enum status st = ST_OK;

    assert(seats >= 1 && !m->device->arena.base && "a rehearsal only measures");
    if (!seat || !seat_list || !scratch_grow(m, seats, (size_t)width_max * (size_t)height_max)) {
        st = why_fail(why, ST_FULL, "no memory for %d seats of %d x %d", seats, width_max,
                      height_max);
        goto end;
    }
    for (int i = 0; i < seats; i++) {
        seat_list[i] = &seat[i];
        seat[i].plan.count = SHIFTS_STEPS;
        seat[i].guidance = 2;
        prompt_shape(&m->parts, &seat[i], m->device->dtype);
        shifts_shape(&m->parts, &seat[i], m->device->dtype);
        latent_shape(m, &seat[i], width_max, height_max);
    }
    texts_forget(m->texts); /* so that the longest way is gone */
    prompt_encode(&m->parts, m->texts, &seat[0], m->device, m->scratch->ids, false);
    texts_forget(m->texts); /* nothing was computed */
    model_step(m, seat_list, seats);
    decode_pixels(m, &seat[0], NULL, NULL);
end:
    free(seat_list);
    free(seat);
    return st;
}

/* Starting */

enum status model_latent_start(const struct model *m, struct latent *l,
                               const struct picture *picture, const float *noise, int32_t *ids,
                               struct why *why)
{
    struct device *d = m->device;
    enum status st;

    assert((size_t)picture->width * (size_t)picture->height <= m->scratch->pixels);
    latent_shape(m, l, picture->width, picture->height);
    l->step = 0;
    l->guidance = picture->guidance;
    l->seed = picture->seed;
    st = sampler_make_plan(&l->plan, picture->sampler, &m->parts.schedule, picture->steps, why);
    if (!st)
        st = prompt_tokenize(&m->parts, m->scratch->ids, &l->prompt_cut, picture, why);
    if (st)
        return st;
    if (ids)
        memcpy(ids, m->scratch->ids, (size_t)prompt_id_count(&m->parts) * sizeof(ids[0]));
    prompt_encode(&m->parts, m->texts, l, d, m->scratch->ids, prompt_has_negative(picture));
    if (noise)
        d->ops.upload(d, l->x, noise);
    else
        d->ops.noise(d, l->x, l->seed, 0);
    d->ops.affine(d, l->x, l->x, l->plan.init_noise, 0);
    return ST_OK;
}

bool model_latent_done(const struct latent *l)
{
    return l->step >= l->plan.count;
}

/* Stepping */

static int rows_of(const struct latent *l)
{
    return l->guidance > 1 ? 2 : 1;
}

/* `rows` rows of one latent from `row` on: its x, scaled, and its time, beside each prompt that it
   needs; a single row is the prompt's. */
static void list_rows(const struct model *m, const struct latent *l, int row, int rows)
{
    struct scaled **input = m->scratch->input;

    for (int i = 2 - rows; i < 2; i++, row++) {
        input[INPUT_X][row] = (struct scaled){l->x, l->plan.step[l->step].in_scale};
        input[INPUT_SHIFT][row] = (struct scaled){shifts_row(l, i), 1};
        input[INPUT_PROMPT][row] = (struct scaled){tensor_slice(l->prompt, i, 1), 1};
    }
}

/* What leads from the model's rows to the next latents; the step counts as done. */
static struct advance advance_of(const struct model *m, struct latent *l, struct tensor rows)
{
    struct device *d = m->device;
    const struct sampler_step *s = &l->plan.step[l->step];
    struct advance a = {.x = l->x,
                        .previous = l->previous,
                        .output = l->output,
                        .noise = l->noise,
                        .rows = {[1] = tensor_slice(rows, rows_of(l) - 1, 1)},
                        .guide = {(float)(1 - l->guidance), (float)l->guidance},
                        .estimate = {s->x0_x, s->x0_out},
                        .next = {s->next_x, s->next_out, s->next_prev, s->next_noise}};

    if (rows_of(l) == 2)
        a.rows[0] = tensor_slice(rows, 0, 1);
    if (s->next_noise != 0)
        d->ops.noise(d, l->noise, l->seed, 1 + (uint32_t)l->step);
    l->step++;
    return a;
}

/* What the network sees of a step, at the same addresses for every step of as many rows. */
struct pass {
    const struct unet *unet;
    struct tensor y;
    struct unet_rows rows;
};

static void forward(void *context)
{
    const struct pass *p = context;

    unet_forward(p->unet, p->y, p->rows);
}

/* Memory for `rows`, and for those that the device is prepared for beside them. */
static struct pass pass_carve(const struct model *m, struct tensor like, int rows)
{
    struct device *d = m->device;
    struct arena *a = &d->arena;
    struct pass p = {.unet = m->parts.unet};
    struct unet_info unet = unet_info(p.unet);

    p.rows.x = tensor_carve(a, d->dtype, rows, like.dim[1], like.dim[2], like.dim[3]);
    p.y = tensor_carve(a, DTYPE_F32, rows, like.dim[1], like.dim[2], like.dim[3]);
    p.rows.shift = tensor_carve(a, d->dtype, rows, 1, 1, unet.shift_width);
    p.rows.prompt = tensor_carve(a, d->dtype, rows, 1, m->info.prompt_tokens, unet.prompt_width);
    return p;
}

void model_step(const struct model *m, struct latent *const *latents, int count)
{
    struct device *d = m->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor like = latents[0]->x;
    struct pass p;
    int rows = 0, row = 0, prepared;

    assert(count >= 1 && count <= m->scratch->seats);
    for (int i = 0; i < count; i++) {
        assert(!model_latent_done(latents[i]) && tensor_same_shape(latents[i]->x, like));
        rows += rows_of(latents[i]);
        shifts_read(&m->parts, latents[i], d);
    }
    prepared = device_rows(d, rows);
    p = pass_carve(m, like, prepared);
    for (int i = 0; i < count; row += rows_of(latents[i]), i++)
        list_rows(m, latents[i], row, rows_of(latents[i]));
    for (; row < prepared; row++) /* for nobody, but numbers all the same */
        list_rows(m, latents[0], row, 1);
    d->ops.gather(d, p.rows.x, m->scratch->input[INPUT_X]);
    d->ops.gather(d, p.rows.shift, m->scratch->input[INPUT_SHIFT]);
    d->ops.gather(d, p.rows.prompt, m->scratch->input[INPUT_PROMPT]);
    d->ops.repeat(d, (struct repeat_key){m, prepared, (int)like.dim[1], (int)like.dim[2]}, forward,
                  &p);
    row = 0;
    for (int i = 0; i < count; row += rows_of(latents[i]), i++)
        m->scratch->advance[i] =
            advance_of(m, latents[i], tensor_slice(p.y, row, rows_of(latents[i])));
    d->ops.advance(d, m->scratch->advance, count);
    arena_rewind(&d->arena, mark);
}

/* Decoding */

/* What the autoencoder sees of a picture, at the same addresses for every picture of a size. */
struct decoding {
    const struct vae *vae;
    struct tensor pixels, z;
    int tile;
};

static void decode(void *context)
{
    const struct decoding *p = context;

    vae_decode_tiled(p->vae, p->pixels, p->z, p->tile);
}

/* The pixels as bytes, and as floats too unless rgb is NULL. */
static void decode_pixels(const struct model *m, const struct latent *l, uint8_t *bytes, float *rgb)
{
    struct device *d = m->device;
    size_t mark = arena_mark(&d->arena);
    int64_t scale = m->info.latent_scale;
    int height = (int)l->x.dim[1], width = (int)l->x.dim[2];
    struct decoding p = {.vae = m->parts.vae, .tile = m->info.tile};

    p.pixels = tensor_carve(&d->arena, DTYPE_F32, 1, scale * height, scale * width, 3);
    p.z = tensor_carve_like(&d->arena, l->x);
    d->ops.convert(d, p.z, l->x);
    d->ops.repeat(d, (struct repeat_key){m->parts.vae, 1, height, width}, decode, &p);
    d->ops.download_pixels(d, bytes, p.pixels);
    if (rgb)
        d->ops.download(d, rgb, p.pixels);
    arena_rewind(&d->arena, mark);
}

enum status model_decode(const struct model *m, const struct latent *l, struct image *image,
                         float *rgb, struct why *why)
{
    int scale = m->info.latent_scale;
    int height = scale * (int)l->x.dim[1], width = scale * (int)l->x.dim[2];
    enum status st = image_open(image, width, height);

    if (st)
        return why_fail(why, st, "no memory for a picture of %d x %d", width, height);
    decode_pixels(m, l, image->rgb, rgb);
    if (device_sync(m->device) == ST_OK)
        return ST_OK;
    image_close(image);
    return why_fail(why, ST_DEVICE, "the device failed");
}

enum status model_preview(const struct model *m, const struct latent *l, struct image *image,
                          struct why *why)
{
    struct latent clean = *l;

    assert(l->step > 0);
    clean.x = l->previous;
    return model_decode(m, &clean, image, NULL, why);
}
