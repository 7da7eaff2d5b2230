import ArgumentParser
import Synchronization
import Tallystick
import TallystickCore

struct Compare: TallyCommand {
    static let title = "compare"
    static let configuration = CommandConfiguration(
        abstract: "Compare what two or more origins delivered.",
        discussion: """
            Counts the events that both origins have, those whose contents differ, and those that only one of them \
            has. It needs no settings and writes nothing. Settings decide what counts as a difference; of an origin \
            that delivered an event more than once, the last content counts.

            Exit 0: the origins agree. 1: they do not.

            EXAMPLES
              tally compare events.db websocket poll
              tally compare events.db websocket poll --by day
              tally compare events.db websocket --expect batch.ndjson
              tally compare events.db websocket poll --list only-a
              tally compare events.db websocket poll --list differ \\
                  --since 2026-03-01T00:00:00Z --csv --output differ.csv
            """
    )

    /// Which events are listed.
    enum Listing: String, CaseIterable, ExpressibleByArgument {
        case onlyA = "only-a"
        case onlyB = "only-b"
        case differ

        var kind: OriginDifference.Kind {
            switch self {
            case .onlyA: .onlyFirst
            case .onlyB: .onlySecond
            case .differ: .differ
            }
        }
    }

    /// By what events are counted.
    enum Group: String, CaseIterable, ExpressibleByArgument {
        case hour, day, category, stream, type

