/// The two clocks that a breaker is told: one that survives no restart of the machine but never jumps, and one
/// that survives but can be set.
public struct BreakerTime: Sendable, Equatable {
    /// Names the machine's run since it started (Linux: `/proc/sys/kernel/random/boot_id`).
    public var bootID: String
    /// Microseconds since the machine started, sleep included.
    public var boot: Int64
    /// Microseconds since 1970.
    public var wall: Int64

    public init(bootID: String, boot: Int64, wall: Int64) {
        self.bootID = bootID
        self.boot = boot
        self.wall = wall
    }
}

/// When a wait ends, on both clocks.
public struct BreakerDeadline: Sendable, Equatable {
    public var bootID: String
    public var boot: Int64
    public var wall: Int64

    public init(bootID: String, boot: Int64, wall: Int64) {
        self.bootID = bootID
        self.boot = boot
        self.wall = wall
    }

    /// So many microseconds from now on.
    init(after wait: Int64, from now: BreakerTime) {
        bootID = now.bootID
        boot = now.boot.addingReportingOverflow(wait).partialValue
        wall = now.wall.addingReportingOverflow(wait).partialValue
    }

    /// Microseconds left, at least 0.
    ///
    /// In the same run of the machine the boot clock tells. After a restart it is the wall clock, but never more
    /// than the whole wait: a clock that was set back cannot hold a breaker open.
    public func remaining(at now: BreakerTime, wait: Int64) -> Int64 {
        if bootID == now.bootID { return max(0, boot - now.boot) }
        return max(0, min(wall - now.wall, wait))
    }
}
