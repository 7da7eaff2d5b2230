-- Tallystick, schema 2: reconciliation.
--
-- Nothing of schema 1 changes. Tables that begin with `tally_` say how far reconciliation has looked, and what it
-- found there: they are derived from proved tables, and can be emptied at any time; the next run fills them again.

-- ---------------------------------------------------------------------------------------------------
-- Operational: runs and breakers
-- ---------------------------------------------------------------------------------------------------

-- One row a run. `as_of` is the only clock that a run's comparisons and policies see. `step` grows with each
-- transaction of the run: whoever finds another number than expected is not the run's owner any more.
CREATE TABLE reconciliations (
    run INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    paused_in TEXT,
    step INTEGER NOT NULL,
    dry_run INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT,
    as_of INTEGER NOT NULL,
    configuration_version INTEGER NOT NULL,
    first_conflict INTEGER NOT NULL,
    first_resolution INTEGER NOT NULL,
    scope TEXT NOT NULL,
    compared INTEGER NOT NULL,
    found INTEGER NOT NULL,
    resolved INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    by_policy TEXT NOT NULL,
    by_kind TEXT NOT NULL,
    decisions TEXT NOT NULL,
    next_attempt_at INTEGER,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One row a transition, written in the transaction of the work that it concludes.
CREATE TABLE reconciliation_transitions (
    run INTEGER NOT NULL REFERENCES reconciliations (run),
    transition INTEGER NOT NULL,
    event TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    cause TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, transition)
) STRICT, WITHOUT ROWID;

-- One row an origin or replay of which calls are known. `kind` is `origin` or `replay`. Deadlines are microseconds:
-- of the machine's clock since it started, which counts while `boot_id` is that of the running machine, and
-- since 1970.
CREATE TABLE breakers (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    openings INTEGER NOT NULL,
    permitted INTEGER NOT NULL,
    boot_id TEXT,
    boot_deadline INTEGER,
    wall_deadline INTEGER,
    calls TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------------------------------
-- Derived: how far reconciliation has looked
-- ---------------------------------------------------------------------------------------------------

-- `last` is the last position, copy_id, conflict_id or mismatch_id that a scan has taken in, or the configuration
-- under which open conflicts were last put to their policies.
CREATE TABLE tally_scans (scan TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- When each origin delivered something.
CREATE TABLE tally_deliveries (
    origin_id INTEGER NOT NULL REFERENCES origins (origin_id),
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (origin_id, recorded_at)
) STRICT, WITHOUT ROWID;

-- Events that lack a copy while its window is open, or while nothing tells whether it is missing.
CREATE TABLE tally_awaited (
    due_at INTEGER NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    PRIMARY KEY (due_at, position)
) STRICT, WITHOUT ROWID;

-- The time after which an origin delivered nothing for at least a window; one conflict each.
CREATE TABLE tally_silences (
    origin_id INTEGER NOT NULL REFERENCES origins (origin_id),
    since INTEGER NOT NULL,
    conflict_id INTEGER NOT NULL REFERENCES conflicts (conflict_id),
    PRIMARY KEY (origin_id, since)
) STRICT, WITHOUT ROWID;

-- The attribute `sequence` where it is a whole number.
CREATE TABLE tally_sequences (
    source_id INTEGER NOT NULL REFERENCES sources (source_id),
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    PRIMARY KEY (source_id, sequence)
) STRICT, WITHOUT ROWID;

-- Numbers that a source left out, both ends missing; a conflict once `due_at` has passed.
CREATE TABLE tally_sequence_gaps (
    source_id INTEGER NOT NULL REFERENCES sources (source_id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    due_at INTEGER NOT NULL,
    conflict_id INTEGER REFERENCES conflicts (conflict_id),
    PRIMARY KEY (source_id, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX tally_sequence_gaps_due ON tally_sequence_gaps (due_at) WHERE conflict_id IS NULL;
CREATE INDEX tally_sequence_gaps_by_conflict ON tally_sequence_gaps (conflict_id)
WHERE conflict_id IS NOT NULL;

-- Two events of a source with the same number; a conflict each.
CREATE TABLE tally_sequence_collisions (
    position INTEGER PRIMARY KEY REFERENCES events (position),
    other_position INTEGER NOT NULL REFERENCES events (position),
    conflict_id INTEGER REFERENCES conflicts (conflict_id)
) STRICT;
CREATE INDEX tally_sequence_collisions_new ON tally_sequence_collisions (position) WHERE conflict_id IS NULL;

-- Conflicts that wait for their policy: new ones, ones with new evidence, and ones that were deferred.
CREATE TABLE tally_waiting (
    conflict_id INTEGER PRIMARY KEY REFERENCES conflicts (conflict_id),
    is_new INTEGER NOT NULL,
    deferred_by TEXT
) STRICT;
