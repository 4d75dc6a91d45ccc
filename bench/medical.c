/* SPDX-License-Identifier: Apache-2.0 */
/*
 * medical.c - what the classifiers say of sets of harmless pictures, and how many of them bands
 * would hit.
 *
 *     bench_medical [flags] SET...
 *
 *     SET                   a folder of PNG files, or FILE.bin: PNG files one behind the other;
 *                           FILE.bin:FIRST:COUNT takes a part of them (the Health Icons are
 *                           icons128.bin:6871:742, masks whose ink is white)
 *     --invert              the sets that follow are masks: 255 is ink
 *     --weights=FOLDER      moderation/weights without it
 *     --temperature=T       1 without it
 *     --explicit=A,B,...    bands of Porn + Hentai, main model
 *     --sexy=A,B,...        bands of Sexy, main model
 *     --tsv=FILE            every picture's numbers
 *
 * Rates come with their Wilson 95 % intervals. Every hit is a false one: that is what the sets are
 * for. The last set is all of them together.
 */
#include "codec/decode.h"
#include "moderation/vision.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BANDS_MAX = 8,
    NAME_BYTES = 256,
    SETS_MAX = 16,
    FILE_BYTES_MAX = 256 << 20,
};

enum number {
    MAIN_EXPLICIT,
    SECOND_EXPLICIT,
    MAIN_SEXY,
    SECOND_SEXY,
    GAP,      /* between the models, of the explicit */
    DISTANCE, /* between the models, half the sum over classes */
    MARGIN,   /* between the main model's first and second class */
    ENERGY,   /* of the main model */
    NUMBERS
};

static const char *const number_names[NUMBERS] = {
    "main p(explicit)", "second p(explicit)", "main p(Sexy)",        "second p(Sexy)",
    "explicit gap",     "distance of models", "main top-two margin", "main energy"};

struct row {
    char name[NAME_BYTES];
    int set;
    double number[NUMBERS];
};

struct bench {
    struct vision *vision;
    double temperature;
    double explicit_bands[BANDS_MAX], sexy_bands[BANDS_MAX];
    int explicit_count, sexy_count;
    bool invert;
    FILE *tsv;
    struct row *rows;
    size_t count, room;
    const char *sets[SETS_MAX];
    int set_count;
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_medical: %s: %s\n", what, why);
    exit(1);
}

static void measure(struct bench *b, struct row *r, const struct scores *s)
{
    double p[SCORES_MODELS][SCORES_CLASSES], first = 0, second = 0, distance = 0;

    for (int m = 0; m < SCORES_MODELS; m++)
        scores_softmax(p[m], s, (enum scores_model)m, b->temperature);
    for (int i = 0; i < SCORES_CLASSES; i++) {
        distance += fabs(p[0][i] - p[1][i]) / 2;
        second = fmax(second, fmin(first, p[0][i]));
        first = fmax(first, p[0][i]);
    }
    r->number[MAIN_EXPLICIT] = p[0][SCORES_PORN] + p[0][SCORES_HENTAI];
    r->number[SECOND_EXPLICIT] = p[1][SCORES_PORN] + p[1][SCORES_HENTAI];
    r->number[MAIN_SEXY] = p[0][SCORES_SEXY];
    r->number[SECOND_SEXY] = p[1][SCORES_SEXY];
    r->number[GAP] = fabs(r->number[MAIN_EXPLICIT] - r->number[SECOND_EXPLICIT]);
    r->number[DISTANCE] = distance;
    r->number[MARGIN] = first - second;
    r->number[ENERGY] = scores_energy(s, SCORES_MAIN, b->temperature);
}

