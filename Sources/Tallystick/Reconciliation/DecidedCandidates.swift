import TallystickCore

/// Reads what decisions were made from, and reads it again only where it changed.
///
/// Asked for the decisions over one conflict one after the other, it reads the candidates as often as they changed
/// between these decisions, not as often as they were decided over.
final class DecidedCandidates {
    private struct Known {
        var conflictID: Int64
        var moment: CandidateReader.Moment
        /// Up to here, both included, the candidates are the same.
        var last: CandidateReader.Moment
        var set: CandidateSet?
    }

    private let reader: CandidateReader
    private var known: Known?
    /// The case that policies see of `known`, by the rules under which it was made.
    private var policyCase: (rules: ComparisonRules, hasContent: Bool, value: ConflictCase)?

    init(_ reader: CandidateReader) { self.reader = reader }

    /// The candidates of a conflict as they were; nil where there is no such conflict.
    func candidates(of conflictID: Int64, at moment: CandidateReader.Moment) throws -> CandidateSet?
    {
        if let known, known.conflictID == conflictID,
            known.moment.auditSequence <= moment.auditSequence,
            known.moment.copies <= moment.copies,
            moment.auditSequence <= known.last.auditSequence, moment.copies <= known.last.copies
        {
            return known.set
        }
        // Let go before the next ones are read: a conflict may be as large as the store.
        (known, policyCase) = (nil, nil)
        let set = try reader.read(conflictID, at: moment)
        known = Known(
            conflictID: conflictID,
            moment: moment,
            last: try reader.lastMoment(like: moment, of: conflictID, set?.conflict.position),
            set: set
        )
        return set
    }

    /// The category of the conflict that was asked for last.
    var category: String? { known?.set?.conflict.category }

    /// The case that a policy sees of the candidates that were asked for last.
    ///
    /// - throws: as ``ConflictCaseBuilder/conflictCase(_:rules:keepsContent:through:)``.
    func policyCase(
        rules: ComparisonRules,
        keepsContent: Bool,
        asOf: Int64
    ) throws -> ConflictCase {
        guard let known, let set = known.set else {
            throw StoreError(
                .bug,
                during: "derive the decisions again",
                "candidates are asked for before their case"
            )
        }
        var value: ConflictCase
        if let policyCase, policyCase.rules == rules, policyCase.hasContent || !keepsContent {
            value = policyCase.value
        } else {
            policyCase = nil
            value = try ConflictCaseBuilder(reader, asOf: asOf).conflictCase(
                set,
                rules: rules,
                keepsContent: keepsContent,
                through: known.moment.copies
            )
            policyCase = (rules, keepsContent, value)
        }
        value.asOf = asOf
        return value
    }
}
