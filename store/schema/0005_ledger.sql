-- SPDX-License-Identifier: Apache-2.0
-- The log of what was made: records under a Merkle tree. Columns mean what the fields of
-- store/ledger.h mean; NULL is that there is none. Rows of leaves and tiles are only ever added,
-- but for the bytes of records that expire.
CREATE TABLE leaves (
    leaf        INTEGER PRIMARY KEY NOT NULL, -- from 0, without gaps
    hash        BLOB NOT NULL,
    kind        INTEGER NOT NULL,
    time_ns     INTEGER NOT NULL,
    id          INTEGER,
    sha256      BLOB,
    pixels      BLOB,
    fingerprint BLOB,
    tenant      TEXT,
    model       TEXT,
    verdict     TEXT,
    decision    TEXT,
    weak        INTEGER NOT NULL,
    record      BLOB NOT NULL                 -- empty: it has expired
);
-- Hashes are random, and each append touches another page of their indexes: eight bytes of them
-- find as well as thirty-two, in a third of the pages.
CREATE INDEX leaves_sha256 ON leaves (substr(sha256, 1, 8)) WHERE sha256 IS NOT NULL;
CREATE INDEX leaves_pixels ON leaves (substr(pixels, 1, 8)) WHERE pixels IS NOT NULL;
CREATE INDEX leaves_id ON leaves (id) WHERE id IS NOT NULL;
CREATE INDEX leaves_decision ON leaves (decision) WHERE decision IS NOT NULL;
CREATE INDEX leaves_tenant ON leaves (tenant) WHERE tenant IS NOT NULL;
CREATE INDEX leaves_model ON leaves (model) WHERE model IS NOT NULL;
CREATE INDEX leaves_verdict ON leaves (verdict) WHERE verdict IS NOT NULL;
CREATE INDEX leaves_weak ON leaves (weak) WHERE weak <> 0;
CREATE INDEX leaves_kind ON leaves (kind);
CREATE INDEX leaves_time ON leaves (time_ns, kind);

CREATE TABLE tiles (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,      -- one behind another
    PRIMARY KEY (level, number)
);

CREATE TABLE checkpoints (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    size    INTEGER NOT NULL UNIQUE,
    time_ns INTEGER NOT NULL,  -- when it was last said to hold
    root    BLOB NOT NULL,
    note    TEXT NOT NULL
);

-- What a commitment hides. Both are empty once they are erased.
CREATE TABLE clears (
    leaf      INTEGER PRIMARY KEY NOT NULL REFERENCES leaves (leaf),
    salt      BLOB NOT NULL,
    text      BLOB NOT NULL,
    erased_ns INTEGER NOT NULL
);

CREATE TABLE holds (
    name   TEXT PRIMARY KEY NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    at_ns  INTEGER NOT NULL,
    note   TEXT NOT NULL
);
