/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tidy.c - the house's rules that a program can check, each with its remedy in the message.
 *
 * Held: who may include whom, which guest lives where, banned functions, the licence line, tabs,
 * lines over 100 columns and files over 800 lines (`*_table.*` are data and may be both). Functions
 * over 70 lines and code that chooses with #if are only told.
 */
#include "tests/tidy_rules.h"
#include "tests/unit.h"

#include <ctype.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tidy {
    int failures, notes;
    bool quiet;
    char last[512]; /* the last thing said, for the tests of the rules */
};

/* A file, and its code alone: comments and the insides of literals are blanks, lines are kept. */
struct source {
    const char *path, *text;
    char *code;
};

/* One line of it. */
struct line {
    const char *text, *code;
    size_t bytes;
    int number;
};

__attribute__((format(printf, 4, 5))) static void say(struct tidy *t, const struct source *s,
                                                      int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t->last, sizeof(t->last), format, args);
    va_end(args);
    if (!t->quiet)
        printf("%s:%d: %s\n", s->path, line, t->last);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text);

    return bytes >= strlen(end) && strcmp(text + bytes - strlen(end), end) == 0;
}

/* Is one of the words of `list` a beginning of `path`? */
static bool begins_with_any(const char *path, const char *list)
{
    while (*list) {
        size_t bytes = strcspn(list, " ");

        if (bytes && strncmp(path, list, bytes) == 0)
            return true;
        list += bytes + strspn(list + bytes, " ");
    }
    return false;
}

/* Is `word` one of the words of `list`? */
static bool has_word(const char *list, const char *word, size_t bytes)
{
    while (*list) {
        size_t here = strcspn(list, " ");

        if (here == bytes && strncmp(list, word, bytes) == 0)
            return true;
        list += here + strspn(list + here, " ");
    }
    return false;
}

/* Where a comment or literal that begins at p ends; p itself when none begins there. */
static const char *skip_silent(const char *p, const char *start)
{
    const char *end = p;

    if (starts_with(p, "//"))
        return p + strcspn(p, "\n");
    if (starts_with(p, "/*")) {
        end = strstr(p + 2, "*/");
        return end ? end + 2 : p + strlen(p);
    }
    if (*p != '"' && (*p != '\'' || (p > start && isalnum((unsigned char)p[-1]))))
        return p;
    for (end = p + 1; *end && *end != '\n' && *end != *p; end++)
        if (*end == '\\' && end[1])
            end++;
    return *end == *p ? end + 1 : end;
}

static char *code_of(const char *text)
{
    char *code = strdup(text);

    assert_non_null(code);
    for (const char *p = text, *end; *p; p = end == p ? p + 1 : end) {
        end = skip_silent(p, text);
        for (const char *q = p; q < end; q++)
            if (*q != '\n')
                code[q - text] = ' ';
    }
    return code;
}

static bool next_line(const struct source *s, struct line *l)
{
    if (!l->text)
        *l = (struct line){.text = s->text};
    else
        l->text += l->bytes + (l->text[l->bytes] == '\n');
    l->code = s->code + (l->text - s->text);
    l->bytes = strcspn(l->text, "\n");
    l->number++;
    return *l->text != '\0';
}

static bool is_table(const char *path)
{
    return strstr(path, "_table.") != NULL;
}

static const struct rule *room_of(const char *path)
{
    size_t bytes = strcspn(path, "/");

    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
        if (path[bytes] == '/' && strlen(rooms[i].what) == bytes &&
            strncmp(path, rooms[i].what, bytes) == 0)
            return &rooms[i];
    return NULL;
}

/* A header in a sub-folder is private: to that folder, to the file that bears the folder's name
   (server/http.c opens server/http/), and `parts/` to the whole room it lies in. */
static bool is_private_to_others(const char *from, const char *to)
{
    const char *slash = strrchr(to, '/'), *room_end = strchr(to, '/');
    size_t folder = (size_t)(slash - to);

    if (room_end == slash || strncmp(from, to, folder + 1) == 0)
        return false;
    for (size_t i = 0; i < sizeof(kin) / sizeof(kin[0]); i++)
        if (starts_with(to, kin[i].what) && begins_with_any(from, kin[i].where))
            return false;
    if (strncmp(from, to, folder) == 0 && strcmp(from + folder, ".c") == 0)
        return false;
    return strncmp(room_end, "/parts/", 7) != 0 ||
           strncmp(from, to, (size_t)(room_end - to) + 1) != 0;
}

