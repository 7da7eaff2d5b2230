public import TallystickCore

/// A statement, made with a run of ingest, that the origin has now delivered everything of a span of time.
///
/// The span is of the events' own times (the attribute `time`), both ends included. Once the run has come to the end of
/// its inputs, each event in the span that another origin delivered and this one did not is missing at this origin;
/// no window is waited for.
public struct IngestCompleteness: Sendable, Equatable {
    /// An end of the span.
    public enum Bound: Sendable, Equatable {
        /// The earliest time, for the beginning, or the latest, for the end, of any record of the run.
        case ofInput
        /// A point in time.
        case time(Timestamp)
    }

    /// The end of the span.
    public var through: Bound
    /// Its beginning; nil for all times up to the end.
    public var from: Bound?
    /// The category whose events are complete; nil for all.
    public var category: String?
    /// The source whose events are complete; nil for all.
    public var source: String?

    /// All events of an origin up to a time, or from another time on.
    public init(through: Bound, from: Bound? = nil) {
        self.through = through
        self.from = from
    }

    /// The span, given the earliest and latest time of the run; nil where it depends on them and there are none, or
    /// where it ends before it begins.
    func span(of times: ClosedRange<Int64>?) -> ClosedRange<Int64>? {
        func time(_ bound: Bound, _ ofInput: Int64?) -> Int64? {
            switch bound {
            case .ofInput: ofInput
            case .time(let time): time.microseconds
            }
        }
        guard let through = time(through, times?.upperBound) else { return nil }
        guard let from = from.map({ time($0, times?.lowerBound) }) ?? .min, from <= through else {
            return nil
        }
        return from...through
    }
}
