/// A point in time as written in RFC 3339, with every digit of its fraction.
///
/// Two values are equal exactly when they mean the same instant, whatever offset and however many zeros they were
/// written with.
public struct RFC3339Instant: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z. A leap second (`:60`) counts as the second after it.
    public let seconds: Int64
    /// Whether the time is a leap second, which a count of seconds cannot distinguish from the next one.
    public let isLeapSecond: Bool
    /// The first nine digits after the decimal point.
    public let nanoseconds: UInt32
    /// Digits after the ninth, without trailing zeros; times written by clocks have none.
    private let furtherDigits: [UInt8]

    /// Reads a date-time strictly (RFC 3339, section 5.6): `T` and `Z` in either case, an offset or `Z` always, dates
    /// that exist, and `:60` only at the end of a month in UTC; nil for anything else.
    public init?(_ text: UnsafeRawBufferPointer) {
        guard text.count >= 20,
            let days = CivilDate.days(text), text[10] | 0x20 == 0x74,
            let hour = CivilDate.number(text, 11, 2), text[13] == 0x3A,
            let minute = CivilDate.number(text, 14, 2), text[16] == 0x3A,
            let second = CivilDate.number(text, 17, 2),
            hour <= 23, minute <= 59, second <= 60
        else { return nil }
        var end = 19
        if text[end] == 0x2E {
            end += 1
            while end < text.count, text[end] &- 0x30 <= 9 { end += 1 }
            guard end > 20 else { return nil }
        }
        guard let offset = Self.offsetSeconds(text, at: end) else { return nil }
        seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second) - offset
        isLeapSecond = second == 60
        if isLeapSecond {
            let (day, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
            guard rest == 0, CivilDate(daysSince1970: day).day == 1 else { return nil }
        }
        let fraction = UnsafeRawBufferPointer(rebasing: text[min(20, end)..<end])
        var nanoseconds: UInt32 = 0
        for index in 0..<9 {
            let digit = index < fraction.count ? UInt32(fraction[index] - 0x30) : 0
            nanoseconds = nanoseconds * 10 + digit
        }
        self.nanoseconds = nanoseconds
        var digits = fraction.count
        while digits > 9, fraction[digits - 1] == 0x30 { digits -= 1 }
        furtherDigits = digits > 9 ? [UInt8](fraction[9..<digits]) : []
    }

    /// Reads a date-time from a string.
    public init?(_ text: String) {
        var text = text
        guard let value = text.withUTF8({ Self(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = value
    }

    /// Microseconds since 1970, truncated. A leap second has those of the second after it.
    public var microseconds: Int64 { seconds * 1_000_000 + Int64(nanoseconds / 1000) }

    /// Digits after the decimal point, without trailing zeros.
    public var fraction: [UInt8] {
        var digits: [UInt8] = []
        var rest = nanoseconds
        var unit: UInt32 = 100_000_000
        while unit > 0 {
            digits.append(UInt8(0x30 + rest / unit))
            rest %= unit
            unit /= 10
        }
        digits += furtherDigits
        while digits.last == 0x30 { digits.removeLast() }
        return digits
    }

    /// The canonical text of this instant: in UTC with `Z`, the fraction without trailing zeros, and omitted if it is
    /// zero.
    ///
    /// In RFC 3339, UTC has no year before 0000 or after 9999. Instants that an offset moves there have `+23:59` or
    /// `-23:59`.
    public var text: String {
        var text: [UInt8] = []
        let year = CivilDate(daysSince1970: CivilDate.floorDivide(lastWholeSecond, 86_400).0).year
        let minutes: Int64 = year < 0 ? 1439 : year > 9999 ? -1439 : 0
        RFC3339.writeSecond(seconds + minutes * 60, isLeapSecond: isLeapSecond, to: &text)
        let fraction = fraction
        if !fraction.isEmpty {
            text.append(0x2E)
            text += fraction
        }
        text += (minutes == 0 ? "Z" : minutes > 0 ? "+23:59" : "-23:59").utf8
        return String(decoding: text, as: UTF8.self)
    }

    private var lastWholeSecond: Int64 { isLeapSecond ? seconds - 1 : seconds }

    public static func < (left: Self, right: Self) -> Bool {
        if left.seconds != right.seconds { return left.seconds < right.seconds }
        if left.isLeapSecond != right.isLeapSecond { return left.isLeapSecond }
        if left.nanoseconds != right.nanoseconds { return left.nanoseconds < right.nanoseconds }
        return left.furtherDigits.lexicographicallyPrecedes(right.furtherDigits)
    }

    private static func offsetSeconds(_ text: UnsafeRawBufferPointer, at start: Int) -> Int64? {
        guard start < text.count else { return nil }
        if text[start] | 0x20 == 0x7A { return start + 1 == text.count ? 0 : nil }
        guard text[start] == 0x2B || text[start] == 0x2D, start + 6 == text.count,
            text[start + 3] == 0x3A, let hours = CivilDate.number(text, start + 1, 2),
            let minutes = CivilDate.number(text, start + 4, 2), hours <= 23, minutes <= 59
        else { return nil }
        let seconds = Int64(hours * 3600 + minutes * 60)
        return text[start] == 0x2D ? -seconds : seconds
    }
}
