import ArgumentParser
import Tallystick
import TallystickCore

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keys for checksums that only their holders can make.",
        discussion: """
            A key ring is a file of yours; the store keeps ids and fingerprints. From the first key on, events of \
            categories that ask for an HMAC are not stored without one.

            EXAMPLES
              tally keys generate events.db --key-file ring.json --reason "first key"
              tally keys list events.db --key-file ring.json
              tally keys rotate events.db --key-file ring.json --reason "yearly"
              tally keys retire events.db 2026-03-01 --key-file ring.json \\
                  --reason "laptop lost"
              tally keys reseal events.db --key-file ring.json \\
                  --reason "events from before the key"
              tally keys generate events.db --signing signer.key --reason "seals"
            """,
        subcommands: [
            KeysGenerate.self, KeysList.self, KeysRotate.self, KeysRetire.self, KeysReseal.self,
        ]
    )
}

struct KeysGenerate: TallyCommand {
    static let title = "keys generate"
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Make a store's first key, or a key that signs its heads.",
        discussion: """
            Adds a key to the ring, which is made when there is none, and registers it. A ring that has an active key \
            which the store does not know yet gets no new one: that key is registered.

            With --signing, the public key is written beside the private one: signer.pub beside signer.key. Run again \
            after an interruption, the command goes on where it was stopped.

            EXAMPLES
              tally keys generate events.db --key-file ring.json --reason "first key"
              tally keys generate events.db --signing signer.key --reason "seals"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "The key's id; today's date without.")
    var id: String?
    @Option(
        help: "Make a key that signs tree heads instead, in this new file.",
        completion: .file()
    )
    var signing: String?
    @Option(help: "The signing key's name; tallystick/ and the store's id without.")
    var name: String?
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var report: ReportOptions

    func validate() throws {
        if signing == nil, name != nil {
            throw ValidationError("--name is the name of a signing key; give --signing too")
        }
        if signing != nil, id != nil {
            throw ValidationError("--id is the id of an HMAC key; a signing key has a --name")
        }
    }

    func execute() async throws -> Int32 {
        let request = KeyRequest(store: store, keys: keys, change: change, report: report)
        if let signing {
            return try await NewSigner(request: request).make(in: signing, name: name)
        }
        return try await NewKey(request: request).register(id: id, replacing: false)
    }
}

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
        let registered = try await EventStore.open(at: store, options: .readOnly).keys()
        let writer = try rows.writer()
        try writer.begin([
            "key_id", "algorithm", "state", "fingerprint", "registered_at", "after_position",
            "in_ring",
        ])
        for key in registered {
            try writer.add([
                .text(key.id), .text(key.algorithm.rawValue), .text(key.state.rawValue),
                .text(key.fingerprint), .text(RFC3339.string(microseconds: key.registeredAt)),
                .integer(key.afterPosition),
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

struct KeysReseal: TallyCommand {
    static let title = "keys reseal"
    static let configuration = CommandConfiguration(
        commandName: "reseal",
        abstract:
            "Make HMACs by the active key where a category asks for one and the event has none by it.",
        discussion: """
            For events from before the first key, or from a retired key's time. What was recorded stays; the newest \
            checksum counts. Every event is verified before. Run it again to go on after an interruption.

            EXAMPLE
              tally keys reseal events.db --key-file ring.json \\
                  --reason "events from before the key"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let bar = progress.bar(unit: "events")
        let (opened, done) = try await OpenedStore.with(
            store,
            keys: keys.source,
            change.waiting.command()
        ) { opened in
            defer { bar.finish() }
            let done = try await opened.reseal(actor: change.actor, reason: change.reason) {
                bar.update($0.events)
            }
            return (opened, done)
        }
        var result = Report(Self.title, on: opened, started: started)
        result.exit = done.isInterrupted ? Exit.incomplete : Exit.done
        result.result = done.isInterrupted ? "interrupted" : "done"
        result.add("key_id", .text(done.keyID))
        result.add("events", .number(done.events))
        result.add("sealed", .number(done.sealed))
        try result.print(report) {
            ["\(done.sealed) of \(done.events) events sealed by key '\(done.keyID)'"]
                + (done.isInterrupted ? ["interrupted; run the same command again to go on"] : [])
        }
        return result.exit
    }
}
