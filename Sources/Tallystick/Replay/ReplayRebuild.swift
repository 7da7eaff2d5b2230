import TallystickSQLite

extension ReplayEngine {
    /// Replays into a scratch file, then swaps the tables in one transaction, and goes on from there:
    /// readers see the old state or the new one, whole.
    func startAnew() throws {
        outcome.rebuilt = true
        outOfOrderSince = nil
        if try storage.checkpoints.read(name) != nil {
            try storage.transaction { try note(.rebuilding) }
        }
        let scratch = try ScratchFile(for: storage.target.path, projection: name)
        var inner = setting
        inner.place = .file(scratch.path)
        inner.options.rebuild = false
        inner.options.alwaysRebuilds = false
        inner.options.verifiesHistory = false
        inner.isScratch = true
        inner.follows = false
        let engine = try ReplayEngine(inner, makeDriver)
        let done = try engine.run()
        guard done.status != .paused else {
            throw StoreError(
                .interrupted,
                during: "rebuild the projection",
                on: name,
                "it was stopped; the tables are as they were",
                hint: "Run the command again",
                isRetryable: true
            )
        }
        outcome.consumed += done.consumed
        outcome.applied += done.applied
        outcome.skipped += done.skipped
        outOfOrderSince = engine.outOfOrderSince
        breaker.note(callsOf: engine.breaker)
        try swap(scratch, engine.checkpoint)
        guard try begin() else {
            // Decided while the scratch file was filled: once more.
            try startAnew()
            return
        }
    }

    private func swap(_ scratch: ScratchFile, _ built: Checkpoint) throws {
        try storage.target.execute("ATTACH DATABASE '\(scratch.quotedPath)' AS scratch")
        defer { try? storage.target.execute("DETACH DATABASE scratch") }
        try storage.transaction {
            try storage.rows.drop(objectsOf: name)
            try storage.whileGuarded { try driver.setUp() }
            if storage.isInStore { try storage.rows.record(objectsOf: name) }
            try storage.rows.copyTablesFromScratch(of: name)
            try storage.rows.copyParkedFromScratch(name)
            try storage.checkpoints.remove(name)
            try storage.checkpoints.add(built, name, at: setting.storeOptions.clock())
        }
    }
}
