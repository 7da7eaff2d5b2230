import TallystickCore
import TallystickSQLite

/// A person's decision over a conflict.
public struct ManualResolution: Sendable {
    /// What counts from now on.
    public enum Choice: Sendable {
        /// What an origin delivered.
        case take(origin: String)
        /// Other content: a CloudEvent (JSON) with the event's source and id.
        case content([UInt8])
        /// Nothing: the event is excluded.
        case exclude
    }

    public var conflictID: Int64
    public var choice: Choice
    public var actor: String
    public var reason: String

    public init(conflictID: Int64, choice: Choice, actor: String, reason: String) {
        self.conflictID = conflictID
        self.choice = choice
        self.actor = actor
        self.reason = reason
    }
}

extension EventStore {
    /// Decides an open conflict. The decision is a row of the audit trail; replays follow it.
    ///
    /// - returns: the id of the resolution.
    /// - throws: `StoreError`: `notFound`, `alreadyDecided`, `badInput` for content that is no event of
    ///   that identity.
    @discardableResult
    public func resolve(_ resolution: ManualResolution) async throws(StoreError) -> Int64 {
        try await owner.resolve(resolution)
    }
}

/// Commits decisions of people.
struct ManualResolver {
    private let store: StoreWriter

    init(_ store: StoreWriter) { self.store = store }

    private struct Decided {
        var decision: Decision
        /// nil for the event as appended, or none.
        var content: [UInt8]?
        var digest: SHA256Digest?
        var winner: StoredCandidate?
    }

    private struct Subject {
        var position: Int64
        var names: EventNames
        var eventID: String
        var content: [UInt8]
        var algorithm: ChecksumAlgorithm
        var checksum: [UInt8]
    }

    func resolve(_ request: ManualResolution) throws -> Int64 {
        try store.transaction("resolve the conflict") {
            guard let state = try store.conflicts.state(of: request.conflictID) else {
                throw StoreError(
                    .notFound,
                    during: "resolve the conflict",
                    on: "conflict \(request.conflictID)",
                    "there is no such conflict",
                    hint: "See 'tally conflicts list'"
                )
            }
            guard state.isOpen else {
                throw StoreError(
                    .alreadyDecided,
                    during: "resolve the conflict",
                    on: "conflict \(request.conflictID)",
                    "it was decided by resolution \(state.resolutionID ?? 0)",
                    hint: "See 'tally audit list' for who decided and why"
                )
            }
            let candidates = try store.conflicts.candidates(of: request.conflictID)
            let subject = try subject(request.conflictID)
            let decided = try decide(request.choice, candidates, subject)
            return try commit(request, decided, candidates, subject, state)
        }
    }

    private func subject(_ conflictID: Int64) throws -> Subject {
        let statement = try store.connection.cached(
            "SELECT position FROM conflicts WHERE conflict_id = ?1"
        )
        try statement.bind(conflictID, at: 1)
        guard let position = try statement.optionalInt64() else {
            throw StoreError(
                .invalidArgument,
                during: "resolve the conflict",
                on: "conflict \(conflictID)",
                "it is not over an event's content"
            )
        }
        let subject = try store.reader.withRow(at: position) { row in
            guard try store.reader.readContent(row) else { throw damaged(position) }
            return Subject(
                position: position,
                names: try store.reader.names(row),
                eventID: row.text(at: EventColumn.id),
                content: store.reader.content,
                algorithm: ChecksumAlgorithm(rawValue: row.text(at: EventColumn.checksumAlgorithm))
                    ?? .sha256,
                checksum: row.blob(at: EventColumn.checksum)
            )
        }
        guard let subject else { throw damaged(position) }
        return subject
    }

    private func damaged(_ position: Int64) -> StoreError {
        StoreError(
            .integrity,
            during: "resolve the conflict",
            on: "position \(position)",
            "the event, or a name that it uses, is missing",
            hint: "Run 'tally verify'"
        )
    }

    private func decide(
        _ choice: ManualResolution.Choice,
        _ candidates: [StoredCandidate],
        _ subject: Subject
    ) throws -> Decided {
        switch choice {
        case .exclude:
            return Decided(decision: .exclude)
        case .take(let origin):
            let matching = candidates.filter { $0.origin == origin }
            guard matching.count == 1, let winner = matching.first else {
                let known = candidates.map(\.origin).joined(separator: ", ")
                throw StoreError(
                    .invalidArgument,
                    during: "resolve the conflict",
                    on: "origin '\(origin)'",
                    matching.isEmpty
                        ? "no candidate came from it; there are \(known)"
                        : "it delivered \(matching.count) different contents",
                    hint: "Give the content with --content"
                )
            }
            guard let copyID = winner.copyID else {
                return Decided(decision: .take, digest: winner.contentDigest, winner: winner)
            }
            guard let content = try store.copies.content(of: copyID),
                SHA256Digest(hashing: content) == winner.contentDigest
            else {
                throw StoreError(
                    .integrity,
                    during: "resolve the conflict",
                    on: "copies \(copyID)",
                    "its content does not have the digest that the conflict names",
                    hint: "Run 'tally verify'"
                )
            }
            return Decided(
                decision: .take,
                content: content,
                digest: winner.contentDigest,
                winner: winner
            )
        case .content(let bytes):
            let content = try judged(bytes, subject)
            return Decided(
                decision: .merge,
                content: content,
                digest: SHA256Digest(hashing: content)
            )
        }
    }

