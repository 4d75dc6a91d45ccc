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
-- Ids and hashes are random, and in one large index each append would touch a page of its own, which
-- is then written twice. So each 8,192 records have their part of it: those appended together land on
-- few pages, and a search looks into every part. Eight bytes of a hash find as well as thirty-two.
CREATE INDEX leaves_id ON leaves (leaf >> 13, id) WHERE id IS NOT NULL;
CREATE INDEX leaves_sha256 ON leaves (leaf >> 13, substr(sha256, 1, 8)) WHERE sha256 IS NOT NULL;
CREATE INDEX leaves_pixels ON leaves (leaf >> 13, substr(pixels, 1, 8)) WHERE pixels IS NOT NULL;
CREATE INDEX leaves_decision ON leaves (leaf >> 13, decision) WHERE decision IS NOT NULL;
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
