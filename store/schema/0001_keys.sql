-- SPDX-License-Identifier: Apache-2.0
-- API keys. Times are seconds since 1970; 0: never.
CREATE TABLE keys (
    prefix    TEXT PRIMARY KEY,  -- what may be shown of the key
    hash      BLOB NOT NULL,     -- SHA-256 of the whole key; the key itself is nowhere
    tenant    TEXT NOT NULL,
    scopes    TEXT NOT NULL,     -- names, separated by commas
    note      TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    revoked_s INTEGER NOT NULL
) WITHOUT ROWID;
