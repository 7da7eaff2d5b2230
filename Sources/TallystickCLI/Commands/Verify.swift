import ArgumentParser
import Tallystick
import TallystickCore

struct Verify: TallyCommand {
    static let title = "verify"
    static let configuration = CommandConfiguration(
        abstract: "Recompute every checksum, leaf and tile, and name what differs.",
        discussion: """
            Exit 0: everything agrees. 2: something differs. 3: the time was used up.

            EXAMPLES
              tally verify events.db
              tally verify events.db --max-time 10s
              tally verify events.db --resume "$CURSOR"
              tally verify events.db --against 2026-03-01.note --public-key signer.pub
              tally verify events.db --repair-derived --reason "disk replaced"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "Stop after this time and print where to go on, for example 10s.")
    var maxTime: String?
    @Option(help: "Go on from the cursor of an earlier verification.")
    var resume: String?
    @Flag(
        help: "Rebuild indexes, states and tiles that differ from proved rows, on the audit trail."
    )
    var repairDerived = false
    @Option(help: "Who repairs, for the audit trail; user@host if left out.")
    var actor: String?
    @Option(help: "Why, for the audit trail.")
    var reason: String?
    @Option(
        help:
            "A sealed head that was kept elsewhere: find rollback, truncation and forks since. May be repeated.",
        completion: .file()
    )
    var against: [String] = []
    @Option(
        help: "The public key that seals are by, or a file that holds it; may be repeated.",
        completion: .file()
    )
    var publicKey: [String] = []
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var keys: KeyOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard repairDerived else {
            if actor != nil || reason != nil {
                throw ValidationError("--actor and --reason go with --repair-derived.")
            }
            return
        }
        if maxTime != nil || resume != nil {
            throw ValidationError(
                "--repair-derived verifies everything: leave --max-time and --resume out."
            )
        }
    }

    func execute() async throws -> Int32 {
        if repairDerived { return try await repair() }
        let started = MonotonicClock.nanoseconds()
        var verification = VerifyOptions()
        verification.duration = try maxTime.map { try Durations.parse($0) }
        verification.cursor = resume
        let heads = try readHeads()
        verification.against = heads
        let bar = progress.bar(unit: "events")
        verification.onProgress = { bar.update($0.done, of: $0.total) }
        let done = try await EventStore.verify(at: store, keys: keys.source, verification)
        bar.finish()
        let exit =
            !done.isIntact ? Exit.integrity : done.isComplete ? Exit.done : Exit.incomplete
        var result = Report("verify", storeID: done.storeID, started: started)
        result.exit = exit
        result.result =
            !done.isIntact ? "differences" : done.isComplete ? "intact" : "incomplete"
        VerifyOutput.add(done, against: heads, to: &result)
        try result.print(report) { VerifyOutput.lines(done) }
        return exit
    }

    /// The heads of `--against`, whose seals must be by a given key.
    private func readHeads() throws -> [TreeHead] {
        guard !against.isEmpty else { return [] }
        let verifiers = try PublicKeys.parse(publicKey)
        return try against.map { path in
            let note = try NoteFile.read(path)
            return try NoteFile.reading(path, "read the note") { () throws(NoteError) in
                try TreeHead(note: note, verifiedBy: verifiers)
            }
        }
    }
}

extension Verify {
    private func repair() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        return try await OpenedStore.with(store, waiting.applied()) { opened in
            let done = try await opened.repairDerived(
                actor: actor ?? CurrentActor.current,
                reason: reason ?? "repair of derived rows"
            )
            var result = Report("verify", on: opened, started: started)
            result.exit = done.after.isIntact ? Exit.done : Exit.integrity
            result.result = done.after.isIntact ? "intact" : "differences"
            result.add(
                "repaired",
                .object(done.repaired.map { ($0.table, .number($0.rows)) })
            )
            VerifyOutput.add(done.after, to: &result)
            try result.print(report) {
                done.repaired.map { "repaired  \($0.rows) rows of \($0.table)" }
                    + VerifyOutput.lines(done.after)
            }
            return result.exit
        }
    }
}

/// A verification's report.
enum VerifyOutput {
    static func add(
        _ done: VerifyReport,
        against heads: [TreeHead] = [],
        to result: inout Report
    ) {
        result.add(
            "checked",
            .object([
                ("events", .number(done.events)), ("copies", .number(done.copies)),
                ("audit_rows", .number(done.auditRows)), ("tiles", .number(done.tiles)),
                ("heads", .number(done.heads)),
            ])
        )
        result.add(
            "not_checked",
            .list(
                done.notChecked.map {
                    .object([
                        ("what", .text($0.what)), ("records", .number($0.records)),
                        ("reason", .text($0.reason)),
                    ])
                }
            )
        )
        result.add("findings", .list(done.findings.map(Self.finding)))
        result.add(
            "tree",
            .object([
                ("events", .number(done.sizes.events)), ("copies", .number(done.sizes.copies)),
                ("audit", .number(done.sizes.audit)), ("root", .text(done.roots.events)),
                ("copies_root", .text(done.roots.copies)), ("audit_root", .text(done.roots.audit)),
                (
                    "against",
                    heads.isEmpty
                        ? .null
                        : .list(
                            heads.map {
                                .object([
                                    ("events", .number($0.events.size)),
                                    ("copies", .number($0.copies.size)),
                                    ("audit", .number($0.audit.size)),
                                    ("root", .text($0.events.root.hex)),
                                ])
                            }
                        )
                ),
            ])
        )
        result.add("cursor", .optional(done.cursor))
    }

    private static func finding(_ finding: VerifyFinding) -> JSONValue {
        .object([
            ("record", .text(finding.record)), ("position", .optional(finding.position?.rawValue)),
            ("source", .optional(finding.source)), ("event_id", .optional(finding.eventID)),
            ("finding", .text(finding.finding.rawValue)), ("expected", .text(finding.expected)),
            ("actual", .text(finding.actual)),
        ])
    }

    static func lines(_ done: VerifyReport) -> [String] {
        var lines = [
            "checked  \(count(done.events, "event")), \(count(done.copies, "copy", "copies")), "
                + "\(count(done.auditRows, "audit row")), \(count(done.tiles, "tile"))"
        ]
        for item in done.notChecked {
            lines.append("not checked  \(item.records) \(item.what): \(item.reason)")
        }
        lines.append("tree  \(count(done.sizes.events, "event")), root \(done.roots.events)")
        for finding in done.findings.prefix(20) {
            let event = finding.eventID.map { ", event \($0)" } ?? ""
            lines.append("\(finding.finding.rawValue)  \(finding.record)\(event)")
            lines.append("  expected \(finding.expected)")
            lines.append("  actual   \(finding.actual)")
        }
        if done.findingCount > 20 { lines.append("and \(done.findingCount - 20) more; see --json") }
        if done.earlierFindings > 0 {
            lines.append("\(count(Int64(done.earlierFindings), "finding")) of the runs before")
        }
        // After a complete run it serves scripts, which read the report as JSON.
        if let cursor = done.cursor, !done.isComplete { lines.append("cursor  \(cursor)") }
        lines.append(verdict(done))
        return lines
    }

    private static func count(_ number: Int64, _ one: String, _ many: String? = nil) -> String {
        "\(number) " + (number == 1 ? one : many ?? one + "s")
    }

    private static func verdict(_ done: VerifyReport) -> String {
        guard done.isIntact else {
            return "\(done.findingCount + done.earlierFindings) findings: consistent with damage, "
                + "or with a change by another hand"
        }
        return done.isComplete ? "intact" : "intact so far; go on with --resume and the cursor"
    }
}
