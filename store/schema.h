/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - the numbered migrations of store/schema/, as text, in order.
 *
 * Step i takes a store of version i to version i + 1. A step that was once released never changes:
 * what comes later is another step.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

extern const char *const schema_steps[];
extern const int schema_step_count;

#endif /* STORE_SCHEMA_H */
