/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - any bytes as a configuration file: it is refused with a sentence, or what was
 * read is printed, and what was printed reads and prints the same.
 */
#include "server/config_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct config_file_names names = {
    .setting = {"listen", "queue"},
    .limit = {"weight", "images-per-minute"},
    .setting_count = 2,
    .limit_count = 2,
};

static void must(bool right)
{
    if (!right)
        abort();
}

static char *print(const struct config_file *f, size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);

    must(out != NULL);
    must(config_file_print(f, &names, out) == ST_OK);
    must(fclose(out) == 0);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct config_file *f, *again;
    struct why why = {""};
    size_t first_bytes, second_bytes;
    char *first, *second;

    if (config_file_parse(&f, "file", (const char *)data, bytes, &names, &why)) {
        must(!f && !strncmp(why.text, "file:", 5)); /* and often a line */
        return 0;
    }
    first = print(f, &first_bytes);
    if (config_file_parse(&again, "file", first, first_bytes, &names, &why))
        abort();
    second = print(again, &second_bytes);
    must(first_bytes == second_bytes && !memcmp(first, second, first_bytes));
    free(first);
    free(second);
    config_file_close(&f, &names);
    config_file_close(&again, &names);
    return 0;
}
