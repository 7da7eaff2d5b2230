import Tallystick

/// Lays rows out for people. It measures the first rows, and keeps their widths for the rest.
///
/// On a terminal a table that is too wide shows the brief columns only and narrows the widest ones; then it
/// leaves out those whose name ends with `?`, the last one first. When that is not enough, or there are no
/// brief columns, each row becomes a block of lines.
final class TableLayout {
    private let terminalWidth: Int?
    private let brief: [String]
    private let style: CellStyle?
    private var names: [String] = []
    private var holdsJSON: [Bool] = []
    private var waiting: [[SQLValue]] = []
    private var plan: Plan?
    private var rows = 0
    private var blocks = 0

    private struct Column {
        var index: Int
        var width: Int
        var isNumber: Bool
    }

    private enum Plan {
        case columns([Column], leftOut: Int)
        case blocks(nameWidth: Int)
    }

    private enum Limits {
        /// Rows that are held back to measure them.
        static let measuredRows = 200
        /// Padding of a cell where there is no terminal; longer ones are not cut.
        static let cellWidth = 100
        /// No text is cut below this to make a table fit.
        static let narrowest = 12
    }

    /// How the value of a row in a column is shown; nil for plainly.
    typealias CellStyle = (_ row: [SQLValue], _ column: Int) -> Terminal.Style?

    init(terminalWidth: Int?, brief: [String], style: CellStyle? = nil) {
        self.terminalWidth = terminalWidth
        self.brief = brief
        self.style = style
    }

    func begin(_ names: [String]) {
        self.names = names
        holdsJSON = names.map(Cell.holdsJSON)
    }

    /// The lines that can be printed once the row is there; empty while rows are measured.
    func add(_ row: [SQLValue]) -> String {
        rows += 1
        if let plan { return line(row, plan) }
        waiting.append(row)
        return waiting.count == Limits.measuredRows ? measured() : ""
    }

    /// The rows held back so far, with the heading.
    func measured() -> String {
        guard plan == nil else { return "" }
        let made = makePlan()
        plan = made
        let held = waiting
        waiting.removeAll()
        return heading(made) + held.map { line($0, made) }.joined()
    }

    func end() -> String {
        guard rows > 0 else { return "no rows\n" }
        var text = measured()
        if case .columns(_, let leftOut)? = plan, leftOut > 0 {
            text +=
                Terminal.dimmed("\(leftOut) more columns with --format json, ndjson or csv") + "\n"
        }
        return text
    }

    // MARK: Measuring

    private func makePlan() -> Plan {
        let all = names.indices.map(measure)
        guard let terminalWidth else { return .columns(all, leftOut: 0) }
        if Self.total(all) <= terminalWidth { return .columns(all, leftOut: 0) }
        var chosen: [(column: Column, isOptional: Bool)] = brief.compactMap { name in
            let isOptional = name.hasSuffix("?")
            let name = isOptional ? String(name.dropLast()) : name
            return all.first { names[$0.index] == name }.map { ($0, isOptional) }
        }
        if chosen.isEmpty { chosen = all.map { ($0, false) } }
        while true {
            var columns = chosen.map(\.column)
            if Self.fit(&columns, to: terminalWidth, headings: names) {
                return .columns(columns, leftOut: all.count - columns.count)
            }
            guard let last = chosen.lastIndex(where: \.isOptional) else { break }
            chosen.remove(at: last)
        }
        return .blocks(nameWidth: names.map(TextWidth.of).max() ?? 0)
    }

    private func measure(_ index: Int) -> Column {
        var width = TextWidth.of(Terminal.escaped(names[index]))
        var isNumber = false
        var isText = false
        for row in waiting where index < row.count {
            switch row[index] {
            case .integer, .real: isNumber = true
            case .null: break
            case .text, .blob: isText = true
            }
            let cell = Cell.table(row[index], holdsJSON: holdsJSON[index])
            width = max(width, TextWidth.of(cell))
        }
        width = min(width, terminalWidth ?? Limits.cellWidth)
        return Column(index: index, width: width, isNumber: isNumber && !isText)
    }

    private static func total(_ columns: [Column]) -> Int {
        columns.reduce(0) { $0 + $1.width } + 2 * max(0, columns.count - 1)
    }

    /// Narrows the widest texts until the table fits; false when it cannot.
    private static func fit(_ columns: inout [Column], to width: Int, headings: [String]) -> Bool {
        let least = columns.map { column in
            column.isNumber
                ? column.width
                : min(column.width, max(Limits.narrowest, TextWidth.of(headings[column.index])))
        }
        guard least.reduce(0, +) + 2 * (columns.count - 1) <= width else { return false }
        while total(columns) > width {
            let widest = columns.indices.filter { columns[$0].width > least[$0] }
                .max { columns[$0].width < columns[$1].width }
            guard let widest else { return false }
            columns[widest].width -= 1
        }
        return true
    }

    // MARK: Lines

    private func heading(_ plan: Plan) -> String {
        guard case .columns(let columns, _) = plan else { return "" }
        let titles = columns.map { column in
            TextWidth.padded(
                TextWidth.cut(Terminal.escaped(names[column.index]), to: column.width),
                to: column.width,
                right: column.isNumber
            )
        }
        let rule = columns.map { String(repeating: "─", count: $0.width) }
        return Terminal.emphasised(Self.trimmed(titles.joined(separator: "  "))) + "\n"
            + rule.joined(separator: "  ") + "\n"
    }

    private func line(_ row: [SQLValue], _ plan: Plan) -> String {
        switch plan {
        case .columns(let columns, _):
            let cells = columns.map { column in
                let value = column.index < row.count ? row[column.index] : .null
                let whole = Cell.table(value, holdsJSON: holdsJSON[column.index])
                let text = terminalWidth == nil ? whole : TextWidth.cut(whole, to: column.width)
                let padded = TextWidth.padded(text, to: column.width, right: column.isNumber)
                guard let style = style?(row, column.index) else { return padded }
                let room = String(repeating: " ", count: padded.count - text.count)
                let shown = Terminal.styled(text, style)
                return column.isNumber ? room + shown : shown + room
            }
            return Self.trimmed(cells.joined(separator: "  ")) + "\n"
        case .blocks(let nameWidth): return block(row, nameWidth)
        }
    }

    private func block(_ row: [SQLValue], _ nameWidth: Int) -> String {
        blocks += 1
        let width = terminalWidth ?? 80
        let title = "── row \(blocks) "
        var text =
            title + String(repeating: "─", count: max(0, min(width, 80) - TextWidth.of(title)))
            + "\n"
        for (index, value) in row.enumerated() where index < names.count && value != .null {
            let cell = Cell.table(value, holdsJSON: holdsJSON[index])
            let room = max(Limits.narrowest, (width - nameWidth - 2) * 3)
            let shown = TextWidth.cut(cell, to: room)
            text +=
                TextWidth.padded(Terminal.escaped(names[index]), to: nameWidth) + "  "
                + (style?(row, index).map { Terminal.styled(shown, $0) } ?? shown) + "\n"
        }
        return text
    }

    private static func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}
