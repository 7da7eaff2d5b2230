import TallystickCore
import TallystickSQLite

/// A projection that is a Swift type, on the connection that holds its tables.
final class SwiftProjection: ProjectionDriver {
    private let projection: any Projection
    private let name: String
    private let patterns: [EventPattern]
    private let transaction: ProjectionTransaction
    private var matches: [String: Bool] = [:]

    init(
        _ projection: any Projection,
        named name: String,
        _ patterns: [EventPattern],
        in connection: Connection,
        _ authorizer: Authorizer
    ) {
        self.projection = projection
        self.name = name
        self.patterns = patterns
        transaction = ProjectionTransaction(connection, authorizer, named: name)
    }

    func setUp() throws {
        do {
            try transaction.whileOpen(mayDefine: true) { try projection.setUp(in: transaction) }
        } catch let error as SQLiteError {
            throw StoreError(error, during: "set the projection up", on: name)
        } catch {
            throw StoreError(
                .projectionInvalid,
                during: "set the projection up",
                on: "projection \(name)",
                "\(error)"
            )
        }
    }

    func apply(_ event: ReplayedEvent) throws -> Bool {
        guard takes(try event.type()) else { return false }
        let correction = try EventCorrection(event)
        let stored = try correction?.event ?? StoredEvent(event)
        do {
            try transaction.whileOpen(mayDefine: false) {
                if let correction {
                    try projection.correct(correction, in: transaction)
                } else {
                    try projection.apply(stored, in: transaction)
                }
            }
        } catch let error as SQLiteError {
            throw error
        } catch {
            throw PoisonEvent(reason: "\(error)")
        }
        return true
    }

    private func takes(_ type: String) -> Bool {
        if let known = matches[type] { return known }
        let found = patterns.contains { $0.matches(type) }
        if matches.count < 10_000 { matches[type] = found }
        return found
    }
}

extension EventStore {
    /// Replays events into a projection, from where the last run stopped up to the head.
    ///
    /// Every event is verified against its checksum and the Merkle tree before it is applied, and every decision
    /// against the audit trail's. The checkpoint is stored in the same transaction as what the projection writes.
    ///
    /// - parameter projection: what applies the events.
    /// - parameter name: also the name of the projection's tables: `[a-z_][a-z0-9_]*`, at most 64 bytes.
    /// - parameter options: the target, and what happens at an event that cannot be applied.
    /// - returns: how the replay ended, when it is caught up. A cancelled task finishes its transaction and
    ///   returns `paused`.
    /// - throws: `StoreError`: `projectionInvalid`, `projectionChanged`, `historyDiffers`, `integrity`, `busy`.
    public func replay(
        _ projection: some Projection,
        named name: String,
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await run(try Self.unbound(projection, name), options, follows: false)
    }

    /// Replays like ``replay(_:named:options:)``, and at the head waits for more, until the task is cancelled;
    /// then it returns `paused`. An event that cannot be applied ends it too.
    public func follow(
        _ projection: some Projection,
        named name: String,
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await run(try Self.unbound(projection, name), options, follows: true)
    }

    /// Applies parked events again, in order; those that still fail stay parked with the rest of their stream.
    ///
    /// - returns: how many events and corrections were applied, and how many stay parked.
    public func retryParked(
        _ projection: some Projection,
        named name: String,
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> (applied: Int, parked: Int) {
        try await retryParked(try Self.unbound(projection, name), options)
    }

    private static func unbound(
        _ projection: some Projection,
        _ name: String
    ) throws(StoreError) -> UnboundProjection {
        func invalid(_ message: String) -> StoreError {
            StoreError(
                .projectionInvalid,
                during: "read the projection",
                on: "projection \(name)",
                message
            )
        }
        guard ProjectionFile.isName(name) else {
            throw invalid("a name is [a-z_][a-z0-9_]*, at most 64 bytes")
        }
        guard projection.version >= 1 else { throw invalid("its version must be at least 1") }
        var patterns: [EventPattern] = []
        for type in projection.types {
            guard let pattern = EventPattern(type) else {
                throw invalid("'\(type)' is not an event type, PREFIX.* or *")
            }
            patterns.append(pattern)
        }
        // What can be seen of a type: the rest is for its version to say.
        let seen =
            "swift\n\(projection.version)\n\(projection.onCorrection.rawValue)\n"
            + projection.types.joined(separator: "\n")
        let definition = ReplayDefinition(
            name: name,
            version: projection.version,
            digest: SHA256Digest(hashing: Array(seen.utf8)),
            onCorrection: projection.onCorrection
        )
        let types = patterns
        return UnboundProjection(definition: definition) { connection, authorizer in
            SwiftProjection(projection, named: name, types, in: connection, authorizer)
        }
    }
}