static void add_picture(struct bench *b, const char *name, const void *bytes, size_t count)
{
    const struct image *image;
    struct image decoded;
    struct scores scores;
    struct why why = {{0}};
    struct row *r;

    if (decode_png(&decoded, bytes, count, &why))
        stop(name, why.text);
    for (size_t i = 0; b->invert && i < image_bytes(&decoded); i++)
        decoded.rgb[i] = (uint8_t)(255 - decoded.rgb[i]);
    image = &decoded;
    if (vision_score(b->vision, &scores, &image, NULL, 1, &why))
        stop(name, why.text);
    image_close(&decoded);
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 1024;
        b->rows = realloc(b->rows, b->room * sizeof(*b->rows));
        if (!b->rows)
            stop(name, "no memory");
    }
    r = &b->rows[b->count++];
    *r = (struct row){.set = b->set_count};
    snprintf(r->name, sizeof(r->name), "%s", name);
    measure(b, r, &scores);
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long size = -1;

    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0 && size < FILE_BYTES_MAX)
        data = malloc((size_t)size);
    if (!data)
        stop(path, "cannot be read");
    rewind(file);
    *bytes = fread(data, 1, (size_t)size, file);
    fclose(file);
    return data;
}

static int is_png(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 4 && !strcmp(entry->d_name + length - 4, ".png");
}

static void add_folder(struct bench *b, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_png, alphasort);

    if (count <= 0)
        stop(folder, "holds no PNG files");
    for (int i = 0; i < count; i++) {
        char path[4096];
        size_t bytes;
        char *data;

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        data = read_file(path, &bytes);
        add_picture(b, entries[i]->d_name, data, bytes);
        free(data);
        free(entries[i]);
    }
    free(entries);
}

/* Bytes of the PNG that begins here, by the lengths of its chunks; 0 when there is none. */
static size_t png_length(const unsigned char *at, size_t bytes)
{
    size_t end = 8;

    while (end + 12 <= bytes) {
        size_t length = (size_t)at[end] << 24 | (size_t)at[end + 1] << 16 |
                        (size_t)at[end + 2] << 8 | at[end + 3];
        bool last = !memcmp(at + end + 4, "IEND", 4);

        end += length + 12;
        if (last)
            return end <= bytes ? end : 0;
    }
    return 0;
}

static void add_packed(struct bench *b, const char *set)
{
    char path[4096];
    int first = 0, count = 1 << 30, index = 0;
    size_t bytes, at = 0, length;
    char *data;

    if (sscanf(set, "%4095[^:]:%d:%d", path, &first, &count) < 1)
        stop(set, "is no set");
    data = read_file(path, &bytes);
    for (; at < bytes && index - first < count; at += length, index++) {
        char name[32];

        length = png_length((unsigned char *)data + at, bytes - at);
        if (!length)
            stop(path, "is not PNG files one behind the other");
        snprintf(name, sizeof(name), "%d", index);
        if (index >= first)
            add_picture(b, name, data + at, length);
    }
    free(data);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The numbers of a set (all sets: below 0), sorted. The caller frees them. */
static double *collect(const struct bench *b, int set, enum number number, size_t *count)
{
    double *list = malloc((b->count + 1) * sizeof(*list));

    *count = 0;
    for (size_t i = 0; list && i < b->count; i++)
        if (set < 0 || b->rows[i].set == set)
            list[(*count)++] = b->rows[i].number[number];
    if (!list || !*count)
        stop("numbers", "none");
    qsort(list, *count, sizeof(*list), by_size);
    return list;
}

static void print_band(const char *what, double band, const double *sorted, size_t count)
{
    const double z = 1.959964;
    double n = (double)count, hits = 0, p, middle, half;

    for (size_t i = 0; i < count; i++)
        hits += sorted[i] >= band;
    p = hits / n;
    middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    printf("    %-17s >= %.2f: %5.0f of %5.0f, %6.2f %% (%.2f to %.2f)\n", what, band, hits, n,
           100 * p, 100 * fmax(0, middle - half), 100 * fmin(1, middle + half));
}

static void print_set(const struct bench *b, int set, const char *name)
{
    static const double quantiles[] = {0, .1, .25, .5, .75, .9, .95, .99, 1};
    enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]) };

    for (int n = 0; n < NUMBERS; n++) {
        size_t count;
        double *list = collect(b, set, (enum number)n, &count);

        if (n == 0)
            printf("%s: %zu pictures\n    %-20s     min     10%%     25%%     50%%     75%%     "
                   "90%%     95%%     99%%     max\n",
                   name, count, "quantiles");
        printf("    %-20s", number_names[n]);
        for (int q = 0; q < QUANTILES; q++)
            printf(" %7.4f", list[(size_t)(quantiles[q] * (double)(count - 1) + 0.5)]);
        printf("\n");
        free(list);
    }
    for (int i = 0; i < b->explicit_count + b->sexy_count; i++) {
        bool sexy = i >= b->explicit_count;
        size_t count;
        double *list = collect(b, set, sexy ? MAIN_SEXY : MAIN_EXPLICIT, &count);

        print_band(sexy ? "main p(Sexy)" : "main p(explicit)",
                   sexy ? b->sexy_bands[i - b->explicit_count] : b->explicit_bands[i], list, count);
        free(list);
    }
}

