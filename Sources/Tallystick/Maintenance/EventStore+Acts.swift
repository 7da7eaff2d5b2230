import TallystickSQLite

extension EventStore {
    /// Whether the store has a write-ahead log. A backup has none until it is put in the store's place.
    package func hasWriteAheadLog() async throws(StoreError) -> Bool {
        try await reading("read the journal mode") { connection in
            try connection.cached("PRAGMA journal_mode").first { $0.text(at: 0) } == "wal"
        }
    }

    /// Leaves a row about an act in the audit trail.
    package func record(_ act: RecordedAct, actor: String) async throws(StoreError) {
        try AuditText.validate(actor: actor, during: "record what was done")
        try await owner.record(act, actor: actor)
    }
}

extension StoreOwner {
    fileprivate func record(_ act: RecordedAct, actor: String) throws(StoreError) {
        let operation = "record what was done"
        try withWriter(operation) { writer in
            try writer.transaction(operation) { try writer.add(act, actor: actor) }
        }
    }
}
