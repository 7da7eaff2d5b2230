import ArgumentParser
import Glibc
import Synchronization
import Tallystick

struct Query: TallyCommand {
    static let title = "query"
    static let configuration = CommandConfiguration(
        abstract: "Answer one reading SQL statement.",
        discussion: """
            The views are event_log, effective_events, open_conflicts, conflict_contents, \
            conflict_differences, resolution_trail, decision_times, deliveries, ingest_runs, ingest_inputs, \
            origin_coverage, audit_log and replay_status. Nothing can be written, attached or loaded.

            A parameter is text: -p id 007 finds the event 007. Compared with a column of numbers such as position, \
            SQLite takes it for the number. An expression such as count(*), and the computed columns copies, \
            conflict_id, age_seconds, behind and percent, need a number: name:integer or name:real.

            EXAMPLES
              tally query events.db "SELECT type, count(*) FROM event_log GROUP BY type"
              tally query events.db \\
                  "SELECT * FROM event_log WHERE event_id = :id" -p id 42
              tally query events.db \\
                  "SELECT * FROM event_log WHERE copies > :n" -p n:integer=2
              tally query events.db "SELECT * FROM event_log LIMIT 5" --csv
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "One statement.")
    var sql: String
    @Option(
        name: .customShort("p"),
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "A parameter: -p name value, or -p name=value; may be repeated. It is text; name:integer or name:real makes it a number.",
            valueName: "name value"
        )
    )
    var parameter: [String] = []
    @Option(help: "How long the query may run.")
    var maxTime: String = "60s"
    @Option(help: "How many rows it may return.")
    var maxRows: Int?
    @Option(help: "How much memory SQLite may use for it, in MiB.")
    var maxMemory: Int64 = 256
    @OptionGroup var rows: RowOptions

    func validate() throws {
        guard 1...1_048_576 ~= maxMemory else {
            throw ValidationError("--max-memory is a number of MiB from 1 to 1048576")
        }
    }

    func execute() async throws -> Int32 {
        var limits = QueryLimits()
        limits.duration = try Durations.parse(maxTime)
        limits.rows = maxRows
        limits.memoryBytes = maxMemory << 20
        let (duration, limited) = (limits.duration, limits)
        return try await OpenedStore.with(store, .readOnly) { opened in
            let shared = SharedRows(try rows.writer())
            let watch = Task.detached { await shared.endProcess(after: duration) }
            defer { watch.cancel() }
            do {
                try await opened.query(
                    sql,
                    parameters: try Self.parameters(parameter),
                    limits: limited,
                    onColumns: { try shared.writer.begin($0) },
                    onRow: {
                        try shared.add($0)
                        return true
                    }
                )
            } catch let error as StoreError where error.code == .limitReached {
                try shared.writer.end()
                throw error
            } catch {
                shared.writer.abandon()
                throw error
            }
            try shared.writer.end()
            return Exit.done
        }
    }

    /// `-p name value` and `-p name=value`; the name may be followed by a colon and a type.
    static func parameters(_ words: [String]) throws -> [String: SQLValue] {
        var parameters: [String: SQLValue] = [:]
        var index = 0
        while index < words.count {
            let word = words[index]
            if let equals = word.firstIndex(of: "=") {
                let value = word[word.index(after: equals)...]
                try add(String(word[..<equals]), String(value), to: &parameters)
                index += 1
            } else {
                guard index + 1 < words.count else {
                    throw ValidationError("-p \(word): the parameter has no value")
                }
                try add(word, words[index + 1], to: &parameters)
                index += 2
            }
        }
        return parameters
    }

    /// Nothing is guessed: what looks like a number can be an id.
    private static func add(
        _ word: String,
        _ text: String,
        to parameters: inout [String: SQLValue]
    ) throws {
        let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let type = parts.count == 2 ? parts[1] : "text"
        let value: SQLValue? =
            switch type {
            case "text": .text(text)
            case "integer": Int64(text).map { .integer($0) }
            case "real": Double(text).map { .real($0) }
            default: throw ValidationError("-p \(word): the type is text, integer or real")
            }
        guard let value else {
            throw ValidationError("-p \(word): '\(text)' is not a value of type \(type)")
        }
        guard parameters.updateValue(value, forKey: name) == nil else {
            throw ValidationError("-p \(name): the parameter is given twice")
        }
    }
}

/// A writer that one other thread uses.
///
/// Unchecked Sendable: rows are added by the query's thread alone while it runs, and the command touches the
/// writer only before and after, but for `endProcess`, after which nothing runs.
final class SharedRows: @unchecked Sendable {
    let writer: RowWriter
    private let isPrinting = Atomic<Bool>(false)

    init(_ writer: RowWriter) { self.writer = writer }

    func add(_ row: [SQLValue]) throws(StoreError) {
        isPrinting.store(true, ordering: .sequentiallyConsistent)
        defer { isPrinting.store(false, ordering: .sequentiallyConsistent) }
        try writer.add(row)
    }

    /// Ends the process when SQLite is still busy a second after the time for a query is used up.
    ///
    /// SQLite looks at the time between steps only: preparing a statement, or one call of a function such as
    /// instr() on long text, can take for ever. The process only reads, so nothing is lost with it.
    func endProcess(after duration: Duration) async {
        do {
            try await Task.sleep(for: duration + .seconds(1))
            // A reader that takes its time is not SQLite's.
            while isPrinting.load(ordering: .sequentiallyConsistent) {
                try await Task.sleep(for: .seconds(1))
            }
        } catch {
            // Cancelled: the query has ended.
            return
        }
        writer.abandon()
        Terminal.note(
            "tally query: the time for a query is used up, in a single step [limit_reached]"
        )
        _exit(Exit.incomplete)
    }
}
