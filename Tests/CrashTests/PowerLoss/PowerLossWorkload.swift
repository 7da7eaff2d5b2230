import TallystickTestSupport

/// A workload to record, interrupt at every operation, and repeat from each state. The disk has a folder `other`.
struct PowerLossWorkload {
    /// A command.
    struct Step {
        enum Work {
            case tally([String])
            /// The crash worker appends a number of events, each acknowledged, with a log that is written back after
            /// a number of frames.
            case commit(writer: String, count: Int, frames: Int32)
            /// Two of these at once.
            case commitTogether(writers: [String], count: Int, frames: Int32)
        }

        var work: Work
        /// Exit codes when it is repeated; without a power loss it exits 0, unless it is meant to fail.
        var repeats: Set<Int32> = [0]
        /// Variables of the recorder.
        var failing: [String] = []
    }

    var name: String
    /// Files to read, outside the disk: `../in/NAME`.
    var inputs: [String: String] = [:]
    /// Whether the disk begins with a store of schema 1.
    var beginsWithSchema1 = false
    /// Commands before the recording begins; their effects are on disk.
    var preparation: [[String]] = []
    var steps: [Step]
    /// Final queries of a database: their rows must be those of an undisturbed run.
    var queries: [(database: String, sql: String)] = []
}

extension PowerLossWorkload.Step {
    /// The same work, without a failure.
    var healthy: Self { Self(work: work, repeats: repeats) }

    static func tally(_ words: String, repeats: Set<Int32> = [0]) -> Self {
        Self(work: .tally(words.split(separator: " ").map(String.init)), repeats: repeats)
    }

    static func commit(
        _ writer: String,
        count: Int,
        frames: Int32 = 1000,
        failing: [String] = []
    ) -> Self {
        Self(work: .commit(writer: writer, count: count, frames: frames), failing: failing)
    }
}

extension PowerLossWorkload {
    static func named(_ name: String) -> Self? { all.first { $0.name == name } }

    /// Exit code 4: it was already done. 64: the store has an active key.
    private static let done: Set<Int32> = [0, 4, 64]

    static let all: [Self] = [
        initialisation, append, checkpoints, ingest, conflicts, reconcile, resolve, keys, seal,
        replay, replayInto, rebuild, rebuildInto, backup, upgrade, outputs, failedSync,
        failedSyncKilled, failedSyncOfIngest, together,
    ]

    private static func words(_ lines: String...) -> [[String]] {
        lines.map { $0.split(separator: " ").map(String.init) }
    }

