import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Compares what delivery paths brought: the events that only one of them has, and those whose contents differ.
    ///
    /// It works on any store and writes nothing. What counts as a difference follows the newest settings. Of an origin
    /// that delivered an event more than once, the content recorded last counts. The comparison sees the store as it
    /// is at its beginning.
    ///
    /// ```swift
    /// let comparisons = try await store.compare(OriginComparisonOptions(["webhook", "poll"]))
    /// print(comparisons[0].counts.onlyFirst, "events are missing from the poll")
    /// ```
    ///
    /// - parameter comparison: which origins are compared, over which time, and how differences are grouped.
    /// - parameter onDifference: called for each event on which two paths disagree, in order of position; false ends
    ///   the comparison, which then covers the events so far.
    /// - returns: one comparison for each origin but the first.
    /// - throws: `StoreError`: `invalidArgument` for fewer than two different origins; `notFound` for an origin from
    ///   which nothing came and that no setting names; `integrity` where a content is not the one that was recorded;
    ///   `limitReached` for more than 100,000 groups; `interrupted` where the task is cancelled.
    public func compare(
        _ comparison: OriginComparisonOptions,
        onDifference: (@Sendable (_ difference: OriginDifference) throws -> Bool)? = nil
    ) async throws(StoreError) -> [OriginComparison] {
        guard comparison.origins.count > 1,
            Set(comparison.origins.map { Array($0.utf8) }).count == comparison.origins.count
        else {
            throw StoreError(
                .invalidArgument,
                during: "compare origins",
                on: comparison.origins.map { "'\($0)'" }.joined(separator: ", "),
                "two or more different origins are compared"
            )
        }
        try await checkOrigins(comparison.origins, during: "compare origins")
        let checksummer = options.checksummer
        let stop = StopFlag()
        do {
            return try await withTaskCancellationHandler {
                try await reading("compare origins") { connection in
                    let comparer = try OriginComparer(
                        connection,
                        comparison,
                        checksummer,
                        onDifference: onDifference
                    )
                    return try comparer.compare { stop.isSet }
                }
            } onCancel: {
                stop.set()
            }
        } catch {
            throw StoreError(error, during: "compare origins", on: path)
        }
    }
}