static void check_own_include(struct tidy *t, const struct source *s, int line, const char *to)
{
    const struct rule *from_room = room_of(s->path), *to_room = room_of(to);

    if (!to_room || access(to, R_OK) != 0) {
        say(t, s, line, "\"%s\" is no path from the root: write \"room/file.h\"", to);
    } else if (!from_room) {
        say(t, s, line, "this file is in no room: move it into one, or give the room a rule here");
    } else if (from_room != to_room &&
               !has_word(from_room->where, to_room->what, strlen(to_room->what)) &&
               !has_word(from_room->where, to, strlen(to))) {
        say(t, s, line, "%s/ may not know %s/: move the code up, or pass in what it needs",
            from_room->what, to_room->what);
    } else if (is_private_to_others(s->path, to)) {
        say(t, s, line, "\"%s\" is private to its folder: use a header of %s/ itself", to,
            to_room->what);
    } else {
        return;
    }
    t->failures++;
}

static void check_guest(struct tidy *t, const struct source *s, int line, const char *to)
{
    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
        if (!starts_with(to, guests[i].what))
            continue;
        if (begins_with_any(s->path, guests[i].where))
            return;
        say(t, s, line, "<%s> is a guest of %s: ask that room through its own header", to,
            guests[i].where);
        t->failures++;
        return;
    }
    /* nvcc's own files are C++ */
    if (has_word(at_home, to, strlen(to)) || starts_with(s->path, "kernels/cuda/"))
        return;
    say(t, s, line, "<%s> is nobody's guest yet: choose its one room and write it down here", to);
    t->failures++;
}

static void check_include(struct tidy *t, const struct source *s, const struct line *l)
{
    const char *p = l->code + strspn(l->code, " ");
    char to[256];
    size_t bytes;

    if (*p != '#')
        return;
    p += 1 + strspn(p + 1, " ");
    if (!starts_with(p, "include"))
        return;
    p += strlen("include");
    p = l->text + (p - l->code); /* the name is blank in the code */
    p += strspn(p, " ");
    if (*p != '"' && *p != '<')
        return;
    bytes = strcspn(p + 1, *p == '"' ? "\"\n" : ">\n");
    snprintf(to, sizeof(to), "%.*s", (int)bytes, p + 1);
    if (*p == '"')
        check_own_include(t, s, l->number, to);
    else
        check_guest(t, s, l->number, to);
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Is `name` called in this line? As a whole word, and followed by a bracket. */
static bool calls(const struct source *s, const struct line *l, const char *name)
{
    const char *end = l->code + l->bytes, *p = l->code;
    size_t bytes = strlen(name);

    while ((p = memmem(p, (size_t)(end - p), name, bytes))) {
        const char *after = p + bytes;

        if ((p == s->code || !is_name_char(p[-1])) && after[strspn(after, " ")] == '(')
            return true;
        p = after;
    }
    return false;
}

/* A library has no business ending the program; tests, tools and benchmarks are programs. */
static bool may_exit(const char *path)
{
    return begins_with_any(path, "server/main.c tests/ tools/ bench/");
}

static void check_words(struct tidy *t, const struct source *s, const struct line *l)
{
    for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++) {
        if (!calls(s, l, banned[i].what))
            continue;
        say(t, s, l->number, "%s is banned: use %s", banned[i].what, banned[i].where);
        t->failures++;
    }
    if (calls(s, l, "exit") && !may_exit(s->path)) {
        say(t, s, l->number, "exit is for server/main.c: return a status");
        t->failures++;
    }
    for (size_t i = 0; i < sizeof(unfinished) / sizeof(unfinished[0]); i++) {
        if (!memmem(l->text, l->bytes, unfinished[i], strlen(unfinished[i])))
            continue;
        say(t, s, l->number, "%s: do it now, or write an issue", unfinished[i]);
        t->failures++;
    }
}

