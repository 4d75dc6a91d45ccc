/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/encode.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a file while they grow. */
struct sink {
    uint8_t *data;
    size_t count, size;
    bool full; /* memory ran out, here or in the guest */
};

static bool sink_add(struct sink *sink, const void *data, size_t count)
{
    size_t size = sink->size ? sink->size : 65536;
    uint8_t *grown;

    if (count > sink->size - sink->count) {
        while (size - sink->count < count && size <= SIZE_MAX / 2)
            size *= 2;
        grown = size - sink->count < count ? NULL : realloc(sink->data, size);
        if (!grown) {
            sink->full = true;
            return false;
        }
        sink->data = grown;
        sink->size = size;
    }
    memcpy(sink->data + sink->count, data, count);
    sink->count += count;
    return true;
}

/* Pixels of all three guests: 3 bytes, rows without gaps. */
static size_t row_bytes(const struct image *image)
{
    return (size_t)image->width * 3;
}

/* libpng's callbacks. Errors leave by longjmp, so nothing here or in png_write may own memory
   that only a local variable knows. */
static void png_fail(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void png_keep_quiet(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp png_take(png_structp png, png_alloc_size_t bytes)
{
    struct sink *sink = png_get_mem_ptr(png);
    void *p = malloc(bytes);

    if (!p)
        sink->full = true;
    return p;
}

static void png_give(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

static void png_add(png_structp png, png_bytep data, size_t count)
{
    if (!sink_add(png_get_io_ptr(png), data, count))
        png_error(png, "no memory");
}

static void png_flush_nothing(png_structp png)
{
    (void)png;
}

static bool is_ascii(const char *text)
{
    while (*text)
        if (*text++ & 0x80)
            return false;
    return true;
}

/* A keyword as PNG has them. libpng would cut or change a bad one and only warn. */
static bool is_keyword(const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < length; i++)
        if (key[i] < ' ' || key[i] > '~')
            return false;
    return length >= 1 && length <= 79 && key[0] != ' ' && key[length - 1] != ' ' &&
           !strstr(key, "  ");
}

/* tEXt is Latin-1 and known to more readers; iTXt is UTF-8. libpng copies key and value. */
static void png_set_chunk(png_structp png, png_infop info, const struct text_chunk *chunk)
{
    bool ascii = is_ascii(chunk->value);
    png_text text = {
        .compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
        .key = (png_charp)(uintptr_t)chunk->key,
        .text = (png_charp)(uintptr_t)chunk->value,
    };

    png_set_text(png, info, &text, 1);
}

/* False when libpng jumped out. Only parameters live here, and none is assigned. */
static bool png_write(png_structp png, png_infop info, const struct image *image,
                      const struct encode_options *options)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_compression_level(png, 1);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    for (size_t i = 0; i < options->chunk_count; i++)
        png_set_chunk(png, info, &options->chunks[i]);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->rgb + (size_t)y * row_bytes(image));
    png_write_end(png, info);
    return true;
}

static enum status encode_png(struct sink *sink, const struct image *image,
                              const struct encode_options *options)
{
    png_structp png;
    png_infop info;
    bool made, done = false;

    for (size_t i = 0; i < options->chunk_count; i++)
        if (!is_keyword(options->chunks[i].key))
            return ST_INVALID;
    png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, NULL, png_fail, png_keep_quiet, sink,
                                    png_take, png_give);
    info = png ? png_create_info_struct(png) : NULL;
    made = info != NULL;
    if (made) {
        png_set_write_fn(png, sink, png_add, png_flush_nothing);
        done = png_write(png, info, image, options);
    }
    png_destroy_write_struct(&png, &info);
    if (done)
        return ST_OK;
    return sink->full || !made ? ST_FULL : ST_INVALID;
}

static int webp_add(const uint8_t *data, size_t count, const WebPPicture *picture)
{
    return sink_add(picture->custom_ptr, data, count);
}

static enum status encode_webp(struct sink *sink, const struct image *image, int quality)
{
    WebPConfig config;
    WebPPicture picture;
    bool done;

