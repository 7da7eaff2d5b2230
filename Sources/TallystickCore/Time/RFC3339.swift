/// A point in time as RFC 3339 writes it, with every digit of its fraction.
public struct RFC3339Instant: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z. A leap second (`:60`) counts as the second after it.
    public let seconds: Int64
    /// Whether the time is a leap second, which no count of seconds tells from the next one.
    public let isLeapSecond: Bool
    /// Digits after the decimal point, without zeros at the end.
    public let fraction: [UInt8]

    /// Reads a date-time strictly (RFC 3339, section 5.6): `T` and `Z` in either case, an offset or `Z`
    /// always, dates that exist; nil for anything else.
    public init?(_ text: UnsafeRawBufferPointer) {
        guard text.count >= 20, text.count <= 255 else { return nil }
        guard let year = Self.number(text, 0, 4), text[4] == 0x2D,
            let month = Self.number(text, 5, 2), text[7] == 0x2D,
            let day = Self.number(text, 8, 2), text[10] | 0x20 == 0x74,
            let hour = Self.number(text, 11, 2), text[13] == 0x3A,
            let minute = Self.number(text, 14, 2), text[16] == 0x3A,
            let second = Self.number(text, 17, 2),
            (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year),
            hour <= 23, minute <= 59, second <= 60
        else { return nil }
        var index = 19
        var digits: [UInt8] = []
        if text[index] == 0x2E {
            index += 1
            while index < text.count, text[index] &- 0x30 <= 9 {
                digits.append(text[index])
                index += 1
            }
            guard !digits.isEmpty else { return nil }
            while digits.last == 0x30 { digits.removeLast() }
        }
        guard let offset = Self.offsetSeconds(text, at: index) else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second) - offset
        isLeapSecond = second == 60
        fraction = digits
    }

    /// Reads a date-time from a string.
    public init?(_ text: String) {
        var text = text
        guard let value = text.withUTF8({ Self(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = value
    }

    /// Microseconds since 1970, further digits cut off.
    public var microseconds: Int64 {
        var micros: Int64 = 0
        for index in 0..<6 {
            micros = micros * 10 + (index < fraction.count ? Int64(fraction[index] - 0x30) : 0)
        }
        return seconds * 1_000_000 + micros
    }

    public static func < (left: Self, right: Self) -> Bool {
        if left.seconds != right.seconds { return left.seconds < right.seconds }
        if left.isLeapSecond != right.isLeapSecond { return left.isLeapSecond }
        return left.fraction.lexicographicallyPrecedes(right.fraction)
    }

    private static func number(
        _ text: UnsafeRawBufferPointer,
        _ start: Int,
        _ count: Int
    ) -> Int? {
        guard start + count <= text.count else { return nil }
        var value = 0
        for index in start..<start + count {
            guard text[index] &- 0x30 <= 9 else { return nil }
            value = value * 10 + Int(text[index] - 0x30)
        }
        return value
    }

    private static func offsetSeconds(_ text: UnsafeRawBufferPointer, at start: Int) -> Int64? {
        guard start < text.count else { return nil }
        if text[start] | 0x20 == 0x7A { return start + 1 == text.count ? 0 : nil }
        guard text[start] == 0x2B || text[start] == 0x2D, start + 6 == text.count,
            text[start + 3] == 0x3A, let hours = number(text, start + 1, 2),
            let minutes = number(text, start + 4, 2), hours <= 23, minutes <= 59
        else { return nil }
        let seconds = Int64(hours * 3600 + minutes * 60)
        return text[start] == 0x2D ? -seconds : seconds
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Howard Hinnant's `days_from_civil`, for the proleptic Gregorian calendar.
    private static func daysSince1970(year: Int, month: Int, day: Int) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }
}

/// Writes times as RFC 3339 in UTC.
public enum RFC3339 {
    /// Microseconds since 1970 as `2026-03-01T10:00:00.000001Z`.
    public static func string(microseconds: Int64) -> String {
        let (days, rest) = floorDivide(microseconds, 86_400_000_000)
        let date = civil(days)
        let seconds = rest / 1_000_000
        return "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))T"
            + "\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2))"
            + ".\(pad(rest % 1_000_000, 6))Z"
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (Int64, Int64) {
        let rest = value % by
        return rest < 0 ? (value / by - 1, rest + by) : (value / by, rest)
    }

    /// Howard Hinnant's `civil_from_days`.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = floorDivide(shifted, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
