import ArgumentParser
import Tallystick
import TallystickCore

/// Puts a new key into a ring and a store.
///
/// Ring and store are two files, which no transaction joins. A change takes three steps, each of which is done as a
/// whole or not at all:
///
/// 1. The ring gets the new key.
/// 2. The store registers it and retires the former keys, in one transaction: from here on it makes the HMACs.
/// 3. The ring retires the former keys.
///
/// A run begins with what it finds, so that one after an interruption finishes the work: a key of the ring that the
/// store does not know is the one of step 1; keys that are active in the ring and retired in the store are those of
/// step 3. Where nothing is left of the same request, it is refused as done (`alreadyDecided`).
struct NewKey {
    let request: KeyRequest

    func register(id: String?, replacing: Bool) async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        return try await OpenedStore.with(request.store, .readOnly) {
            try await register(id, replacing, $0, started)
        }
    }

    private func register(
        _ id: String?,
        _ replacing: Bool,
        _ reader: EventStore,
        _ started: UInt64
    ) async throws -> Int32 {
        let registered = try await reader.keys().filter { $0.algorithm == .hmacSHA256 }
        let former = registered.last { $0.state == .active }
        let late = try retireLate(registered)
        if let former, let done = try await earlierRun(id, former, replacing, reader) {
            guard !late.isEmpty else { throw Self.alreadyDone(former, done, replacing) }
            return try print(
                reader,
                (former.id, former.fingerprint),
                retired: late,
                replacing,
                started
            )
        }
        if let former, !replacing {
            throw Self.refused(
                former.id,
                "the store has an active key",
                "Run 'tally keys rotate' to put another in its place"
            )
        }
        let key = try prepare(id, registered)
        let opened = try await OpenedStore.with(
            request.store,
            keys: request.keys.source,
            request.change.waiting.command()
        ) { opened in
            try await opened.register(
                key,
                replacing: replacing,
                actor: request.change.actor,
                reason: request.change.reason
            )
            return opened
        }
        if let former, let path = request.keys.path {
            try KeyRingFile.change(path) { $0.retire(former.id) }
        }
        let retired = former.map { [$0.id] } ?? []
        return try print(opened, (key.id, key.fingerprint), retired: retired, replacing, started)
    }

    private func print(
        _ opened: EventStore,
        _ key: (id: String, fingerprint: String),
        retired: [String],
        _ replacing: Bool,
        _ started: UInt64
    ) throws -> Int32 {
        let title = replacing ? KeysRotate.title : KeysGenerate.title
        var result = Report(title, on: opened, started: started)
        result.add("key_id", .text(key.id))
        result.add("fingerprint", .text(key.fingerprint))
        result.add("retired", .optional(retired.last))
        try result.print(request.report) {
            ["key '\(key.id)' is active"] + retired.map { "key '\($0)' is retired" }
        }
        return Exit.done
    }

    // MARK: Earlier runs

    /// Retires the keys in the ring that the store has retired.
    ///
    /// - returns: their ids.
    private func retireLate(_ registered: [RegisteredKey]) throws -> [String] {
        guard let path = request.keys.path else { return [] }
        return try KeyRingFile.change(path) { ring in
            let late = registered.filter { key in
                key.state == .retired && ring[key.id]?.state == .active
                    && ring[key.id]?.fingerprint == key.fingerprint
            }
            for key in late { ring.retire(key.id) }
            return late.map(\.id)
        }
    }

    /// The act that made a key the active one, where it was this same request: for the key of this id; or without an
    /// id, on this day, by the same actor and for the same reason.
    private func earlierRun(
        _ id: String?,
        _ active: RegisteredKey,
        _ replacing: Bool,
        _ store: EventStore
    ) async throws -> DoneAct? {
        guard let done = try await store.registration(of: active),
            done.isKeyAct(replacing ? "rotate" : "register")
        else { return nil }
        if let id { return id == active.id ? done : nil }
        let isToday = active.id.hasPrefix(Self.date(StoreOptions().clock()))
        let isSame = done.actor == request.change.actor && done.reason == request.change.reason
        return isToday && isSame ? done : nil
    }

    private static func alreadyDone(
        _ key: RegisteredKey,
        _ done: DoneAct,
        _ replacing: Bool
    ) -> StoreError {
        StoreError(
            .alreadyDecided,
            during: replacing ? "rotate the key" : "make the key",
            on: "key '\(key.id)'",
            "this was already done \(done.text): the key is active",
            hint: replacing
                ? "For another key, name it with --id"
                : "Run 'tally keys rotate' to put another in its place"
        )
    }

    private static func refused(_ id: String, _ reason: String, _ hint: String) -> StoreError {
        StoreError(
            .invalidArgument,
            during: "make the key",
            on: "key '\(id)'",
            reason,
            hint: hint
        )
    }

    // MARK: The key

    /// The ring's newest active key that the store does not know, or a new one.
    private func prepare(_ id: String?, _ registered: [RegisteredKey]) throws -> KeyRing.Key {
        func unknown(_ ring: KeyRing) -> KeyRing.Key? {
            ring.keys.last { key in
                key.state == .active && (id == nil || id == key.id)
                    && !registered.contains { $0.id == key.id }
            }
        }
        guard let path = request.keys.path else {
            guard let key = unknown(try request.keys.source.load()) else {
                throw ValidationError(
                    request.keys.keyFd == nil
                        ? "--key-file is missing: name the file of the key ring"
                        : "the ring has no active key that the store does not know; a descriptor is not written to"
                )
            }
            return key
        }
        return try KeyRingFile.change(path) { ring in
            if let key = unknown(ring) { return key }
            let taken = Set(ring.keys.map(\.id) + registered.map(\.id))
            if let id, taken.contains(id) {
                throw Self.refused(id, "there was a key of this id before", "Choose another --id")
            }
            let now = StoreOptions().clock()
            let key = try KeyRing.Key.random(id: id ?? Self.id(now, taken), activatedAt: now)
            try ring.add(key)
            return key
        }
    }

    /// Today's date, numbered where it is taken.
    private static func id(_ now: Int64, _ taken: Set<String>) -> String {
        let date = date(now)
        guard taken.contains(date) else { return date }
        var number = 2
        while taken.contains("\(date)-\(number)") { number += 1 }
        return "\(date)-\(number)"
    }

    private static func date(_ now: Int64) -> String {
        String(RFC3339.string(microseconds: now).prefix(10))
    }
}
