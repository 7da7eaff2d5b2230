import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// What `stats --format openmetrics` prints is valid OpenMetrics 1.0 text.
@Suite("OpenMetrics")
struct OpenMetricsTests {
    @Test("A store's measures are valid, whatever its origins are called")
    func store() async throws {
        let test = try await TestStore()
        for (origin, value) in [("left", 1), (#"right "\ here"#, 2)] {
            let line =
                eventLine("1", data: #"{"v":\#(value)}"#)
            try await test.ingest(line, "no event", from: origin)
        }
        let text = try await test.store.statistics().openMetrics
        let families = try OpenMetricsCheck.families(of: text)
        #expect(families["tallystick_events"]?.type == "counter")
        #expect(
            families["tallystick_events"]?.samples
                == [#"tallystick_events_total{origin="left",category="system"}"#: 1]
        )
        #expect(
            families["tallystick_copies"]?.samples
                == [
                    #"tallystick_copies_total{origin="right \"\\ here",agreement="conflicting"}"#: 1
                ]
        )
        #expect(families["tallystick_conflicts"]?.type == "gauge")
        #expect(families["tallystick_database_size_bytes"]?.unit == "bytes")
        #expect(families["tallystick_store"]?.type == "info")
    }

    @Test(
        "A line break in a label is escaped; numbers have no other forms than those of the format"
    )
    func escapes() throws {
        var text = OpenMetricsText()
        text.add("a", .gauge, help: "one\ntwo \"x\" \\", [([("l", "x\ny")], 0.5), ([], .infinity)])
        text.add("b", .gauge, help: "none", [])
        let families = try OpenMetricsCheck.families(of: text.ended)
        #expect(families["a"]?.samples == [#"a{l="x\ny"}"#: 0.5, "a": .infinity])
        #expect(families["b"] == nil)
    }

    @Test(
        "The check refuses what is not valid",
        arguments: [
            "", "# EOF", "# EOF\n\n", "a 1\n# EOF\n", "# TYPE a gauge\na 1\n",
            "# TYPE a counter\na 1\n# EOF\n", "# TYPE a gauge\na 1\na 2\n# EOF\n",
            "# TYPE a gauge\na{b=\"x\" 1\n# EOF\n", "# TYPE a gauge\n# UNIT a s\na 1\n# EOF\n",
            "# TYPE a gauge\na x\n# EOF\n", "# TYPE a gauge\na 1\n# TYPE a gauge\n# EOF\n",
            "# TYPE a gauge\na{0=\"x\"} 1\n# EOF\n", "# TYPE a gauge\na{b=\"\\q\"} 1\n# EOF\n",
        ]
    )
    func canary(_ text: String) {
        #expect(throws: OpenMetricsCheck.Invalid.self) {
            _ = try OpenMetricsCheck.families(of: text)
        }
    }
}

/// A small strict reader of the parts of OpenMetrics 1.0 that a store's measures use.
enum OpenMetricsCheck {
    struct Invalid: Error { let line: String }

    struct Family {
        var type: String
        var unit: String?
        var help: String?
        var samples: [String: Double] = [:]
    }

    static func families(of text: String) throws -> [String: Family] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.popLast() == "", lines.popLast() == "# EOF" else { throw Invalid(line: "end") }
        var families: [String: Family] = [:]
        var current = ""
        for line in lines {
            if line.hasPrefix("# ") {
                try addMetadata(line, &families, &current)
            } else {
                try addSample(line, &families, current)
            }
        }
        return families
    }

    private static func addMetadata(
        _ line: String,
        _ families: inout [String: Family],
        _ current: inout String
    ) throws {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            .map(String.init)
        guard words.count == 4, isName(words[2]) else { throw Invalid(line: line) }
        if words[1] == "TYPE" {
            guard ["counter", "gauge", "info", "summary"].contains(words[3]),
                families[words[2]] == nil
            else {
                throw Invalid(line: line)
            }
            families[words[2]] = Family(type: words[3])
            current = words[2]
            return
        }
        // Metadata comes before samples, once, and for the family that is being written.
        guard words[2] == current, families[current]?.samples.isEmpty == true else {
            throw Invalid(line: line)
        }
        switch words[1] {
        case "UNIT" where families[current]?.unit == nil && current.hasSuffix("_" + words[3]):
            families[current]?.unit = words[3]
        case "HELP" where families[current]?.help == nil:
            families[current]?.help = words[3]
        default: throw Invalid(line: line)
        }
    }

    private static func addSample(
        _ line: String,
        _ families: inout [String: Family],
        _ current: String
    ) throws {
        guard let space = line.lastIndex(of: " "), let family = families[current] else {
            throw Invalid(line: line)
        }
        let sample = String(line[..<space])
        let number = String(line[line.index(after: space)...])
        let value =
            ["+Inf": Double.infinity, "-Inf": -.infinity, "NaN": .nan][number] ?? Double(number)
        let name = String(sample.prefix { $0 != "{" })
        let suffixes = ["counter": ["_total"], "info": ["_info"], "summary": ["_count", "_sum"]]
        let names = (suffixes[family.type] ?? [""]).map { current + $0 }
        guard let value, names.contains(name), family.samples[sample] == nil,
            hasValidLabels(sample.dropFirst(name.count))
        else { throw Invalid(line: line) }
        families[current]?.samples[sample] = value
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy {
            $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF)
        }
    }

    /// `{name="value",…}`, or nothing.
    private static func hasValidLabels(_ text: Substring) -> Bool {
        if text.isEmpty { return true }
        guard text.first == "{", text.last == "}" else { return false }
        var rest = text.dropFirst().dropLast()
        while true {
            let name = rest.prefix { $0 != "=" }
            rest = rest.dropFirst(name.count)
            guard isName(String(name)), rest.hasPrefix("=\"") else { return false }
            rest = rest.dropFirst(2)
            while let character = rest.first, character != "\"" {
                if character == "\\" {
                    guard let next = rest.dropFirst().first, "\\\"n".contains(next) else {
                        return false
                    }
                    rest = rest.dropFirst()
                }
                rest = rest.dropFirst()
            }
            guard rest.first == "\"" else { return false }
            rest = rest.dropFirst()
            if rest.isEmpty { return true }
            guard rest.first == "," else { return false }
            rest = rest.dropFirst()
        }
    }
}