static void check_shape(struct tidy *t, const struct source *s, const struct line *l)
{
    int columns = 0;

    for (size_t i = 0; i < l->bytes; i++)
        columns += (l->text[i] & 0xC0) != 0x80;
    if (columns > COLUMNS_MAX && !is_table(s->path)) {
        say(t, s, l->number, "%d columns, at most %d: break the line", columns, COLUMNS_MAX);
        t->failures++;
    }
    if (memchr(l->text, '\t', l->bytes)) {
        say(t, s, l->number, "a tab: run clang-format, indent with 4 spaces");
        t->failures++;
    }
}

/* The house's exceptions for #if, besides include guards and the C++ bracket. */
static void note_choice(struct tidy *t, const struct source *s, const struct line *l)
{
    bool guard = ends_with(s->path, ".h") && starts_with(l->code, "#ifndef");

    if (!starts_with(l->code, "#if") || guard || starts_with(l->code, "#ifdef __cplusplus") ||
        begins_with_any(s->path, "kernels/device.c base/log.c"))
        return;
    say(t, s, l->number, "note: code chooses with #if; CMake should choose files");
    t->notes++;
}

/* Functions begin with a brace of their own in the first column and end so, as clang-format has
   them here. */
static void note_function_end(struct tidy *t, const struct source *s, const struct line *l,
                              int *open_at)
{
    if (l->bytes == 1 && *l->code == '{')
        *open_at = l->number;
    if (l->bytes != 1 || *l->code != '}' || *open_at == 0)
        return;
    if (l->number - *open_at + 2 > FUNCTION_LINES_MAX) {
        say(t, s, *open_at, "note: a function of %d lines, %d are wanted: give a part of it a name",
            l->number - *open_at + 2, FUNCTION_LINES_MAX);
        t->notes++;
    }
    *open_at = 0;
}

static void check_c(struct tidy *t, const char *path, const char *text)
{
    struct source s = {.path = path, .text = text, .code = code_of(text)};
    struct line l = {0};
    int open_at = 0;

    if (!starts_with(text, "/* SPDX-License-Identifier: Apache-2.0 */\n")) {
        say(t, &s, 1, "the first line must be /* SPDX-License-Identifier: Apache-2.0 */");
        t->failures++;
    }
    while (next_line(&s, &l)) {
        check_include(t, &s, &l);
        check_words(t, &s, &l);
        check_shape(t, &s, &l);
        note_choice(t, &s, &l);
        note_function_end(t, &s, &l, &open_at);
    }
    if (l.number - 1 > FILE_LINES_MAX && !is_table(path)) {
        say(t, &s, 1, "%d lines, at most %d: it does two things, make it two files", l.number - 1,
            FILE_LINES_MAX);
        t->failures++;
    }
    free(s.code);
}

/* Scripts may have their interpreter's line before the licence's. */
static void check_script(struct tidy *t, const char *path, const char *text)
{
    const struct source s = {.path = path, .text = text};

    if (starts_with(text, "#!"))
        text += strcspn(text, "\n") + 1;
    if (starts_with(text, "# SPDX-License-Identifier: Apache-2.0\n"))
        return;
    say(t, &s, 1, "the first line (after #!) must be # SPDX-License-Identifier: Apache-2.0");
    t->failures++;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;
    char *text = NULL;

    if (!file || getdelim(&text, &size, '\0', file) < 0) { /* an empty file, or none */
        free(text);
        text = strdup("");
    }
    assert_non_null(text);
    if (file)
        fclose(file);
    return text;
}

static bool is_c(const char *path)
{
    return ends_with(path, ".c") || ends_with(path, ".h") || ends_with(path, ".cu") ||
           ends_with(path, ".cuh");
}

static void check_path(struct tidy *t, const char *path)
{
    bool script = ends_with(path, ".py") || ends_with(path, ".sh");
    char *text;

    if (!script && !is_c(path))
        return;
    text = read_text(path);
    if (script)
        check_script(t, path, text);
    else
        check_c(t, path, text);
    free(text);
}

