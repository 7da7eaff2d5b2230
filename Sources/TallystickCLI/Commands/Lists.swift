import ArgumentParser
import Synchronization
import Tallystick

/// Prints a list of the store.
enum Lists {
    /// - parameter brief: what a table shows that has no room for all columns.
    /// - returns: how many rows there are.
    static func print(
        _ listing: StoreListing,
        of path: String,
        _ rows: RowOptions,
        brief: [String] = []
    ) async throws -> Int {
        return try await OpenedStore.with(path, .readOnly) { store in
            let shared = SharedRows(try rows.writer(brief: brief))
            let count = Counter()
            do {
                try await store.list(
                    listing,
                    onColumns: { try shared.writer.begin($0) },
                    onRow: {
                        try shared.writer.add($0)
                        count.add()
                        return true
                    }
                )
            } catch {
                shared.writer.abandon()
                throw error
            }
            try shared.writer.end()
            return count.value
        }
    }
}

/// A count that another thread makes.
final class Counter: Sendable {
    private let state = Mutex(0)
    func add() { state.withLock { $0 += 1 } }
    var value: Int { state.withLock { $0 } }
}
