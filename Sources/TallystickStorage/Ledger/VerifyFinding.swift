/// A difference between a record and its proof.
public struct VerifyFinding: Sendable, Equatable {
    /// Table and key, such as `events 42` or `merkle_tiles events/0/3`.
    public var record: String
    public var position: Int64?
    public var source: String?
    public var eventID: String?
    /// `content`, `leaf`, `tile`, `index`, `sequence`, `key`, `downgrade`, `derived`, `page` (SQLite cannot read it),
    /// and against heads `store`, `truncation`, `fork` and `head`.
    public var finding: String
    public var expected: String
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