/* Not ours, or not source: hidden folders, what is built, what is stored. */
static bool is_skipped(const FTSENT *entry)
{
    return entry->fts_level > 0 &&
           (starts_with(entry->fts_name, ".") || starts_with(entry->fts_name, "build") ||
            has_word("state shared starter", entry->fts_name, strlen(entry->fts_name)));
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void the_house_is_tidy(void **state)
{
    char root[] = ".", *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    struct tidy t = {0};
    FTSENT *entry;
    int files = 0;
    (void)state;
    assert_non_null(tree);

    while ((entry = fts_read(tree))) {
        if (entry->fts_info == FTS_D && is_skipped(entry))
            fts_set(tree, entry, FTS_SKIP);
        if (entry->fts_info != FTS_F)
            continue;
        check_path(&t, entry->fts_path + 2); /* without "./" */
        files++;
    }
    fts_close(tree);

    printf("tidy: %d files, %d failures, %d notes\n", files, t.failures, t.notes);
    assert_true(files > 20); /* or this is not the root */
    assert_int_equal(t.failures, 0);
}

#define SPDX "/* SPDX-License-Identifier: Apache-2.0 */\n"

/* What is said about a text of one fault must hold `remedy`; "" means that nothing is said. */
static void expect(const char *path, const char *text, const char *remedy)
{
    struct tidy t = {.quiet = true};

    check_c(&t, path, text);
    if (t.failures != (*remedy != '\0') || !strstr(t.last, remedy))
        fail_msg("%s: %d failures, \"%s\" instead of \"%s\" for\n%s", path, t.failures, t.last,
                 remedy, text);
}

static void includes_are_judged_by_the_rooms_they_visit(void **state)
{
    (void)state;

    expect("models/a.c", SPDX "#include \"kernels/ops.h\"\n", "");
    expect("models/a.c", SPDX "#  include \"base/status.h\" // why\n", "");
    expect("models/a.c", SPDX "/* #include \"server/x.h\" */\n", "");
    expect("moderation/a.c", SPDX "#include \"models/weights.h\"\n", "");
    expect("moderation/a.c", SPDX "#include \"models/model.h\"\n", "may not know models/");
    expect("base/a.c", SPDX "#include \"kernels/ops.h\"\n", "may not know kernels/");
    expect("kernels/a.c", SPDX "#include \"models/weights.h\"\n", "may not know models/");
    expect("codec/a.c", SPDX "#include \"encode.h\"\n", "no path from the root");
    expect("codec/a.c", SPDX "#include \"../base/status.h\"\n", "no path from the root");
    expect("codec/a.c", SPDX "#include \"base/absent.h\"\n", "no path from the root");
    expect("a.c", SPDX "#include \"base/status.h\"\n", "in no room");
    assert_true(is_private_to_others("kernels/ops.c", "kernels/onednn/primitives.h"));
    assert_true(is_private_to_others("kernels/onednn_x.c", "kernels/onednn/primitives.h"));
    assert_false(is_private_to_others("kernels/onednn/fill.c", "kernels/onednn/primitives.h"));
    assert_false(is_private_to_others("server/main.c", "kernels/ops.h"));
    assert_false(is_private_to_others("server/http.c", "server/http/guest.h"));
    assert_true(is_private_to_others("server/routes.c", "server/http/guest.h"));
    assert_false(is_private_to_others("models/unet.c", "models/parts/blocks.h"));
    assert_true(is_private_to_others("engine/batch.c", "models/parts/blocks.h"));
    assert_false(is_private_to_others("tests/test_cuda_plan_store.c", "kernels/cuda/plan_store.h"));
    assert_true(is_private_to_others("tests/test_device.c", "kernels/cuda/plan_store.h"));
}

static void guests_are_judged_by_their_room(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
        char at_home_path[64], text[128];

        snprintf(at_home_path, sizeof(at_home_path), "%.*s", (int)strcspn(guests[i].where, " "),
                 guests[i].where);
        snprintf(text, sizeof(text), SPDX "#include <%s>\n", guests[i].what);
        expect(at_home_path, text, "");
        expect("watermark/a.c", text, "is a guest of");
    }
    expect("server/http.c", SPDX "#include <h2o/websocket.h>\n", "");
    expect("server/routes.c", SPDX "#include <h2o.h>\n", "is a guest of server/http.");
    expect("base/a.c", SPDX "#include <sys/mman.h>\n", "");
    expect("base/a.c", SPDX "#include <zlib.h>\n", "nobody's guest");
}

