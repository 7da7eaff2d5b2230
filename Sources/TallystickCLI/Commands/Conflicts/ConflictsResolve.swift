import ArgumentParser
import Synchronization
import Tallystick
import TallystickCore

extension Conflicts {
    struct Resolve: TallyCommand {
        static let title = "conflicts resolve"
        static let configuration = CommandConfiguration(
            abstract: "Decide a conflict, or all that fit a filter, with a reason.",
            discussion: """
                With --all nothing is decided before --yes: the command shows what it would do.

                EXAMPLES
                  tally conflicts resolve events.db 1 --take realtime \\
                      --reason "complete copy"
                  tally conflicts resolve events.db 2 --content fixed.json \\
                      --reason "both were wrong"
                  tally conflicts resolve events.db 3 --exclude --reason "test traffic"
                  tally conflicts resolve events.db --all --origin realtime \\
                      --take realtime --reason "newer" --yes
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64?
        @Flag(help: "Decide all open conflicts that fit the filters.")
        var all = false
        @OptionGroup var filter: ConflictFilterOptions
        @Flag(help: "Decide, instead of showing what would be decided; with --all.")
        var yes = false
        @Option(help: "Take what this origin delivered.")
        var take: String?
        @Option(
            help: "A file with other content: a CloudEvent with the same source and id.",
            completion: .file()
        )
        var content: String?
        @Flag(help: "Let no event count at this position.")
        var exclude = false
        @Flag(help: "Wait no longer for what is missing.")
        var acceptMissing = false
        @OptionGroup var change: ChangeOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (conflict != nil) != all else {
                throw ValidationError("give either the id of a conflict or --all")
            }
            if !all, yes || !filter.isEmpty {
                throw ValidationError("--yes and the filters go with --all")
            }
            if all, content != nil {
                throw ValidationError("--content belongs to one event and does not go with --all")
            }
            let choices = [take != nil, content != nil, exclude, acceptMissing]
            guard choices.count(where: \.self) == 1 else {
                throw ValidationError(
                    "give one of --take, --content, --exclude and --accept-missing"
                )
            }
        }

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            if let conflict { return try await resolve(conflict, started) }
            return try await resolveAll(started)
        }

        private func choice() throws -> ManualResolution.Choice {
            if let take { return .take(origin: take) }
            if let content { return .content(try SmallFile.read(content)) }
            return exclude ? .exclude : .acceptMissing
        }

        private func resolve(_ conflict: Int64, _ started: UInt64) async throws -> Int32 {
            let request = ManualResolution(
                conflictID: conflict,
                choice: try choice(),
                actor: change.actor,
                reason: change.reason
            )
            let (opened, resolution) = try await OpenedStore.with(
                store,
                keys: keys.source,
                change.waiting.command()
            ) { opened in
                (opened, try await opened.resolve(request))
            }
            var result = Report("conflicts resolve", on: opened, started: started)
            result.add("conflict_id", .number(conflict))
            result.add("resolution_id", .number(resolution))
            try result.print(report) {
                ["conflict \(conflict) decided by resolution \(resolution)"]
            }
            return Exit.done
        }

        private func resolveAll(_ started: UInt64) async throws -> Int32 {
            let bulk = BulkResolution(
                try filter.value(),
                choice: try choice(),
                actor: change.actor,
                reason: change.reason
            )
            let decisions = BulkDecisions()
            let options = try change.waiting.command(yes ? .readWrite : .readOnly)
            let (opened, interrupted) = try await OpenedStore.with(
                store,
                keys: keys.source,
                options
            ) { opened in
                do throws(StoreError) {
                    try await opened.resolve(bulk, previews: !yes) { decisions.add($0) }
                    return (opened, false)
                } catch {
                    guard error.code == .interrupted else { throw error }
                    return (opened, true)
                }
            }
            let all = decisions.value
            var result = Report("conflicts resolve", on: opened, started: started)
            result.result = interrupted ? "interrupted" : yes ? "done" : "preview"
            result.exit = interrupted ? Exit.incomplete : Exit.done
            result.add("preview", .flag(!yes))
            result.add("decided", .number(all.decided))
            result.add("refused", .number(all.refused))
            result.add("decisions", .list(all.first.map(BulkDecisions.json)))
            result.add("decisions_truncated", .flag(all.first.count < all.decided + all.refused))
            try result.print(report) { all.lines(isPreview: !yes) }
            return result.exit
        }
    }
}

/// What a bulk resolution did, as far as a report lists it.
final class BulkDecisions: Sendable {
    struct Value {
        /// The first of them; all are counted.
        var first: [BulkDecision] = []
        var decided = 0
        var refused = 0
    }

    /// How many decisions a report lists.
    private static let listed = 1000
    private let state = Mutex(Value())

    var value: Value { state.withLock { $0 } }

    func add(_ page: [BulkDecision]) {
        state.withLock { value in
            for decision in page {
                if decision.decision == nil { value.refused += 1 } else { value.decided += 1 }
            }
            value.first += page.prefix(max(0, Self.listed - value.first.count))
        }
    }

    static func json(_ decision: BulkDecision) -> JSONValue {
        .object([
            ("conflict_id", .number(decision.conflictID)), ("kind", .text(decision.kind.rawValue)),
            ("position", .optional(decision.position?.rawValue)),
            ("source", .optional(decision.source)),
            ("event_id", .optional(decision.eventID)),
            ("decision", .optional(decision.decision?.rawValue)),
            ("refusal", decision.refusal.isEmpty ? .null : .text(decision.refusal)),
            ("resolution_id", .optional(decision.resolutionID)),
        ])
    }
}

extension BulkDecisions.Value {
    func lines(isPreview: Bool) -> [String] {
        var lines = first.map { decision in
            let event = decision.eventID.map { " \($0) of \(decision.source ?? "")" } ?? ""
            let what = decision.decision?.rawValue ?? "left open: \(decision.refusal)"
            return "conflict \(decision.conflictID) (\(decision.kind.rawValue))\(event): \(what)"
        }
        if first.count < decided + refused {
            lines.append("… and \(decided + refused - first.count) more")
        }
        lines.append(
            isPreview
                ? "\(decided) would be decided, \(refused) left open; nothing was changed. Add --yes to decide"
                : "\(decided) decided, \(refused) left open"
        )
        return lines
    }
}
