public import TallystickCore
package import TallystickSQLite

/// A key as the store knows it: never the key itself.
public struct RegisteredKey: Sendable, Equatable {
    /// The purpose of a key. The raw values are part of the file format.
    public enum Algorithm: String, Sendable {
        case hmacSHA256 = "hmac-sha256"
        /// Signs tree heads.
        case ed25519
    }

    /// Its name, as used in events and notes.
    public var id: String
    /// Its purpose.
    public var algorithm: Algorithm
    /// In hexadecimal: for an HMAC key `KeyRing.Key.fingerprint`, for a signing key the SHA-256 of the public key.
    public var fingerprint: String
    /// Whether it still makes checksums or signatures.
    public var state: KeyRing.State
    /// When it was registered first.
    public var registeredAt: Timestamp
    /// Events up to here existed before it was registered.
    public var afterPosition: Position
    /// Events up to here may have its checksums; nil while it is active.
    public var retiredAfterPosition: Position?
    /// The row of the audit trail that registered it.
    package var registration: Int64
    /// The row of the audit trail that retired it.
    package var retirement: Int64?
}

/// The keys of a store, in order of registration, each in its newest state.
package struct RegisteredKeys: Sendable {
    package var keys: [RegisteredKey] = []
    /// The newest row that they were read from.
    package var lastRow: Int64 = 0

    /// Whether categories that require an HMAC get one from now on.
    package var demandsHMAC: Bool { keys.contains { $0.algorithm == .hmacSHA256 } }

    /// The key that makes new HMACs: the active one registered last.
    package var active: RegisteredKey? {
        keys.last { $0.algorithm == .hmacSHA256 && $0.state == .active }
    }

    package subscript(id: String, algorithm: RegisteredKey.Algorithm) -> RegisteredKey? {
        keys.first { $0.id == id && $0.algorithm == algorithm }
    }

    /// The key that makes new HMACs, if a ring contains it as active.
    package func usable(in ring: KeyRing) -> KeyRing.Key? {
        guard let active, let key = ring[active.id], key.state == .active,
            key.fingerprint == active.fingerprint
        else { return nil }
        return key
    }

    /// The key that makes new HMACs.
    ///
    /// - parameter subject: the affected object, for the message.
    /// - throws: `StoreError` with `keyMissing`, which says why it cannot be used.
    package func required(
        from ring: KeyRing,
        during operation: String,
        for subject: String
    ) throws(StoreError) -> KeyRing.Key {
        if let key = usable(in: ring) { return key }
        let reason: String
        var hint = "The batch was not written"
        if let active {
            switch ring[active.id] {
            case nil:
                reason = "it demands an HMAC by key '\(active.id)', which was not given"
                hint += ". Name the key ring with --key-file, --key-fd or TALLY_KEY_FILE"
            case .some(let key) where key.fingerprint != active.fingerprint:
                reason = "the ring has a different key under the id '\(active.id)'"
                hint += ". Use the ring with which the key was registered"
            case .some:
                reason = "key '\(active.id)' is retired in the ring, and makes no new HMACs"
                hint += ". Run 'tally keys rotate', which finishes what was begun"
            }
        } else {
            reason = "it demands an HMAC, and every key of the store is retired"
            hint += ". Run 'tally keys rotate'"
        }
        throw StoreError(.keyMissing, during: operation, on: subject, reason, hint: hint)
    }
}

/// Adds and reads rows of `keys`.
package struct KeyRows {
    private let insert: Statement
    private let selectLast: Statement
    private let select: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO keys (key_row, audit_sequence, key_id, algorithm, fingerprint, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """
        )
        selectLast = try connection.prepare("SELECT coalesce(max(key_row), 0) FROM keys")
        select = try connection.prepare(
            """
            SELECT k.key_row, k.key_id, k.algorithm, k.fingerprint, k.state, a.recorded_at,
                \(AuditDetail.afterPosition), k.audit_sequence
            FROM keys AS k
            JOIN audit_trail AS a ON a.audit_sequence = k.audit_sequence
            ORDER BY k.key_row
            """
        )
    }

    package func lastRow() throws(SQLiteError) -> Int64 { try selectLast.optionalInt64() ?? 0 }

    /// Adds the state of a key from now on.
    package func add(
        id: String,
        algorithm: RegisteredKey.Algorithm,
        fingerprint: String,
        state: KeyRing.State,
        auditSequence: Int64
    ) throws(SQLiteError) {
        try insert.bind(try lastRow() + 1, at: 1)
        try insert.bind(auditSequence, at: 2)
        try insert.bindText(id, at: 3)
        try insert.bindText(algorithm.rawValue, at: 4)
        try insert.bindText(fingerprint, at: 5)
        try insert.bindText(state.rawValue, at: 6)
        try insert.run()
    }

    /// - throws: `StoreError` with `integrity` for a row that no release wrote.
    package func read() throws -> RegisteredKeys {
        var registered = RegisteredKeys()
        var damaged: Int64?
        while try select.step() {
            registered.lastRow = select.int64(at: 0)
            guard let algorithm = RegisteredKey.Algorithm(rawValue: select.text(at: 2)),
                let state = KeyRing.State(rawValue: select.text(at: 4))
            else {
                damaged = damaged ?? registered.lastRow
                continue
            }
            var key = RegisteredKey(
                id: select.text(at: 1),
                algorithm: algorithm,
                fingerprint: select.text(at: 3),
                state: state,
                registeredAt: Timestamp(microseconds: select.int64(at: 5)),
                afterPosition: Position(select.int64(at: 6)),
                registration: select.int64(at: 7)
            )
            if state == .retired {
                (key.retiredAfterPosition, key.retirement) = (
                    key.afterPosition, select.int64(at: 7)
                )
            }
            if let index = registered.keys.firstIndex(where: {
                $0.id == key.id && $0.algorithm == key.algorithm
            }) {
                registered.keys[index].state = state
                // The first retirement counts.
                if registered.keys[index].retirement == nil {
                    registered.keys[index].retirement = key.retirement
                    registered.keys[index].retiredAfterPosition = key.retiredAfterPosition
                }
            } else {
                registered.keys.append(key)
            }
        }
        try select.reset()
        guard let damaged else { return registered }
        throw StoreError(
            .integrity,
            during: "read the keys",
            on: "keys \(damaged)",
            "its algorithm or state is unknown",
            hint: "Run 'tally verify'"
        )
    }
}