static void words_are_banned_in_code_and_not_in_what_it_says(void **state)
{
    (void)state;

    expect("base/a.c", SPDX "strcpy(a, b);\n", "use snprintf, or memcpy");
    expect("base/a.c", SPDX "x = rand ();\n", "base/rng.h");
    expect("base/a.c", SPDX "my_rand(); operand(1); rand_r(&x); int rand;\n", "");
    expect("base/a.c", SPDX "puts(\"rand() \\\" gets()\"); /* system() */ // strtok()\n", "");
    expect("base/a.c", SPDX "c = '\"'; strtok(a, b);\n", "strtok_r");
    expect("base/a.c", SPDX "exit(1);\n", "return a status");
    expect("server/main.c", SPDX "exit(1);\n", "");
    expect("base/a.c",
           SPDX "/* TO"
                "DO: later */\n",
           "do it now");
}

static void shapes_are_held(void **state)
{
    char text[200 + 900], *end;
    (void)state;

    expect("base/a.c", "int x;\n", "SPDX");
    expect("base/a.c", SPDX "\tint x;\n", "a tab");

    end = stpcpy(text, SPDX "// ");
    for (int column = 4; column <= 100; column++)
        end = stpcpy(end, column % 2 ? "\xC3\xA9" : "e");
    expect("base/a.c", text, "");
    stpcpy(end, "!");
    expect("base/a.c", text, "101 columns");
    expect("base/bpe_table.c", text, "");

    end = stpcpy(text, SPDX);
    memset(end, '\n', 799);
    end[799] = '\0';
    expect("base/a.c", text, "");
    stpcpy(end + 799, "\n");
    expect("base/a.c", text, "801 lines");
    expect("base/bpe_table.c", text, "");
}

static void long_functions_and_choices_are_only_told(void **state)
{
    struct tidy t = {.quiet = true};
    char text[300], *end = stpcpy(text, SPDX "int f(void)\n{\n");
    (void)state;

    for (int line = 3; line < 70; line++)
        end = stpcpy(end, "\n");
    stpcpy(end, "}\n");
    check_c(&t, "base/a.c", text);
    assert_int_equal(t.notes, 0);
    stpcpy(end, "\n}\n");
    check_c(&t, "base/a.c", text);
    assert_int_equal(t.notes, 1);
    assert_non_null(strstr(t.last, "a function of 71 lines"));
    check_c(&t, "base/a.c", SPDX "#ifdef LINUX\n#endif\n");
    assert_int_equal(t.notes, 2);
    check_c(&t, "base/a.h", SPDX "#ifndef A_H\n#define A_H\n#ifdef __cplusplus\n#endif\n#endif\n");
    assert_int_equal(t.notes, 2);
    assert_int_equal(t.failures, 0);
}

static void scripts_carry_their_licence(void **state)
{
    struct tidy t = {.quiet = true};
    (void)state;

    check_script(&t, "a.sh", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n");
    check_script(&t, "a.py", "# SPDX-License-Identifier: Apache-2.0\n");
    assert_int_equal(t.failures, 0);
    check_script(&t, "a.py", "#!/usr/bin/env python3\nimport os\n");
    assert_int_equal(t.failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(includes_are_judged_by_the_rooms_they_visit),
        cmocka_unit_test(guests_are_judged_by_their_room),
        cmocka_unit_test(words_are_banned_in_code_and_not_in_what_it_says),
        cmocka_unit_test(shapes_are_held),
        cmocka_unit_test(long_functions_and_choices_are_only_told),
        cmocka_unit_test(scripts_carry_their_licence),
        cmocka_unit_test(the_house_is_tidy),
    };

    return cmocka_run_group_tests_name("tidy", tests, NULL, NULL);
}