        var grouping: OriginComparisonOptions.Grouping {
            switch self {
            case .hour: .hour
            case .day: .day
            case .category: .category
            case .stream: .stream
            case .type: .type
            }
        }
    }

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "Two or more origins; the first one, A, is compared with each of the others.")
    var origins: [String]
    @Option(
        help: "Only events at or after this time: RFC 3339, or a duration before now such as 2h."
    )
    var since: String?
    @Option(help: "Only events before this time: RFC 3339, or a duration before now such as 2h.")
    var until: String?
    @Option(help: "Count by hour or day of the events' time, or by category, stream or type.")
    var by: Group?
    @Option(help: "List the events instead of counting them.")
    var list: Listing?
    @Option(
        help:
            "Compare one origin with the events of this file, which is not ingested; - for standard input.",
        completion: .file()
    )
    var expect: String?
    @Option(help: "With --expect: adapt other JSON objects: monitoring, or attribute=member,…")
    var map: String?
    @OptionGroup var keys: KeyOptions
    @OptionGroup var rows: RowOptions

    func validate() throws {
        if expect == nil, map != nil { throw ValidationError("--map is for --expect") }
        if expect != nil, origins.count > 1 {
            throw ValidationError("--expect compares one origin with the file; name one")
        }
        guard expect != nil || origins.count > 1 else {
            throw ValidationError("name two or more origins; 'tally stats' lists those of a store")
        }
        if by != nil, list != nil {
            throw ValidationError("--by counts events and --list lists them; give one")
        }
    }

    func execute() async throws -> Int32 {
        var options = OriginComparisonOptions(origins)
        options.since = try since.map { try PointInTime.parse($0, option: "--since") }
        options.until = try until.map { try PointInTime.parse($0, option: "--until") }
        options.grouping = by?.grouping
        let mapping = try map.map { try Mappings.parse($0) }
        return try await OpenedStore.with(store, .command(.readOnly)) { opened in
            guard let expect else { return try await print(options, opened) }
            let input: IngestInput = expect == "-" ? .standardInput : .file(expect)
            return try await opened.withExpected(input, keys: keys.source, mapping: mapping) {
                copy in
                if copy.report.outcomes.quarantined > 0 {
                    Terminal.note(
                        "tally compare: \(copy.report.outcomes.quarantined) records of \(expect) are not events"
                    )
                    if let first = copy.report.quarantine.first {
                        Terminal.note("line \(first.line): \(first.message) (\(first.code))")
                    }
                }
                var options = options
                options.origins.append(copy.origin)
                let exit = try await print(options, copy.store)
                return copy.report.outcomes.quarantined > 0 ? max(exit, Exit.differences) : exit
            }
        }
    }

    private func print(
        _ options: OriginComparisonOptions,
        _ opened: EventStore
    ) async throws -> Int32 {
        let comparisons =
            if let list {
                try await print(list.kind, options, opened)
            } else {
                try await printCounts(options, opened)
            }
        return comparisons.allSatisfy(\.counts.agree) ? Exit.done : Exit.differences
    }

    // MARK: Events

    private static let eventColumns = [
        "origin_a", "origin_b", "outcome", "position", "source", "event_id", "type", "category",
        "stream", "time", "recorded_at", "differs_in",
    ]
    private static let briefEventColumns = [
        "origin_b?", "position?", "source?", "event_id", "type?", "time?", "differs_in",
    ]

    private func print(
        _ kind: OriginDifference.Kind,
        _ options: OriginComparisonOptions,
        _ opened: EventStore
    ) async throws -> [OriginComparison] {
        let shared = SharedRows(try rows.writer(brief: Self.briefEventColumns))
        try shared.writer.begin(Self.eventColumns)
        do {
            let comparisons = try await opened.compare(options) { difference in
                if difference.kind == kind { try shared.add(Self.row(difference)) }
                return true
            }
            try shared.writer.end()
            return comparisons
        } catch {
            shared.writer.abandon()
            throw error
        }
    }

    private static func row(_ difference: OriginDifference) -> [SQLValue] {
        let event = difference.event
        let places = JSONValue.list(difference.differsIn.map { .text($0) })
        return [
            .text(difference.first), .text(difference.second), .text(difference.kind.rawValue),
            .integer(event.position.rawValue), .text(event.source), .text(event.id),
            .text(event.type), .text(event.category), .text(event.stream),
            event.time.map { .text($0) } ?? .null,
            .text(event.recordedAt.description),
            difference.kind == .differ ? .text(json(places)) : .null,
        ]
    }

    // MARK: Counts

    private func printCounts(
        _ options: OriginComparisonOptions,
        _ opened: EventStore
    ) async throws -> [OriginComparison] {
        let comparisons = try await opened.compare(options)
        let writer = try rows.writer()
        let isTable = rows.chosen == .table
        let counts = ["same", "differ", "only_a", "only_b"]
        if let by {
            try writer.begin(["origin_a", "origin_b", by.rawValue] + counts)
            for comparison in comparisons {
                for group in comparison.groups {
                    let origins = [comparison.first, comparison.second, group.name]
                    try writer.add(origins.map { .text($0) } + Self.cells(group.counts))
                }
            }
        } else {
            let members = isTable ? [] : ["members"]
            try writer.begin(["origin_a", "origin_b"] + counts + members, json: members)
            for comparison in comparisons {
                let origins: [SQLValue] = [.text(comparison.first), .text(comparison.second)]
                let members = isTable ? [] : [SQLValue.text(Self.members(comparison))]
                try writer.add(origins + Self.cells(comparison.counts) + members)
            }
        }
        try writer.end()
        if isTable, rows.output == nil {
            for comparison in comparisons {
                Self.explain(comparison, in: store, expecting: expect)
            }
        }
        return comparisons
    }

    private static func cells(_ counts: OriginComparison.Counts) -> [SQLValue] {
        [counts.same, counts.differ, counts.onlyFirst, counts.onlySecond].map { .integer($0) }
    }

    private static func members(_ comparison: OriginComparison) -> String {
        json(
            .list(
                comparison.members.map {
                    .object([("place", .text($0.place)), ("events", .number($0.events))])
                }
            )
        )
    }

    /// Names the members that differ most, and the next step.
    private static func explain(
        _ comparison: OriginComparison,
        in store: String,
        expecting file: String?
    ) {
        let (first, second) = (comparison.first, comparison.second)
        if !comparison.members.isEmpty {
            let most = comparison.members.prefix(5).map { "\($0.place) (\($0.events))" }
            Terminal.note("\(first) and \(second) differ most in \(most.joined(separator: ", "))")
        }
        let listings: [(Int64, Listing)] = [
            (comparison.counts.onlyFirst, .onlyA), (comparison.counts.onlySecond, .onlyB),
            (comparison.counts.differ, .differ),
        ]
        guard let listing = listings.first(where: { $0.0 > 0 })?.1 else { return }
        let names = [store, first] + (file.map { ["--expect", $0] } ?? [second])
        let words = names.map(ShellWord.quoted).joined(separator: " ")
        Terminal.note("next: tally compare \(words) --list \(listing.rawValue)")
    }

    private static func json(_ value: JSONValue) -> String {
        var bytes: [UInt8] = []
        value.write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
