import Foundation
import Testing

@Suite("The table of limits")
struct LimitsTests {
    private struct Row {
        var value: String
        var type: Substring
        var constant: Substring
    }

    private func rows() throws -> [Row] {
        let url = Fixture.root.appending(path: "Sources/Tallystick/Documentation.docc/Limits.md")
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").compactMap {
            let cells = $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[2].hasPrefix("`") else { return nil }
            let names = cells[2].dropFirst().dropLast().split(separator: ".", maxSplits: 1)
            guard names.count == 2 else { return nil }
            return Row(value: cells[1], type: names[0], constant: names[1])
        }
    }

    /// The text of every source file, by path.
    private func sources() throws -> [String] {
        let root = Fixture.root.appending(path: "Sources")
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        return try (files?.allObjects ?? []).compactMap { item in
            guard let url = item as? URL, url.pathExtension == "swift" else { return nil }
            return try String(contentsOf: url, encoding: .utf8)
        }
    }

    /// What a constant's declaration says, as a number.
    private func value(_ row: Row, _ sources: [String]) -> Int64? {
        if row.type == "JSONLimits", row.constant == "standard.depth" {
            return declared(#"standard = JSONLimits\(depth: ([0-9_]+)"#, sources, "JSONLimits")
        }
        if row.type == "EventLimits", row.constant == "eventBytes" {
            return declared(
                #"standard = JSONLimits\(.*bytes: ([0-9_< ]+)\)"#,
                sources,
                "JSONLimits"
            )
        }
        if row.constant == "streamNameBytes" {
            let bytes = declared("static let nameBytes = ([0-9_]+)", sources, "EventLimits")
            return bytes.map { 2 * $0 + 1 }
        }
        let pattern =
            "(?:static let|var) \(row.constant)(?:: [A-Za-z0-9]+)? = (?:(?:Duration)?\\.(?:milli)?seconds\\()?([0-9_<* ]+)"
        return declared(pattern, sources, row.type)
    }

    private func declared(
        _ pattern: String,
        _ sources: [String],
        _ type: Substring
    ) -> Int64? {
        guard let regex = try? Regex<(Substring, Substring)>(pattern) else { return nil }
        for source in sources {
            guard let start = source.firstMatch(of: Self.declaration(of: type)),
                let match = source[start.range.upperBound...].firstMatch(of: regex)
            else { continue }
            let text = match.output.1.replacing("_", with: "").replacing(" ", with: "")
            if let shift = text.firstRange(of: "<<") {
                guard let a = Int64(text[..<shift.lowerBound]),
                    let b = Int64(text[shift.upperBound...])
                else { return nil }
                return a << b
            }
            return text.split(separator: "*").reduce(Int64(1)) { product, factor in
                product.flatMap { product in Int64(factor).map { product * $0 } }
            }
        }
        return nil
    }

    private static func declaration(of type: Substring) -> Regex<Substring> {
        (try? Regex<Substring>("(?:enum|struct) \(type)\\b")) ?? /$^/
    }

    @Test("Each row has the value of its constant")
    func values() throws {
        let sources = try sources()
        let rows = try rows()
        #expect(rows.count > 20)
        for row in rows {
            let value = value(row, sources)
            #expect(value.map { "\($0)" } == row.value, "\(row.type).\(row.constant)")
        }
    }

    @Test("Each public or store-wide limit has a row")
    func complete() throws {
        let rows = try rows()
        for source in try sources() {
            guard
                let type = source.firstMatch(
                    of: /\n(?:public )?(?:enum|struct) ([A-Z][A-Za-z]*Limits)\b/
                )
            else { continue }
            let body = source[type.range.upperBound...].prefix { $0 != "}" }
            for constant in body.matches(of: /static let ([a-zA-Z]+)/)
            where constant.1 != "standard" {
                #expect(
                    rows.contains { $0.type == type.1 && $0.constant == constant.1 },
                    "add a row for \(type.1).\(constant.1) to Limits.md"
                )
            }
        }
    }
}
