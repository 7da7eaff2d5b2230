import ArgumentParser
import Tallystick

struct Init: TallyCommand {
    static let title = "init"
    static let configuration = CommandConfiguration(
        abstract: "Create an empty store.",
        discussion: """
            EXAMPLES
              tally init events.db
              tally init events.db --config settings.json \\
                  --delivery-attribute partitionkey
            """
    )

    @Argument(help: "The store's path; there must be no file yet.", completion: .file())
    var store: String
    @Option(help: "A settings file (JSON); the defaults without.", completion: .file())
    var config: String?
    @Option(
        name: .customLong("delivery-attribute"),
        help: "An attribute that describes a delivery and is never compared; may be repeated."
    )
    var deliveryAttributes: [String] = []
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        var creation = StoreCreation()
        creation.deliveryAttributes = deliveryAttributes
        creation.actor = CurrentActor.current
        if let config { creation.configuration = try SettingsFile.read(config) }
        let created = try await EventStore.create(at: store, creation)
        await created.close()
        let result = Report("init", on: created, started: started)
        try result.print(report) { ["created \(store)", "store id  \(created.storeID)"] }
        return Exit.done
    }
}
