import TallystickCore
import TallystickSQLite

/// Makes of stored rows the case that a policy sees.
struct ConflictCaseBuilder {
    private let candidates: CandidateReader
    private let asOf: Int64

    init(_ candidates: CandidateReader, asOf: Int64) {
        self.candidates = candidates
        self.asOf = asOf
    }

    /// A conflict as a policy sees it.
    ///
    /// - parameter rules: what makes a copy support a candidate whose bytes differ.
    /// - parameter keepsContent: false where no rule looks into contents: they are read one after the other, and not
    ///   kept.
    /// - throws: `StoreError` with `integrity` where a candidate's content is not what the conflict names.
    func conflictCase(
        _ set: CandidateSet,
        rules: ComparisonRules,
        keepsContent: Bool = true,
        through last: Int64 = .max
    ) throws -> ConflictCase {
        let conflict = set.conflict
        var kept: [[UInt8]] = []
        if keepsContent {
            kept = try set.candidates.map { try candidates.content(of: $0, in: conflict) }
        }
        func content(_ index: Int) throws -> [UInt8] {
            keepsContent
                ? kept[index] : try candidates.content(of: set.candidates[index], in: conflict)
        }
        var supporters = set.candidates.map { _ in [String]() }
        var agreeing = set.candidates.map { _ in [SHA256Digest]() }
        if let position = conflict.position, !set.candidates.isEmpty {
            var index = CandidateIndex(set.candidates, rules)
            for delivery in try candidates.copies.deliveries(of: position, through: last) {
                let found = try supported(by: delivery, &index, content)
                guard let found else { continue }
                supporters[found].append(delivery.origin)
                agreeing[found].append(delivery.contentDigest)
            }
        }
        var cases: [Candidate] = []
        for (index, candidate) in set.candidates.enumerated() {
            let whole = try Candidate(
                number: Int(candidate.candidate),
                origin: candidate.origin,
                supporters: supporters[index],
                content: content(index),
                digest: candidate.contentDigest,
                agreeing: agreeing[index]
            )
            cases.append(keepsContent ? whole : whole.withoutContent())
        }
        return ConflictCase(
            kind: conflict.kind,
            source: conflict.source ?? "",
            eventID: conflict.eventID ?? "",
            category: conflict.category ?? "",
            candidates: cases,
            missingOrigins: conflict.kind == .missingAtOrigin
                ? [conflict.origin].compactMap { $0 } : [],
            asOf: asOf
        )
    }

    /// The candidate for which a delivery speaks; nil where there is none any more by these rules.
    private func supported(
        by delivery: FurtherDelivery,
        _ index: inout CandidateIndex,
        _ contentOf: (Int) throws -> [UInt8]
    ) throws -> Int? {
        if delivery.agreement == .confirmed { return index.appended }
        if let known = index.candidate(of: delivery) { return known }
        guard let content = try candidates.copies.content(of: delivery.copyID) else { return nil }
        return try index.candidate(agreeingWith: content, among: contentOf)
    }
}

/// Finds the candidates of one conflict, by number of their places, without going through all of them.
private struct CandidateIndex {
    /// The event as appended.
    let appended: Int?
    private let candidates: [StoredCandidate]
    private var byCopy: [Int64: Int] = [:]
    private var byDigest: [SHA256Digest: Int] = [:]
    /// By the digest of the comparison form; made when it is first needed.
    private var byForm: [SHA256Digest: Int]?
    private var form: ComparisonForm

    init(_ candidates: [StoredCandidate], _ rules: ComparisonRules) {
        self.candidates = candidates
        form = ComparisonForm(rules: rules)
        appended = candidates.firstIndex { $0.copyID == nil }
        // The first of several counts.
        for (index, candidate) in candidates.enumerated().reversed() {
            if let copyID = candidate.copyID { byCopy[copyID] = index }
            byDigest[candidate.contentDigest] = index
        }
    }

    /// The first candidate that is a delivery, or has its content.
    func candidate(of delivery: FurtherDelivery) -> Int? {
        [byCopy[delivery.copyID], byDigest[delivery.contentDigest]].compactMap { $0 }.min()
    }

    /// The first candidate, but for the event as appended, that agrees with a content.
    mutating func candidate(
        agreeingWith content: [UInt8],
        among contentOf: (Int) throws -> [UInt8]
    ) throws -> Int? {
        if byForm == nil {
            var forms: [SHA256Digest: Int] = [:]
            for (index, candidate) in candidates.enumerated().reversed()
            where candidate.copyID != nil {
                forms[try digest(of: contentOf(index))] = index
            }
            byForm = forms
        }
        let wanted = try digest(of: content)
        return byForm?[wanted]
    }

    private mutating func digest(of content: [UInt8]) throws -> SHA256Digest {
        var reader = form
        try content.withUnsafeBytesTyped { bytes throws(JSONError) in try reader.read(bytes) }
        form = reader
        return reader.digest
    }
}
