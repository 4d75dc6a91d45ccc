-- SPDX-License-Identifier: Apache-2.0
-- What each tenant has had of a day: a restart gives nobody a fresh quota.
CREATE TABLE usage (
    tenant   TEXT NOT NULL,
    day      INTEGER NOT NULL,   -- days since 1970, UTC
    requests INTEGER NOT NULL,
    images   INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) WITHOUT ROWID;
