package import TallystickCore
import TallystickSQLite

/// One choice for all open conflicts that fit a filter.
package struct BulkResolution: Sendable {
    /// Conflicts that are decided in one transaction.
    static let page = 500

    /// Which open conflicts are decided.
    package var filter: ConflictFilter
    /// Not content, which belongs to one event.
    package var choice: ManualResolution.Choice
    /// Who decides; not empty.
    package var actor: String
    /// Why; not empty.
    package var reason: String

    /// Makes one choice for all open conflicts that fit `filter`.
    package init(
        _ filter: ConflictFilter,
        choice: ManualResolution.Choice,
        actor: String,
        reason: String
    ) {
        self.filter = filter
        self.choice = choice
        self.actor = actor
        self.reason = reason
    }
}

/// What a bulk resolution does, or would do, with one conflict.
package struct BulkDecision: Sendable, Equatable {
    /// The conflict.
    package var conflictID: Int64
    /// What kind of conflict it is.
    package var kind: ConflictKind
    /// The position of the event in conflict; nil where the conflict is over no single event.
    package var position: Position?
    /// The source of the event in conflict; nil where the conflict is over no source.
    package var source: String?
    /// The id of the event in conflict; nil where the conflict is over no single event.
    package var eventID: String?
    /// Nil where the choice cannot be made.
    package var decision: Decision?
    /// Why not; empty where it can.
    package var refusal = ""
    /// Nil in a preview.
    package var resolutionID: Int64?
}

extension EventStore {
    /// Decides every open conflict that fits a filter; each decision is a resolution of its own. A conflict for
    /// which the choice cannot be made stays open and is told.
    ///
    /// - parameter bulk: which conflicts, the choice, and who decides and why.
    /// - parameter previews: whether nothing is written, and only told what would be.
    /// - parameter onDecisions: called with what was committed, in order of the conflicts' ids.
    /// - throws: `StoreError`: `invalidArgument`; `interrupted` when the task is cancelled: what was told is kept.
    package func resolve(
        _ bulk: BulkResolution,
        previews: Bool = false,
        onDecisions: @Sendable ([BulkDecision]) throws -> Void
    ) async throws(StoreError) {
        let operation = "resolve the conflicts"
        try AuditText.validate(actor: bulk.actor, reason: bulk.reason, during: operation)
        if case .content = bulk.choice {
            throw StoreError(
                .invalidArgument,
                during: operation,
                "content belongs to one event, not to many"
            )
        }
        var last: Int64 = 0
        while true {
            let page: [BulkDecision]
            if previews {
                page = try await preview(bulk, after: last)
            } else {
                page = try await owner.resolve(bulk, after: last)
            }
            guard let end = page.last else { return }
            do {
                try onDecisions(page)
            } catch {
                throw StoreError(error, during: operation)
            }
            last = end.conflictID
            if Task.isCancelled {
                throw StoreError(
                    .interrupted,
                    during: operation,
                    "it was stopped; what was decided is kept"
                )
            }
        }
    }

    private func preview(
        _ bulk: BulkResolution,
        after last: Int64
    ) async throws(StoreError) -> [BulkDecision] {
        return try await reading("preview the decisions") { connection in
            let reader = try CandidateReader(in: connection)
            let work = BulkResolutionPage(connection, reader, bulk, configuration: 0)
            return try work.page(after: last) { _ in nil }
        }
    }
}

/// One page of a bulk resolution.
struct BulkResolutionPage {
    private let connection: Connection
    private let candidates: CandidateReader
    private let bulk: BulkResolution
    private let configuration: Int64

    init(
        _ connection: Connection,
        _ candidates: CandidateReader,
        _ bulk: BulkResolution,
        configuration: Int64
    ) {
        self.connection = connection
        self.candidates = candidates
        self.bulk = bulk
        self.configuration = configuration
    }

    /// Decides the conflicts that come next.
    ///
    /// - parameter commit: writes a decision, and returns the resolution's id.
    func page(
        after last: Int64,
        commit: (NewDecision) throws -> Int64?
    ) throws -> [BulkDecision] {
        let decider = ManualDecider(connection, candidates)
        return try conflicts(after: last).compactMap { conflictID in
            guard let set = try candidates.read(conflictID) else { return nil }
            var result = BulkDecision(
                conflictID: conflictID,
                kind: set.conflict.kind,
                position: set.conflict.position.map { Position($0) },
                source: set.conflict.source,
                eventID: set.conflict.eventID
            )
            let request = ManualResolution(
                conflictID: conflictID,
                choice: bulk.choice,
                actor: bulk.actor,
                reason: bulk.reason
            )
            do {
                let decision = try decider.decide(
                    request,
                    over: set,
                    configuration: configuration
                )
                result.resolutionID = try commit(decision)
                result.decision = decision.decision
            } catch let error as StoreError
                where error.code == .invalidArgument || error.code == .alreadyDecided
            {
                result.refusal = error.message
            }
            return result
        }
    }

    private func conflicts(after last: Int64) throws -> [Int64] {
        var filter = bulk.filter
        filter.includesResolved = false
        let (sql, parameters) = filter.statement(
            "x.conflict_id",
            after: last,
            limit: BulkResolution.page
        )
        let rows = try connection.prepare(sql)
        try rows.bind(named: parameters)
        var ids: [Int64] = []
        while try rows.step() { ids.append(rows.int64(at: 0)) }
        return ids
    }
}
