/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/xmp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct draft {
    char *out;
    size_t count;
    bool full;
};

static void add(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct draft *d, const char *format, ...)
{
    size_t room = XMP_BYTES_MAX - d->count;
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(d->out + d->count, room, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= room)
        d->full = true;
    else
        d->count += (size_t)count;
}

/* As a value between quotes. Control characters are none of XML's. */
static void add_text(struct draft *d, const char *text)
{
    for (; *text; text++) {
        if (strchr("&<>\"'", *text))
            add(d, "&#%d;", *text);
        else if ((unsigned char)*text >= ' ')
            add(d, "%c", *text);
    }
}

static void add_field(struct draft *d, const char *name, const char *value)
{
    add(d, "\n   %s=\"", name);
    add_text(d, value);
    add(d, "\"");
}

/* JSON within an attribute of XML. The provider's name is cut to what needs no escape in it. */
static void add_gb45438(struct draft *d, const struct xmp_facts *f)
{
    char value[512], name[128];
    size_t count = 0;

    for (const char *at = f->provider; *at && count + 1 < sizeof(name); at++) {
        if ((unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
            name[count++] = *at;
    }
    name[count] = '\0';
    snprintf(value, sizeof(value),
             "{\"Label\":\"1\",\"ContentProducer\":\"%s\",\"ProduceID\":\"%016" PRIx64
             "\",\"ReservedCode1\":\"\",\"ContentPropagator\":\"\",\"PropagateID\":\"\","
             "\"ReservedCode2\":\"\"}",
             name, f->id);
    add_field(d, "TC260:AIGC", value);
}

void xmp_time(char out[XMP_TIME_MAX], int64_t time_s)
{
    time_t at = (time_t)time_s;
    struct tm utc;

    gmtime_r(&at, &utc);
    strftime(out, XMP_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void add_facts(struct draft *d, const struct xmp_facts *f)
{
    char time[XMP_TIME_MAX], id[32];

    xmp_time(time, f->time_s);
    snprintf(id, sizeof(id), "%016" PRIx64, f->id);
    add_field(d, "Iptc4xmpExt:DigitalSourceType", XMP_SOURCE_TYPE);
    add_field(d, "Iptc4xmpExt:AISystemUsed", f->system);
    add_field(d, "Iptc4xmpExt:AISystemVersionUsed", f->version);
    add_field(d, "xmp:CreateDate", time);
    add_field(d, "xmp:CreatorTool", f->system);
    add_field(d, "xmpMM:DocumentID", f->instance);
    add_field(d, "xmpMM:InstanceID", f->instance);
    add_field(d, "limner:Provider", f->provider);
    add_field(d, "limner:System", f->system);
    add_field(d, "limner:SystemVersion", f->version);
    add_field(d, "limner:Created", time);
    add_field(d, "limner:ID", id);
    if (f->detector_url && *f->detector_url)
        add_field(d, "limner:Detector", f->detector_url);
    if (f->gb45438)
        add_gb45438(d, f);
}

enum status xmp_write(char out[XMP_BYTES_MAX], size_t *bytes, const struct xmp_facts *f,
                      struct why *why)
{
    struct draft d = {.out = out};

    add(&d, "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
            " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
            "  <rdf:Description rdf:about=\"\"\n"
            "   xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n"
            "   xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\"\n"
            "   xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n"
            "   xmlns:TC260=\"http://www.tc260.org.cn/ns/AIGC/1.0/\"\n"
            "   xmlns:limner=\"https://limner.invalid/ns/provenance/1.0/\"");
    add_facts(&d, f);
    add(&d, "/>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>");
    if (d.full)
        return why_fail(why, ST_INVALID, "the provider's name or the addresses are too long");
    *bytes = d.count;
    return ST_OK;
}
