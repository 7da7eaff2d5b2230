import ArgumentParser
import Tallystick
import TallystickCore

/// A time that a person gives.
enum PointInTime {
    /// An RFC 3339 time, or the time a duration ago.
    ///
    /// - parameter option: its name in messages.
    static func parse(_ text: String, option: String = "--since") throws -> Timestamp {
        if let time = Timestamp(text) { return time }
        guard let duration = try? Durations.parse(text) else {
            throw ValidationError(
                "\(option): '\(text)' is neither an RFC 3339 time nor a duration; "
                    + "write for example 2026-03-01T00:00:00Z or 2h"
            )
        }
        let (seconds, attoseconds) = duration.components
        let ago = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return Timestamp(microseconds: StoreOptions().clock() - ago)
    }
}
