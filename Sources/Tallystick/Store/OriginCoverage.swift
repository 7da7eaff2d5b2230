public import TallystickCore

/// A statement that an origin has delivered everything of a span of time, by the events' own times.
public struct OriginCoverage: Sendable, Equatable {
    /// The audit row of the statement, by which it is withdrawn.
    public var statement: Int64
    /// The delivery path.
    public var origin: String
    /// The category whose events are complete; nil for all.
    public var category: String?
    /// The source whose events are complete; nil for all.
    public var source: String?
    /// The beginning of the span, included; nil for all times before its end.
    public var from: Timestamp?
    /// The end of the span, included.
    public var through: Timestamp
    /// Who stated it.
    public var actor: String
    /// The audit row that withdrew the statement; nil while it is in force.
    public var withdrawnBy: Int64?
}

extension OriginCoverage {
    init(_ stored: StoredCoverage) {
        statement = stored.sequence
        origin = stored.origin
        category = stored.category
        source = stored.source
        from =
            stored.span.lowerBound == .min
            ? nil : Timestamp(microseconds: stored.span.lowerBound)
        through = Timestamp(microseconds: stored.span.upperBound)
        actor = stored.actor
        withdrawnBy = stored.withdrawnBy
    }
}
