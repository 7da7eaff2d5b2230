public import TallystickCore

/// An event, or a correction of one, that a replay has set aside.
public struct ParkedEvent: Sendable, Equatable {
    public var position: Position
    /// Of the correction; nil for the event itself.
    public var resolutionID: Int64?
    public var stream: String
    public var source: String
    public var id: String
    public var type: String
    /// Why it, or an event of its stream before it, could not be applied.
    public var error: String
    /// How often that was tried.
    public var attempts: Int64
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var parkedAt: Int64
}
