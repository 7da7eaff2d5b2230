import ArgumentParser
import Tallystick
import TallystickCore

struct Conflicts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See where copies disagree, and decide.",
        discussion: """
            EXAMPLES
              tally conflicts events.db
              tally conflicts diff events.db 1
              tally conflicts resolve events.db 1 --take websocket --reason "the feed of record"
            """,
        subcommands: [List.self, Show.self, Diff.self, Resolve.self, Reopen.self],
        defaultSubcommand: List.self
    )

    struct List: TallyCommand {
        static let title = "conflicts list"
        static let configuration = CommandConfiguration(
            abstract: "List open conflicts.",
            discussion: "EXAMPLE\n  tally conflicts list events.db --check"
        )
        @Argument(help: "The store.")
        var store: String
        @Flag(help: "List resolved conflicts too.")
        var all = false
        @Flag(help: "Exit 1 when a conflict is listed.")
        var check = false
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let count = try await Lists.print(
                .conflicts(includingResolved: all),
                of: store,
                rows,
                brief: [
                    "conflict_id", "state", "kind", "severity", "category?", "position?", "type?",
                    "origins?",
                    "differs_in",
                ]
            )
            return check && count > 0 ? Exit.differences : Exit.done
        }
    }

    struct Show: TallyCommand {
        static let title = "conflicts show"
        static let configuration = CommandConfiguration(
            abstract: "Show the candidates of a conflict.",
            discussion: "EXAMPLE\n  tally conflicts show events.db 1"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let count = try await Lists.print(
                .candidates(of: conflict),
                of: store,
                rows,
                brief: ["candidate", "origin", "copy_id?", "content_sha256?", "differs_in"]
            )
            guard count > 0 else { throw Conflicts.unknown(conflict) }
            return Exit.done
        }
    }

    struct Diff: TallyCommand {
        static let title = "conflicts diff"
        static let configuration = CommandConfiguration(
            abstract: "Show the candidates of a conflict side by side.",
            discussion: "EXAMPLE\n  tally conflicts diff events.db 1"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            var options = StoreOptions()
            options.access = .readOnly
            let opened = try await EventStore.open(at: store, options: options)
            let candidates = try await opened.candidates(of: conflict)
            guard !candidates.isEmpty else { throw Conflicts.unknown(conflict) }
            let writer = try rows.writer(sparing: store)
            try writer.begin(["place"] + candidates.map { "\($0.candidate) \($0.origin)" })
            for row in CandidateTable.rows(candidates.map(\.content)) { try writer.add(row) }
            try writer.end()
            return Exit.done
        }
    }

    struct Resolve: TallyCommand {
        static let title = "conflicts resolve"
        static let configuration = CommandConfiguration(
            abstract: "Decide a conflict, with a reason.",
            discussion: """
                EXAMPLES
                  tally conflicts resolve events.db 1 --take realtime --reason "complete copy"
                  tally conflicts resolve events.db 2 --content fixed.json --reason "both were wrong"
                  tally conflicts resolve events.db 3 --exclude --reason "test traffic"
                """
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @Option(help: "Take what this origin delivered.")
        var take: String?
        @Option(help: "A file with other content: a CloudEvent with the same source and id.")
        var content: String?
        @Flag(help: "Let no event count at this position.")
        var exclude = false
        @Flag(help: "Wait no longer for what is missing.")
        var acceptMissing = false
        @Option(help: "Who decides.")
        var actor: String?
        @Option(help: "Why.")
        var reason: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = Clock.nanoseconds()
            let choice: ManualResolution.Choice
            switch (take, content, exclude, acceptMissing) {
            case (let origin?, nil, false, false): choice = .take(origin: origin)
            case (nil, let path?, false, false): choice = .content(try SmallFile.read(path))
            case (nil, nil, true, false): choice = .exclude
            case (nil, nil, false, true): choice = .acceptMissing
            default:
                throw ValidationError(
                    "give one of --take, --content, --exclude and --accept-missing"
                )
            }
            let opened = try await EventStore.open(at: store)
            let resolution: Int64
            do {
                resolution = try await opened.resolve(
                    ManualResolution(
                        conflictID: conflict,
                        choice: choice,
                        actor: actor ?? Actor.current,
                        reason: reason
                    )
                )
            } catch {
                await opened.close()
                throw error
            }
            await opened.close()
            var result = Report("conflicts resolve", on: opened, started: started)
            result.add("conflict_id", .number(conflict))
            result.add("resolution_id", .number(resolution))
            try result.print(report) {
                ["conflict \(conflict) decided by resolution \(resolution)"]
            }
            return Exit.done
        }
    }

    struct Reopen: TallyCommand {
        static let title = "conflicts reopen"
        static let configuration = CommandConfiguration(
            abstract: "Open a resolved conflict again, for a person to decide.",
            discussion: """
                The event counts as the newest resolution says until the next one takes its place.

                EXAMPLE
                  tally conflicts reopen events.db 1 --reason "the feed of record was wrong"
                """
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @Option(help: "Who opens it.")
        var actor: String?
        @Option(help: "Why.")
        var reason: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = Clock.nanoseconds()
            let opened = try await EventStore.open(at: store)
            do {
                try await opened.reopen(
                    conflict: conflict,
                    actor: actor ?? Actor.current,
                    reason: reason
                )
            } catch {
                await opened.close()
                throw error
            }
            await opened.close()
            var result = Report("conflicts reopen", on: opened, started: started)
            result.add("conflict_id", .number(conflict))
            try result.print(report) { ["conflict \(conflict) is open again"] }
            return Exit.done
        }
    }

    static func unknown(_ conflict: Int64) -> StoreError {
        StoreError(
            .notFound,
            during: "show the conflict",
            on: "conflict \(conflict)",
            "there is no such conflict",
            hint: "See 'tally conflicts list --all'"
        )
    }
}

/// Contents side by side: a row for each place where they differ.
enum CandidateTable {
    static func rows(_ contents: [[UInt8]]) -> [[SQLValue]] {
        let flat = contents.map { content in
            var places: [(String, String)] = []
            if let document = try? JSONDocument(content) { flatten(document.root, "", &places) }
            return places
        }
        var order: [String] = []
        for places in flat {
            for (place, _) in places where !order.contains(place) { order.append(place) }
        }
        return order.sorted().compactMap { place in
            let values = flat.map { places in places.first { $0.0 == place }?.1 }
            guard Set(values).count > 1 else { return nil }
            return [.text(place)] + values.map { $0.map { .text($0) } ?? .null }
        }
    }

    private static func flatten(
        _ value: JSONValue,
        _ place: String,
        _ places: inout [(String, String)]
    ) {
        switch value.content {
        case .object(let members) where !members.isEmpty:
            for (name, member) in members {
                flatten(
                    member,
                    place.isEmpty && name != "data" ? name : place + "/" + name,
                    &places
                )
            }
        case .array(let elements) where !elements.isEmpty:
            for (index, element) in elements.enumerated() {
                flatten(element, "\(place)/\(index)", &places)
            }
        default:
            places.append((place, String(decoding: value.canonical, as: UTF8.self)))
        }
    }
}
