/// Writes and reads times in microseconds since 1970-01-01T00:00:00Z, the unit of every stored time.
package enum RFC3339 {
    /// Microseconds since 1970 as `2026-03-01T10:00:00.000001Z`: UTC, always six digits after the point.
    package static func string(microseconds: Int64) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(27)
        write(microseconds: microseconds, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the result of ``string(microseconds:)``.
    package static func write(microseconds: Int64, to output: inout [UInt8]) {
        let (seconds, rest) = CivilDate.floorDivide(microseconds, 1_000_000)
        writeSecond(seconds, to: &output)
        output.append(0x2E)
        write(rest, 6, to: &output)
        output.append(0x5A)
    }

    /// Appends a second since 1970 as `2026-03-01T10:00:00`.
    static func writeSecond(
        _ second: Int64,
        isLeapSecond: Bool = false,
        to output: inout [UInt8]
    ) {
        // A leap second is the sixty-first of its minute, and counts as the one after it.
        let (days, rest) = CivilDate.floorDivide(isLeapSecond ? second - 1 : second, 86_400)
        let date = CivilDate(daysSince1970: days)
        write(date.year, 4, to: &output)
        output.append(0x2D)
        write(date.month, 2, to: &output)
        output.append(0x2D)
        write(date.day, 2, to: &output)
        output.append(0x54)
        write(rest / 3600, 2, to: &output)
        output.append(0x3A)
        write(rest / 60 % 60, 2, to: &output)
        output.append(0x3A)
        write(isLeapSecond ? 60 : rest % 60, 2, to: &output)
    }

    /// Microseconds since 1970 of a date-time, truncated; nil if it is not valid.
    package static func microseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        RFC3339Instant(text)?.microseconds
    }

    /// Microseconds since 1970 of a date-time, truncated; nil if it is not valid.
    package static func microseconds(_ text: String) -> Int64? {
        RFC3339Instant(text)?.microseconds
    }

    /// Appends a number with at least `width` digits.
    private static func write(_ number: Int64, _ width: Int, to output: inout [UInt8]) {
        if number < 0 { output.append(0x2D) }
        let digits = String(number.magnitude).utf8
        for _ in 0..<max(0, width - digits.count) { output.append(0x30) }
        output.append(contentsOf: digits)
    }
}
