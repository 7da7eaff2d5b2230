/// A span of time in a settings file: a whole number and a unit, `ms`, `s`, `m`, `h` or `d` (24 hours).
public struct SettingsDuration: Hashable, Comparable, Sendable {
    /// More than 0.
    public let milliseconds: Int64

    /// The longest span: 100 years.
    public static let maximumMilliseconds: Int64 = 36_525 * 86_400_000

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// - returns: nil for zero, a negative number, or more than 100 years.
    public init?(milliseconds: Int64) {
        guard milliseconds > 0, milliseconds <= Self.maximumMilliseconds else { return nil }
        self.milliseconds = milliseconds
    }

    /// A span given in the program: more than 0, and not long.
    init(minutes: UInt16) { milliseconds = max(1, Int64(minutes) * 60_000) }

    /// Reads `500ms`, `90s`, `15m`, `2h` or `1d`.
    ///
    /// - returns: nil for anything else, and for spans out of range.
    public init?(_ text: String) {
        let digits = text.utf8.prefix { $0 &- 0x30 <= 9 }
        let unit = text.utf8.dropFirst(digits.count)
        guard !digits.isEmpty, digits.count <= 13, let number = Int64(Substring(digits)),
            let factor = Self.units.first(where: { $0.name.utf8.elementsEqual(unit) })
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor.milliseconds)
        guard !overflow else { return nil }
        self.init(milliseconds: milliseconds)
    }

    /// The span in the largest unit of which it is a whole number.
    public var text: String {
        for unit in Self.units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }

    /// The span in microseconds, the unit of stored times.
    public var microseconds: Int64 { milliseconds * 1000 }

    public static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }
}
