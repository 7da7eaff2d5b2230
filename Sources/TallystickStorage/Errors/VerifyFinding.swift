public import TallystickCore

/// A difference between a record and its proof.
public struct VerifyFinding: Sendable, Equatable {
    /// What differs. Raw values are the codes in reports.
    public enum Kind: String, Sendable, CaseIterable {
        /// The content, or its checksum.
        case content
        /// The hash in the Merkle log.
        case leaf
        /// A tile of a Merkle tree.
        case tile
        /// A row of an index table.
        case index
        /// Rows that are missing, or out of order.
        case sequence
        /// A key that the store does not have, or that was retired.
        case key
        /// A checksum weaker than its category demands.
        case downgrade
        /// Derived state.
        case derived
        /// A page that SQLite cannot read.
        case page
        /// A head of another store.
        case store
        /// A head of more rows than there are.
        case truncation
        /// A head of another history.
        case fork
        /// A stored head that is not as it was written.
        case head
    }

    /// Table and key, such as `events 42` or `merkle_tiles events/0/3`.
    public var record: String
    /// The position of the event that is affected; nil where it is not one event.
    public var position: Position?
    /// The source of the event that is affected; nil where it is not one event, or the source cannot be read.
    public var source: String?
    /// The id of the event that is affected; nil where it is not one event, or the id cannot be read.
    public var eventID: String?
    /// What differs.
    public var finding: Kind
    /// What the proof demands.
    public var expected: String
    /// What the store holds.
    public var actual: String

    package init(
        record: String,
        position: Int64? = nil,
        source: String? = nil,
        eventID: String? = nil,
        finding: Kind,
        expected: String,
        actual: String
    ) {
        self.record = record
        self.position = position.map { Position($0) }
        self.source = source
        self.eventID = eventID
        self.finding = finding
        self.expected = expected
        self.actual = actual
    }
}
