/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - cmocka, behind the four headers that it needs to come first.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#endif /* TESTS_UNIT_H */
