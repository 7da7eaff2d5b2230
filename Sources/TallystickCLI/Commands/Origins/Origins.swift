import ArgumentParser

struct Origins: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See up to when each origin is complete, and state it.",
        discussion: """
            An origin that is complete through a time, by the events' own times, has delivered everything up to \
            then: 'tally reconcile' reports what it lacks, without waiting. 'tally ingest --complete-through' \
            states it with a file.

            EXAMPLES
              tally origins events.db
              tally origins complete events.db poll --through 2026-03-02T00:00:00Z \\
                  --reason "the export of 1 March is in"
            """,
        subcommands: [List.self, Complete.self, Withdraw.self],
        defaultSubcommand: List.self
    )
}
