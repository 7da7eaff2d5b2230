/// Whether a delivery path delivered its copy of an event, as far as its deliveries show.
///
/// Times are `recorded_at`, microseconds since 1970. The event's window closes a fixed time after its first copy was
/// recorded.
package enum Presence: Sendable, Equatable {
    /// No copy can be expected: the origin had not delivered anything before the event arrived.
    case notExpected
    case present
    /// The window is open, or the origin has not delivered anything since that could settle it.
    case pending
    /// The origin delivered while the window was open and again later, but not this event.
    case missing
    /// The origin delivered nothing while the window was open: the origin is silent, instead of missing a copy.
    case silent

    /// The known deliveries of one delivery path around one event.
    package struct Deliveries: Sendable, Equatable {
        /// The origin's first delivery ever; nil if it has none.
        package var first: Int64?
        /// Its first delivery after the event's first copy was recorded.
        package var next: Int64?
        /// Its latest delivery.
        package var last: Int64?

        package init(first: Int64?, next: Int64?, last: Int64?) {
            self.first = first
            self.next = next
            self.last = last
        }
    }

    /// Evaluates one event at one origin.
    ///
    /// - parameter recordedAt: when the event's first copy was recorded.
    /// - parameter window: microseconds.
    /// - parameter asOf: the run's clock.
    package static func evaluate(
        recordedAt: Int64,
        window: Int64,
        hasCopy: Bool,
        deliveries: Deliveries,
        asOf: Int64
    ) -> Presence {
        if hasCopy { return .present }
        guard let first = deliveries.first, first < recordedAt else { return .notExpected }
        let (closes, overflow) = recordedAt.addingReportingOverflow(window)
        guard !overflow, asOf > closes else { return .pending }
        guard let next = deliveries.next, next <= closes else { return .silent }
        return (deliveries.last ?? next) > closes ? .missing : .pending
    }
}
