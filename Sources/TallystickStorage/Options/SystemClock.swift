import Glibc
package import TallystickCore

/// The operating system's clocks.
package enum SystemClock {
    /// Wall time.
    @Sendable package static func microsecondsSince1970() -> Int64 { read(CLOCK_REALTIME) }

    /// Time that never jumps, for durations.
    package static func monotonicMicroseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    package static func sleep(microseconds: UInt32) { usleep(microseconds) }

    /// Both clocks of a breaker.
    ///
    /// - parameter wall: microseconds since 1970, from the store's own clock.
    package static func breakerTime(wall: Int64) -> BreakerTime {
        BreakerTime(bootID: bootID, boot: read(CLOCK_BOOTTIME), wall: wall)
    }

    /// Identifies the current boot of the machine; empty if the system does not say.
    private static let bootID: String = {
        guard let file = fopen("/proc/sys/kernel/random/boot_id", "re") else { return "" }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 64)
        let count = fread(&text, 1, text.count, file)
        return String(decoding: text[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
    }()

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
