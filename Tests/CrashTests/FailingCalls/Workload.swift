import Foundation

/// A command in a folder that was prepared for it.
struct Workload {
    /// The prepared folders.
    enum Scene: String, CaseIterable {
        /// Files of events, settings and projections; no store.
        case empty
        /// A store with two origins' deliveries, conflicts, quarantine, a signing key and a sealed note.
        case disputed
        /// The same after reconciliation, decisions, keys and replays.
        case decided
        /// A store of schema 1.
        case old
    }

    let name: String
    let scene: Scene
    let words: [String]
    /// Files that it makes, besides the store's: complete if it succeeds, absent or complete if it does not.
    var outputs: [String] = []
    /// Exit codes of a repetition that reports that the work was already done.
    var repeats: [Int32] = []
    /// Exit codes with which a diagnostic command reports the failing call.
    var answers: [Int32] = []
    /// Whether each success adds something, such as another seal.
    var accumulates = false

    var store: String { scene == .old ? "old.db" : "s.db" }

    private init(
        _ name: String,
        _ scene: Scene,
        _ words: String,
        outputs: [String] = [],
        repeats: [Int32] = [],
        answers: [Int32] = [],
        accumulates: Bool = false
    ) {
        self.name = name
        self.scene = scene
        // A tilde stands for a space inside a word.
        self.words = words.split(separator: " ").map { String($0).replacing("~", with: " ") }
        self.outputs = outputs
        self.repeats = repeats
        self.answers = answers
        self.accumulates = accumulates
    }

    static let all: [Workload] = writing + deciding + reading

    private static let writing = [
        Workload("init", .empty, "init s.db --config settings.json", repeats: [73]),
        Workload(
            "init-output",
            .empty,
            "init s.db --output r.json",
            outputs: ["r.json"],
            repeats: [73]
        ),
        Workload("ingest", .disputed, "ingest s.db c.ndjson d.ndjson --origin b"),
        Workload("ingest-keyed", .decided, "ingest s.db c.ndjson --origin a --key-file ring.json"),
        Workload("append", .disputed, "append s.db st one.ndjson --expect none"),
        Workload("reconcile", .disputed, "reconcile s.db"),
        Workload("reconcile-dry", .disputed, "reconcile s.db --dry-run", accumulates: true),
        Workload(
            "replay",
            .disputed,
            "replay s.db totals.sql --batch 5"
        ),
        Workload(
            "replay-into",
            .disputed,
            "replay s.db totals.sql --into out.db --batch 5",
            outputs: ["out.db"]
        ),
        Workload("replay-exec", .disputed, "replay s.db mailer --exec cat>>sent.ndjson --batch 9"),
        Workload("replay-to", .decided, "replay s.db --to -"),
        Workload("rebuild", .decided, "replay rebuild s.db totals.sql"),
        Workload("rebuild-into", .decided, "replay rebuild s.db sums.sql --into sums.db"),
        Workload("drop", .decided, "replay drop s.db totals", repeats: [66]),
        Workload("upgrade", .old, "upgrade old.db"),
        Workload("backup", .decided, "backup s.db copy.db", outputs: ["copy.db"], repeats: [73]),
        Workload(
            "backup-verify",
            .decided,
            "backup s.db copy.db --verify",
            outputs: ["copy.db"],
            repeats: [73]
        ),
    ]

    private static let deciding = [
        Workload(
            "resolve",
            .disputed,
            "conflicts resolve s.db 1 --take b --reason r",
            repeats: [4]
        ),
        Workload(
            "resolve-content",
            .disputed,
            "conflicts resolve s.db 2 --content content.json --reason r",
            repeats: [4]
        ),
        Workload(
            "resolve-all",
            .disputed,
            "conflicts resolve s.db --all --take a --reason r --yes"
        ),
        Workload("reopen", .decided, "conflicts reopen s.db 1 --reason r", repeats: [4]),
        Workload(
            "release",
            .disputed,
            "quarantine release s.db 2 --reason r --map \(map)",
            repeats: [4]
        ),
        Workload("breaker", .disputed, "breaker set s.db a forced_open --reason r"),
        Workload("config", .disputed, "config apply s.db other.json --reason r"),
        Workload(
            "generate",
            .disputed,
            "keys generate s.db --key-file new.json --id n1 --reason r",
            repeats: [4, 64]
        ),
        Workload(
            "generate-signing",
            .decided,
            "keys generate s.db --signing second.key --name second.example --reason r",
            repeats: [4, 64, 73]
        ),
        Workload(
            "rotate",
            .decided,
            "keys rotate s.db --key-file ring.json --id k2 --reason r",
            repeats: [4, 64]
        ),
        Workload(
            "retire",
            .decided,
            "keys retire s.db k1 --key-file ring.json --reason r",
            repeats: [4, 64]
        ),
        Workload("reseal", .decided, "keys reseal s.db --key-file ring.json --reason r"),
        Workload(
            "seal",
            .decided,
            "seal s.db --key-file signer.key --output second.note",
            outputs: ["second.note"],
            accumulates: true
        ),
        Workload("repair", .decided, "verify s.db --repair-derived --reason r", accumulates: true),
    ]

    private static let map = "id=id,source='/released',type='status'"

    private static let reading = [
        Workload("verify", .decided, "verify s.db --against first.note --public-key public"),
        Workload("verify-keyed", .decided, "verify s.db --key-file ring.json"),
        Workload("audit-replay", .decided, "audit replay s.db"),
        Workload(
            "audit-export",
            .decided,
            "audit export s.db --output trail.ndjson",
            outputs: ["trail.ndjson"]
        ),
        Workload("read", .decided, "read s.db"),
        Workload("read-output", .decided, "read s.db --csv --output r.csv", outputs: ["r.csv"]),
        Workload("export", .decided, "export s.db --output e.ndjson", outputs: ["e.ndjson"]),
        Workload("export-batch", .decided, "export s.db --batch"),
        Workload("stats", .decided, "stats s.db --content-digest"),
        Workload(
            "metrics",
            .decided,
            "stats s.db --format openmetrics --output s.prom",
            outputs: ["s.prom"]
        ),
        Workload(
            "query",
            .decided,
            "query s.db SELECT~*~FROM~effective_events~ORDER~BY~data,~position"
        ),
        Workload("conflicts", .disputed, "conflicts list s.db --check"),
        Workload("diff", .disputed, "conflicts diff s.db 2"),
        Workload("doctor", .decided, "doctor s.db", answers: [1]),
        Workload("prove", .decided, "prove event s.db 3 --output p.proof", outputs: ["p.proof"]),
        Workload("check", .decided, "prove check first.proof --public-key public"),
        Workload("keys-list", .decided, "keys list s.db --key-file ring.json"),
    ]
}
