import Tallystick
import TallystickCore

/// Prints rows as they come, in bounded memory.
final class RowWriter {
    private let format: RowFormat
    private let file: OutputFile
    private let table: TableLayout
    private var columns: [String] = []
    private var holdsJSON: [Bool] = []
    private var rows = 0

    init(_ format: RowFormat, to file: OutputFile, table: TableLayout) {
        self.format = format
        self.file = file
        self.table = table
    }

    /// - parameter json: names of columns with JSON, besides those that have it in every list.
    func begin(_ names: [String], json: [String] = []) throws(StoreError) {
        columns = names
        holdsJSON = names.map { Cell.holdsJSON($0) || json.contains($0) }
        switch format {
        case .csv: try writeCSV(names)
        case .json: try file.write("[")
        case .table: table.begin(names)
        case .ndjson: break
        }
    }

    func add(_ row: [SQLValue]) throws(StoreError) {
        defer { rows += 1 }
        switch format {
        case .table: try file.write(table.add(row))
        case .csv: try writeCSV(row.map(Cell.text))
        case .ndjson:
            try file.writeJSON(object(row))
            try file.write("\n")
        case .json:
            try file.write(rows == 0 ? "\n" : ",\n")
            try file.writeJSON(object(row))
        }
    }

    /// A line of RFC 4180; on a terminal without what it would obey.
    private func writeCSV(_ fields: [String]) throws(StoreError) {
        let isTerminal = file.isTerminal
        let cells = fields.map { Cell.csv(isTerminal ? Terminal.escaped($0) : $0) }
        try file.write(cells.joined(separator: ",") + "\r\n")
    }

    /// Prints what waits, so that a reader who follows sees it.
    func flush() throws(StoreError) {
        if format == .table, rows > 0 { try file.write(table.measured()) }
        try file.flush()
    }

    func end() throws(StoreError) {
        switch format {
        case .table: try file.write(table.end())
        case .json: try file.write(rows == 0 ? "]\n" : "\n]\n")
        case .csv, .ndjson: break
        }
        try file.finish()
    }

    func abandon() { file.abandon() }

    private func object(_ row: [SQLValue]) -> [UInt8] {
        var line: [UInt8] = [0x7B]
        for (index, value) in row.enumerated() where index < columns.count {
            if index > 0 { line.append(0x2C) }
            CanonicalJSON.writeString(columns[index], to: &line)
            line.append(0x3A)
            Cell.writeJSON(value, holdsJSON: holdsJSON[index], to: &line)
        }
        line.append(0x7D)
        return line
    }
}

/// One value of a row, as text.
enum Cell {
    /// Columns whose text is JSON, and is printed as such in JSON formats.
    private static let jsonNames: Set<String> = [
        "data", "attributes", "delivery_attributes", "differs_in", "detail", "provenance",
        "content",
    ]

    static func holdsJSON(_ column: String) -> Bool { jsonNames.contains(column) }

    static func writeJSON(_ value: SQLValue, holdsJSON: Bool, to line: inout [UInt8]) {
        switch value {
        case .null: line.append(contentsOf: "null".utf8)
        case .integer(let number): line.append(contentsOf: String(number).utf8)
        case .real(let number) where number.isFinite: CanonicalNumber.write(number, to: &line)
        // JSON has no infinity; SQL has one by 9e999.
        case .real(let number): CanonicalJSON.writeString("\(number)", to: &line)
        case .text(let text):
            if holdsJSON, let json = canonical(text) {
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

    private static func canonical(_ text: String) -> [UInt8]? {
        do {
            return try CanonicalJSON.canonicalize(Array(text.utf8))
        } catch {
            return nil
        }
    }

    /// A value in a table or in CSV; NULL is empty, a blob `x'…'` as SQL writes it.
    static func text(_ value: SQLValue) -> String {
        switch value {
        case .null: return ""
        case .integer(let number): return String(number)
        case .real(let number) where number.isFinite:
            var text: [UInt8] = []
            CanonicalNumber.write(number, to: &text)
            return String(decoding: text, as: UTF8.self)
        case .real(let number): return "\(number)"
        case .text(let text): return text
        case .blob(let bytes): return "x'" + Hex.string(bytes) + "'"
        }
    }

    /// A field of RFC 4180.
    static func csv(_ text: String) -> String {
        let needsQuotes = text.utf8.contains {
            $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D
        }
        guard needsQuotes else { return text }
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + parts.joined(separator: "\"\"") + "\""
    }

    /// A value in a table: a JSON array of texts as a list, control characters escaped.
    static func table(_ value: SQLValue, holdsJSON: Bool) -> String {
        guard holdsJSON, case .text(let text) = value, text.hasPrefix("[\"") else {
            return Terminal.escaped(Self.text(value))
        }
        do {
            let document = try JSONDocument(Array(text.utf8))
            guard case .array(let elements) = document.root.content else {
                return Terminal.escaped(text)
            }
            let texts = elements.compactMap(\.string)
            guard texts.count == elements.count else { return Terminal.escaped(text) }
            return Terminal.escaped(texts.joined(separator: ", "))
        } catch {
            return Terminal.escaped(text)
        }
    }
}
