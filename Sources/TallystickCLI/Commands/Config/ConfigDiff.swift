import ArgumentParser
import Tallystick
import TallystickCore

extension Config {
    struct Diff: TallyCommand {
        static let title = "config diff"
        static let configuration = CommandConfiguration(
            abstract:
                "Show what differs between versions of the settings, or what a file would change.",
            discussion: """
                EXAMPLES
                  tally config diff events.db
                  tally config diff events.db --from 1 --to 3
                  tally config diff events.db --file settings.json
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Option(help: "The older version; the one before the newer one without.")
        var from: Int64?
        @Option(help: "The newer version; the one in force without.")
        var to: Int64?
        @Option(help: "A settings file: what it would change.", completion: .file())
        var file: String?
        @Flag(help: "The file is all there is.")
        var replace = false
        @OptionGroup var rows: RowOptions

        func validate() throws {
            guard file != nil else {
                if replace { throw ValidationError("--replace goes with --file") }
                return
            }
            if from != nil || to != nil {
                throw ValidationError("give either --file, or --from and --to")
            }
        }

        func execute() async throws -> Int32 {
            return try await OpenedStore.with(store, .command(.readOnly)) { opened in
                let changes = try await changes(opened)
                let writer = try rows.writer()
                try writer.begin(["setting", "old", "new"])
                for change in changes {
                    try writer.add([
                        .text(change.pointer), change.old.map { .text($0) } ?? .null,
                        change.new.map { .text($0) } ?? .null,
                    ])
                }
                try writer.end()
                return Exit.done
            }
        }

        private func changes(_ opened: EventStore) async throws -> [StoreSettings.Change] {
            if let file {
                let bytes = try SmallFile.read(file)
                return try await SettingsFile.naming(file) {
                    try await opened.changes(applying: bytes, replacing: replace)
                }
            }
            let newer = try await opened.settings(version: to)
            let older = try await opened.settings(version: from ?? max(1, newer.version - 1))
            return older.settings.changes(to: newer.settings)
        }
    }
}
