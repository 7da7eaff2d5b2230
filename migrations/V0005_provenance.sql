-- Tallystick, schema 5: which run of ingest brought what, and up to when each origin is complete.
--
-- A run of ingest leaves rows of kind `ingest` in the audit trail, a statement that an origin is complete leaves one
-- of kind `coverage`; seals, backups and exports leave one each. No leaf of an earlier schema changes.

CREATE INDEX audit_trail_ingests ON audit_trail (audit_sequence) WHERE kind = 'ingest';
CREATE INDEX audit_trail_coverage ON audit_trail (audit_sequence) WHERE kind = 'coverage';

-- Operational: from which record of which input each event and copy came. A range is `count` consecutive positions
-- (`kind` is `event`) or copy ids (`copy`). `run` is the audit_sequence of the run's first row, `input` the name of
-- the input as the run was given it, `record` the 1-based number, in that input, of the record that became `first`.
-- Each further position or copy came from the next record; where that is not so, `records` is a JSON array of the
-- records' numbers. The last audit row of a run has the SHA-256 of its ranges.
CREATE TABLE delivery_ranges (
    kind TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    run INTEGER NOT NULL REFERENCES audit_trail (audit_sequence),
    input TEXT NOT NULL,
    record INTEGER NOT NULL,
    records TEXT,
    PRIMARY KEY (kind, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_ranges_by_run ON delivery_ranges (run);

-- Derived: the earliest and latest time that events of a range of positions say they have, so that a statement about
-- a span of time is held against few of them. NULL where none of them has a time.
CREATE TABLE tally_times (
    first_position INTEGER PRIMARY KEY,
    last_position INTEGER NOT NULL,
    earliest INTEGER,
    latest INTEGER
) STRICT;

-- ---------------------------------------------------------------------------------------------------
-- Views for auditors
-- ---------------------------------------------------------------------------------------------------

-- The audit trail with readable times, what was done (`act`) and to what (`subject`).
CREATE VIEW audit_log AS
SELECT
    a.audit_sequence AS audit_sequence,
    strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', a.recorded_at % 1000000) AS recorded_at,
    a.actor AS actor,
    a.kind AS kind,
    coalesce(
        CASE WHEN json_valid(a.detail) THEN coalesce(a.detail ->> 'act', a.detail ->> 'to') END,
        CASE a.kind
            WHEN 'mismatch' THEN (SELECT kind FROM mismatches WHERE audit_sequence = a.audit_sequence)
            WHEN 'conflict' THEN (SELECT kind FROM conflicts WHERE audit_sequence = a.audit_sequence)
            WHEN 'resolution' THEN (SELECT decision FROM resolutions WHERE audit_sequence = a.audit_sequence)
            WHEN 'quarantine' THEN (SELECT code FROM quarantine WHERE audit_sequence = a.audit_sequence)
            WHEN 'configuration' THEN
                (SELECT 'version ' || version FROM configurations WHERE audit_sequence = a.audit_sequence)
            WHEN 'coverage' THEN
                CASE WHEN json_valid(a.detail) AND a.detail ->> 'withdraws' IS NOT NULL
                    THEN 'withdrawn' ELSE 'complete' END
        END) AS act,
    coalesce(
        (SELECT s.name || ' ' || e.event_id FROM events AS e JOIN sources AS s ON s.source_id = e.source_id
            WHERE e.position = a.position),
        CASE a.kind
            WHEN 'quarantine' THEN
                (SELECT coalesce(path || ':' || line, origin) FROM quarantine
                    WHERE audit_sequence = a.audit_sequence)
            WHEN 'key' THEN (SELECT key_id FROM keys WHERE audit_sequence = a.audit_sequence LIMIT 1)
            WHEN 'conflict' THEN
                (SELECT coalesce(origin, source) FROM conflicts WHERE audit_sequence = a.audit_sequence)
        END,
        CASE WHEN json_valid(a.detail) THEN
            coalesce(a.detail ->> 'origin', a.detail ->> 'path', a.detail ->> 'name', a.detail ->> 'store_id')
        END,
        CASE WHEN a.conflict_id IS NOT NULL THEN 'conflict ' || a.conflict_id END) AS subject,
    a.reason AS reason,
    a.position AS position,
    a.conflict_id AS conflict_id,
    a.detail AS detail
FROM audit_trail AS a;

-- One row a run of ingest. `state` is `done`, `interrupted` or `failed`; `unfinished` where the run goes on, or was
-- killed.
CREATE VIEW ingest_runs AS
SELECT
    r.run AS run,
    CASE WHEN r.detail ->> 'act' = 'finished' THEN r.detail ->> 'state' ELSE 'unfinished' END AS state,
    strftime('%Y-%m-%dT%H:%M:%S', r.first_at / 1000000, 'unixepoch')
        || printf('.%06dZ', r.first_at % 1000000) AS started_at,
    CASE WHEN r.detail ->> 'act' = 'finished' THEN
        strftime('%Y-%m-%dT%H:%M:%S', r.last_at / 1000000, 'unixepoch')
            || printf('.%06dZ', r.last_at % 1000000) END AS finished_at,
    r.detail ->> 'origin' AS origin,
    r.actor AS actor,
    r.detail ->> 'map' AS map,
    r.detail ->> 'map_sha256' AS map_sha256,
    r.detail ->> '$.outcomes.appended' AS appended,
    r.detail ->> '$.outcomes.duplicate' AS duplicate,
    r.detail ->> '$.outcomes.confirmed' AS confirmed,
    r.detail ->> '$.outcomes.conflicting' AS conflicting,
    r.detail ->> '$.outcomes.quarantined' AS quarantined,
    r.last AS audit_sequence
FROM (
    -- With max() alone, the other columns are those of the run's last row.
    SELECT
        coalesce(a.detail ->> 'run', a.audit_sequence) AS run, max(a.audit_sequence) AS last,
        (SELECT recorded_at FROM audit_trail
            WHERE audit_sequence = coalesce(a.detail ->> 'run', a.audit_sequence)) AS first_at,
        a.recorded_at AS last_at, a.actor AS actor, a.detail AS detail
    FROM audit_trail AS a
    WHERE a.kind = 'ingest' AND json_valid(a.detail)
    GROUP BY 1
) AS r;

-- One row an input of a run. Size, digest and format are NULL where the run did not come to the input's end.
CREATE VIEW ingest_inputs AS
SELECT
    r.run AS run,
    r.name AS input,
    max(r.bytes) AS bytes,
    max(r.records) AS records,
    max(r.sha256) AS sha256,
    max(r.format) AS format
FROM (
    SELECT
        coalesce(a.detail ->> 'run', a.audit_sequence) AS run, i.value ->> 'name' AS name,
        i.value ->> 'bytes' AS bytes, i.value ->> 'records' AS records, i.value ->> 'sha256' AS sha256,
        i.value ->> 'format' AS format
    FROM audit_trail AS a, json_each(a.detail, '$.inputs') AS i
    WHERE a.kind = 'ingest' AND json_valid(a.detail)
) AS r
GROUP BY r.run, r.name;

-- One row an event as appended and one a further copy: from which record of which input of which run it came. `run` is
-- NULL where no run of ingest brought it: a program appended it, it was released from quarantine, or an earlier release
-- recorded it.
CREATE VIEW deliveries AS
SELECT
    e.position AS position,
    NULL AS copy_id,
    (SELECT name FROM sources WHERE source_id = e.source_id) AS source,
    e.event_id AS event_id,
    (SELECT name FROM origins WHERE origin_id = e.origin_id) AS origin,
    'appended' AS outcome,
    strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', e.recorded_at % 1000000) AS recorded_at,
    d.run AS run,
    d.input AS input,
    CASE WHEN d.records IS NULL THEN d.record + e.position - d.first
        ELSE d.records ->> ('$[' || (e.position - d.first) || ']') END AS record
FROM events AS e
LEFT JOIN delivery_ranges AS d
    ON d.kind = 'event' AND e.position < d.first + d.count
    AND d.first = (SELECT max(first) FROM delivery_ranges WHERE kind = 'event' AND first <= e.position)
UNION ALL
SELECT
    c.position,
    c.copy_id,
    (SELECT s.name FROM events AS e JOIN sources AS s ON s.source_id = e.source_id WHERE e.position = c.position),
    (SELECT event_id FROM events WHERE events.position = c.position),
    (SELECT name FROM origins WHERE origin_id = c.origin_id),
    CASE c.agreement WHEN 'confirmed' THEN 'confirmed' ELSE 'conflicting' END,
    strftime('%Y-%m-%dT%H:%M:%S', c.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', c.recorded_at % 1000000),
    d.run,
    d.input,
    CASE WHEN d.records IS NULL THEN d.record + c.copy_id - d.first
        ELSE d.records ->> ('$[' || (c.copy_id - d.first) || ']') END
FROM copies AS c
LEFT JOIN delivery_ranges AS d
    ON d.kind = 'copy' AND c.copy_id < d.first + d.count
    AND d.first = (SELECT max(first) FROM delivery_ranges WHERE kind = 'copy' AND first <= c.copy_id);

-- One row a statement that an origin is complete. `complete_from` is NULL where it is for all times before.
CREATE VIEW origin_coverage AS
SELECT
    a.audit_sequence AS statement,
    a.detail ->> 'origin' AS origin,
    a.detail ->> 'category' AS category,
    a.detail ->> 'source' AS source,
    a.detail ->> 'complete_from' AS complete_from,
    a.detail ->> 'complete_through' AS complete_through,
    CASE WHEN w.audit_sequence IS NULL THEN 'in_force' ELSE 'withdrawn' END AS state,
    a.detail ->> 'run' AS run,
    strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', a.recorded_at % 1000000) AS recorded_at,
    a.actor AS actor,
    a.reason AS reason,
    w.audit_sequence AS withdrawn_by
FROM audit_trail AS a
LEFT JOIN (
    SELECT detail ->> 'withdraws' AS statement, min(audit_sequence) AS audit_sequence
    FROM audit_trail
    WHERE kind = 'coverage' AND json_valid(detail) AND detail ->> 'withdraws' IS NOT NULL
    GROUP BY 1
) AS w ON w.statement = a.audit_sequence
WHERE a.kind = 'coverage' AND json_valid(a.detail) AND a.detail ->> 'withdraws' IS NULL;

-- How long each conflict waited for its first decision, and what stands now.
CREATE VIEW decision_times AS
SELECT
    c.conflict_id AS conflict_id,
    c.kind AS kind,
    c.severity AS severity,
    c.category AS category,
    c.position AS position,
    c.source AS source,
    c.event_id AS event_id,
    s.state AS state,
    strftime('%Y-%m-%dT%H:%M:%S', c.opened_at / 1000000, 'unixepoch')
        || printf('.%06dZ', c.opened_at % 1000000) AS opened_at,
    strftime('%Y-%m-%dT%H:%M:%S', f.decided_at / 1000000, 'unixepoch')
        || printf('.%06dZ', f.decided_at % 1000000) AS first_decided_at,
    (f.decided_at - c.opened_at) / 1000000.0 AS seconds_to_decision,
    (SELECT count(*) FROM resolutions WHERE resolutions.conflict_id = c.conflict_id) AS decisions,
    r.decision AS decision,
    r.policy AS policy,
    r.actor AS actor,
    r.reason AS reason
FROM conflicts AS c
LEFT JOIN conflict_states AS s ON s.conflict_id = c.conflict_id
LEFT JOIN resolutions AS r ON r.resolution_id = s.resolution_id
LEFT JOIN resolutions AS f
    ON f.resolution_id = (SELECT min(resolution_id) FROM resolutions WHERE resolutions.conflict_id = c.conflict_id);

-- One row a distinct content under a conflict, as one JSON object.
CREATE VIEW conflict_contents AS
SELECT
    k.conflict_id AS conflict_id,
    k.candidate AS candidate,
    k.origin AS origin,
    k.copy_id AS copy_id,
    CASE WHEN k.copy_id IS NOT NULL THEN (SELECT content FROM copies WHERE copies.copy_id = k.copy_id)
        ELSE json_remove(
            json_set(
                coalesce(e.attributes, '{}'),
                '$.specversion', '1.0',
                '$.id', e.event_id,
                '$.source', (SELECT name FROM sources WHERE source_id = e.source_id),
                '$.type', (SELECT name FROM types WHERE type_id = e.type_id),
                '$.subject', e.subject,
                '$.time', e.time,
                '$.datacontenttype', e.data_content_type,
                '$.data', CASE typeof(e.data) WHEN 'text' THEN json(e.data) END),
            CASE WHEN e.subject IS NULL THEN '$.subject' ELSE '$.""' END,
            CASE WHEN e.time IS NULL THEN '$.time' ELSE '$.""' END,
            CASE WHEN e.data_content_type IS NULL THEN '$.datacontenttype' ELSE '$.""' END,
            CASE WHEN typeof(e.data) = 'text' THEN '$.""' ELSE '$.data' END)
    END AS content
FROM conflict_candidates AS k
JOIN conflicts AS c ON c.conflict_id = k.conflict_id
LEFT JOIN events AS e ON e.position = c.position;

-- One row a member that differs (a JSON Pointer) and content delivered for it: the origin that delivered the content
-- first, its value, and the value that was chosen, as JSON text. NULL is a member that is not there; that bytes differ
-- (`data_base64`) is said without them.
CREATE VIEW conflict_differences AS
SELECT
    v.conflict_id AS conflict_id,
    v.member AS member,
    v.candidate AS candidate,
    v.origin AS origin,
    v.pair ->> 0 AS value,
    v.pair ->> 1 AS chosen,
    v.decision AS decision,
    v.position AS position,
    v.source AS source,
    v.event_id AS event_id
FROM (
    SELECT
        m.conflict_id AS conflict_id,
        m.member AS member,
        k.candidate AS candidate,
        k.origin AS origin,
        -- Both contents are followed from segment to segment of the pointer: SQLite's own paths cannot name every member.
        (WITH RECURSIVE walk (node, chosen, depth) AS (
            SELECT
                k.content,
                coalesce(r.content, (SELECT content FROM conflict_contents AS n
                    WHERE n.conflict_id = r.conflict_id AND n.candidate = r.winner_candidate)),
                0
            UNION ALL
            SELECT
                (SELECT coalesce(w.node -> j.fullkey, json_quote(j.value)) FROM json_each(w.node) AS j
                    WHERE CAST(j.key AS TEXT) = replace(replace(m.segments ->> w.depth, '~1', '/'), '~0', '~')
                    LIMIT 1),
                (SELECT coalesce(w.chosen -> j.fullkey, json_quote(j.value)) FROM json_each(w.chosen) AS j
                    WHERE CAST(j.key AS TEXT) = replace(replace(m.segments ->> w.depth, '~1', '/'), '~0', '~')
                    LIMIT 1),
                w.depth + 1
            FROM walk AS w
            WHERE w.depth < json_array_length(m.segments))
            SELECT json_array(node, chosen) FROM walk WHERE depth = json_array_length(m.segments)) AS pair,
        r.decision AS decision,
        c.position AS position,
        c.source AS source,
        c.event_id AS event_id
    FROM (
        SELECT DISTINCT
            d.conflict_id AS conflict_id,
            j.value AS member,
            '[' || replace(json_quote(ltrim(j.value, '/')), '/', '","') || ']' AS segments
        FROM conflict_candidates AS d, json_each(d.differs_in) AS j
        WHERE json_valid(d.differs_in)
    ) AS m
    JOIN conflict_contents AS k ON k.conflict_id = m.conflict_id
    JOIN conflicts AS c ON c.conflict_id = m.conflict_id
    LEFT JOIN conflict_states AS s ON s.conflict_id = m.conflict_id
    LEFT JOIN resolutions AS r ON r.resolution_id = s.resolution_id
) AS v;
