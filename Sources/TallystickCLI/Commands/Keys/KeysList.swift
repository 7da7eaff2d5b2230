import ArgumentParser
import Tallystick
import TallystickCore

struct KeysList: TallyCommand {
    static let title = "keys list"
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the keys that the store knows: ids, states and fingerprints.",
        discussion: """
            With a ring, `in_ring` says whether it has the key: yes, no, or another key of that id.

            EXAMPLE
              tally keys list events.db --key-file ring.json
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @OptionGroup var keys: KeyOptions
    @OptionGroup var rows: RowOptions

    func execute() async throws -> Int32 {
        let ring = try keys.source.load()
        let registered = try await OpenedStore.with(store, .readOnly) { try await $0.keys() }
        let writer = try rows.writer()
        try writer.begin([
            "key_id", "algorithm", "state", "fingerprint", "registered_at", "after_position",
            "in_ring",
        ])
        for key in registered {
            try writer.add([
                .text(key.id), .text(key.algorithm.rawValue), .text(key.state.rawValue),
                .text(key.fingerprint), .text(key.registeredAt.description),
                .integer(key.afterPosition.rawValue),
                key.algorithm == .hmacSHA256 ? .text(Self.place(of: key, in: ring)) : .null,
            ])
        }
        try writer.end()
        return Exit.done
    }

    private static func place(of key: RegisteredKey, in ring: KeyRing) -> String {
        guard let held = ring[key.id] else { return "no" }
        return held.fingerprint == key.fingerprint ? "yes" : "another"
    }
}
