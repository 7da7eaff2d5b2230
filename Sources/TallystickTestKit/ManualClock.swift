import Synchronization

/// A clock that stands still until a test moves it. Times are microseconds since 1970-01-01T00:00:00Z.
public final class ManualClock: Sendable {
    private let time: Mutex<Int64>

    /// A clock at a time; the default is 2026-03-01T10:00:00Z.
    public init(_ microseconds: Int64 = 1_772_359_200_000_000) { time = Mutex(microseconds) }

    /// The clock's time: microseconds since 1970-01-01T00:00:00Z.
    public var now: Int64 { time.withLock { $0 } }

    /// Moves the clock forwards, or backwards if the number is negative.
    public func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000 } }
}
