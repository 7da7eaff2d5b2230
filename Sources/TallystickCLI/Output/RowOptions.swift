import ArgumentParser
import Tallystick

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
    @Option(
        help: "Write to this file, which appears when it is complete.",
        completion: .file()
    )
    var output: String?

    func validate() throws {
        try OneFormat.check([
            ("--format", format != nil), ("-t", table), ("--json", json), ("--nl", nl),
            ("--csv", csv),
        ])
    }

    var chosen: RowFormat {
        if let format { return format }
        if table { return .table }
        if json { return .json }
        if nl { return .ndjson }
        if csv { return .csv }
        return output == nil && Terminal.outputIsTerminal ? .table : .ndjson
    }

    /// - parameter brief: the columns of a table that is too wide for the terminal; none when empty.
    /// - parameter style: how a table on a terminal shows the value of a row in a column.
    func writer(
        brief: [String] = [],
        style: TableLayout.CellStyle? = nil
    ) throws(StoreError) -> RowWriter {
        let file = try OutputFile(path: output)
        let width = output == nil ? Terminal.width : nil
        let table = TableLayout(
            terminalWidth: width,
            brief: brief,
            style: width == nil ? nil : style
        )
        return RowWriter(chosen, to: file, table: table)
    }
}

/// Formats are said once.
enum OneFormat {
    static func check(_ options: [(name: String, isGiven: Bool)]) throws {
        let given = options.filter(\.isGiven).map(\.name)
        guard given.count > 1 else { return }
        throw ValidationError(
            "\(given.joined(separator: " and ")) ask for different formats; give one"
        )
    }
}
