import ArgumentParser
import Glibc
import Tallystick
import TallystickCore

/// How a command's report is printed.
enum ReportFormat: String, CaseIterable, ExpressibleByArgument {
    case table, json
}

/// The options of every command that prints a report.
struct ReportOptions: ParsableArguments {
    @Option(help: "How the report is printed; table on a terminal, json in a pipe.")
    var format: ReportFormat?
    @Flag(name: .customShort("t"), help: "The same as --format table.")
    var table = false
    @Flag(help: "The same as --format json.")
    var json = false
    @Option(
        help: "Write to this file, which appears when it is complete.",
        completion: .file()
    )
    var output: String?

    func validate() throws {
        try OneFormat.check([("--format", format != nil), ("-t", table), ("--json", json)])
    }

    var chosen: ReportFormat {
        if let format { return format }
        if table { return .table }
        if json { return .json }
        return output == nil && Terminal.outputIsTerminal ? .table : .json
    }
}

/// What a command did, as one JSON object or as lines for a person.
struct Report {
    var command: String
    private let storeID: String?
    var result: String
    var exit: Int32
    var started: UInt64
    var members: [(name: String, value: JSONValue)] = []

    init(_ command: String, on store: EventStore, started: UInt64) {
        self.init(command, storeID: store.storeID, started: started)
    }

    /// - parameter storeID: nil where it cannot be read.
    init(_ command: String, storeID: String?, started: UInt64) {
        self.command = command
        self.storeID = storeID
        self.started = started
        result = "done"
        exit = Exit.done
    }

    mutating func add(_ name: String, _ value: JSONValue) { members.append((name, value)) }

    /// Prints the report; for a person as `lines` says.
    func print(_ options: ReportOptions, lines: () -> [String]) throws(StoreError) {
        let file = try OutputFile(path: options.output)
        switch options.chosen {
        case .table:
            for line in lines() { try file.write(Terminal.escaped(line) + "\n") }
        case .json:
            var output: [UInt8] = []
            writeMembers(to: &output)
            try file.writeJSON(output)
            try file.write("\n")
        }
        try file.finish()
    }

    private func writeMembers(to output: inout [UInt8]) {
        let seconds = Double(MonotonicClock.nanoseconds() - started) / 1e9
        let head: [(String, JSONValue)] = [
            ("command", .text(command)), ("report_version", .number(1)),
            ("store_id", .optional(storeID)),
            ("result", .text(result)), ("exit", .number(Int64(exit))),
            ("duration_seconds", .number((seconds * 1e6).rounded() / 1e6)),
        ]
        output.append(0x7B)
        for (index, member) in (head + members).enumerated() {
            if index > 0 { output.append(0x2C) }
            CanonicalJSON.writeString(member.0, to: &output)
            output.append(0x3A)
            member.1.write(to: &output)
        }
        output.append(0x7D)
    }
}

extension JSONValue {
    static func text(_ text: String) -> JSONValue { JSONValue(.string(text)) }
    static func number(_ number: Int64) -> JSONValue { JSONValue(.number(String(number))) }
    static func number(_ number: Int) -> JSONValue { .number(Int64(number)) }
    static func number(_ number: Double) -> JSONValue {
        var text: [UInt8] = []
        CanonicalNumber.write(number, to: &text)
        return JSONValue(.number(String(decoding: text, as: UTF8.self)))
    }
    static func flag(_ flag: Bool) -> JSONValue { JSONValue(.boolean(flag)) }
    static func list(_ values: [JSONValue]) -> JSONValue { JSONValue(.array(values)) }
    static func object(_ members: [(name: String, value: JSONValue)]) -> JSONValue {
        JSONValue(.object(members))
    }
    static var null: JSONValue { JSONValue(.null) }
    static func optional(_ text: String?) -> JSONValue { text.map { .text($0) } ?? .null }
    static func optional(_ number: Int64?) -> JSONValue { number.map { .number($0) } ?? .null }
}

/// Time for durations.
enum MonotonicClock {
    static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