static void write_tsv(const struct bench *b)
{
    fprintf(b->tsv, "set\tpicture");
    for (int n = 0; n < NUMBERS; n++)
        fprintf(b->tsv, "\t%s", number_names[n]);
    for (size_t i = 0; i < b->count; i++) {
        fprintf(b->tsv, "\n%s\t%s", b->sets[b->rows[i].set], b->rows[i].name);
        for (int n = 0; n < NUMBERS; n++)
            fprintf(b->tsv, "\t%.5f", b->rows[i].number[n]);
    }
    fprintf(b->tsv, "\n");
    fclose(b->tsv);
}

static int read_bands(double out[BANDS_MAX], const char *text)
{
    int count = 0;
    char *end = NULL;

    while (count < BANDS_MAX && *text) {
        out[count++] = strtod(text, &end);
        if (end == text || (*end && *end != ','))
            stop(text, "are no bands");
        text = *end ? end + 1 : end;
    }
    return count;
}

static bool read_flag(struct bench *b, const char *flag, const char **weights)
{
    if (!strncmp(flag, "--weights=", 10))
        *weights = flag + 10;
    else if (!strncmp(flag, "--temperature=", 14))
        b->temperature = atof(flag + 14);
    else if (!strncmp(flag, "--explicit=", 11))
        b->explicit_count = read_bands(b->explicit_bands, flag + 11);
    else if (!strncmp(flag, "--sexy=", 7))
        b->sexy_count = read_bands(b->sexy_bands, flag + 7);
    else if (!strncmp(flag, "--tsv=", 6))
        b->tsv = fopen(flag + 6, "w");
    else
        return false;
    return true;
}

static void add_set(struct bench *b, const char *set)
{
    if (b->set_count == SETS_MAX)
        stop(set, "is a set too many");
    b->sets[b->set_count] = set;
    if (strstr(set, ".bin"))
        add_packed(b, set);
    else
        add_folder(b, set);
    b->set_count++;
}

int main(int argc, char **argv)
{
    static struct bench b = {.temperature = 1};
    struct vision_options options = {.folder = "moderation/weights", .threads = 1};
    struct why why = {{0}};
    bool is_flag[256] = {false};

    for (int i = 1; i < argc && i < 256; i++)
        is_flag[i] = read_flag(&b, argv[i], &options.folder);
    if (vision_open(&b.vision, &options, &why))
        stop(options.folder, why.text);
    for (int i = 1; i < argc && i < 256; i++) {
        if (!strcmp(argv[i], "--invert"))
            b.invert = true;
        else if (!is_flag[i] && argv[i][0] == '-')
            stop(argv[i], "is no flag");
        else if (!is_flag[i])
            add_set(&b, argv[i]);
    }
    if (!b.set_count)
        stop("no set", "name folders of PNG files; see bench/medical.c");
    for (int i = 0; i < b.set_count; i++)
        print_set(&b, i, b.sets[i]);
    if (b.set_count > 1)
        print_set(&b, -1, "all");
    if (b.tsv)
        write_tsv(&b);
    vision_close(&b.vision);
    free(b.rows);
    return 0;
}
