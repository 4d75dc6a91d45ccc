/* SPDX-License-Identifier: Apache-2.0 */
#include "models/model.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/shipped.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_BYTES 65536

static const char help[] =
    "limner models - what a folder holds, and whether limner can run it\n\n"
    "    limner models check FOLDER    every part of one model; exit code 0 if it can be run\n"
    "    limner models list [DIR]      the models in a folder; without DIR the starter model\n\n"
    "A model is a folder in diffusers layout: model_index.json, and a folder per part.\n";

static bool is_model(const char *folder)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/model_index.json", folder) < (int)sizeof(path) &&
           access(path, R_OK) == 0;
}

static int check(const char *folder)
{
    char *report = calloc(1, REPORT_BYTES);
    struct why why = {""};
    enum status st;

    if (!report)
        return 1;
    st = model_check_folder(folder, report, REPORT_BYTES, &why);
    fputs(report, stdout);
    free(report);
    if (st) {
        fprintf(stderr, "limner cannot run %s: %s\n", folder, why.text);
        return 1;
    }
    printf("limner can run %s\n", folder);
    return 0;
}

static void list_one(const char *folder)
{
    char *report = calloc(1, REPORT_BYTES);
    struct why why = {""};

    if (!report)
        return;
    if (model_check_folder(folder, report, REPORT_BYTES, &why) == ST_OK)
        printf("%s\n", folder);
    else
        printf("%s (cannot be run: %s)\n", folder, why.text);
    free(report);
}

static int list(const char *folder)
{
    struct dirent **names;
    int count, found = 0;

    if (is_model(folder)) {
        list_one(folder);
        return 0;
    }
    count = scandir(folder, &names, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "limner: %s cannot be read\n", folder);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < (int)sizeof(path) &&
            names[i]->d_name[0] != '.' && is_model(path)) {
            list_one(path);
            found++;
        }
        free(names[i]);
    }
    free(names);
    if (!found)
        fprintf(stderr, "limner: no model in %s; a model is a folder with model_index.json\n",
                folder);
    return found ? 0 : 1;
}

static int list_starter(void)
{
    char folder[PATH_MAX];
    struct why why;

    if (shipped_find(folder, sizeof(folder), SHIPPED_STARTER, &why)) {
        fprintf(stderr, "limner: %s\n", why.text);
        return 1;
    }
    return list(folder);
}

int command_models(int count, char **args)
{
    const char *word = count > 0 ? args[0] : "";

    if (!strcmp(word, "check") && count == 2 && args[1][0] != '-')
        return check(args[1]);
    if (!strcmp(word, "list") && count == 2 && args[1][0] != '-')
        return list(args[1]);
    if (!strcmp(word, "list") && count == 1)
        return list_starter();
    for (int i = 0; i < count; i++) {
        if (!strcmp(args[i], "--help") || !strcmp(args[i], "-h")) {
            fputs(help, stdout);
            return 0;
        }
    }
    fputs(help, stderr);
    return 2;
}
