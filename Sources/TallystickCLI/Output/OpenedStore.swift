import Tallystick

/// A store for the time of one command: the only way in which commands open one.
enum OpenedStore {
    /// Opens a store, lets `body` work with it, and closes it whatever comes of that.
    static func with<Result>(
        _ path: String,
        keys: KeySource = .none,
        _ options: StoreOptions,
        _ body: (EventStore) async throws -> Result
    ) async throws -> Result {
        let store = try await EventStore.open(at: path, keys: keys, options: options)
        do {
            let result = try await body(store)
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    /// Leaves a row in the audit trail about what a command that only reads has done.
    ///
    /// The work is done by then: where no row can be left, because the file is read-only, of an earlier schema or held
    /// by another writer, the command says so and succeeds.
    ///
    /// - parameter isInUse: whether the file has a write-ahead log. One that has none is a copy that nobody writes to,
    ///   and stays as it is.
    static func leaveRow(
        about act: RecordedAct,
        in path: String,
        isInUse: Bool,
        actor: String?
    ) async {
        guard isInUse else { return }
        do {
            try await with(path, .command()) { store in
                try await store.record(act, actor: actor ?? CurrentActor.current)
            }
        } catch {
            Terminal.note("note: no row about this was left in the audit trail: \(error)")
        }
    }
}
