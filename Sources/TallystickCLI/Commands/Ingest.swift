import ArgumentParser
import Tallystick
import TallystickCore

struct Ingest: TallyCommand {
    static let title = "ingest"
    static let configuration = CommandConfiguration(
        abstract: "Record events from files or standard input.",
        discussion: """
            Reads CloudEvents 1.0 (JSON): NDJSON, an array, or one object. Every input gets an outcome: \
            appended, duplicate, confirmed, conflicting or quarantined. Run it again to resume.

            EXAMPLES
              tally ingest events.db batch.ndjson --origin websocket
              cat batch.ndjson | tally ingest events.db - --origin poll
              tally ingest events.db log.ndjson --origin webhook --map monitoring
              tally ingest events.db batch.ndjson --origin export \\
                  --complete-through 2026-03-02T00:00:00Z
              tally ingest events.db log.ndjson --origin webhook \\
                  --map "id=uuid,type=kind,source='billing'"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "Files of events; - for standard input.", completion: .file())
    var files: [String]
    @Option(help: "The delivery path that brought the events.")
    var origin: String
    @Option(
        help: "Adapt other JSON objects: monitoring, or attribute=member,…",
        completion: .file()
    )
    var map: String?
    @Option(
        help: "Exit 1 when an input had one of these outcomes: conflicting,quarantined.",
        completion: .list(["conflicting", "quarantined", "conflicting,quarantined"])
    )
    var failOn: String?
    @Option(
        help:
            "The origin is complete through this time of its events: RFC 3339, or end for the latest of the input.",
        completion: .list(["end"])
    )
    var completeThrough: String?
    @Option(
        help:
            "From this time on: RFC 3339, or start for the earliest of the input; default: always.",
        completion: .list(["start"])
    )
    var completeFrom: String?
    @Option(help: "Who does it, for the audit trail.")
    var actor: String?
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var keys: KeyOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let failing = try FailOn.outcomes(failOn)
        let options = try waiting.command()
        var ingest = IngestOptions()
        ingest.actor = actor ?? CurrentActor.current
        if let map { ingest.mapping = try Mappings.parse(map) }
        ingest.completeness = try completeness()
        return try await OpenedStore.with(store, keys: keys.source, options) { opened in
            let bar = progress.bar(unit: "records")
            ingest.onProgress = { bar.update(Int64($0.outcomes.total)) }
            let inputs = files.map { $0 == "-" ? IngestInput.standardInput : .file($0) }
            defer { bar.finish() }
            let done = try await opened.ingest(inputs, from: origin, options: ingest)
            bar.finish()
            let exit = exitCode(done, failing)
            try print(done, exit, opened, started)
            return exit
        }
    }

    private func completeness() throws -> IngestCompleteness? {
        guard let completeThrough else {
            guard completeFrom == nil else {
                throw ValidationError("--complete-from: say with --complete-through up to when")
            }
            return nil
        }
        let through = try Self.bound(completeThrough, "end", option: "--complete-through")
        let from = try completeFrom.map {
            try Self.bound($0, "start", option: "--complete-from")
        }
        if case .time(let through) = through, case .time(let from)? = from, from > through {
            throw ValidationError(
                "--complete-from (\(from)) is after --complete-through (\(through))"
            )
        }
        return IngestCompleteness(through: through, from: from)
    }

    private static func bound(
        _ text: String,
        _ word: String,
        option: String
    ) throws -> IngestCompleteness.Bound {
        if text == word { return .ofInput }
        guard let time = Timestamp(text) else {
            throw ValidationError(
                "\(option): '\(text)' is neither an RFC 3339 time nor '\(word)'; "
                    + "write for example 2026-03-01T00:00:00Z"
            )
        }
        return .time(time)
    }

    private func exitCode(_ done: IngestReport, _ failing: [IngestOutcome]) -> Int32 {
        if done.isInterrupted { return Exit.incomplete }
        if done.outcomes.total > 0, done.outcomes.quarantined == done.outcomes.total {
            return Exit.badInput
        }
        if completeThrough != nil, done.coverage == nil { return Exit.badInput }
        return failing.contains { done.outcomes[$0] > 0 } ? Exit.differences : Exit.done
    }

    private func print(
        _ done: IngestReport,
        _ exit: Int32,
        _ opened: EventStore,
        _ started: UInt64
    ) throws {
        var result = Report("ingest", on: opened, started: started)
        result.exit = exit
        let hasNoEvent =
            done.outcomes.total > 0 && done.outcomes.quarantined == done.outcomes.total
        result.result =
            done.isInterrupted
            ? "interrupted"
            : exit != Exit.badInput ? "done" : hasNoEvent ? "no_event" : "not_complete"
        result.add("origin", .text(done.origin))
        result.add("inputs", .list(done.inputs.map(Self.input)))
        result.add(
            "outcomes",
            .object(IngestOutcome.allCases.map { ($0.rawValue, .number(done.outcomes[$0])) })
        )
        result.add("conflicts_opened", .number(done.conflictsOpened))
        result.add(
            "positions",
            .object([
                ("first", .optional(done.positions?.lowerBound.rawValue)),
                ("last", .optional(done.positions?.upperBound.rawValue)),
            ])
        )
        result.add("quarantine", .list(done.quarantine.map(Self.quarantined)))
        result.add("quarantine_truncated", .flag(done.quarantineTruncated))
        if let coverage = done.coverage {
            result.add(
                "complete",
                .object([
                    ("from", .optional(coverage.from?.description)),
                    ("through", .text(coverage.through.description)),
                ])
            )
        }
        result.add("resume", done.isInterrupted ? .text("run the same command again") : .null)
        if exit == Exit.badInput, !hasNoEvent {
            Terminal.note(
                "tally ingest: the events are recorded, but nothing is stated about the origin's completeness: "
                    + "no record has a time, or the span ends before it begins"
            )
            Terminal.note("hint: give the times, as in --complete-through 2026-03-02T00:00:00Z")
        }
        if hasNoEvent, !done.isInterrupted {
            Terminal.note("tally ingest: no record was an event; all are in quarantine")
            if let first = done.quarantine.first { Terminal.note(Self.sentence(first)) }
            Terminal.note("hint: see 'tally quarantine \(store)'; --map adapts other JSON objects")
        }
        try result.print(report) { lines(done) }
    }

    private func lines(_ done: IngestReport) -> [String] {
        var lines = IngestOutcome.allCases.map { outcome in
            let count = String(done.outcomes[outcome])
            let name = outcome.rawValue
            return name + String(repeating: " ", count: 14 - name.count)
                + String(repeating: " ", count: max(0, 10 - count.count)) + count
        }
        if done.outcomes.appended + done.outcomes.confirmed + done.outcomes.conflicting == 0 {
            lines.append("nothing new: no event and no copy was added")
        }
        if let positions = done.positions {
            lines.append("positions \(positions.lowerBound) to \(positions.upperBound)")
        }
        if let coverage = done.coverage {
            let from = coverage.from.map { "from \($0) " } ?? ""
            lines.append("\(done.origin) is complete \(from)through \(coverage.through)")
        }
        if done.conflictsOpened > 0 {
            lines.append("\(done.conflictsOpened) conflicts opened; see 'tally conflicts \(store)'")
        }
        for item in done.quarantine.prefix(5) { lines.append(Self.sentence(item)) }
        if done.outcomes.quarantined > 5 {
            lines.append(
                "and \(done.outcomes.quarantined - 5) more; see 'tally quarantine \(store)'"
            )
        }
        if done.isInterrupted { lines.append("interrupted; run the same command again to go on") }
        return lines
    }

    private static func sentence(_ item: IngestReport.QuarantinedInput) -> String {
        "quarantined \(item.path), line \(item.line), column \(item.column): \(item.message) (\(item.code))"
    }

    private static func input(_ input: IngestReport.Input) -> JSONValue {
        .object([
            ("path", .text(input.path)), ("bytes", .number(input.bytes)),
            ("events", .number(input.events)),
        ])
    }

    private static func quarantined(_ item: IngestReport.QuarantinedInput) -> JSONValue {
        .object([
            ("id", .number(item.id)), ("path", .text(item.path)), ("line", .number(item.line)),
            ("column", .number(item.column)), ("byte", .number(item.byte)),
            ("code", .text(item.code)), ("message", .text(item.message)),
        ])
    }
}

/// The text of `--fail-on`.
enum FailOn {
    static func outcomes(_ text: String?) throws -> [IngestOutcome] {
        try (text ?? "").split(separator: ",").map { name in
            guard let outcome = IngestOutcome(rawValue: String(name)) else {
                let known = IngestOutcome.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--fail-on: '\(name)' is not an outcome; there are \(known)")
            }
            return outcome
        }
    }
}

/// The text of `--map`.
enum Mappings {
    static func parse(_ text: String) throws -> EventMapping {
        do throws(EventMappingError) {
            return try EventMapping(text)
        } catch {
            throw ValidationError("--map: \(error.message)")
        }
    }
}

/// Durations such as `500ms`, `5s`, `2m`.
enum Durations {
    static func parse(_ text: String) throws -> Duration {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number >= 0, number < 1e9 else {
            throw ValidationError("'\(text)' is not a duration; write for example 500ms, 5s or 2m")
        }
        switch text.dropFirst(digits.count) {
        case "ms": return .microseconds(Int64(number * 1e3))
        case "s", "": return .microseconds(Int64(number * 1e6))
        case "m": return .seconds(Int64(number * 60))
        case "h": return .seconds(Int64(number * 3600))
        case "d": return .seconds(Int64(number * 86_400))
        default: throw ValidationError("'\(text)' has no unit of time: ms, s, m, h or d")
        }
    }
}
