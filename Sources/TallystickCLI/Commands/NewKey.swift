import ArgumentParser
import Tallystick
import TallystickCore

/// Finds or makes the key that a store uses next, in the ring first, then in the store: a run that was
/// interrupted in between is finished by the next one.
struct NewKey {
    private let store: String
    private let keys: KeyOptions
    private let change: ChangeOptions
    private let report: ReportOptions

    init(
        _ store: String,
        _ keys: KeyOptions,
        _ change: ChangeOptions,
        _ report: ReportOptions
    ) {
        self.store = store
        self.keys = keys
        self.change = change
        self.report = report
    }

    func register(id: String?, replacing: Bool) async throws -> Int32 {
        let title = replacing ? KeysRotate.title : KeysGenerate.title
        let started = Clock.nanoseconds()
        let opened = try await EventStore.open(at: store, options: .readOnly)
        let registered = try await opened.keys()
        let former = registered.last { $0.algorithm == .hmacSHA256 && $0.state == .active }
        if let former, former.id == id {
            return try finish(former, registered, title, opened.storeID, started)
        }
        if let former, !replacing {
            throw StoreError(
                .invalidArgument,
                during: "make the key",
                on: "key '\(former.id)'",
                "the store has an active key",
                hint: "Run 'tally keys rotate' to put another in its place"
            )
        }
        if let id, registered.contains(where: { $0.id == id && $0.algorithm == .hmacSHA256 }) {
            throw StoreError(
                .invalidArgument,
                during: "make the key",
                on: "key '\(id)'",
                "the store had a key of this id, which is retired for good",
                hint: "Choose another id with --id; 'tally keys list' shows those that are taken"
            )
        }
        let key = try prepare(id, registered)
        try await OpenedStore.with(store, keys: keys.source) { opened in
            _ = try await opened.register(
                key,
                replacing: replacing,
                actor: change.actor,
                reason: change.reason
            )
        }
        if let former { try retireInRing([former.id]) }
        return try printResult(key.id, key.fingerprint, former?.id, title, opened.storeID, started)
    }

    /// Ends a run that was interrupted once the store knew its key.
    private func finish(
        _ active: RegisteredKey,
        _ registered: [RegisteredKey],
        _ title: String,
        _ storeID: String,
        _ started: UInt64
    ) throws -> Int32 {
        let retired = registered.filter { $0.algorithm == .hmacSHA256 && $0.state == .retired }
        let late = try retireInRing(retired.map(\.id))
        guard let former = late.last else {
            throw StoreError(
                .alreadyDecided,
                during: "make the key",
                on: "key '\(active.id)'",
                "it is the active key already",
                hint: "Nothing was changed; 'tally keys list' shows when it was registered"
            )
        }
        return try printResult(active.id, active.fingerprint, former, title, storeID, started)
    }

    /// - returns: the keys that were active in the ring.
    @discardableResult
    private func retireInRing(_ ids: [String]) throws -> [String] {
        guard let path = keys.path else { return [] }
        return try KeyRingFile.change(path) { ring in
            let active = ids.filter { ring[$0]?.state == .active }
            for id in active { ring.retire(id) }
            return active
        }
    }

    private func printResult(
        _ id: String,
        _ fingerprint: String,
        _ former: String?,
        _ title: String,
        _ storeID: String,
        _ started: UInt64
    ) throws -> Int32 {
        var result = Report(title, storeID: storeID, started: started)
        result.add("key_id", .text(id))
        result.add("fingerprint", .text(fingerprint))
        result.add("retired", .optional(former))
        try result.print(report) {
            ["key '\(id)' is active"] + (former.map { ["key '\($0)' is retired"] } ?? [])
        }
        return Exit.done
    }

    /// The ring's newest active key that the store does not know, or a new one.
    private func prepare(_ id: String?, _ registered: [RegisteredKey]) throws -> KeyRing.Key {
        func unknown(_ ring: KeyRing) -> KeyRing.Key? {
            ring.keys.last { key in
                key.state == .active && (id == nil || id == key.id)
                    && !registered.contains { $0.id == key.id && $0.algorithm == .hmacSHA256 }
            }
        }
        guard let path = keys.path else {
            guard let key = unknown(try keys.source.load()) else {
                throw ValidationError(
                    keys.keyFd == nil
                        ? "--key-file is missing: name the file of the key ring"
                        : "the ring has no active key that the store does not know; a descriptor is not written to"
                )
            }
            return key
        }
        return try KeyRingFile.change(path) { ring in
            if let key = unknown(ring) { return key }
            let taken = Set(ring.keys.map(\.id) + registered.map(\.id))
            let now = StoreOptions().clock()
            let key = try KeyRing.Key.random(id: id ?? Self.id(now, taken), activatedAt: now)
            try ring.add(key)
            return key
        }
    }

    /// Today's date, numbered where it is taken.
    private static func id(_ now: Int64, _ taken: Set<String>) -> String {
        let date = String(RFC3339.string(microseconds: now).prefix(10))
        guard taken.contains(date) else { return date }
        var number = 2
        while taken.contains("\(date)-\(number)") { number += 1 }
        return "\(date)-\(number)"
    }
}
