import TallystickCore
import TallystickSQLite

/// What a decision over a conflict is made from: the conflict, where it stands, and who delivered what.
struct CandidateSet {
    var conflict: ConflictRecord
    var state: ConflictState
    /// In order of arrival; 1 is the event as appended.
    var candidates: [StoredCandidate]
    /// Identifies the set of (origin, content) stored for the event. It changes with every delivery that
    /// adds content, or support for content, and does not depend on the order of arrival.
    var digest: SHA256Digest

    /// Whether a stored `candidates_digest` is that of this set.
    ///
    /// - parameter isDated: whether the decision says how many copies there were. Those of schema 1 do not; they have
    ///   a digest of the candidates' contents alone.
    func isMeant(by stored: String, isDated: Bool) -> Bool {
        stored == digest.hex || (!isDated && stored == contentsDigest.hex)
    }

    /// SHA-256 over the candidates' content digests in hexadecimal, sorted, with a line feed between them.
    private var contentsDigest: SHA256Digest {
        let lines = candidates.map(\.contentDigest.hex).sorted().joined(separator: "\n")
        return SHA256Digest(hashing: Array(lines.utf8))
    }
}

/// Reads candidate sets, on a connection that writes or on one that reads.
struct CandidateReader {
    let conflicts: ConflictRows
    let copies: CopyRows
    private let reader: EventRowReader

    init(_ conflicts: ConflictRows, _ copies: CopyRows, _ reader: EventRowReader) {
        self.conflicts = conflicts
        self.copies = copies
        self.reader = reader
    }

    init(in connection: Connection) throws(SQLiteError) {
        conflicts = try ConflictRows(in: connection)
        copies = try CopyRows(in: connection)
        reader = try EventRowReader(in: connection)
    }

    /// A moment of the store's past.
    struct Moment {
        /// Rows of the audit trail from this one on are left out.
        var auditSequence = Int64.max
        /// Copies after this one are left out.
        var copies = Int64.max
    }

    /// The candidates of a conflict as they are now, or were; nil when there is no such conflict.
    func read(_ conflictID: Int64, at moment: Moment = Moment()) throws -> CandidateSet? {
        guard let conflict = try conflicts.record(of: conflictID),
            let state = try conflicts.states.state(of: conflictID)
        else { return nil }
        let candidates = try conflicts.candidates(of: conflictID, before: moment.auditSequence)
        return CandidateSet(
            conflict: conflict,
            state: state,
            candidates: candidates,
            digest: try digest(conflict.position, candidates, through: moment.copies)
        )
    }

    /// What a conflict is about; nil where there is no such conflict.
    func conflict(_ conflictID: Int64) throws -> ConflictRecord? {
        guard let conflict = try conflicts.record(of: conflictID),
            try conflicts.states.state(of: conflictID) != nil
        else { return nil }
        return conflict
    }

    /// Hands over the candidates of a conflict after one, each with its content, without keeping them: a conflict may
    /// be as large as the store.
    ///
    /// - parameter body: called for each candidate; false ends the reading.
    /// - throws: as ``content(of:in:)``, and what `body` throws.
    func forEachCandidate(
        of conflict: ConflictRecord,
        after candidate: Int64 = 0,
        _ body: (StoredCandidate, [UInt8]) throws -> Bool
    ) throws {
        var last = candidate
        while true {
            let page = try conflicts.candidates(
                of: conflict.conflictID,
                after: last,
                limit: ConflictLimits.candidatePage
            )
            guard let end = page.last else { return }
            for candidate in page {
                guard try body(candidate, content(of: candidate, in: conflict)) else { return }
            }
            last = end.candidate
        }
    }

    /// The last moment at which a conflict has the same candidates as at another one.
    func lastMoment(
        like moment: Moment,
        of conflictID: Int64,
        _ position: Int64?
    ) throws -> Moment {
        var last = Moment()
        if let next = try conflicts.nextCandidate(of: conflictID, from: moment.auditSequence) {
            last.auditSequence = next
        }
        if let position, let next = try copies.nextCopy(of: position, after: moment.copies) {
            last.copies = next - 1
        }
        return last
    }

    /// The content of a candidate, in canonical form.
    ///
    /// - throws: `StoreError` with `integrity` where it does not have the digest that the conflict names.
    func content(of candidate: StoredCandidate, in conflict: ConflictRecord) throws -> [UInt8] {
        var content: [UInt8]?
        if let copyID = candidate.copyID {
            content = try copies.content(of: copyID)
        } else if let position = conflict.position {
            content = try appended(position)
        }
        guard let content, SHA256Digest(hashing: content) == candidate.contentDigest else {
            throw StoreError(
                .integrity,
                during: "read a candidate",
                on: "candidate \(candidate.candidate) of conflict \(conflict.conflictID)",
                "its content does not have the digest that the conflict names",
                hint: "Run 'tally verify'"
            )
        }
        return content
    }

    private func appended(_ position: Int64) throws -> [UInt8]? {
        try reader.withRow(at: position) { row in
            try reader.readContent(row) ? reader.content : nil
        } ?? nil
    }

    /// SHA-256 over a canonical JSON array of `[content digest, origin]`, sorted, one for each
    /// delivery of the event; for each candidate where the conflict is not over one event.
    func digest(
        _ position: Int64?,
        _ candidates: [StoredCandidate],
        through last: Int64 = .max
    ) throws -> SHA256Digest {
        var pairs = Set(candidates.map { Self.pair($0.contentDigest, $0.origin) })
        if let position {
            for delivery in try copies.deliveries(of: position, through: last) {
                pairs.insert(Self.pair(delivery.contentDigest, delivery.origin))
            }
        }
        let sorted = pairs.sorted { $0.lexicographicallyPrecedes($1) }
        return SHA256Digest(hashing: [0x5B] + Array(sorted.joined(separator: [0x2C])) + [0x5D])
    }

    private static func pair(_ digest: SHA256Digest, _ origin: String) -> [UInt8] {
        var pair = Array("[\"\(digest.hex)\",".utf8)
        CanonicalJSON.writeString(origin, to: &pair)
        pair.append(0x5D)
        return pair
    }
}
