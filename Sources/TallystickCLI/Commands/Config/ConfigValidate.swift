import ArgumentParser
import Tallystick
import TallystickCore

extension Config {
    struct Validate: TallyCommand {
        static let title = "config validate"
        static let configuration = CommandConfiguration(
            abstract: "Check a settings file.",
            discussion: """
                EXAMPLES
                  tally config validate settings.json
                  tally config validate settings.json --store events.db
                """
        )
        @Argument(help: "The settings file; - for standard input.", completion: .file())
        var file: String
        @Option(
            help: "Check it as a change of this store's settings instead of the defaults.",
            completion: .file()
        )
        var store: String?

        func execute() async throws -> Int32 {
            if let store {
                try await OpenedStore.with(store, .command(.readOnly)) { opened in
                    let bytes = try SmallFile.read(file)
                    try await SettingsFile.naming(file) {
                        _ = try await opened.changes(applying: bytes)
                    }
                }
            } else {
                _ = try SettingsFile.read(file)
            }
            let output = try OutputFile(path: nil)
            try output.write(Terminal.escaped("\(file) is valid") + "\n")
            try output.finish()
            return Exit.done
        }
    }
}
