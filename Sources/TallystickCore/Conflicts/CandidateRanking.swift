/// Orders candidates that a rule finds equal.
struct CandidateRanking: Sendable {
    /// Values of `tie_break` that no setting has.
    static let byDigest = "content_digest"
    static let byArrival = "arrival"

    private let priorities: [[UInt8]: Int]

    init(_ origins: [StoreSettings.Origin]) {
        var priorities: [[UInt8]: Int] = [:]
        for origin in origins { priorities[Array(origin.name.utf8)] = origin.priority }
        self.priorities = priorities
    }

    /// The smallest priority number among delivery paths; nil if none has one.
    func priority(of origins: [String]) -> Int? {
        origins.compactMap { priorities[Array($0.utf8)] }.min()
    }

    /// The delivery path that vouches best for a candidate: the smallest priority number, then its name.
    func voucher(of candidate: Candidate) -> String {
        let best = priority(of: candidate.supporters)
        return candidate.supporters.first { priority(of: [$0]) == best } ?? candidate.origin
    }

    /// Chooses one of one or more candidates, and names the tie-break that distinguished it; nil if there is only one.
    ///
    /// Without a tie-break setting, the candidate with the smallest digest is chosen, among all contents that agree
    /// with a candidate's: which of them came first does not matter.
    func preferred(
        among candidates: [Candidate],
        by tieBreak: TieBreak?
    ) -> (candidate: Candidate, tieBreak: String?) {
        guard candidates.count > 1, let tieBreak else { return smallest(candidates) }
        switch tieBreak {
        case .firstWriteWins:
            return (candidates.min { $0.number < $1.number } ?? candidates[0], tieBreak.rawValue)
        case .lastWriteWins:
            let latest = Self.latest(candidates)
            if latest.count == 1 { return (latest[0], tieBreak.rawValue) }
            return (latest.max { $0.number < $1.number } ?? latest[0], Self.byArrival)
        case .originPriority:
            let best = highestPriority(candidates)
            if best.count == 1 { return (best[0], tieBreak.rawValue) }
            return smallest(best.isEmpty ? candidates : best)
        }
    }

    /// The candidates with the latest time; all of them if none has one.
    static func latest(_ candidates: [Candidate]) -> [Candidate] {
        guard let latest = candidates.compactMap(\.time).max() else { return candidates }
        return candidates.filter { $0.time == latest }
    }

    /// The candidates whose supporters have the smallest priority number; none if no supporter has one.
    func highestPriority(_ candidates: [Candidate]) -> [Candidate] {
        guard let best = candidates.compactMap({ priority(of: $0.supporters) }).min() else {
            return []
        }
        return candidates.filter { priority(of: $0.supporters) == best }
    }

    private func smallest(_ candidates: [Candidate]) -> (Candidate, String?) {
        let first = candidates.min { $0.smallestDigest < $1.smallestDigest } ?? candidates[0]
        return (first, candidates.count > 1 ? Self.byDigest : nil)
    }
}
