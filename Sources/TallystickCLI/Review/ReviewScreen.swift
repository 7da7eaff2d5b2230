import Tallystick
import TallystickCore

/// One conflict as a person decides it: what it is about, and each place that differs with every side's value, wrapped
/// to the terminal's width.
struct ReviewScreen {
    /// A place that differs, and the value of each side as JSON text; nil where it is not there.
    struct Difference {
        var place: String
        var values: [String?]
    }

    /// Facts of the conflict, by the names of the columns of `StoreListing.conflict`.
    let facts: [String: SQLValue]
    let comparison: ConflictComparison
    let differences: [Difference]
    /// Who decided before, what and why: a line each, the newest last.
    let history: [String]

    init(facts: [String: SQLValue], _ comparison: ConflictComparison, history: [String]) throws {
        self.facts = facts
        self.comparison = comparison
        self.history = history
        var differences: [Difference] = []
        if comparison.columns.contains(where: { $0.content != nil }) {
            let table = try CandidateTable(comparison.columns.map(\.content))
            try table.forEachRow(full: false) { row in
                differences.append(
                    Difference(
                        place: Self.text(row[0]) ?? "",
                        values: row.dropFirst().map(Self.text)
                    )
                )
            }
        }
        self.differences = differences
    }

    /// Columns of the terminal, as far as lines are easy to read.
    static var width: Int { min(Terminal.width ?? 80, 120) }

    /// Sides that are shown of a conflict with more.
    private static let sides = 9

    /// The screen of a conflict; nil where there is no such conflict.
    static func read(_ conflictID: Int64, from store: EventStore) async throws -> ReviewScreen? {
        guard let comparison = try await store.comparison(of: conflictID, limit: sides) else {
            return nil
        }
        let facts = try await store.facts(ofConflict: conflictID)
        let history = try await store.history(ofConflict: conflictID)
        return try ReviewScreen(facts: facts, comparison, history: history)
    }

    static func text(_ value: SQLValue?) -> String? {
        switch value {
        case .text(let text)?: text
        case .integer(let number)?: String(number)
        default: nil
        }
    }

    private func fact(_ name: String) -> String? { Self.text(facts[name]) }

    var isOpen: Bool { fact("state") == "open" }

    var isOverMissing: Bool {
        ["missing_at_origin", "origin_silent", "sequence_gap"].contains(fact("kind") ?? "")
    }

    /// The name under which a side is taken: the number of its candidate.
    static func key(_ column: ConflictComparison.Column) -> String {
        String(column.title.split(separator: " ", maxSplits: 1).first ?? "")
    }

    // MARK: Lines

    /// - parameter width: columns of the terminal.
    func lines(width: Int) -> [String] {
        var lines = WrappedText(heading).lines(width: width) { $0 }.map(Terminal.emphasised)
        lines += [subject, state].filter { !$0.isEmpty }.flatMap {
            WrappedText($0).lines(width: width) { $0 }
        }
        for line in history {
            lines += WrappedText(line).lines(width: width) { $0 }.map(Terminal.dimmed)
        }
        for difference in differences { lines += block(difference, width) }
        if differences.isEmpty { lines += sides(width) }
        if let next = comparison.next {
            lines.append("")
            lines.append("candidates after \(next) of \(comparison.candidates) are not shown")
        }
        return lines
    }

    private var heading: String {
        let parts = [fact("kind"), fact("severity"), fact("category")].compactMap { $0 }
        return "conflict \(fact("conflict_id") ?? "?")  " + parts.joined(separator: " · ")
    }

    /// The event, and what is missing or out of order.
    private var subject: String {
        var parts = [fact("source"), fact("event_id")].compactMap { $0 }.joined(separator: " ")
        func add(_ name: String, _ label: String) {
            guard let value = fact(name) else { return }
            parts += (parts.isEmpty ? "" : " · ") + "\(label) \(value)"
        }
        add("position", "position")
        // Of a disagreement the sides say who delivered what.
        switch fact("kind") {
        case "missing_at_origin": add("origin", "missing at")
        case "origin_silent": add("origin", "origin")
        default: break
        }
        add("since", "silent since")
        add("first", "numbers missing from")
        add("last", "to")
        add("next_position", "before position")
        add("other_position", "the same number as position")
        return parts
    }

    private var state: String {
        var parts = [fact("state"), "opened \(fact("opened_at") ?? "?")"].compactMap { $0 }
        if let policy = fact("policy") { parts.append("policy \(policy)") }
        if let blocked = fact("blocked_by") { parts.append("blocked by \(blocked)") }
        return parts.joined(separator: " · ")
    }

    private func block(_ difference: Difference, _ width: Int) -> [String] {
        var lines = [""]
        lines += WrappedText(difference.place).lines(width: width) { $0 }.map(Terminal.emphasised)
        let labels = comparison.columns.map { Terminal.escaped($0.title) }
        let indent = min(24, labels.map { TextWidth.of($0) }.max() ?? 0) + 4
        for (index, value) in difference.values.enumerated() {
            let label = TextWidth.cut(labels[index], to: indent - 4)
            let first = "  " + TextWidth.padded(label, to: indent - 4) + "  "
            let text =
                value.map { WrappedText($0, beside: index == 0 ? nil : difference.values[0]) }
            let wrapped =
                text?.lines(width: width - indent, mark: Terminal.marked)
                ?? [Terminal.dimmed("(not there)")]
            for (number, line) in wrapped.enumerated() {
                lines.append((number == 0 ? first : String(repeating: " ", count: indent)) + line)
            }
        }
        return lines
    }

    /// Sides whose contents are equal, or of which there are none.
    private func sides(_ width: Int) -> [String] {
        comparison.columns.flatMap { column in
            WrappedText("  " + column.title).lines(width: width) { $0 }
        }
    }

    /// What can be done with the conflict.
    func choices(width: Int) -> [String] {
        var choices: [String] = []
        if fact("kind") != "sequence_collision", fact("kind") != "missing_at_origin" {
            choices += comparison.columns.filter { $0.content != nil }.prefix(9).map { column in
                let name =
                    column.title.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
                return "[\(Self.key(column))] take \(Terminal.escaped(name))"
            }
            if comparison.columns.count > 1 { choices.append("[m] merge") }
        }
        if isOverMissing { choices.append("[a] accept missing") }
        if fact("position") != nil { choices.append("[x] exclude") }
        choices += ["[s] skip", "[u] undo", "[q] quit"]
        var lines = [""]
        for choice in choices {
            let candidate =
                lines[lines.count - 1].isEmpty ? choice : lines[lines.count - 1] + "  " + choice
            if TextWidth.of(candidate) > width, !lines[lines.count - 1].isEmpty {
                lines.append(choice)
            } else {
                lines[lines.count - 1] = candidate
            }
        }
        return lines
    }
}
