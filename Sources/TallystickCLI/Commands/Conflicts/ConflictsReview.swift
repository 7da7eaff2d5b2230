import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
    struct Review: TallyCommand {
        static let title = "conflicts review"
        static let configuration = CommandConfiguration(
            abstract: "Decide open conflicts one at a time.",
            discussion: """
                Shows each conflict with every side's values and asks what counts: a side by its number, a merge \
                member by member, the exclusion of the event, or that what is missing is accepted. Every decision is \
                audited at once, so a review can be ended at any time and begun again; what somebody else decided \
                meanwhile is said, and not decided twice.

                EXAMPLES
                  tally conflicts review events.db
                  tally conflicts review events.db --kind payload_differs \\
                      --reason "checked by hand"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var filter: ConflictFilterOptions
        @Option(help: "Begin after this conflict.")
        var after: Int64 = 0
        @Option(help: "Why, for every decision; without it each decision is asked for a reason.")
        var reason: String?
        @Option(help: "Who decides; default: user@host.")
        var actor: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var keys: KeyOptions

        func execute() async throws -> Int32 {
            let filter = try filter.value()
            return try await OpenedStore.with(
                store,
                keys: keys.source,
                waiting.command()
            ) { opened in
                try await opened.checkOrigins(filter.origins, during: "review conflicts")
                let output = try OutputFile(path: nil)
                let session = ReviewSession(
                    opened,
                    filter,
                    actor: actor ?? CurrentActor.current,
                    reason: reason,
                    width: ReviewScreen.width,
                    to: output
                )
                let done = try await session.run(after: after)
                try output.write(
                    "\(done.decided) decided, \(done.skipped) skipped, \(done.undone) taken back\n"
                )
                try output.finish()
                return Exit.done
            }
        }
    }
}
