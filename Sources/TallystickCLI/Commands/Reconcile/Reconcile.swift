import ArgumentParser

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare copies, and let policies decide where they disagree.",
        discussion: """
            EXAMPLES
              tally reconcile events.db
              tally reconcile events.db --dry-run
              tally reconcile status events.db
            """,
        subcommands: [Run.self, Status.self],
        defaultSubcommand: Run.self
    )
}
