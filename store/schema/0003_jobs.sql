-- SPDX-License-Identifier: Apache-2.0
-- Requests that were promised to be finished, and their pictures until these expire. Times are
-- seconds since 1970; 0: never, or not yet.
CREATE TABLE jobs (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of coming
    id          TEXT NOT NULL UNIQUE,
    tenant      TEXT NOT NULL,
    state       INTEGER NOT NULL,  -- 0: to be finished, 1: completed, 2: failed
    key         TEXT,              -- the client's own name of the request
    hash        BLOB NOT NULL,     -- SHA-256 of the request
    body        BLOB NOT NULL,     -- the request as it was sent; empty once it is over
    model       TEXT NOT NULL,
    width       INTEGER NOT NULL,
    height      INTEGER NOT NULL,
    steps       INTEGER NOT NULL,
    images      INTEGER NOT NULL,
    seed        INTEGER NOT NULL,
    format      INTEGER NOT NULL,  -- enum format
    raw         INTEGER NOT NULL,
    cut         INTEGER NOT NULL,  -- tokens that the prompt was cut to, or 0
    created_s   INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL,  -- since 1970
    finished_s  INTEGER NOT NULL,
    starts      INTEGER NOT NULL,  -- how often a server took it up
    falls       INTEGER NOT NULL,  -- and fell, with it under way
    event       INTEGER NOT NULL,  -- number of its last event
    status      INTEGER NOT NULL,  -- enum status of a job that failed
    code        TEXT NOT NULL,     -- what programs are told of that, or ''
    message     TEXT NOT NULL,     -- and people
    bytes       INTEGER NOT NULL   -- what it takes of the room for jobs
);
CREATE UNIQUE INDEX jobs_key ON jobs (tenant, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, finished_s, seq, bytes);

CREATE TABLE pictures (
    job    INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
    k      INTEGER NOT NULL,       -- which one of the request, from 0
    seed   INTEGER NOT NULL,
    sha256 TEXT NOT NULL,          -- of its pixels, in hex
    data   BLOB NOT NULL,          -- the encoded picture
    PRIMARY KEY (job, k)
);
