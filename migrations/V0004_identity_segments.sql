-- Tallystick, schema 4: the index of identities in segments.
--
-- Ids are random, so that in one index over all events every batch would change nearly every page. Here each
-- 262,144 positions (2 to the power of 18) have a part of the index of their own: rows are added to the last one
-- only, and the work of a batch does not grow with the store. A search by id asks every segment.

DROP VIEW event_log;
DROP VIEW effective_events;
ALTER TABLE event_identities RENAME TO event_identities_3;

CREATE TABLE event_identities (
    segment INTEGER NOT NULL REFERENCES identity_segments (segment),
    event_id TEXT NOT NULL,
    source_id INTEGER NOT NULL REFERENCES sources (source_id),
    position INTEGER NOT NULL REFERENCES events (position),
    PRIMARY KEY (segment, event_id, source_id)
) STRICT, WITHOUT ROWID;

-- One row for each segment that has events. `filter` says of most identities that the segment does not have them
-- (File format, "Identity and revision"); NULL where the segment is not complete, or nobody has made one yet.
CREATE TABLE identity_segments (
    segment INTEGER PRIMARY KEY,
    filter BLOB
) STRICT;

-- What SQLite's planner has to know: a segment has many events, an id few. Without it, it would take the list of
-- segments for a short way to the newest events.
ANALYZE event_identities;
INSERT INTO sqlite_stat1 (tbl, idx, stat)
VALUES ('event_identities', 'event_identities', '10000000 262144 2 1'), ('identity_segments', NULL, '40');

INSERT INTO identity_segments (segment)
SELECT DISTINCT (position - 1) >> 18 FROM event_identities_3 ORDER BY 1;
INSERT INTO event_identities (segment, event_id, source_id, position)
SELECT (position - 1) >> 18, event_id, source_id, position FROM event_identities_3 ORDER BY 1, 2, 3;
DROP TABLE event_identities_3;

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
    AND i.segment = (e.position - 1) >> 18
    AND i.segment IN (SELECT segment FROM identity_segments)
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
    AND i.segment = (e.position - 1) >> 18
    AND i.segment IN (SELECT segment FROM identity_segments)
JOIN stream_revisions AS r
    ON r.position = e.position AND r.stream_id = e.stream_id AND r.revision = e.revision
JOIN streams AS s ON s.stream_id = r.stream_id
LEFT JOIN effective_state AS x ON x.position = e.position
WHERE x.excluded IS NOT 1;
