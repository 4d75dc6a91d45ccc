/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_prompt_rules.c - any bytes as a rules file: it is refused with a line, or it judges a text
 * within its bounds, whatever its expressions are.
 */
#include "moderation/prompt.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char text[] =
        "a red fox, s p e l l e d, w1th bl00d aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaab bbbbbbbbbbb 10 years old caf\xc3\xa9 a$$ po.rt";
    struct prompt_rules *r;
    struct prompt_finding f;
    struct why why = {""};

    if (prompt_open_text(&r, (const char *)data, bytes, "rules", &why)) {
        must(!r && (!strncmp(why.text, "rules:", 6)));
        return 0;
    }
    must(strlen(prompt_sha256(r)) == 64);
    if (prompt_score(r, &f, text, sizeof(text) - 1, "medical", &why))
        must(!f.found);
    else if (f.found)
        must(f.category[0] && f.rule[0]);
    prompt_close(&r);
    return 0;
}
