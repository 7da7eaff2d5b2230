import Glibc

/// The operating system's clocks.
enum SystemClock {
    /// Wall time.
    @Sendable static func microsecondsSince1970() -> Int64 { read(CLOCK_REALTIME) }

    /// Time that never jumps, for durations.
    static func monotonicMicroseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    static func sleep(microseconds: UInt32) { usleep(microseconds) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
