-- Tallystick, schema 1.
--
-- Proved tables are append-only; each row is a leaf of a Merkle log (RFC 6962, SHA-256), or is part of
-- the leaf of the audit row that it names. Derived tables can be rebuilt from proved ones. Operational
-- tables are no evidence. Times are INTEGER microseconds since 1970-01-01T00:00:00Z; the views show them
-- as RFC 3339 UTC. Digests in detail tables are lower-case hexadecimal TEXT, elsewhere BLOB.

CREATE TABLE schema_migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- ---------------------------------------------------------------------------------------------------
-- Derived: dictionaries
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE sources (source_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE origins (origin_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE streams (stream_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE types (type_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE categories (category_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

-- ---------------------------------------------------------------------------------------------------
-- Proved: events and their further copies
-- ---------------------------------------------------------------------------------------------------

-- One row an event, as first recorded. Its leaf's index in the log `events` is position - 1.
-- The event's content, over which digests and checksums are made, is the canonical JSON object of
-- specversion "1.0", id, source, type, the three optional columns below, the members of `attributes`,
-- and `data` (or, where the column holds a BLOB, `data_base64`).
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES sources (source_id),
    event_id TEXT NOT NULL,
    stream_id INTEGER NOT NULL REFERENCES streams (stream_id),
    revision INTEGER NOT NULL,
    type_id INTEGER NOT NULL REFERENCES types (type_id),
    category_id INTEGER NOT NULL REFERENCES categories (category_id),
    origin_id INTEGER NOT NULL REFERENCES origins (origin_id),
    recorded_at INTEGER NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_key_id TEXT,
    checksum BLOB NOT NULL,
    subject TEXT,
    time TEXT,
    data_content_type TEXT,
    attributes TEXT,
    delivery_attributes TEXT,
    data ANY
) STRICT;

-- One row a further delivery that was not a duplicate. Its leaf's index in the log `copies` is copy_id - 1.
-- `agreement` is `confirmed` or `conflicting`; `content` is the copy's canonical content where its bytes
-- differ from the appended event's, else NULL; `differs_in` a JSON array of the places that differ.
CREATE TABLE copies (
    copy_id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL REFERENCES events (position),
    origin_id INTEGER NOT NULL REFERENCES origins (origin_id),
    recorded_at INTEGER NOT NULL,
    agreement TEXT NOT NULL,
    content_sha256 BLOB NOT NULL,
    differs_in TEXT,
    content TEXT,
    delivery_attributes TEXT
) STRICT;
CREATE INDEX copies_by_position ON copies (position);

-- ---------------------------------------------------------------------------------------------------
-- Proved: the audit trail and its detail tables
-- ---------------------------------------------------------------------------------------------------

-- One row a mismatch, conflict, resolution, setting, key event, quarantine, breaker transition and manual
-- act. Its leaf's index in the log `audit` is audit_sequence - 1; the leaf covers the row and every detail
-- row that names it.
CREATE TABLE audit_trail (
    audit_sequence INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT,
    position INTEGER,
    conflict_id INTEGER,
    detail TEXT
) STRICT;
CREATE INDEX audit_trail_by_position ON audit_trail (position) WHERE position IS NOT NULL;
CREATE INDEX audit_trail_by_conflict ON audit_trail (conflict_id) WHERE conflict_id IS NOT NULL;

CREATE TABLE mismatches (
    mismatch_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    category TEXT,
    origin TEXT,
    position INTEGER REFERENCES events (position),
    copy_id INTEGER REFERENCES copies (copy_id),
    source TEXT,
    event_id TEXT,
    algorithm TEXT NOT NULL,
    expected TEXT NOT NULL,
    actual TEXT NOT NULL,
    differs_in TEXT
) STRICT;
CREATE INDEX mismatches_by_audit_sequence ON mismatches (audit_sequence);

CREATE TABLE conflicts (
    conflict_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    category TEXT,
    position INTEGER REFERENCES events (position),
    source TEXT,
    event_id TEXT,
    origin TEXT,
    opened_at INTEGER NOT NULL,
    detail TEXT
) STRICT;
CREATE INDEX conflicts_by_audit_sequence ON conflicts (audit_sequence);
CREATE INDEX conflicts_by_position ON conflicts (position) WHERE position IS NOT NULL;

-- One row a distinct content under a conflict. Candidate 1 is the event as appended (`copy_id` NULL).
CREATE TABLE conflict_candidates (
    candidate_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    conflict_id INTEGER NOT NULL REFERENCES conflicts (conflict_id),
    candidate INTEGER NOT NULL,
    origin TEXT NOT NULL,
    copy_id INTEGER REFERENCES copies (copy_id),
    content_sha256 TEXT NOT NULL,
    differs_in TEXT
) STRICT;
CREATE INDEX conflict_candidates_by_audit_sequence ON conflict_candidates (audit_sequence);
CREATE UNIQUE INDEX conflict_candidates_by_conflict ON conflict_candidates (conflict_id, candidate);

CREATE TABLE resolutions (
    resolution_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    conflict_id INTEGER NOT NULL REFERENCES conflicts (conflict_id),
    position INTEGER REFERENCES events (position),
    after_position INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    policy TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    configuration_version INTEGER NOT NULL REFERENCES configurations (version),
    decision TEXT NOT NULL,
    winner_origin TEXT,
    winner_candidate INTEGER,
    tie_break TEXT,
    actor TEXT NOT NULL,
    reason TEXT,
    candidates_digest TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum_key_id TEXT,
    checksum_before TEXT,
    checksum_after TEXT,
    content_sha256 TEXT,
    content TEXT,
    provenance TEXT,
    supersedes INTEGER REFERENCES resolutions (resolution_id)
) STRICT;
CREATE INDEX resolutions_by_audit_sequence ON resolutions (audit_sequence);
CREATE INDEX resolutions_by_conflict ON resolutions (conflict_id);
CREATE INDEX resolutions_by_position ON resolutions (position) WHERE position IS NOT NULL;
CREATE INDEX resolutions_by_after_position ON resolutions (after_position);
CREATE UNIQUE INDEX resolutions_by_supersedes ON resolutions (supersedes) WHERE supersedes IS NOT NULL;

CREATE TABLE configurations (
    version INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    content_sha256 TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE INDEX configurations_by_audit_sequence ON configurations (audit_sequence);

-- Identifiers and fingerprints of keys, never keys.
CREATE TABLE keys (
    key_row INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    key_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX keys_by_audit_sequence ON keys (audit_sequence);

-- Checksums made again after the first one, under another key or algorithm; the newest counts.
CREATE TABLE checksums (
    checksum_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    position INTEGER NOT NULL REFERENCES events (position),
    algorithm TEXT NOT NULL,
    key_id TEXT,
    checksum TEXT NOT NULL
) STRICT;
CREATE INDEX checksums_by_audit_sequence ON checksums (audit_sequence);
CREATE INDEX checksums_by_position ON checksums (position);

-- Input that could not become an event. `line`, `column_number` and `byte_offset` are its place in the
-- file (line and column 1-based, byte 0-based); `content` at most 16 MiB of it, as received.
CREATE TABLE quarantine (
    quarantine_id INTEGER PRIMARY KEY,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    origin TEXT NOT NULL,
    path TEXT,
    line INTEGER,
    column_number INTEGER,
    byte_offset INTEGER,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    length INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX quarantine_by_audit_sequence ON quarantine (audit_sequence);
CREATE UNIQUE INDEX quarantine_by_content ON quarantine (sha256, length, origin);

-- ---------------------------------------------------------------------------------------------------
-- Derived: indexes, Merkle tiles, effective state
-- ---------------------------------------------------------------------------------------------------

-- These two enforce identity and revision. Each batch fills them in key order.
CREATE TABLE event_identities (
    event_id TEXT NOT NULL,
    source_id INTEGER NOT NULL REFERENCES sources (source_id),
    position INTEGER NOT NULL REFERENCES events (position),
    PRIMARY KEY (event_id, source_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_revisions (
    stream_id INTEGER NOT NULL REFERENCES streams (stream_id),
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    PRIMARY KEY (stream_id, revision)
) STRICT, WITHOUT ROWID;

-- Level 0 holds complete tiles of 256 leaf hashes (32 bytes each); a tile of level n + 1 holds the roots of
-- 256 complete tiles of level n, and is written as it grows. `log` is `events`, `copies` or `audit`.
CREATE TABLE merkle_tiles (
    log TEXT NOT NULL,
    level INTEGER NOT NULL,
    tile INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log, level, tile)
) STRICT;

-- The leaf hashes of the incomplete tile at the end of level 0.
CREATE TABLE merkle_tail (
    log TEXT NOT NULL,
    leaf_index INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (log, leaf_index)
) STRICT, WITHOUT ROWID;

-- Where a position's effective event is not simply the event as appended: it is disputed, or a resolution
-- says what counts. For `resolved` and `merged` the columns hold the effective event's attributes and data.
CREATE TABLE effective_state (
    position INTEGER PRIMARY KEY REFERENCES events (position),
    state TEXT NOT NULL,
    conflict_id INTEGER NOT NULL REFERENCES conflicts (conflict_id),
    resolution_id INTEGER REFERENCES resolutions (resolution_id),
    excluded INTEGER NOT NULL,
    replaced INTEGER NOT NULL,
    type TEXT,
    subject TEXT,
    time TEXT,
    data_content_type TEXT,
    attributes TEXT,
    data ANY,
    checksum_algorithm TEXT,
    checksum_key_id TEXT,
    checksum BLOB
) STRICT;

CREATE TABLE conflict_states (
    conflict_id INTEGER PRIMARY KEY REFERENCES conflicts (conflict_id),
    state TEXT NOT NULL,
    resolution_id INTEGER REFERENCES resolutions (resolution_id),
    policy TEXT,
    blocked_by TEXT,
    origins TEXT NOT NULL,
    candidates INTEGER NOT NULL,
    differs_in TEXT
) STRICT;
CREATE INDEX conflict_states_open ON conflict_states (conflict_id) WHERE state = 'open';

CREATE TABLE quarantine_states (
    quarantine_id INTEGER PRIMARY KEY REFERENCES quarantine (quarantine_id),
    state TEXT NOT NULL,
    audit_sequence INTEGER NOT NULL REFERENCES audit_trail (audit_sequence)
) STRICT;

-- ---------------------------------------------------------------------------------------------------
-- Operational
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE replays (
    replay TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    target_path TEXT,
    projection_version INTEGER NOT NULL,
    definition_sha256 TEXT NOT NULL,
    on_correction TEXT NOT NULL,
    status TEXT NOT NULL,
    out_of_order_since INTEGER,
    parked INTEGER NOT NULL DEFAULT 0,
    events_per_second REAL,
    last_error TEXT,
    hint_position INTEGER NOT NULL DEFAULT 0,
    hint_resolution INTEGER NOT NULL DEFAULT 0,
    hint_digest TEXT,
    hint_applied_digest TEXT,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The checkpoint of a replay whose projection lives in this file. A projection in another file has the
-- same table there.
CREATE TABLE replay_checkpoints (
    replay TEXT PRIMARY KEY,
    store_id TEXT NOT NULL,
    projection_version INTEGER NOT NULL,
    definition_sha256 TEXT NOT NULL,
    position INTEGER NOT NULL,
    resolution_watermark INTEGER NOT NULL,
    root TEXT NOT NULL,
    digest TEXT NOT NULL,
    digest_state BLOB NOT NULL,
    applied_digest TEXT NOT NULL,
    applied_digest_state BLOB NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parked_events (
    replay TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    resolution_id INTEGER NOT NULL DEFAULT 0,
    stream_id INTEGER NOT NULL REFERENCES streams (stream_id),
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_at INTEGER NOT NULL,
    PRIMARY KEY (replay, position, resolution_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_events_by_stream ON parked_events (replay, stream_id);

CREATE TABLE projection_objects (
    name TEXT PRIMARY KEY,
    replay TEXT NOT NULL,
    type TEXT NOT NULL,
    sql TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE tree_heads (
    head INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    events_size INTEGER NOT NULL,
    events_root TEXT NOT NULL,
    copies_size INTEGER NOT NULL,
    copies_root TEXT NOT NULL,
    audit_size INTEGER NOT NULL,
    audit_root TEXT NOT NULL,
    note TEXT
) STRICT;

-- What leaves no row elsewhere, such as duplicates: for statistics only.
CREATE TABLE counters (
    counter TEXT NOT NULL,
    origin TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (counter, origin)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------------------------------
-- Guards: proved tables take rows from Tallystick only, and never lose or change one. They prevent
-- accidents; only proofs stop attackers.
-- ---------------------------------------------------------------------------------------------------

CREATE TRIGGER events_refuse_insert BEFORE INSERT ON events BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of events are added by Tallystick only');
END;
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of events are never changed');
END;
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of events are never deleted');
END;
CREATE TRIGGER copies_refuse_insert BEFORE INSERT ON copies BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of copies are added by Tallystick only');
END;
CREATE TRIGGER copies_refuse_update BEFORE UPDATE ON copies BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of copies are never changed');
END;
CREATE TRIGGER copies_refuse_delete BEFORE DELETE ON copies BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of copies are never deleted');
END;
CREATE TRIGGER audit_trail_refuse_insert BEFORE INSERT ON audit_trail BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of audit_trail are added by Tallystick only');
END;
CREATE TRIGGER audit_trail_refuse_update BEFORE UPDATE ON audit_trail BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of audit_trail are never changed');
END;
CREATE TRIGGER audit_trail_refuse_delete BEFORE DELETE ON audit_trail BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of audit_trail are never deleted');
END;
CREATE TRIGGER mismatches_refuse_insert BEFORE INSERT ON mismatches BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of mismatches are added by Tallystick only');
END;
CREATE TRIGGER mismatches_refuse_update BEFORE UPDATE ON mismatches BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of mismatches are never changed');
END;
CREATE TRIGGER mismatches_refuse_delete BEFORE DELETE ON mismatches BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of mismatches are never deleted');
END;
CREATE TRIGGER conflicts_refuse_insert BEFORE INSERT ON conflicts BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflicts are added by Tallystick only');
END;
CREATE TRIGGER conflicts_refuse_update BEFORE UPDATE ON conflicts BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflicts are never changed');
END;
CREATE TRIGGER conflicts_refuse_delete BEFORE DELETE ON conflicts BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflicts are never deleted');
END;
CREATE TRIGGER conflict_candidates_refuse_insert BEFORE INSERT ON conflict_candidates BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflict_candidates are added by Tallystick only');
END;
CREATE TRIGGER conflict_candidates_refuse_update BEFORE UPDATE ON conflict_candidates BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflict_candidates are never changed');
END;
CREATE TRIGGER conflict_candidates_refuse_delete BEFORE DELETE ON conflict_candidates BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of conflict_candidates are never deleted');
END;
CREATE TRIGGER resolutions_refuse_insert BEFORE INSERT ON resolutions BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of resolutions are added by Tallystick only');
END;
CREATE TRIGGER resolutions_refuse_update BEFORE UPDATE ON resolutions BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of resolutions are never changed');
END;
CREATE TRIGGER resolutions_refuse_delete BEFORE DELETE ON resolutions BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of resolutions are never deleted');
END;
CREATE TRIGGER configurations_refuse_insert BEFORE INSERT ON configurations BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of configurations are added by Tallystick only');
END;
CREATE TRIGGER configurations_refuse_update BEFORE UPDATE ON configurations BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of configurations are never changed');
END;
CREATE TRIGGER configurations_refuse_delete BEFORE DELETE ON configurations BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of configurations are never deleted');
END;
CREATE TRIGGER keys_refuse_insert BEFORE INSERT ON keys BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of keys are added by Tallystick only');
END;
CREATE TRIGGER keys_refuse_update BEFORE UPDATE ON keys BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of keys are never changed');
END;
CREATE TRIGGER keys_refuse_delete BEFORE DELETE ON keys BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of keys are never deleted');
END;
CREATE TRIGGER checksums_refuse_insert BEFORE INSERT ON checksums BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of checksums are added by Tallystick only');
END;
CREATE TRIGGER checksums_refuse_update BEFORE UPDATE ON checksums BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of checksums are never changed');
END;
CREATE TRIGGER checksums_refuse_delete BEFORE DELETE ON checksums BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of checksums are never deleted');
END;
CREATE TRIGGER quarantine_refuse_insert BEFORE INSERT ON quarantine BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of quarantine are added by Tallystick only');
END;
CREATE TRIGGER quarantine_refuse_update BEFORE UPDATE ON quarantine BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of quarantine are never changed');
END;
CREATE TRIGGER quarantine_refuse_delete BEFORE DELETE ON quarantine BEGIN
    SELECT RAISE(ABORT, 'tallystick: rows of quarantine are never deleted');
END;

-- ---------------------------------------------------------------------------------------------------
-- Views for people
-- ---------------------------------------------------------------------------------------------------

-- `event_id` and `stream`, `revision` come from the index tables, so that a search by them uses those.
CREATE VIEW event_log AS
SELECT
    e.position AS position,
    (SELECT name FROM sources WHERE source_id = e.source_id) AS source,
    i.event_id AS event_id,
    s.name AS stream,
    r.revision AS revision,
    (SELECT name FROM types WHERE type_id = e.type_id) AS type,
    (SELECT name FROM categories WHERE category_id = e.category_id) AS category,
    (SELECT name FROM origins WHERE origin_id = e.origin_id) AS origin,
    e.subject AS subject,
    e.time AS time,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.time) AS time_utc,
    strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', e.recorded_at % 1000000) AS recorded_at,
    e.data_content_type AS data_content_type,
    e.data AS data,
    coalesce(e.attributes, '{}') AS attributes,
    e.checksum_algorithm AS checksum_algorithm,
    e.checksum_key_id AS checksum_key_id,
    lower(hex(e.checksum)) AS checksum,
    1 + (SELECT count(*) FROM copies WHERE copies.position = e.position) AS copies,
    (SELECT max(conflict_id) FROM conflicts WHERE conflicts.position = e.position) AS conflict_id
FROM events AS e
JOIN event_identities AS i
    ON i.position = e.position AND i.event_id = e.event_id AND i.source_id = e.source_id
JOIN stream_revisions AS r
    ON r.position = e.position AND r.stream_id = e.stream_id AND r.revision = e.revision
JOIN streams AS s ON s.stream_id = r.stream_id;

CREATE VIEW effective_events AS
SELECT
    e.position AS position,
    coalesce(x.state, 'recorded') AS state,
    (SELECT name FROM sources WHERE source_id = e.source_id) AS source,
    i.event_id AS event_id,
    s.name AS stream,
    r.revision AS revision,
    CASE WHEN x.replaced THEN x.type
        ELSE (SELECT name FROM types WHERE type_id = e.type_id) END AS type,
    (SELECT name FROM categories WHERE category_id = e.category_id) AS category,
    (SELECT name FROM origins WHERE origin_id = e.origin_id) AS origin,
    CASE WHEN x.replaced THEN x.subject ELSE e.subject END AS subject,
    CASE WHEN x.replaced THEN x.time ELSE e.time END AS time,
    strftime('%Y-%m-%dT%H:%M:%fZ', CASE WHEN x.replaced THEN x.time ELSE e.time END) AS time_utc,
    strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', e.recorded_at % 1000000) AS recorded_at,
    CASE WHEN x.replaced THEN x.data_content_type ELSE e.data_content_type END AS data_content_type,
    CASE WHEN x.replaced THEN x.data ELSE e.data END AS data,
    coalesce(CASE WHEN x.replaced THEN x.attributes ELSE e.attributes END, '{}') AS attributes,
    CASE WHEN x.replaced THEN x.checksum_algorithm ELSE e.checksum_algorithm END AS checksum_algorithm,
    lower(hex(CASE WHEN x.replaced THEN x.checksum ELSE e.checksum END)) AS checksum,
    x.resolution_id AS resolution_id
FROM events AS e
JOIN event_identities AS i
    ON i.position = e.position AND i.event_id = e.event_id AND i.source_id = e.source_id
JOIN stream_revisions AS r
    ON r.position = e.position AND r.stream_id = e.stream_id AND r.revision = e.revision
JOIN streams AS s ON s.stream_id = r.stream_id
LEFT JOIN effective_state AS x ON x.position = e.position
WHERE x.excluded IS NOT 1;

CREATE VIEW open_conflicts AS
SELECT
    c.conflict_id AS conflict_id,
    c.kind AS kind,
    c.severity AS severity,
    c.category AS category,
    c.position AS position,
    c.source AS source,
    c.event_id AS event_id,
    s.name AS stream,
    t.name AS type,
    o.origins AS origins,
    o.candidates AS candidates,
    o.differs_in AS differs_in,
    strftime('%Y-%m-%dT%H:%M:%S', c.opened_at / 1000000, 'unixepoch')
        || printf('.%06dZ', c.opened_at % 1000000) AS opened_at,
    max(0, CAST(strftime('%s', 'now') AS INTEGER) - c.opened_at / 1000000) AS age_seconds,
    o.policy AS policy,
    o.blocked_by AS blocked_by
FROM conflict_states AS o
JOIN conflicts AS c ON c.conflict_id = o.conflict_id
LEFT JOIN events AS e ON e.position = c.position
LEFT JOIN streams AS s ON s.stream_id = e.stream_id
LEFT JOIN types AS t ON t.type_id = e.type_id
WHERE o.state = 'open';

CREATE VIEW resolution_trail AS
SELECT
    r.resolution_id AS resolution_id,
    strftime('%Y-%m-%dT%H:%M:%S', r.decided_at / 1000000, 'unixepoch')
        || printf('.%06dZ', r.decided_at % 1000000) AS decided_at,
    r.conflict_id AS conflict_id,
    c.kind AS kind,
    r.position AS position,
    c.source AS source,
    c.event_id AS event_id,
    s.name AS stream,
    c.category AS category,
    r.policy AS policy,
    r.policy_version AS policy_version,
    r.configuration_version AS configuration_version,
    r.decision AS decision,
    r.winner_origin AS winner_origin,
    r.tie_break AS tie_break,
    r.actor AS actor,
    r.reason AS reason,
    r.checksum_before AS checksum_before,
    r.checksum_after AS checksum_after,
    r.provenance AS provenance,
    r.supersedes AS supersedes,
    (SELECT n.resolution_id FROM resolutions AS n WHERE n.supersedes = r.resolution_id) AS superseded_by,
    r.audit_sequence AS audit_sequence
FROM resolutions AS r
JOIN conflicts AS c ON c.conflict_id = r.conflict_id
LEFT JOIN events AS e ON e.position = r.position
LEFT JOIN streams AS s ON s.stream_id = e.stream_id;

CREATE VIEW replay_status AS
SELECT
    p.replay AS replay,
    p.projection_version AS projection_version,
    p.target AS target,
    p.status AS status,
    p.position AS position,
    p.head AS head,
    max(0, p.head - p.position) AS behind,
    CASE WHEN p.head = 0 THEN 100.0
        ELSE round(100.0 * min(p.position, p.head) / p.head, 2) END AS percent,
    p.events_per_second AS events_per_second,
    CASE WHEN p.events_per_second > 0 AND p.status = 'running'
        THEN round(max(0, p.head - p.position) / p.events_per_second, 1) END AS eta_seconds,
    p.parked AS parked,
    p.out_of_order_since AS out_of_order_since,
    p.digest AS digest,
    p.applied_digest AS applied_digest,
    p.resolution_watermark AS resolution_watermark,
    p.last_error AS last_error,
    strftime('%Y-%m-%dT%H:%M:%S', p.started_at / 1000000, 'unixepoch')
        || printf('.%06dZ', p.started_at % 1000000) AS started_at,
    strftime('%Y-%m-%dT%H:%M:%S', p.updated_at / 1000000, 'unixepoch')
        || printf('.%06dZ', p.updated_at % 1000000) AS updated_at
FROM (
    SELECT
        r.replay, r.projection_version, coalesce(r.target_path, r.target) AS target, r.status, r.events_per_second,
        r.parked, r.out_of_order_since, r.last_error, r.started_at, r.updated_at,
        coalesce(k.position, r.hint_position) AS position,
        coalesce(k.resolution_watermark, r.hint_resolution) AS resolution_watermark,
        coalesce(k.digest, r.hint_digest) AS digest,
        coalesce(k.applied_digest, r.hint_applied_digest) AS applied_digest,
        (SELECT coalesce(max(position), 0) FROM events) AS head
    FROM replays AS r
    LEFT JOIN replay_checkpoints AS k ON k.replay = r.replay
) AS p;
