import ArgumentParser
import Tallystick
import TallystickCore

struct Stats: TallyCommand {
    static let title = "stats"
    static let configuration = CommandConfiguration(
        abstract: "Count what a store holds, and how often origins disagree.",
        discussion: """
            Rates are the share of an origin's recent deliveries that disagreed; the threshold is the origin's, else \
            the category's, of the settings.

            The content digest is the same for stores that were fed the same copies in whatever order, once nothing \
            is disputed any more. It reads and verifies every event.

            EXAMPLES
              tally stats events.db
              tally stats events.db --json --window 7d
              tally stats events.db --content-digest
              tally stats events.db --check --max-conflict-age 2d
              tally stats events.db --format openmetrics \\
                  --output /var/lib/node_exporter/tally.prom
            """
    )

    /// How the counts are printed.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table, json, openmetrics
    }

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "The time before now over which rates are taken, such as 90s, 15m, 2h or 1d.")
    var window = "1d"
    @Flag(
        help:
            "Add the digest of all effective events, which does not depend on the order of ingest."
    )
    var contentDigest = false
    @Flag(
        help:
            "Exit 1 where a threshold is exceeded, a breaker not closed, an event parked, or a conflict open for long."
    )
    var check = false
    @Option(help: "With --check: how long a conflict may be open; default: 1d.")
    var maxConflictAge: String?
    @Option(help: "How it is printed; table on a terminal, json in a pipe.")
    var format: Format?
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
        guard SettingsDuration(window) != nil else {
            throw ValidationError("--window is a duration such as 90s, 15m, 2h or 1d")
        }
        if maxConflictAge != nil, !check {
            throw ValidationError("--max-conflict-age is for --check")
        }
        if check, format == .openmetrics {
            throw ValidationError("--check is not for --format openmetrics")
        }
        guard maxConflictAge.map({ SettingsDuration($0) != nil }) ?? true else {
            throw ValidationError("--max-conflict-age is a duration such as 90s, 15m, 2h or 1d")
        }
        if contentDigest, format == .openmetrics {
            throw ValidationError("--content-digest is not for --format openmetrics")
        }
    }

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        return try await OpenedStore.with(store, .command(.readOnly)) { opened in
            let milliseconds = SettingsDuration(window)?.milliseconds ?? 0
            let stats = try await opened.statistics(window: .milliseconds(milliseconds))
            if format == .openmetrics {
                let file = try OutputFile(path: output)
                try file.write(stats.openMetrics)
                try file.finish()
                return Exit.done
            }
            var result = Report("stats", on: opened, started: started)
            for group in stats.groups {
                result.add(group.name, .object(group.counts.map { ($0.name, .number($0.count)) }))
            }
            result.add("mismatches_by_sort", .list(stats.mismatches.map(Self.json)))
            result.add("rate_window_seconds", .number(Double(milliseconds) / 1000))
            result.add("mismatch_rates", .list(stats.rates.map(Self.json)))
            let digest = contentDigest ? try await opened.contentDigest() : nil
            if let digest { result.add("content_digest", Self.json(digest)) }
            let findings = check ? try await health(of: opened, stats) : nil
            if let findings {
                result.add("findings", .list(findings.map(Self.json)))
                result.exit = findings.isEmpty ? Exit.done : Exit.differences
                result.result = findings.isEmpty ? "healthy" : "differences"
            }
            var options = ReportOptions()
            options.format = format.flatMap { ReportFormat(rawValue: $0.rawValue) }
            (options.table, options.json, options.output) = (table, json, output)
            try result.print(options) {
                lines(stats, digest, opened.storeID) + (findings.map(Self.lines) ?? [])
            }
            return result.exit
        }
    }

    private func health(
        of opened: EventStore,
        _ stats: StoreStatistics
    ) async throws -> [HealthFinding] {
        let age = SettingsDuration(maxConflictAge ?? "1d")?.milliseconds ?? 0
        return try await opened.health(stats, maximumConflictAge: .milliseconds(age))
    }

    private static func json(_ finding: HealthFinding) -> JSONValue {
        .object([
            ("check", .text(finding.check.rawValue)), ("subject", .text(finding.subject)),
            ("value", .text(finding.value)), ("limit", .text(finding.limit)),
        ])
    }

    private static func lines(_ findings: [HealthFinding]) -> [String] {
        ["", findings.isEmpty ? "healthy" : "to be looked at"]
            + aligned(
                findings.map { finding in
                    (
                        "\(finding.check.rawValue) of \(finding.subject)",
                        "\(finding.value), at most \(finding.limit)"
                    )
                }
            )
    }

    private static func json(_ count: MismatchCount) -> JSONValue {
        .object([
            ("kind", .text(count.kind)), ("severity", .text(count.severity)),
            ("category", .optional(count.category)), ("origin", .optional(count.origin)),
            ("count", .number(count.count)),
        ])
    }

    private static func json(_ rate: MismatchRate) -> JSONValue {
        .object([
            ("origin", .text(rate.origin)), ("category", .text(rate.category)),
            ("deliveries", .number(rate.deliveries)), ("mismatches", .number(rate.mismatches)),
            ("rate", .number(rate.rate)), ("threshold", .number(rate.threshold)),
            ("exceeded", .flag(rate.isExceeded)),
        ])
    }

    private static func json(_ digest: StoreContentDigest) -> JSONValue {
        .object([
            ("sha256", .text(digest.sha256.hex)), ("events", .number(digest.events)),
            ("disputed", .number(digest.disputed)),
            ("position", .number(digest.position.rawValue)),
            ("resolution", .number(digest.resolutionID)),
            ("configuration_version", .optional(digest.configurationVersion)),
        ])
    }

    private static func lines(_ digest: StoreContentDigest) -> [String] {
        let version = digest.configurationVersion.map { String($0) } ?? "not recorded yet"
        return ["", "content_digest"]
            + aligned([
                ("sha256", digest.sha256.hex), ("events", String(digest.events)),
                ("disputed", String(digest.disputed)),
                ("position", String(digest.position.rawValue)),
                ("resolution", String(digest.resolutionID)), ("configuration_version", version),
            ])
    }

    private func lines(
        _ stats: StoreStatistics,
        _ digest: StoreContentDigest?,
        _ storeID: String
    ) -> [String] {
        var lines = ["store \(storeID)"]
        for group in stats.groups where !group.counts.isEmpty {
            lines += ["", group.name]
            lines += Self.aligned(group.counts.map { ($0.name, String($0.count)) })
        }
        if let digest { lines += Self.lines(digest) }
        guard !stats.rates.isEmpty else { return lines }
        lines += ["", "mismatch_rates over \(window)"]
        lines += Self.aligned(
            stats.rates.map { rate in
                let mark = rate.isExceeded ? "  above its threshold" : ""
                return (
                    "\(rate.origin) \(rate.category)",
                    "\(rate.mismatches) of \(rate.deliveries), \(Self.percent(rate.rate)) of at most "
                        + "\(Self.percent(rate.threshold))\(mark)"
                )
            }
        )
        return lines
    }

    private static func aligned(_ rows: [(name: String, text: String)]) -> [String] {
        let width = rows.map { TextWidth.of($0.name) }.max() ?? 0
        return rows.map { name, text in
            let number = Int64(text) == nil ? text : TextWidth.padded(text, to: 10, right: true)
            return "  " + TextWidth.padded(name, to: width + 2) + number
        }
    }

    private static func percent(_ share: Double) -> String {
        "\(Double((share * 10_000).rounded()) / 100) %"
    }
}
