import Foundation
import Testing

/// A committed list of places that broke a rule when it was introduced. It may only shrink.
///
/// A line is a file's path, then what breaks the rule there, then `×` and a number where it occurs more than once.
/// Lines that begin with `#` say why. `TALLY_STYLE_UPDATE=1` takes out what has been put right.
struct StyleList {
    let name: String
    /// How often each line's place may break the rule.
    private(set) var allowed: [String: Int]
    private let text: String

    init(name: String, text: String) {
        (self.name, self.text) = (name, text)
        var allowed: [String: Int] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let (place, count) = Self.parse(line)
            allowed[place, default: 0] += count
        }
        self.allowed = allowed
    }

    init(named name: String) throws {
        self.init(
            name: name,
            text: try String(contentsOfFile: Self.path(of: name), encoding: .utf8)
        )
    }

    private static func path(of name: String) throws -> String {
        try #require(SourceTree.repositoryRoot) + "/Tests/StyleTests/Lists/\(name).txt"
    }

    private static func parse(_ line: Substring) -> (place: String, count: Int) {
        guard let sign = line.range(of: " ×"), let count = Int(line[sign.upperBound...]) else {
            return (String(line), 1)
        }
        return (String(line[..<sign.lowerBound]), count)
    }

    private static func place(of violation: Violation) -> String {
        violation.subject.isEmpty ? violation.path : "\(violation.path) \(violation.subject)"
    }

    /// What is to be said about the violations that were found: those that are not in the list, and lines of the list
    /// that are not needed any more.
    func complaints(about violations: [Violation]) -> [String] {
        let found = Dictionary(grouping: violations, by: Self.place)
        var complaints: [String] = []
        for (place, violations) in found.sorted(by: { $0.key < $1.key })
        where violations.count > allowed[place, default: 0] {
            complaints += violations.map(\.description)
        }
        for (place, count) in allowed.sorted(by: { $0.key < $1.key }) {
            let found = found[place]?.count ?? 0
            if found < count {
                complaints.append(
                    "Lists/\(name).txt: '\(place)' is listed \(count) times and found \(found) times; "
                        + "TALLY_STYLE_UPDATE=1 takes it out of the list"
                )
            }
        }
        return complaints
    }

    /// The list without what is not needed any more.
    func shrunk(to violations: [Violation]) -> String {
        let found = Dictionary(grouping: violations, by: Self.place).mapValues(\.count)
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty || line.hasPrefix("#") {
                lines.append(String(line))
                continue
            }
            let (place, count) = Self.parse(line)
            let left = min(count, found[place] ?? 0)
            if left > 0 { lines.append(Self.line(place, left)) }
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ place: String, _ count: Int) -> String {
        count > 1 ? "\(place) ×\(count)" : place
    }

    /// Fails the test for each complaint.
    ///
    /// `TALLY_STYLE_PRINT` with the list's name prints the list that would hold all violations.
    static func check(_ name: String, _ violations: [Violation]) throws {
        let list = try StyleList(named: name)
        if StyleMode.prints(name) {
            let found = Dictionary(grouping: violations, by: place).mapValues(\.count)
            for (place, count) in found.sorted(by: { $0.key < $1.key }) {
                print(line(place, count))
            }
        }
        if StyleMode.updates {
            let text = list.shrunk(to: violations)
            try text.write(toFile: path(of: name), atomically: true, encoding: .utf8)
        }
        for complaint in (StyleMode.updates ? try StyleList(named: name) : list)
            .complaints(about: violations)
        {
            Issue.record(Comment(rawValue: complaint))
        }
    }
}

/// What the environment asks of the style test beside its verdict.
enum StyleMode {
    private static let environment = ProcessInfo.processInfo.environment

    static func prints(_ name: String) -> Bool { environment["TALLY_STYLE_PRINT"] == name }

    static var updates: Bool { environment["TALLY_STYLE_UPDATE"] != nil }
}
