-- SPDX-License-Identifier: Apache-2.0
-- What was decided about prompts and pictures, what is held of them, what waits for people, and
-- what they said. Columns mean what the fields of store/moderation.h mean. A limner of before this
-- step does not open the store any more; this one opens every older store, and finds its jobs.
CREATE TABLE decisions (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    tenant         TEXT NOT NULL,
    request        TEXT NOT NULL,
    user           TEXT NOT NULL,
    job            TEXT NOT NULL,     -- jobs.id, or ''
    k              INTEGER NOT NULL,  -- which of the request's pictures
    stage          INTEGER NOT NULL,
    model          TEXT NOT NULL,
    context        TEXT NOT NULL,
    policy         TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    policy_sha256  TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL,
    scores         TEXT NOT NULL,
    category       TEXT NOT NULL,
    decision       INTEGER NOT NULL,
    action         INTEGER NOT NULL,
    cause          INTEGER NOT NULL,
    shadow         INTEGER NOT NULL,
    standing       INTEGER NOT NULL,
    pixels_sha256  TEXT NOT NULL,
    subject        TEXT NOT NULL,
    object         TEXT NOT NULL,     -- objects.id, or ''
    audited        INTEGER NOT NULL,
    seed           INTEGER NOT NULL,
    width          INTEGER NOT NULL,
    height         INTEGER NOT NULL,
    format         INTEGER NOT NULL,
    quality        INTEGER NOT NULL,
    created_s      INTEGER NOT NULL,
    appeal_until_s INTEGER NOT NULL,
    decided_s      INTEGER NOT NULL   -- by a person; 0: not yet
);
CREATE INDEX decisions_tenant ON decisions (tenant, seq);
-- Nearly all are allowed: lists of the others walk past none of them.
CREATE INDEX decisions_tenant_stopped ON decisions (tenant, seq) WHERE standing > 0;
CREATE INDEX decisions_stopped ON decisions (seq) WHERE standing > 0;
CREATE INDEX decisions_subject ON decisions (tenant, subject, decided_s) WHERE decided_s > 0;

-- A picture that went to its owner after all: once, whatever happens.
CREATE TABLE releases (
    decision TEXT PRIMARY KEY NOT NULL REFERENCES decisions (id),
    seed     INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    format   INTEGER NOT NULL,
    at_s     INTEGER NOT NULL,
    data     BLOB NOT NULL            -- empty once its time is over
);

-- Bytes that mean nothing without the key.
CREATE TABLE objects (
    id          TEXT PRIMARY KEY NOT NULL,
    decision    TEXT NOT NULL REFERENCES decisions (id),
    tenant      TEXT NOT NULL,
    key         BLOB NOT NULL,        -- empty once it is destroyed
    master      TEXT NOT NULL,
    created_s   INTEGER NOT NULL,
    expires_s   INTEGER NOT NULL,
    destroyed_s INTEGER NOT NULL,
    frozen      INTEGER NOT NULL,
    data        BLOB NOT NULL
);
CREATE INDEX objects_decision ON objects (decision);
CREATE INDEX objects_expiry ON objects (expires_s) WHERE destroyed_s = 0 AND frozen = 0;

CREATE TABLE items (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    kind          INTEGER NOT NULL,
    decision      TEXT NOT NULL REFERENCES decisions (id),
    tenant        TEXT NOT NULL,
    queue         TEXT NOT NULL,
    category      TEXT NOT NULL,
    severity      INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    version       INTEGER NOT NULL,   -- one more with every move
    skips         INTEGER NOT NULL,
    created_s     INTEGER NOT NULL,
    due_first_s   INTEGER NOT NULL,
    due_s         INTEGER NOT NULL,
    escalated_s   INTEGER NOT NULL,
    asked_s       INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    text          TEXT NOT NULL,      -- these three are emptied with the object
    question      TEXT NOT NULL,
    reply         TEXT NOT NULL,
    key           TEXT,               -- the owner's own name of the request
    hash          BLOB NOT NULL,
    reviewer      TEXT NOT NULL,
    lease         BLOB NOT NULL,
    lease_until_s INTEGER NOT NULL,
    claimed_ms    INTEGER NOT NULL,
    outcome       INTEGER NOT NULL,
    expected      INTEGER NOT NULL,
    code          TEXT NOT NULL,
    clause        TEXT NOT NULL,
    answer        TEXT NOT NULL,
    confidence    INTEGER NOT NULL,
    decided_s     INTEGER NOT NULL,
    spent_ms      INTEGER NOT NULL,
    parent        TEXT NOT NULL
);
CREATE UNIQUE INDEX items_key ON items (tenant, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX items_open_appeal ON items (decision) WHERE kind = 1 AND state IN (0, 1, 2);
-- A claim walks this one from its head and stops at the first that fits; it reads no row before.
CREATE INDEX items_waiting ON items (due_first_s, severity DESC, seq, state, lease_until_s, kind,
                                     queue, decision, id)
    WHERE state IN (0, 1);
CREATE INDEX items_asked ON items (asked_s) WHERE state = 2;
CREATE INDEX items_late ON items (due_first_s, due_s) WHERE state IN (0, 1) AND escalated_s = 0;
CREATE INDEX items_decision ON items (decision, seq);
CREATE INDEX items_decided ON items (decided_s, seq) WHERE state = 3;
CREATE INDEX items_created ON items (created_s);
CREATE INDEX items_counts ON items (kind, state, lease_until_s);

-- Who had a hand in a decision, and gets none of it (item '': ever), or not this item for a while.
CREATE TABLE hands (
    decision TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    item     TEXT NOT NULL,
    until_s  INTEGER NOT NULL,
    PRIMARY KEY (decision, reviewer, item)
) WITHOUT ROWID;

-- Each holds the hash of the one before: what was changed afterwards is found.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    decision TEXT NOT NULL,
    item     TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    actor    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    chain    BLOB NOT NULL            -- SHA-256 of the chain before and of this row
);
CREATE INDEX events_decision ON events (decision, seq);
CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are only added');
END;
CREATE TRIGGER events_stay_as_they_are BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are only added');
END;

-- Words to tenants' webhooks.
CREATE TABLE messages (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    tries       INTEGER NOT NULL,
    created_s   INTEGER NOT NULL,
    next_s      INTEGER NOT NULL,
    delivered_s INTEGER NOT NULL,
    given_up_s  INTEGER NOT NULL
);
CREATE INDEX messages_next ON messages (next_s, seq) WHERE delivered_s = 0 AND given_up_s = 0;
CREATE INDEX messages_done ON messages (created_s) WHERE delivered_s > 0 OR given_up_s > 0;

CREATE TABLE grants (
    tenant     TEXT NOT NULL,
    context    TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted_s  INTEGER NOT NULL,
    expires_s  INTEGER NOT NULL,
    revoked_s  INTEGER NOT NULL,
    PRIMARY KEY (tenant, context)
) WITHOUT ROWID;

CREATE TABLE notes (
    name TEXT PRIMARY KEY NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Jobs: state 3 is made, and waits for a person. A picture of a decision may have no data here.
ALTER TABLE pictures ADD COLUMN decision TEXT NOT NULL DEFAULT '';
CREATE INDEX pictures_decision ON pictures (decision) WHERE decision != '';
