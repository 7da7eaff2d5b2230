public import TallystickCore
import TallystickSQLite

extension EventStore {
    /// The keys that the store knows, in order of registration.
    public func keys() async throws(StoreError) -> [RegisteredKey] {
        try await reading("list the keys") { try KeyRows(in: $0).read().keys }
    }

    /// The act that recorded a key.
    package func registration(of key: RegisteredKey) async throws(StoreError) -> DoneAct? {
        try await reading("list the keys") { try DoneActRows(in: $0).act(key.registration) }
    }

    /// Makes a key the one that makes HMACs from now on. Categories that require HMACs demand them for every event
    /// recorded later.
    ///
    /// Only the key's id and fingerprint are stored. Registering the active key again changes nothing.
    ///
    /// - parameter key: the key with its secret, which is not stored.
    /// - parameter replacing: whether currently active keys are retired; otherwise there must be none.
    /// - parameter actor: the actor who registers it, for the audit trail; not empty.
    /// - parameter reason: why; not empty.
    /// - throws: `StoreError`: `invalidArgument` if another key is active, or the id is taken.
    @discardableResult
    public func register(
        _ key: KeyRing.Key,
        replacing: Bool = false,
        actor: String,
        reason: String
    ) async throws(StoreError) -> RegisteredKey {
        let operation = replacing ? "rotate the key" : "register the key"
        return try await owner.changeKeys(operation) { writer in
            try writer.register(key, replacing: replacing, actor: actor, reason: reason)
        }
    }

    /// Records a key that signs tree heads: its name and its public half.
    @discardableResult
    public func register(
        _ verifier: NoteVerifier,
        actor: String,
        reason: String
    ) async throws(StoreError) -> RegisteredKey {
        try await owner.changeKeys("register the key") { writer in
            try writer.register(verifier, actor: actor, reason: reason)
        }
    }

    /// Retires a key; it can still verify. Without an active key, events whose category demands an HMAC are refused.
    ///
    /// - throws: `StoreError` with `notFound`, or with `alreadyDecided` for a key that is already retired.
    public func retireKey(
        _ id: String,
        algorithm: RegisteredKey.Algorithm = .hmacSHA256,
        actor: String,
        reason: String
    ) async throws(StoreError) {
        try await owner.changeKeys("retire the key") { writer in
            try writer.retire(id, algorithm, actor: actor, reason: reason)
        }
    }
}

extension StoreOwner {
    func changeKeys<Result: Sendable>(
        _ operation: String,
        _ body: @Sendable (KeyWriter) throws -> Result
    ) throws(StoreError) -> Result {
        try withWriter(operation) { try body(KeyWriter($0, operation)) }
    }
}

/// Commits changes of keys, each act as one row of the audit trail.
struct KeyWriter {
    private let store: StoreWriter
    private let operation: String

    init(_ store: StoreWriter, _ operation: String) {
        self.store = store
        self.operation = operation
    }

    func register(
        _ key: KeyRing.Key,
        replacing: Bool,
        actor: String,
        reason: String
    ) throws -> RegisteredKey {
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        guard key.state == .active else {
            throw refused(key.id, "it is retired in its ring", "Use an active key")
        }
        return try store.transaction(operation) {
            let registered = try store.registeredKeys()
            if let known = registered[key.id, .hmacSHA256] {
                guard known.fingerprint == key.fingerprint else {
                    throw refused(key.id, "another key has this id", "Choose another id")
                }
                guard known.state == .active else {
                    throw refused(key.id, "it was retired, for good", "Make a new key")
                }
                if known == registered.active { return known }
            }
            let others = registered.keys.filter {
                $0.algorithm == .hmacSHA256 && $0.state == .active && $0.id != key.id
            }
            guard replacing || others.isEmpty else {
                throw refused(
                    key.id,
                    "key '\(others[0].id)' is active",
                    "Run 'tally keys rotate' to put another in its place"
                )
            }
            let row = row(replacing ? "rotate" : "register", nil, actor, reason)
            try store.addAudit(row, tables: [.keys]) { sequence in
                try store.keys.add(
                    id: key.id,
                    algorithm: .hmacSHA256,
                    fingerprint: key.fingerprint,
                    state: .active,
                    auditSequence: sequence
                )
                for other in others {
                    try store.keys.add(
                        id: other.id,
                        algorithm: other.algorithm,
                        fingerprint: other.fingerprint,
                        state: .retired,
                        auditSequence: sequence
                    )
                }
            }
            try store.addHead(key: key)
            return try known(key.id, .hmacSHA256)
        }
    }

