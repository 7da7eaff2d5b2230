import TallystickCore

extension BatchWriter {
    /// What a batch became, or a part of it.
    struct BatchResult: Sendable {
        var outcomes = OutcomeCounts()
        var conflictsOpened = 0
        var positions: ClosedRange<Int64>?
        var quarantine: [IngestReport.QuarantinedInput] = []
        /// For each event of the batch its position.
        var positionOfEvent: [Int64] = []
        /// The events of the batch that became further copies: those that were added last, in this order.
        var copied: [Int32] = []
        /// Set where the time for one transaction was used up.
        var rest: Rest?
        /// How long the batch's first transaction took, or its share of one with others.
        var microseconds: Int64 = 0

        mutating func add(_ other: BatchResult) {
            outcomes += other.outcomes
            conflictsOpened += other.conflictsOpened
            quarantine += other.quarantine
            rest = other.rest
        }
    }

    /// What is left of a batch, in order of arrival.
    struct Rest: Sendable {
        /// Events that are looked at one by one: conflicts, and further deliveries within the batch.
        var events: ArraySlice<Int32>
        /// Rejected inputs.
        var rejected: Range<Int>
    }
}
