/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details of libcyaml 1.3.1 that have caused bugs
 *
 * - It reads the first document and leaves the rest: a second one is looked for here.
 * - The place that it names for an unknown key is that of the value before it.
 * - It forgets the places of values, so libyaml reads the text once more for them.
 * - As integers it takes 010 for 8 and 1.5 for 1, and cuts texts at a NUL: so every value is read
 * as a text, and no text with a NUL gets this far.
 */
#include "server/config_file.h"

#include <cyaml/cyaml.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define VALUE_MAX 4095

/* What libcyaml is told of the names, for one call. */
struct schema {
    cyaml_schema_value_t root, text, tenant;
    cyaml_schema_field_t settings[CONFIG_FILE_NAMES_MAX + 4];
    cyaml_schema_field_t limits[CONFIG_FILE_NAMES_MAX + 2]; /* the name first */
};

/* What it complained about. */
struct complaint {
    char text[256];
    int line;
};

/* ---- the schema ---- */

static cyaml_schema_field_t text_field(const char *name, size_t at)
{
    return (cyaml_schema_field_t){
        .key = name,
        .data_offset = (uint32_t)at,
        .value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0, VALUE_MAX)},
    };
}

static void build_limits(struct schema *s, const struct config_file_names *names)
{
    static const cyaml_schema_field_t name = CYAML_FIELD_STRING_PTR(
        "name", CYAML_FLAG_POINTER, struct config_file_tenant, name, 1, VALUE_MAX);
    static const cyaml_schema_field_t end = CYAML_FIELD_END;
    int count = 0;

    s->limits[count++] = name;
    for (int i = 0; i < names->limit_count; i++)
        s->limits[count++] =
            text_field(names->limit[i], offsetof(struct config_file_tenant, value[i]));
    s->limits[count] = end;
    s->tenant = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_file_tenant, s->limits)};
}

static void build(struct schema *s, const struct config_file_names *names)
{
    const cyaml_schema_field_t rest[] = {
        CYAML_FIELD_SEQUENCE("model", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_file,
                             model, &s->text, 0, CONFIG_FILE_MODELS_MAX),
        CYAML_FIELD_MAPPING_PTR("tenant-default", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                struct config_file, others, s->limits + 1),
        CYAML_FIELD_SEQUENCE("tenants", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                             struct config_file, tenant, &s->tenant, 0, CONFIG_FILE_TENANTS_MAX),
        CYAML_FIELD_END};

    s->text = (cyaml_schema_value_t){CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, VALUE_MAX)};
    build_limits(s, names);
    for (int i = 0; i < names->setting_count; i++)
        s->settings[i] = text_field(names->setting[i], offsetof(struct config_file, value[i]));
    memcpy(s->settings + names->setting_count, rest, sizeof(rest));
    s->root = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_file, s->settings)};
}

/* ---- what is wrong, and where ---- */

