import TallystickCore
import TallystickSQLite

/// Owns the connections that write, on its own thread.
actor StoreOwner {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var writer: StoreWriter?
    let helper: HelperThread
    private var kept: [Int: AnyObject] = [:]
    private var lastKept = 0
    private var only: [ObjectIdentifier: AnyObject] = [:]

    /// - throws: `StoreError` if the operating system refuses another thread.
    init() throws(StoreError) {
        executor = try ThreadExecutor()
        helper = try HelperThread()
    }

    /// The writing side.
    ///
    /// - throws: `StoreError` with `closed`.
    func withWriter<Result>(
        _ operation: String,
        _ body: (StoreWriter) throws -> Result
    ) throws(StoreError) -> Result {
        guard let writer else {
            throw StoreError(
                .closed,
                during: operation,
                "the store was closed, or opened read-only"
            )
        }
        do {
            return try body(writer)
        } catch {
            throw StoreError(error, during: operation)
        }
    }

    func open(_ path: String, _ options: StoreOptions) throws(StoreError) {
        do {
            let connection = try StoreFile.openForWriting(path, options)
            let lockConnection = try StoreFile.openForWriting(path, options)
            writer = try StoreWriter(
                path: path,
                connection: connection,
                lockConnection: lockConnection,
                options: options
            )
        } catch {
            throw StoreError(error, during: "open the store", on: path)
        }
    }

    /// Publishes the settings that apply from now on.
    func publishSettings(to box: CurrentSettings) {
        writer?.onSettings = { box.set($0, $1) }
    }

    /// Writes the log back into the database, as far as readers allow.
    func checkpointLog() throws(StoreError) {
        try withWriter("write the log back") { _ = $0.wal.checkpoint() }
    }

    // MARK: Kept between calls

    /// Keeps an object on the owner's thread until `end` is called or the store closes.
    func begin<Value: AnyObject>(
        _ operation: String,
        _ make: (StoreWriter, HelperThread) throws -> Value
    ) throws(StoreError) -> Kept<Value> {
        lastKept += 1
        kept[lastKept] = try withWriter(operation) { try make($0, helper) }
        return Kept(number: lastKept)
    }

    /// - throws: `StoreError` with `closed`.
    func value<Value>(of key: Kept<Value>, _ operation: String) throws(StoreError) -> Value {
        guard let value = kept[key.number] as? Value else {
            throw StoreError(.closed, during: operation, "the store was closed")
        }
        return value
    }

    func end<Value>(_ key: Kept<Value>) { kept[key.number] = nil }

    /// The only object of its type, created on first use.
    func only<Value: AnyObject>(
        _ operation: String,
        _ make: (StoreWriter, HelperThread) throws -> Value
    ) throws(StoreError) -> Value {
        let type = ObjectIdentifier(Value.self)
        if let value = only[type] as? Value { return value }
        return try withWriter(operation) { writer in
            let value = try make(writer, helper)
            only[type] = value
            return value
        }
    }

    func close() {
        kept = [:]
        only = [:]
        writer?.storeClosingHead()
        writer?.wal.finish()
        writer = nil
    }
}

/// Refers to an object kept by a `StoreOwner`.
struct Kept<Value: AnyObject>: Sendable {
    fileprivate let number: Int
}
