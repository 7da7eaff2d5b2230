package import TallystickCore
import TallystickSQLite

extension EventStore {
    /// An act that changes nothing in the store, and of which the audit trail has a row all the same.
    package enum ReadingAct: Sendable {
        /// A copy of the store was made.
        case backup(path: String, isVerified: Bool)
        /// Events were written out; `path` is nil for standard output.
        case export(path: String?, after: Position, events: Int)

        fileprivate var kind: AuditKind {
            switch self {
            case .backup: .backup
            case .export: .export
            }
        }

        fileprivate var members: [(name: String, value: JSONValue)] {
            func number(_ number: some BinaryInteger) -> JSONValue {
                JSONValue(.number(String(number)))
            }
            switch self {
            case .backup(let path, let isVerified):
                return [
                    ("act", JSONValue(.string("backup"))), ("path", JSONValue(.string(path))),
                    ("verified", JSONValue(.boolean(isVerified))),
                ]
            case .export(let path, let position, let events):
                return [
                    ("act", JSONValue(.string("export"))),
                    ("path", JSONValue(.string(path ?? "-"))),
                    ("after_position", number(position.rawValue)), ("events", number(events)),
                ]
            }
        }
    }

    /// Whether the store has a write-ahead log. A backup has none until it is put in the store's place.
    package func hasWriteAheadLog() async throws(StoreError) -> Bool {
        try await reading("read the journal mode") { connection in
            try connection.cached("PRAGMA journal_mode").first { $0.text(at: 0) } == "wal"
        }
    }

    /// Leaves a row about an act in the audit trail.
    package func record(_ act: ReadingAct, actor: String) async throws(StoreError) {
        try await owner.record(act, actor: actor)
    }
}

extension StoreOwner {
    fileprivate func record(_ act: EventStore.ReadingAct, actor: String) throws(StoreError) {
        let operation = "record what was done"
        try withWriter(operation) { writer in
            _ = try writer.transaction(operation) {
                try writer.addAct(act.kind, act.members, actor: actor)
            }
        }
    }
}
