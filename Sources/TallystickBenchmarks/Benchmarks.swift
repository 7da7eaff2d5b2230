import ArgumentParser
import TallystickTestSupport

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tally-benchmarks",
        abstract: "Measure the store beside hand-written C loops over SQLite.",
        discussion: """
            Pairs alternate in one run, and the medians are shown with the smallest and the largest value. The C
            loops insert the same rows, already parsed, into the same tables with the same page size, batch and
            durability, and hash nothing; their identities are in one index without segments. Ratios count;
            figures change with the machine.

            EXAMPLES
              swift run -c release tally-benchmarks
              swift run -c release tally-benchmarks --only ingest --events 10000000 --pairs 1
            """,
        subcommands: [Table.self, MemoryTask.self],
        defaultSubcommand: Table.self
    )
}

/// Runs the measurements and prints them.
struct Table: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Print the table of measures (the default)."
    )

    @Option(help: "Events of a store: 1,000 to 10,000,000.")
    var events = 300_000
    @Option(help: "Different streams of these events.")
    var streams = 100_000
    @Option(help: "Alternated pairs of runs.")
    var pairs = 3
    @Option(help: "Single appends.")
    var appends = 2_000
    @Option(help: "A measure to run; can be given several times. By default all.")
    var only: [MeasureName] = []
    @Option(help: "Where stores are made; by default a folder in /tmp.")
    var folder: String?

    func validate() throws {
        guard (1_000...10_000_000).contains(events), (1...10_000_000).contains(streams) else {
            throw ValidationError(
                "There are 1,000 to 10,000,000 events, in as many streams at most."
            )
        }
        guard (1...100).contains(pairs), (1...100_000).contains(appends) else {
            throw ValidationError("There are 1 to 100 pairs, and 1 to 100,000 appends.")
        }
    }

    func run() async throws {
        let scratch = try TemporaryFolder(named: "tally-benchmarks", in: folder ?? "/tmp")
        print(Machine.description(in: scratch), terminator: "\n\n")
        let context = try BenchmarkContext(
            events: events,
            streams: min(streams, events),
            pairs: pairs,
            appends: min(appends, events),
            folder: scratch
        )
        print(context.description, terminator: "\n\n")
        print(TableRow.heading)
        let wanted = only.isEmpty ? MeasureName.allCases : only
        for name in MeasureName.allCases where wanted.contains(name) {
            for row in try await name.measure.run(context) { print(row.line) }
        }
    }
}

/// The measurements, in the order in which they run.
enum MeasureName: String, CaseIterable, ExpressibleByArgument {
    case ingest, copies, append, keys, verify, proof, replay, resume, reconcile, decide, memory
    case start

    var measure: any Measure {
        switch self {
        case .ingest: IngestMeasure()
        case .copies: CopiesMeasure()
        case .append: AppendMeasure()
        case .keys: KeyMeasure()
        case .verify: VerifyMeasure()
        case .proof: ProofMeasure()
        case .replay: ReplayMeasure()
        case .resume: ResumeMeasure()
        case .reconcile: ReconcileMeasure()
        case .decide: DecideMeasure()
        case .memory: MemoryMeasure()
        case .start: StartMeasure()
        }
    }
}