__attribute__((format(printf, 3, 0))) static void hear(cyaml_log_t level, void *memory,
                                                       const char *format, va_list args)
{
    struct complaint *c = memory;
    char text[256];
    const char *place;

    (void)level;
    vsnprintf(text, sizeof(text), format, args);
    place = strstr(text, "(line: ");
    if (place && !c->line)
        c->line = atoi(place + 7);
    if (place || c->text[0] || strncmp(text, "Load: ", 6) || strstr(text, "Backtrace"))
        return;
    snprintf(c->text, sizeof(c->text), "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
}

static cyaml_config_t config_of(struct complaint *c)
{
    return (cyaml_config_t){.log_fn = hear,
                            .log_ctx = c,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_STYLE_BLOCK};
}

static const char *line_at(const char *text, int line)
{
    for (int i = 1; text && i < line; i++) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text;
}

/* The first line from `line` on that says `name` and a colon; `line` itself if none does. */
static int line_of(const char *text, int line, const char *name)
{
    const char *at = line_at(text, line);
    size_t bytes = strlen(name);

    for (int i = line; at && bytes; i++) {
        size_t length = strcspn(at, "\n");

        for (const char *p = at; p + bytes < at + length; p++) {
            if (!memcmp(p, name, bytes) && p[bytes] == ':')
                return i;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return line;
}

/* The name behind `words`, when that is what was complained about. */
static const char *named(const struct complaint *c, const char *words)
{
    size_t bytes = strlen(words);

    return strncmp(c->text, words, bytes) ? NULL : c->text + bytes;
}

/* Where libyaml itself could not go on; libcyaml does not pass that on. The end of a text may count
   as a line of its own. */
static int broken_line(const char *text, int otherwise)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int line = otherwise;
    bool more = true;

    if (!yaml_parser_initialize(&parser))
        return line;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (more && yaml_parser_parse(&parser, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (parser.error == YAML_SCANNER_ERROR || parser.error == YAML_PARSER_ERROR)
        line = (int)parser.problem_mark.line + 1;
    while (line > 1 && !line_at(text, line))
        line--;
    yaml_parser_delete(&parser);
    return line;
}

static enum status explain(const struct complaint *c, cyaml_err_t error, const char *path,
                           const char *text, struct why *why)
{
    const char *unknown = named(c, "Unexpected key: ");
    const char *twice = named(c, "Mapping field already seen: ");
    int line = c->line ? c->line : 1;

    if (error == CYAML_ERR_OOM)
        return why_fail(why, ST_FULL, "%s: no memory to read it", path);
    if (unknown)
        return why_fail(why, ST_INVALID, "%s:%d: there is no setting called '%.64s'", path,
                        line_of(text, line, unknown), unknown);
    if (twice)
        return why_fail(why, ST_INVALID, "%s:%d: '%.64s' is said twice", path,
                        line_of(text, line + 1, twice), twice);
    if (named(c, "Missing required mapping field: "))
        return why_fail(why, ST_INVALID, "%s:%d: a tenant needs a name", path, line);
    if (named(c, "libyaml: "))
        line = broken_line(text, line);
    return why_fail(why, ST_INVALID, "%s:%d: %s", path, line,
                    c->text[0] ? c->text : cyaml_strerror(error));
}

/* ---- lines ---- */

static int node_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

static const char *node_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static bool is_named(const yaml_node_t *key, const char *name)
{
    return !strcmp(node_text(key), name);
}

/* The lines of a mapping's keys that are among `names`. */
static void note_keys(int *line, const char *const *names, int count, const yaml_node_t *key)
{
    for (int i = 0; i < count; i++) {
        if (is_named(key, names[i]))
            line[i] = node_line(key);
    }
}

static void note_tenant(struct config_file_tenant *t, const struct config_file_names *names,
                        yaml_document_t *d, const yaml_node_t *node)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;

    for (; node->type == YAML_MAPPING_NODE && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(d, pair->key);

        note_keys(t->line, names->limit, names->limit_count, key);
        if (is_named(key, "name"))
            t->name_line = node_line(key);
    }
}

/* Of the models, or of the tenants, as the schema has let them in. */
static void note_sequence(struct config_file *f, const struct config_file_names *names,
                          yaml_document_t *d, const yaml_node_t *node, bool tenants)
{
    const yaml_node_item_t *item = node->data.sequence.items.start;
    unsigned count = tenants ? f->tenant_count : f->model_count;

    for (unsigned i = 0;
         node->type == YAML_SEQUENCE_NODE && i < count && item < node->data.sequence.items.top;
         i++, item++) {
        const yaml_node_t *at = yaml_document_get_node(d, *item);

        if (tenants)
            note_tenant(&f->tenant[i], names, d, at);
        else
            f->model_line[i] = node_line(at);
    }
}

static void note_lines(struct config_file *f, const struct config_file_names *names,
                       yaml_document_t *d, const yaml_node_t *root)
{
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;

    for (; root->type == YAML_MAPPING_NODE && pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(d, pair->key);
        const yaml_node_t *value = yaml_document_get_node(d, pair->value);

        note_keys(f->line, names->setting, names->setting_count, key);
        if (is_named(key, "model"))
            note_sequence(f, names, d, value, false);
        else if (is_named(key, "tenants"))
            note_sequence(f, names, d, value, true);
        else if (is_named(key, "tenant-default") && f->others)
            note_tenant(f->others, names, d, value);
    }
}

/* False without memory: libcyaml has read the same text before. */
static bool find_lines(struct config_file *f, const struct config_file_names *names,
                       const char *text, size_t bytes)
{
    yaml_parser_t parser;
    yaml_document_t document;
    const yaml_node_t *root;
    bool good;

    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    good = yaml_parser_load(&parser, &document);
    root = good ? yaml_document_get_root_node(&document) : NULL;
    if (root)
        note_lines(f, names, &document, root);
    if (good)
        yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return good;
}

/* ---- reading ---- */

static bool is_mark(const char *line, const char *mark)
{
    return !strncmp(line, mark, 3) && (!line[3] || strchr(" \t\r\n", line[3]));
}

/* One document, in UTF-8, is all there may be. */
static enum status check_text(const char *path, const char *text, size_t bytes, struct why *why)
{
    bool begun = false;
    int number = 1;

    if (memchr(text, 0, bytes))
        return why_fail(why, ST_INVALID, "%s: is no text in UTF-8", path);
    for (const char *line = text; line; number++) {
        const char *word = line + strspn(line, " \t\r");

        if (begun && (is_mark(line, "---") || is_mark(line, "...")))
            return why_fail(why, ST_INVALID, "%s:%d: a second document begins", path, number);
        begun |= *word && *word != '#' && *word != '\n';
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return ST_OK;
}

enum status config_file_parse(struct config_file **out, const char *path, const char *text,
                              size_t bytes, const struct config_file_names *names, struct why *why)
{
    struct complaint complaint = {.line = 0};
    cyaml_config_t config = config_of(&complaint);
    char *copy = calloc(1, bytes + 1); /* with a NUL, and what is empty is not NULL */
    struct schema schema = {.root = {.type = CYAML_IGNORE}};
    cyaml_err_t error;
    enum status st;

    *out = NULL;
    if (!copy)
        return why_fail(why, ST_FULL, "%s: no memory to read it", path);
    memcpy(copy, text, bytes);
    build(&schema, names);
    st = check_text(path, copy, bytes, why);
    if (!st) {
        error = cyaml_load_data((const uint8_t *)copy, bytes, &config, &schema.root,
                                (cyaml_data_t **)out, NULL);
        if (error)
            st = explain(&complaint, error, path, copy, why);
        else if (*out && !find_lines(*out, names, copy, bytes))
            st = why_fail(why, ST_FULL, "%s: no memory to read it", path);
    }
    if (st && *out)
        config_file_close(out, names);
    free(copy);
    if (st || *out)
        return st;
    *out = config.mem_fn(NULL, NULL, sizeof(**out)); /* nothing is said at all */
    if (!*out)
        return why_fail(why, ST_FULL, "%s: no memory to read it", path);
    memset(*out, 0, sizeof(**out));
    return ST_OK;
}

enum status config_file_load(struct config_file **out, const char *path,
                             const struct config_file_names *names, struct why *why)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, CONFIG_FILE_BYTES_MAX + 1);
    enum status st = ST_IO;
    size_t bytes;

    *out = NULL;
    if (!file) {
        st = why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
    } else if (!text) {
        st = why_fail(why, ST_FULL, "%s: no memory to read it", path);
    } else {
        bytes = fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, file);
        if (ferror(file))
            why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
        else if (bytes > CONFIG_FILE_BYTES_MAX)
            st = why_fail(why, ST_INVALID, "%s: is larger than %d bytes", path,
                          CONFIG_FILE_BYTES_MAX);
        else
            st = config_file_parse(out, path, text, bytes, names, why);
    }
    free(text);
    if (file)
        fclose(file);
    return st;
}

void config_file_close(struct config_file **f, const struct config_file_names *names)
{
    struct complaint complaint = {.line = 0};
    cyaml_config_t config = config_of(&complaint);
    struct schema schema = {.root = {.type = CYAML_IGNORE}};

    build(&schema, names);
    cyaml_free(&config, &schema.root, *f, 0);
    *f = NULL;
}

enum status config_file_print(const struct config_file *f, const struct config_file_names *names,
                              FILE *out)
{
    struct complaint complaint = {.line = 0};
    cyaml_config_t config = config_of(&complaint);
    struct schema schema = {.root = {.type = CYAML_IGNORE}};
    char *text = NULL;
    size_t bytes = 0;
    cyaml_err_t error;

    build(&schema, names);
    error = cyaml_save_data(&text, &bytes, &config, &schema.root, f, 0);
    if (!error)
        fwrite(text, 1, bytes, out);
    if (text)
        config.mem_fn(NULL, text, 0);
    return error ? ST_FULL : ST_OK;
}
