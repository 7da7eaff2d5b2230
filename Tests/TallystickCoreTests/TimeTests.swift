import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("RFC 3339 times")
struct TimeTests {
    @Test(
        "Valid date-times are read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-03-01T10:00:00Z", 1_772_359_200_000_000),
            ("2026-03-01T12:30:00+02:30", 1_772_359_200_000_000),
            ("2026-03-01T09:29:00-00:31", 1_772_359_200_000_000),
            ("2026-03-01T10:00:00-00:00", 1_772_359_200_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("2026-03-01T10:00:00.1Z", 1_772_359_200_100_000),
            ("2026-03-01T10:00:00.1234567Z", 1_772_359_200_123_456),
            ("1990-12-31T15:59:60-08:00", 662_688_000_000_000),
        ]
    )
    func valid(text: String, microseconds: Int64) {
        #expect(RFC3339.microseconds(text) == microseconds)
    }

    @Test(
        "Text that is not a date-time is refused",
        arguments: [
            "", "2026", "2026-03-01", "2026-03-01T10:00:00", "2026-03-01 10:00:00Z",
            "2026-3-01T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
            "2026-02-29T10:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T10:00:00Z",
            "2026-03-00T10:00:00Z", "2026-03-32T10:00:00Z", "2026-03-01T24:00:00Z",
            "2026-03-01T10:60:00Z", "2026-03-01T10:00:61Z", "2026-03-01T10:00:60Z",
            "2026-03-31T22:59:60Z", "2026-03-30T23:59:60Z", "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:00,5Z", "2026-03-01T10:00:00+24:00", "2026-03-01T10:00:00+02:60",
            "2026-03-01T10:00:00+0200", "2026-03-01T10:00:00+02", "2026-03-01T10:00:00Z ",
            " 2026-03-01T10:00:00Z", "2026-03-01T10:00:00ZZ", "2026-03-01T10:00:00.5",
            "+2026-03-01T10:00:00Z", "２026-03-01T10:00:00Z", "2026-03-01T10:00:0\u{0}Z",
            "2026-03-01T1a:00:00Z", "20260-03-01T10:00:00Z",
        ]
    )
    func invalid(text: String) {
        #expect(RFC3339Instant(text) == nil)
    }

    @Test("Every prefix of a date-time is refused")
    func prefixes() {
        let text = "2026-03-01T10:00:00.123456789012+02:00"
        for count in 0..<text.count { #expect(RFC3339Instant(String(text.prefix(count))) == nil) }
        #expect(RFC3339Instant(text) != nil)
    }

    @Test("The same instant is equal, however it is written")
    func equality() throws {
        let plain = try #require(RFC3339Instant("2026-03-01T10:00:00.5Z"))
        for text in [
            "2026-03-01t10:00:00.50000000000000000z", "2026-03-01T12:00:00.500+02:00",
            "2026-02-28T22:00:00.5-12:00",
        ] {
            let other = try #require(RFC3339Instant(text))
            #expect(other == plain)
            #expect(other.hashValue == plain.hashValue)
        }
    }

    @Test("Every digit of a fraction counts")
    func fractions() throws {
        let texts = [
            "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.0000000000001Z",
            "2026-03-01T10:00:00.00000000000010000001Z", "2026-03-01T10:00:00.000000001Z",
            "2026-03-01T10:00:00.0000000010001Z", "2026-03-01T10:00:00.1Z",
            "2026-03-01T10:00:00.10000000000000000000000000000000000000001Z",
        ]
        let instants = try texts.map { try #require(RFC3339Instant($0)) }
        #expect(Set(instants).count == texts.count)
        #expect(instants.shuffled().sorted() == instants)
        #expect(instants[0].fraction.isEmpty)
        #expect(instants[2].fraction == Array("00000000000010000001".utf8))
        #expect(instants[3].fraction == Array("000000001".utf8))
        #expect(instants[5].fraction == Array("1".utf8))
    }

    @Test("A leap second lies between the seconds around it")
    func leapSecond() throws {
        let before = try #require(RFC3339Instant("2016-12-31T23:59:59.999Z"))
        let leap = try #require(RFC3339Instant("2016-12-31T23:59:60.5Z"))
        let after = try #require(RFC3339Instant("2017-01-01T00:00:00Z"))
        #expect(before < leap)
        #expect(leap < after)
        #expect(leap != RFC3339Instant("2017-01-01T00:00:00.5Z"))
        #expect(RFC3339Instant("2017-01-01T00:59:60.5+01:00") == leap)
    }

    @Test("Written times are read back, over ten thousand years")
    func roundTrip() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let range: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_999_999
            let value = Int64.random(in: range, using: &random)
            let text = RFC3339.string(microseconds: value)
            #expect(text.utf8.count == 27)
            #expect(RFC3339.microseconds(text) == value, "seed \(seed), \(text)")
        }
        #expect(
            RFC3339.string(microseconds: 1_772_359_200_000_001) == "2026-03-01T10:00:00.000001Z"
        )
        #expect(RFC3339.string(microseconds: -1) == "1969-12-31T23:59:59.999999Z")
    }

    @Test("Dates agree with Foundation's Gregorian calendar since 1970")
    func foundation() throws {
        let formatter = ISO8601DateFormatter()
        for day in stride(from: 0, to: 120_000, by: 13) {
            let text = formatter.string(from: Date(timeIntervalSince1970: Double(day) * 86_400))
            #expect(RFC3339.microseconds(text) == Int64(day) * 86_400_000_000, "\(text)")
        }
    }

    @Test("Times beyond the calendar of RFC 3339 are written without a trap")
    func extremes() {
        #expect(RFC3339.string(microseconds: .max) == "294247-01-10T04:00:54.775807Z")
        #expect(RFC3339.string(microseconds: .min).hasPrefix("-"))
    }
}