    func register(
        _ verifier: NoteVerifier,
        actor: String,
        reason: String
    ) throws -> RegisteredKey {
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        let fingerprint = SHA256Digest(hashing: verifier.publicKey).hex
        return try store.transaction(operation) {
            if let known = try store.registeredKeys()[verifier.name, .ed25519] {
                guard known.fingerprint == fingerprint, known.state == .active else {
                    throw refused(
                        verifier.name,
                        "another key has this name, or it was retired",
                        "Choose another name"
                    )
                }
                return known
            }
            try store.addAudit(row("register", verifier, actor, reason), tables: [.keys]) {
                sequence in
                try store.keys.add(
                    id: verifier.name,
                    algorithm: .ed25519,
                    fingerprint: fingerprint,
                    state: .active,
                    auditSequence: sequence
                )
            }
            return try known(verifier.name, .ed25519)
        }
    }

    func retire(
        _ id: String,
        _ algorithm: RegisteredKey.Algorithm,
        actor: String,
        reason: String
    ) throws {
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        try store.transaction(operation) {
            guard let key = try store.registeredKeys()[id, algorithm] else {
                throw StoreError(
                    .notFound,
                    during: operation,
                    on: "key '\(id)'",
                    "there is no such key",
                    hint: "See 'tally keys list'"
                )
            }
            guard key.state == .active else {
                let done = try key.retirement.flatMap {
                    try DoneActRows(in: store.connection).act($0)
                }
                throw StoreError(
                    .alreadyDecided,
                    during: operation,
                    on: "key '\(id)'",
                    "this was already done" + (done.map { " \($0.text)" } ?? ""),
                    hint: "There is nothing left to do; see 'tally keys list'"
                )
            }
            try store.addAudit(row("retire", nil, actor, reason), tables: [.keys]) { sequence in
                try store.keys.add(
                    id: id,
                    algorithm: algorithm,
                    fingerprint: key.fingerprint,
                    state: .retired,
                    auditSequence: sequence
                )
            }
        }
    }

    // MARK: Rows

    private func row(
        _ act: String,
        _ verifier: NoteVerifier?,
        _ actor: String,
        _ reason: String
    ) -> AuditRow {
        var detail: [UInt8] = []
        let position = store.size(of: .events)
        detail.append(contentsOf: "{\"act\":\"\(act)\",\"after_position\":\(position)".utf8)
        if let verifier {
            detail.append(contentsOf: ",\"public_key\":".utf8)
            CanonicalJSON.writeString(verifier.description, to: &detail)
        }
        detail.append(0x7D)
        return AuditRow(
            kind: .key,
            recordedAt: store.clock(),
            actor: actor,
            reason: reason,
            detail: String(decoding: detail, as: UTF8.self)
        )
    }

    private func known(
        _ id: String,
        _ algorithm: RegisteredKey.Algorithm
    ) throws -> RegisteredKey {
        guard let key = try store.registeredKeys()[id, algorithm] else {
            throw StoreError(.bug, during: operation, on: "key '\(id)'", "its row is not there")
        }
        return key
    }

    private func refused(_ id: String, _ reason: String, _ hint: String) -> StoreError {
        StoreError(.invalidArgument, during: operation, on: "key '\(id)'", reason, hint: hint)
    }
}
