/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that a statement of reasons has to use in the DSA Transparency Database: a policy with
 * others could not be exported.
 */
#include "moderation/policy_parts.h"

#include <string.h>

const char *policy_dsa_category(struct strict *s)
{
    static const char prefix[] = "STATEMENT_CATEGORY_";
    static const char *const words[] = {"ANIMAL_WELFARE",
                                        "CONSUMER_INFORMATION",
                                        "CYBER_VIOLENCE",
                                        "CYBER_VIOLENCE_AGAINST_WOMEN",
                                        "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
                                        "ILLEGAL_OR_HARMFUL_SPEECH",
                                        "INTELLECTUAL_PROPERTY_INFRINGEMENTS",
                                        "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
                                        "NOT_SPECIFIED_NOTICE",
                                        "OTHER_VIOLATION_TC",
                                        "PROTECTION_OF_MINORS",
                                        "RISK_FOR_PUBLIC_SECURITY",
                                        "SCAMS_AND_FRAUD",
                                        "SELF_HARM",
                                        "UNSAFE_AND_PROHIBITED_PRODUCTS",
                                        "VIOLENCE"};
    const char *category = strict_text(s, "dsa_category", 100, false);

    if (!category)
        return "STATEMENT_CATEGORY_OTHER_VIOLATION_TC";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strncmp(category, prefix, sizeof(prefix) - 1) &&
            !strcmp(category + sizeof(prefix) - 1, words[i]))
            return category;
    }
    strict_fail(s, "dsa_category",
                "the DSA Transparency Database has no category '%s'; there is "
                "STATEMENT_CATEGORY_OTHER_VIOLATION_TC, ..._PROTECTION_OF_MINORS, ..._VIOLENCE",
                category);
    return NULL;
}

const char *policy_dsa_keyword(struct strict *s)
{
    const char *keyword = strict_text(s, "dsa_keyword", 100, false);

    if (keyword && (strncmp(keyword, "KEYWORD_", 8) != 0 ||
                    keyword[strspn(keyword, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")]))
        strict_fail(s, "dsa_keyword", "'dsa_keyword' looks like KEYWORD_NUDITY, not '%s'", keyword);
    return keyword;
}
