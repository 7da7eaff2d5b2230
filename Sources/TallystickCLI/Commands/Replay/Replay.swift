import ArgumentParser

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay events into a projection, and resume.",
        discussion: """
            A projection is a SQL file: a header, setup, and statements for types of events. They see \
            :position :source :id :type :stream :revision :category :origin :subject :time :recorded_at :data. \
            They may use the projection's own tables (called NAME or NAME_…) and deterministic functions; no \
            dates and times, random numbers, transaction control, ATTACH, PRAGMA, triggers or virtual tables. Ten \
            seconds are the limit for one event.

            EXAMPLES
              tally replay events.db service_health.sql
              tally replay events.db service_health.sql --into health.db
              tally replay events.db mailer --exec ./send-mails
              tally replay events.db --to - > events.ndjson
              tally replay status events.db service_health
            """,
        subcommands: [
            Run.self, List.self, Status.self, Parked.self, Retry.self, Drop.self, Rebuild.self,
        ],
        defaultSubcommand: Run.self
    )
}

/// The words of `--on-poison`.
enum Poison: String, CaseIterable, ExpressibleByArgument {
    case halt, park, skip
}
