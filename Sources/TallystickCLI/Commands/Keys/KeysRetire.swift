import ArgumentParser
import Tallystick
import TallystickCore

struct KeysRetire: TallyCommand {
    static let title = "keys retire"
    static let configuration = CommandConfiguration(
        commandName: "retire",
        abstract: "Make a key verify only.",
        discussion: """
            Without an active key, events whose category demands an HMAC are refused, until 'tally keys rotate'.

            EXAMPLE
              tally keys retire events.db 2026-03-01 --key-file ring.json \\
                  --reason "laptop lost"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "The key's id, or the name of a signing key.")
    var id: String
    @Flag(help: "The key is one that signs.")
    var signing = false
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let opened = try await OpenedStore.with(store, keys: keys.source, change.waiting.command())
        { opened in
            do {
                try await opened.retireKey(
                    id,
                    algorithm: signing ? .ed25519 : .hmacSHA256,
                    actor: change.actor,
                    reason: change.reason
                )
            } catch let error as StoreError where error.code == .alreadyDecided {
                // A run that was interrupted has left the ring behind.
                guard try retireInRing() else { throw error }
                return opened
            }
            _ = try retireInRing()
            return opened
        }
        var result = Report(Self.title, on: opened, started: started)
        result.add("key_id", .text(id))
        try result.print(report) { ["key '\(id)' is retired"] }
        return Exit.done
    }

    /// - returns: whether the ring had the key as active.
    private func retireInRing() throws -> Bool {
        guard !signing, let path = keys.path else { return false }
        let id = id
        return try KeyRingFile.change(path) { ring in
            let isActive = ring[id]?.state == .active
            ring.retire(id)
            return isActive
        }
    }
}
