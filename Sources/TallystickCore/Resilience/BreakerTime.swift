/// The two clocks that a breaker is told: one that survives no restart of the machine but never jumps, and one
/// that survives but can be set.
package struct BreakerTime: Sendable, Equatable {
    /// Names the machine's run since it started (Linux: `/proc/sys/kernel/random/boot_id`).
    package var bootID: String
    /// Microseconds since the machine started, sleep included.
    package var boot: Int64
    /// Microseconds since 1970.
    package var wall: Int64

    package init(bootID: String, boot: Int64, wall: Int64) {
        self.bootID = bootID
        self.boot = boot
        self.wall = wall
    }
}

/// When a wait ends, on both clocks.
package struct BreakerDeadline: Sendable, Equatable {
    package var bootID: String
    package var boot: Int64
    package var wall: Int64

    package init(bootID: String, boot: Int64, wall: Int64) {
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
    package func remaining(at now: BreakerTime, wait: Int64) -> Int64 {
        if bootID == now.bootID { return max(0, boot - now.boot) }
        return max(0, min(wall - now.wall, wait))
    }
}