    /// Content that a person gives, in canonical form: an event like any other, with the same identity.
    private func judged(_ bytes: [UInt8], _ subject: Subject) throws -> [UInt8] {
        var decoder = EventDecoder(EventDecoderSettings())
        var batch = EventBatch()
        decoder.begin(&batch)
        let place = RecordPlace(line: 1, column: 1, byte: 0)
        _ = bytes.withUnsafeBytes { decoder.decode($0, at: place, into: &batch) }
        if let rejected = batch.rejected.first {
            throw StoreError(
                .badInput,
                during: "read the content",
                on: "line \(rejected.place.line), column \(rejected.place.column)",
                "\(rejected.message) (\(rejected.code))"
            )
        }
        guard let event = batch.events.first, let source = batch.newSources.names.first else {
            throw StoreError(.badInput, during: "read the content", "there is no event")
        }
        return try batch.arena.withUnsafeBytes { arena in
            let name = CanonicalJSON.text(ofString: arena.slice(source))
            guard name.elementsEqual(subject.names.source.utf8),
                arena.slice(event.id).elementsEqual(subject.eventID.utf8)
            else {
                throw StoreError(
                    .badInput,
                    during: "read the content",
                    on: "position \(subject.position)",
                    "its source and id are not those of the event",
                    hint: "Keep source and id; everything else may change"
                )
            }
            return [UInt8](arena.slice(event.content))
        }
    }

    private func commit(
        _ request: ManualResolution,
        _ decided: Decided,
        _ candidates: [StoredCandidate],
        _ subject: Subject,
        _ state: ConflictState
    ) throws -> Int64 {
        let now = store.clock()
        let after = checksum(decided.content ?? subject.content, subject.algorithm)
        let resolutionID = try store.resolutions.nextID()
        var resolution = NewResolution(
            resolutionID: resolutionID,
            conflictID: request.conflictID,
            position: subject.position,
            afterPosition: store.size(of: .events),
            decidedAt: now,
            policy: "manual",
            policyVersion: "1",
            configurationVersion: try store.configurations.current()?.version ?? 1,
            decision: decided.decision.rawValue,
            actor: request.actor,
            reason: request.reason,
            candidatesDigest: Self.digest(of: candidates)
        )
        resolution.winnerOrigin = decided.winner?.origin
        resolution.winnerCandidate = decided.winner?.candidate
        resolution.checksumAlgorithm = subject.algorithm.rawValue
        resolution.checksumBefore = Hex.string(subject.checksum)
        resolution.checksumAfter = decided.decision == .exclude ? nil : Hex.string(after)
        resolution.contentDigest = decided.digest?.hex
        resolution.content = decided.content
        let row = AuditRow(
            kind: .resolution,
            recordedAt: now,
            actor: request.actor,
            reason: request.reason,
            position: subject.position,
            conflictID: request.conflictID
        )
        try store.addAudit(row, tables: [.resolutions]) { sequence in
            try store.resolutions.add(resolution, auditSequence: sequence)
        }
        var state = state
        state.isOpen = false
        state.resolutionID = resolutionID
        state.blockedBy = nil
        try store.conflicts.setState(state, of: request.conflictID)
        try store.effective.resolve(
            position: subject.position,
            conflictID: request.conflictID,
            resolutionID: resolutionID,
            decision: decided.decision,
            fields: try decided.content.map { try EventFields(content: $0) },
            algorithm: subject.algorithm,
            checksum: after
        )
        return resolutionID
    }

    private func checksum(_ content: [UInt8], _ algorithm: ChecksumAlgorithm) -> [UInt8] {
        algorithm == .crc32
            ? withUnsafeBytes(of: CRC32.checksum(content).bigEndian) { [UInt8]($0) }
            : SHA256Digest(hashing: content).bytes
    }

    /// SHA-256 over the candidates' digests in hexadecimal, sorted, one a line.
    private static func digest(of candidates: [StoredCandidate]) -> String {
        let lines = candidates.map(\.contentDigest.hex).sorted().joined(separator: "\n")
        return SHA256Digest(hashing: Array(lines.utf8)).hex
    }
}
