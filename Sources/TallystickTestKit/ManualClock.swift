import Synchronization

/// A clock that stands until it is moved: microseconds since 1970.
public final class ManualClock: Sendable {
    private let time: Mutex<Int64>

    /// 2026-03-01T10:00:00Z, unless said otherwise.
    public init(_ microseconds: Int64 = 1_772_359_200_000_000) { time = Mutex(microseconds) }

    /// Where it stands: microseconds since 1970.
    public var now: Int64 { time.withLock { $0 } }

    /// Moves the clock; back, where the number is negative.
    public func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000 } }
}
