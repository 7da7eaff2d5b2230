import ArgumentParser
import Tallystick
import TallystickCore

/// How rows are printed.
enum RowFormat: String, CaseIterable, ExpressibleByArgument {
    case table, json, ndjson, csv
}

/// The options of every command that prints rows.
struct RowOptions: ParsableArguments {
    @Option(help: "How rows are printed; table on a terminal, ndjson in a pipe.")
    var format: RowFormat?
    @Flag(name: .customShort("t"), help: "The same as --format table.")
    var table = false
    @Flag(help: "The same as --format json.")
    var json = false
    @Flag(help: "The same as --format ndjson.")
    var nl = false
    @Flag(help: "The same as --format csv.")
    var csv = false
    @Option(help: "Write to this file instead of standard output.")
    var output: String?

    var chosen: RowFormat {
        if let format { return format }
        if table { return .table }
        if json { return .json }
        if nl { return .ndjson }
        if csv { return .csv }
        return output == nil && Terminal.outputIsTerminal ? .table : .ndjson
    }

    func writer() throws(StoreError) -> RowWriter {
        RowWriter(chosen, to: try OutputFile(path: output))
    }
}

/// Prints rows as they come. A table measures its first rows and keeps their widths.
final class RowWriter {
    private let format: RowFormat
    private let file: OutputFile
    private var columns: [String] = []
    private var jsonColumns: Set<Int> = []
    private var rows = 0
    private var waiting: [[SQLValue]] = []
    private var widths: [Int]?
    private static let measuredRows = 200
    /// Columns whose text is JSON and is printed as such in JSON formats.
    private static let jsonNames: Set<String> = [
        "data", "attributes", "differs_in", "detail", "provenance", "content", "candidates_detail",
    ]

    init(_ format: RowFormat, to file: OutputFile) {
        self.format = format
        self.file = file
    }

    func begin(_ names: [String]) throws(StoreError) {
        columns = names
        jsonColumns = Set(names.indices.filter { Self.jsonNames.contains(names[$0]) })
        switch format {
        case .csv: try file.write(names.map(Self.csvField).joined(separator: ",") + "\r\n")
        case .json: try file.write("[")
        default: break
        }
    }

    func add(_ row: [SQLValue]) throws(StoreError) {
        defer { rows += 1 }
        switch format {
        case .table:
            if widths != nil {
                try writeLine(row)
            } else {
                waiting.append(row)
                if waiting.count == Self.measuredRows { try measure() }
            }
        case .csv:
            try file.write(row.map { Self.csvField(Self.plain($0)) }.joined(separator: ",") + "\r\n")
        case .ndjson:
            var line = object(row)
            line.append(0x0A)
            try file.write(line)
        case .json:
            try file.write(rows == 0 ? "\n" : ",\n")
            try file.write(object(row))
        }
    }

    /// Prints what waits, so that a reader who follows sees it.
    func flush() throws(StoreError) {
        if format == .table, !waiting.isEmpty { try measure() }
        try file.flush()
    }

    func end() throws(StoreError) {
        switch format {
        case .table:
            if widths == nil { try measure() }
        case .json: try file.write(rows == 0 ? "]\n" : "\n]\n")
        default: break
        }
        try file.finish()
    }

    func abandon() { file.abandon() }

    // MARK: JSON

    private func object(_ row: [SQLValue]) -> [UInt8] {
        var line: [UInt8] = [0x7B]
        for (index, value) in row.enumerated() {
            if index > 0 { line.append(0x2C) }
            CanonicalJSON.writeString(columns[index], to: &line)
            line.append(0x3A)
            switch value {
            case .null: line.append(contentsOf: "null".utf8)
            case .integer(let number): line.append(contentsOf: String(number).utf8)
            case .real(let number): CanonicalNumber.write(number, to: &line)
            case .text(let text):
                if jsonColumns.contains(index), let json = Self.json(text) {
                    line.append(contentsOf: json)
                } else {
                    CanonicalJSON.writeString(text, to: &line)
                }
            case .blob(let bytes):
                line.append(0x22)
                Base64.encode(bytes, to: &line)
                line.append(0x22)
            }
        }
        line.append(0x7D)
        return line
    }

    private static func json(_ text: String) -> [UInt8]? {
        do {
            return try CanonicalJSON.canonicalize(Array(text.utf8))
        } catch {
            return nil
        }
    }

    // MARK: CSV

    static func plain(_ value: SQLValue) -> String {
        switch value {
        case .null: return ""
        case .integer(let number): return String(number)
        case .real(let number):
            var text: [UInt8] = []
            CanonicalNumber.write(number, to: &text)
            return String(decoding: text, as: UTF8.self)
        case .text(let text): return text
        case .blob(let bytes): return "x'" + Hex.string(bytes) + "'"
        }
    }

    private static func csvField(_ text: String) -> String {
        let needsQuotes = text.utf8.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        guard needsQuotes else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    // MARK: Table

    private func measure() throws(StoreError) {
        var widths = columns.map(Self.width)
        for row in waiting {
            for (index, value) in row.enumerated() {
                widths[index] = max(widths[index], min(60, Self.width(Terminal.escaped(Self.plain(value)))))
            }
        }
        fit(&widths)
        self.widths = widths
        try file.write(line(columns.map { (Self.cut($0, .max), false) }, widths))
        try file.write(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ") + "\n")
        for row in waiting { try writeLine(row) }
        waiting.removeAll()
    }

    /// Narrows the widest columns until the table fits the terminal.
    private func fit(_ widths: inout [Int]) {
        guard let terminal = Terminal.width, !widths.isEmpty else { return }
        var total = widths.reduce(0, +) + 2 * (widths.count - 1)
        while total > terminal, let widest = widths.max(), widest > 8,
            let index = widths.firstIndex(of: widest)
        {
            let cut = min(widest - 8, total - terminal, max(1, widest / 8))
            widths[index] -= cut
            total -= cut
        }
    }

    private func writeLine(_ row: [SQLValue]) throws(StoreError) {
        let cells = row.map { value in
            let isNumber: Bool
            switch value {
            case .integer, .real: isNumber = true
            default: isNumber = false
            }
            return (Terminal.escaped(Self.plain(value)), isNumber)
        }
        try file.write(line(cells, widths ?? []))
    }

    private func line(_ cells: [(text: String, isNumber: Bool)], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let text = Self.cut(cell.text, widths[index])
            let space = String(repeating: " ", count: max(0, widths[index] - Self.width(text)))
            line += index > 0 ? "  " : ""
            line += cell.isNumber ? space + text : text + space
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        guard Self.width(text) > width else { return text }
        var kept = ""
        var used = 0
        for character in text {
            let next = Self.width(String(character))
            if used + next > width - 1 { break }
            kept.append(character)
            used += next
        }
        return kept + "…"
    }

    /// Columns on a terminal; wide East Asian characters and emoji take two.
    private static func width(_ text: String) -> Int {
        text.reduce(0) { sum, character in
            guard let scalar = character.unicodeScalars.first else { return sum }
            let isWide =
                (0x1100...0x115F).contains(scalar.value) || (0x2E80...0xA4CF).contains(scalar.value)
                || (0xAC00...0xD7A3).contains(scalar.value) || (0xF900...0xFAFF).contains(scalar.value)
                || (0xFE30...0xFE6F).contains(scalar.value) || (0xFF00...0xFF60).contains(scalar.value)
                || (0x1F300...0x1FAFF).contains(scalar.value)
            return sum + (isWide ? 2 : 1)
        }
    }
}
