/// The two clocks of a breaker: one that never jumps but does not survive a restart of the machine, and one that
/// survives but can be set.
package struct BreakerTime: Sendable, Equatable {
    /// Identifies the current boot of the machine (Linux: `/proc/sys/kernel/random/boot_id`).
    package var bootID: String
    /// Microseconds since the machine started, including sleep.
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

    /// This many microseconds from now.
    init(after wait: Int64, from now: BreakerTime) {
        bootID = now.bootID
        boot = now.boot.addingReportingOverflow(wait).partialValue
        wall = now.wall.addingReportingOverflow(wait).partialValue
    }

    /// Microseconds left, at least 0.
    ///
    /// Within one boot of the machine the boot clock decides. After a restart the wall clock does, but it never adds
    /// more than the whole wait: a clock that was set back cannot hold a breaker open.
    package func remaining(at now: BreakerTime, wait: Int64) -> Int64 {
        if bootID == now.bootID { return max(0, boot - now.boot) }
        return max(0, min(wall - now.wall, wait))
    }
}
