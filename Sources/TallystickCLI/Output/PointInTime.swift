import ArgumentParser
import Tallystick
import TallystickCore

/// A time that a person gives.
enum PointInTime {
    /// Microseconds since 1970 of an RFC 3339 time, or of a time so long ago.
    ///
    /// - parameter option: its name in messages.
    static func parse(_ text: String, option: String = "--since") throws -> Int64 {
        if let microseconds = RFC3339.microseconds(text) { return microseconds }
        guard let duration = try? Durations.parse(text) else {
            throw ValidationError(
                "\(option): '\(text)' is neither an RFC 3339 time nor a duration; "
                    + "write for example 2026-03-01T00:00:00Z or 2h"
            )
        }
        let (seconds, attoseconds) = duration.components
        let ago = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return StoreOptions().clock() - ago
    }
}
