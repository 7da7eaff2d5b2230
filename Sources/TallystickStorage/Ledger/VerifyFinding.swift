/// A difference between a record and its proof.
public struct VerifyFinding: Sendable, Equatable {
    /// Table and key, such as `events 42` or `merkle_tiles events/0/3`.
    public var record: String
    /// The position of the event that is affected; nil where it is not one event.
    public var position: Int64?
    /// The source of the event that is affected; nil where it is not one event, or the source cannot be read.
    public var source: String?
    /// The id of the event that is affected; nil where it is not one event, or the id cannot be read.
    public var eventID: String?
    /// `content`, `leaf`, `tile`, `index`, `sequence`, `key`, `downgrade`, `derived`, `page` (SQLite cannot read it),
    /// and against heads `store`, `truncation`, `fork` and `head`.
    public var finding: String
    /// What the proof demands.
    public var expected: String
    /// What the store holds.
    public var actual: String

    package init(
        record: String,
        position: Int64? = nil,
        source: String? = nil,
        eventID: String? = nil,
        finding: String,
        expected: String,
        actual: String
    ) {
        self.record = record
        self.position = position
        self.source = source
        self.eventID = eventID
        self.finding = finding
        self.expected = expected
        self.actual = actual
    }
}
