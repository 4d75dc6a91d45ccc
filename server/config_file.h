/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_file.h - the configuration file: YAML in and out, by a schema of names.
 *
 *     listen: 127.0.0.1:8080          one line for each setting
 *     model: [models/a, models/b]
 *     tenant-default:                 limits of whoever is not listed
 *       images-per-minute: 60
 *     tenants:
 *       - name: shop                  its limits, where they are others
 *         weight: 4
 *
 * Which settings and limits there are is for the caller to say, and their values are texts that the
 * caller reads: here is only the shape. What the shape does not have is refused as FILE:LINE, where
 * it stands: unknown names, names said twice, aliases, a second document, more than
 * CONFIG_FILE_BYTES_MAX. The line of every value is kept, so that the caller can say the same of a
 * value. libcyaml is a guest of this file alone, and so is libyaml, which it is made of.
 */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "base/status.h"

#include <stdio.h>

#define CONFIG_FILE_BYTES_MAX   (1 << 20)
#define CONFIG_FILE_NAMES_MAX   48 /* settings, or limits of a tenant */
#define CONFIG_FILE_MODELS_MAX  64
#define CONFIG_FILE_TENANTS_MAX 256

/* The names of the values, in the caller's order. */
struct config_file_names {
    const char *setting[CONFIG_FILE_NAMES_MAX], *limit[CONFIG_FILE_NAMES_MAX];
    int setting_count, limit_count;
};

struct config_file_tenant {
    char *name;                         /* NULL in `others` */
    char *value[CONFIG_FILE_NAMES_MAX]; /* of the limits; NULL: not said */
    int line[CONFIG_FILE_NAMES_MAX];    /* of those that were said, from 1 on */
    int name_line;
};

struct config_file {
    char *value[CONFIG_FILE_NAMES_MAX]; /* of the settings; NULL: not said */
    int line[CONFIG_FILE_NAMES_MAX];    /* of those that were said, from 1 on */
    int model_line[CONFIG_FILE_MODELS_MAX];
    char **model;
    unsigned model_count;
    struct config_file_tenant *others; /* "tenant-default"; NULL: not said */
    struct config_file_tenant *tenant;
    unsigned tenant_count;
};

/* Read a whole file, or a text; the sentences begin with `path`. ST_INVALID names the line, ST_IO
   says why there is no file to read. What was read is closed with the same names. */
MUST_USE enum status config_file_load(struct config_file **out, const char *path,
                                      const struct config_file_names *names, struct why *why);
MUST_USE enum status config_file_parse(struct config_file **out, const char *path, const char *text,
                                       size_t bytes, const struct config_file_names *names,
                                       struct why *why);
void config_file_close(struct config_file **f, const struct config_file_names *names);

/* As a text that reads the same. ST_FULL without memory. */
MUST_USE enum status config_file_print(const struct config_file *f,
                                       const struct config_file_names *names, FILE *out);

#endif /* SERVER_CONFIG_FILE_H */
