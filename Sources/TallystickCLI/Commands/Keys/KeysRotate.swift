import ArgumentParser
import Tallystick
import TallystickCore

struct KeysRotate: TallyCommand {
    static let title = "keys rotate"
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Put a new key in the place of the active one.",
        discussion: """
            The former key is retired: it verifies what it made, and makes nothing more. Run again after an \
            interruption, the command finishes what was begun; where nothing is left to do it says so (exit 4).

            EXAMPLE
              tally keys rotate events.db --key-file ring.json --reason "yearly"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "The new key's id; today's date without.")
    var id: String?
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let request = KeyRequest(store: store, keys: keys, change: change, report: report)
        return try await NewKey(request: request).register(id: id, replacing: true)
    }
}
