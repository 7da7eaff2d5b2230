import TallystickCore
import TallystickSQLite

/// Makes of stored rows the case that a policy sees.
struct CaseReader {
    private let candidates: CandidateReader
    private let asOf: Int64

    init(_ candidates: CandidateReader, asOf: Int64) {
        self.candidates = candidates
        self.asOf = asOf
    }

    /// A conflict as a policy sees it.
    ///
    /// - parameter rules: what makes a copy support a candidate whose bytes differ.
    /// - throws: `StoreError` with `integrity` where a candidate's content is not what the conflict names.
    func conflictCase(
        _ set: CandidateSet,
        rules: ComparisonRules,
        through last: Int64 = .max
    ) throws -> ConflictCase {
        let conflict = set.conflict
        var contents: [[UInt8]] = []
        for candidate in set.candidates {
            contents.append(try candidates.content(of: candidate, in: conflict))
        }
        var supporters = set.candidates.map { _ in [String]() }
        var agreeing = set.candidates.map { _ in [SHA256Digest]() }
        if let position = conflict.position, !set.candidates.isEmpty {
            var comparison = ContentComparison(rules: rules)
            for delivery in try candidates.copies.deliveries(of: position, through: last) {
                let index = try supported(by: delivery, set.candidates, contents, &comparison)
                guard let index else { continue }
                supporters[index].append(delivery.origin)
                agreeing[index].append(delivery.contentDigest)
            }
        }
        var cases: [Candidate] = []
        for (index, candidate) in set.candidates.enumerated() {
            cases.append(
                try Candidate(
                    number: Int(candidate.candidate),
                    origin: candidate.origin,
                    supporters: supporters[index],
                    content: contents[index],
                    digest: candidate.contentDigest,
                    agreeing: agreeing[index]
                )
            )
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
        _ stored: [StoredCandidate],
        _ contents: [[UInt8]],
        _ comparison: inout ContentComparison
    ) throws -> Int? {
        if delivery.agreement == .confirmed { return stored.firstIndex { $0.copyID == nil } }
        let known = stored.firstIndex {
            $0.copyID == delivery.copyID || $0.contentDigest == delivery.contentDigest
        }
        if let known { return known }
        guard let content = try candidates.copies.content(of: delivery.copyID) else { return nil }
        for (index, candidate) in stored.enumerated() where candidate.copyID != nil {
            let agrees = try contents[index].withUnsafeBytesTyped { other throws(JSONError) in
                try content.withUnsafeBytesTyped { bytes throws(JSONError) in
                    try comparison.difference(other, bytes).agrees
                }
            }
            if agrees { return index }
        }
        return nil
    }
}