    private static func event(_ id: Int, _ number: Int, source: String = "/s") -> String {
        eventLine(id, source: source, data: #"{"n":\#(number)}"#)
            + "\n"
    }

    private static func events(_ ids: Range<Int>, shift: Int = 0, source: String = "/s") -> String {
        ids.map { event($0, $0 + shift, source: source) }.joined()
    }

    private static let projection = """
        -- tally:projection totals
        -- tally:version 1
        -- tally:on-correction apply
        -- tally:setup
        CREATE TABLE totals (id TEXT, number INTEGER, position INTEGER) STRICT;
        -- tally:on *
        INSERT INTO totals VALUES (:id, :data ->> 'n', :position);
        -- tally:correct *
        INSERT INTO totals VALUES (:id, :data ->> 'n', :resolution_id);

        """
    private static let settings = """
        {"origins": {"a": {"priority": 1}, "b": {"priority": 2}}, "categories": {"system": {"policy": "p"}},
         "policies": {"p": {"chain": [{"use": "origin_priority"}]}}}
        """
    private static let inputs = [
        "a.ndjson": events(0..<12), "more.ndjson": events(12..<30), "one.ndjson": events(100..<101),
        "two.ndjson": events(101..<102), "three.ndjson": events(102..<104),
        "b.ndjson": events(0..<6, shift: 1) + events(6..<9) + "no event\n{\"id\":\"x\"}\n",
        "totals.sql": projection, "settings.json": settings,
    ]
    private static let filled = words("init s.db", "ingest s.db ../in/a.ndjson --origin a")
    private static let disputed = words(
        "init s.db --config ../in/settings.json",
        "ingest s.db ../in/a.ndjson --origin a",
        "ingest s.db ../in/b.ndjson --origin b"
    )
    private static let totals = "SELECT * FROM totals ORDER BY id, position"

    private static let initialisation = Self(
        name: "init",
        inputs: inputs,
        steps: [
            .tally("init s.db --config ../in/settings.json", repeats: [0, 73]),
            .tally("append s.db first ../in/one.ndjson"),
        ]
    )
    private static let append = Self(
        name: "append",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("append s.db orders ../in/one.ndjson"),
            .tally("append s.db orders ../in/two.ndjson"),
            .tally("append s.db orders ../in/three.ndjson"),
        ]
    )
    private static let checkpoints = Self(
        name: "checkpoints",
        inputs: inputs,
        preparation: filled,
        steps: [.commit("w", count: 12, frames: 40), .commit("v", count: 6, frames: 30)]
    )
    private static let ingest = Self(
        name: "ingest",
        inputs: inputs,
        preparation: words("init s.db"),
        steps: [
            .tally("ingest s.db ../in/a.ndjson ../in/one.ndjson --origin a"),
            .tally("ingest s.db ../in/more.ndjson --origin a"),
        ]
    )
    private static let conflicts = Self(
        name: "conflicts",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("ingest s.db ../in/b.ndjson --origin b"),
            .tally("ingest s.db ../in/more.ndjson --origin b"),
        ],
        queries: [
            ("s.db", "SELECT conflict_id, state FROM conflict_states ORDER BY 1"),
            ("s.db", "SELECT count(*) FROM quarantine"),
        ]
    )
    private static let reconcile = Self(
        name: "reconcile",
        inputs: inputs,
        preparation: disputed,
        steps: [.tally("reconcile s.db")],
        queries: [
            ("s.db", "SELECT conflict_id, state FROM conflict_states ORDER BY 1"),
            (
                "s.db",
                "SELECT conflict_id, decision, winner_origin FROM resolution_trail ORDER BY 1"
            ),
        ]
    )
    private static let resolve = Self(
        name: "resolve",
        inputs: inputs,
        preparation: disputed,
        steps: [
            .tally("conflicts resolve s.db 1 --take b --reason r", repeats: [0, 4]),
            .tally("conflicts resolve s.db 2 --exclude --reason r", repeats: [0, 4]),
            .tally("conflicts resolve s.db --all --take b --reason r --yes", repeats: [0, 1, 4]),
            .tally("conflicts reopen s.db 1 --reason r", repeats: [0, 4]),
        ],
        queries: [("s.db", "SELECT position, state FROM effective_events ORDER BY 1")]
    )
    private static let keys = Self(
        name: "keys",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("keys generate s.db --id k1 --key-file ring.json --reason r", repeats: done),
            .tally("append s.db orders ../in/one.ndjson --key-file ring.json"),
            .tally("keys rotate s.db --id k2 --key-file ring.json --reason r", repeats: done),
            .tally("keys retire s.db k2 --key-file ring.json --reason r", repeats: done),
        ],
        queries: [
            (
                "s.db",
                "SELECT key_id, state FROM keys WHERE key_row IN (SELECT max(key_row) FROM keys GROUP BY key_id) ORDER BY 1"
            )
        ]
    )
    private static let seal = Self(
        name: "seal",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("keys generate s.db --signing signer.key --reason r", repeats: done),
            .tally("seal s.db --key-file signer.key --output head.note"),
            .tally("prove event s.db 1 --output other/event.proof"),
            .tally("seal s.db --key-file signer.key --output head.note"),
        ],
        queries: [("s.db", "SELECT algorithm, state FROM keys")]
    )
    private static let replay = Self(
        name: "replay",
        inputs: inputs,
        preparation: disputed,
        steps: [
            .tally("replay s.db ../in/totals.sql --batch 5"),
            .tally("conflicts resolve s.db 1 --take b --reason r", repeats: [0, 4]),
            .tally("replay s.db ../in/totals.sql --batch 5"),
        ],
        queries: [("s.db", totals)]
    )
    private static let replayInto = Self(
        name: "replay-into",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("replay s.db ../in/totals.sql --into other/out.db --batch 5"),
            .tally("ingest s.db ../in/one.ndjson --origin a"),
            .tally("replay s.db ../in/totals.sql --into other/out.db --batch 5"),
        ],
        queries: [("other/out.db", totals)]
    )
    private static let rebuild = Self(
        name: "rebuild",
        inputs: inputs,
        preparation: disputed + words("replay s.db ../in/totals.sql"),
        steps: [
            .tally("replay rebuild s.db ../in/totals.sql"),
            .tally("ingest s.db ../in/one.ndjson --origin a"),
            .tally("replay s.db ../in/totals.sql"),
        ],
        queries: [("s.db", totals)]
    )
    private static let rebuildInto = Self(
        name: "rebuild-into",
        inputs: inputs,
        preparation: disputed + words("replay s.db ../in/totals.sql --into other/out.db"),
        steps: [
            .tally("replay rebuild s.db ../in/totals.sql --into other/out.db"),
            .tally("ingest s.db ../in/one.ndjson --origin a"),
            .tally("replay s.db ../in/totals.sql --into other/out.db"),
        ],
        queries: [("other/out.db", totals)]
    )
    private static let backup = Self(
        name: "backup",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("backup s.db copy.db", repeats: [0, 73]),
            .tally("append s.db orders ../in/one.ndjson"),
            .tally("backup s.db other/later.db --verify", repeats: [0, 73]),
        ]
    )
    private static let upgrade = Self(
        name: "upgrade",
        inputs: inputs,
        beginsWithSchema1: true,
        steps: [.tally("upgrade s.db"), .tally("append s.db orders ../in/one.ndjson")]
    )
    private static let outputs = Self(
        name: "outputs",
        inputs: inputs,
        preparation: filled,
        steps: [
            .tally("export s.db --output events.ndjson"),
            .tally("stats s.db --content-digest --json --output stats.json"),
            .tally("ingest s.db ../in/one.ndjson --origin a"),
            .tally("export s.db --batch --output events.ndjson"),
            .tally("read s.db --format ndjson --output other/read.ndjson"),
        ]
    )
    /// The sync of the second append fails; others append after it.
    private static let failedSync = Self(
        name: "failed-sync",
        inputs: inputs,
        preparation: filled,
        steps: [
            .commit("w", count: 3, failing: ["DISK_TRACE_FAIL_SYNC=2"]),
            .tally("append s.db orders ../in/one.ndjson"), .commit("v", count: 3),
        ]
    )
    private static let failedSyncKilled = Self(
        name: "failed-sync-killed",
        inputs: inputs,
        preparation: filled,
        steps: [
            .commit(
                "w",
                count: 3,
                failing: ["DISK_TRACE_FAIL_SYNC=2", "DISK_TRACE_FAIL_KILL=1"]
            ), .commit("v", count: 3), .tally("append s.db orders ../in/one.ndjson"),
        ]
    )
    private static let failedSyncOfIngest = Self(
        name: "failed-sync-ingest",
        inputs: inputs,
        preparation: filled,
        steps: [
            Self.Step(
                work: .tally(["ingest", "s.db", "../in/more.ndjson", "--origin", "a"]),
                failing: ["DISK_TRACE_FAIL_SYNC=1"]
            ), .tally("ingest s.db ../in/one.ndjson --origin a"),
            .tally("ingest s.db ../in/more.ndjson --origin a"),
        ]
    )
    private static let together = Self(
        name: "together",
        inputs: inputs,
        preparation: filled,
        steps: [
            Self.Step(work: .commitTogether(writers: ["w", "v"], count: 6, frames: 60))
        ]
    )
}
