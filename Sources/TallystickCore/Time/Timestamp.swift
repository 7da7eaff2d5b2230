/// A point in time as a store keeps it: whole microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Microseconds since 1970-01-01T00:00:00Z; negative before.
    public let microseconds: Int64

    /// The time so many microseconds after 1970-01-01T00:00:00Z.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Reads an RFC 3339 date-time, digits after the sixth cut off; nil for anything else.
    public init?(_ text: String) {
        guard let microseconds = RFC3339.microseconds(text) else { return nil }
        self.microseconds = microseconds
    }

    /// As RFC 3339 writes it, such as `2026-03-01T10:00:00.000001Z`: in UTC, always with six digits.
    public var description: String { RFC3339.string(microseconds: microseconds) }

    public static func < (left: Self, right: Self) -> Bool {
        left.microseconds < right.microseconds
    }
}