    if (image->width > WEBP_MAX_DIMENSION || image->height > WEBP_MAX_DIMENSION)
        return ST_UNSUPPORTED;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture))
        return ST_UNSUPPORTED; /* the library is of another version than its header */
    config.quality = (float)quality;
    config.method = 2;
    picture.width = image->width;
    picture.height = image->height;
    picture.writer = webp_add;
    picture.custom_ptr = sink;
    done = WebPPictureImportRGB(&picture, image->rgb, (int)row_bytes(image)) &&
           WebPEncode(&config, &picture);
    WebPPictureFree(&picture);
    if (done)
        return ST_OK;
    switch (picture.error_code) {
    case VP8_ENC_ERROR_BAD_DIMENSION:
    case VP8_ENC_ERROR_PARTITION0_OVERFLOW:
    case VP8_ENC_ERROR_PARTITION_OVERFLOW:
    case VP8_ENC_ERROR_FILE_TOO_BIG:
        return ST_UNSUPPORTED;
    default:
        return ST_FULL; /* importing without memory does not even set a code */
    }
}

/* The worst size is known before, so the picture is written straight into our own memory. */
static enum status encode_jpeg(struct sink *sink, const struct image *image, int quality)
{
    const int sampling = quality < 90 ? TJSAMP_420 : TJSAMP_444;
    unsigned long size = tjBufSize(image->width, image->height, sampling);
    tjhandle jpeg;
    int failed;

    if (image->width > 65500 || image->height > 65500 || size == (unsigned long)-1)
        return ST_UNSUPPORTED;
    sink->data = malloc(size);
    jpeg = sink->data ? tjInitCompress() : NULL;
    if (!jpeg)
        return ST_FULL;
    sink->size = size;
    failed = tjCompress2(jpeg, image->rgb, image->width, (int)row_bytes(image), image->height,
                         TJPF_RGB, &sink->data, &size, sampling, quality, TJFLAG_NOREALLOC);
    tjDestroy(jpeg);
    sink->count = size;
    return failed ? ST_FULL : ST_OK; /* the parameters are checked: only memory is left */
}

/* Hand the bytes over in a block of their size. */
static enum status sink_finish(struct sink *sink, struct bytes *out)
{
    uint8_t *fitted = realloc(sink->data, sink->count);

    *out = (struct bytes){.data = fitted ? fitted : sink->data, .count = sink->count};
    return ST_OK;
}

enum status encode_image(struct bytes *out, const struct image *image,
                         struct encode_options options)
{
    struct sink sink = {0};
    enum status st = ST_UNSUPPORTED;

    assert(image->rgb && image->width > 0 && image->height > 0);
    assert(options.quality >= 0 && options.quality <= 100);
    *out = (struct bytes){0};
    switch (options.format) {
    case FORMAT_PNG:
        st = encode_png(&sink, image, &options);
        break;
    case FORMAT_WEBP:
        st = encode_webp(&sink, image, options.quality);
        break;
    case FORMAT_JPEG:
        st = encode_jpeg(&sink, image, options.quality);
        break;
    }
    if (!st)
        return sink_finish(&sink, out);
    free(sink.data);
    return st;
}

void bytes_close(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

const char *encode_media_type(enum format format)
{
    switch (format) {
    case FORMAT_PNG:
        return "image/png";
    case FORMAT_WEBP:
        return "image/webp";
    case FORMAT_JPEG:
        return "image/jpeg";
    }
    return "application/octet-stream";
}

enum status encode_format_from_name(enum format *out, const char *name)
{
    static const struct {
        const char *name;
        enum format format;
    } names[] = {
        {"png", FORMAT_PNG}, {"webp", FORMAT_WEBP}, {"jpeg", FORMAT_JPEG}, {"jpg", FORMAT_JPEG}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i].name) != 0)
            continue;
        *out = names[i].format;
        return ST_OK;
    }
    return ST_INVALID;
}
