public import TallystickCore

/// An event, or a correction of one, that a replay has set aside.
public struct ParkedEvent: Sendable, Equatable {
    /// The event's position.
    public var position: Position
    /// The resolution behind a correction; nil for the event itself.
    public var resolutionID: Int64?
    /// The event's stream: its later events are parked too, in order.
    public var stream: String
    /// The event's source.
    public var source: String
    /// The event's id.
    public var id: String
    /// The event's type.
    public var type: String
    /// Why the event, or an earlier one of its stream, could not be applied.
    public var error: String
    /// The number of attempts.
    public var attempts: Int64
    /// When it was set aside.
    public var parkedAt: Timestamp
}
