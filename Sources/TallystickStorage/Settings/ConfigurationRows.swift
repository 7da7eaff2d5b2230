package import TallystickCore
package import TallystickSQLite

/// A row of `configurations` with the data of its audit row.
package struct StoredConfiguration {
    /// The actor of versions that hold a process's overrides.
    package static let environment = "environment"

    package var version: Int64
    /// The settings in full, as canonical JSON.
    package var content: [UInt8]
    /// Microseconds since 1970.
    package var recordedAt: Int64
    package var actor: String
    package var reason: String?

    /// - throws: `StoreError` with `integrity` if the content is not a valid settings document.
    package func settings() throws(StoreError) -> StoreSettings {
        do throws(SettingsError) {
            return try StoreSettings(json: content, onto: nil)
        } catch {
            throw StoreError(
                .integrity,
                during: "read the settings",
                on: "configuration \(version)",
                "they are not valid: \(error.message)",
                hint: "Run 'tally verify'"
            )
        }
    }
}

/// Adds and reads rows of `configurations`: every effective configuration that was ever in force.
package struct ConfigurationRows {
    private let insert: Statement
    private let selectNewestVersion: Statement
    private let selectNewest: Statement
    private let selectBase: Statement
    private let selectVersion: Statement
    private let selectAfter: Statement
    private let selectOrigin: Statement
    private let selectStart: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO configurations (version, audit_sequence, content_sha256, content)
            VALUES (?1, ?2, ?3, ?4)
            """
        )
        selectNewestVersion = try connection.prepare("SELECT max(version) FROM configurations")
        func select(_ rest: String) throws(SQLiteError) -> Statement {
            try connection.prepare(
                """
                SELECT c.version, c.content, a.recorded_at, a.actor, a.reason
                FROM configurations AS c
                JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
                \(rest)
                """
            )
        }
        selectNewest = try select("ORDER BY c.version DESC LIMIT 1")
        selectBase = try select("WHERE a.actor <> ?1 ORDER BY c.version DESC LIMIT 1")
        selectVersion = try select("WHERE c.version = ?1")
        selectOrigin = try connection.prepare("SELECT 1 FROM origins WHERE name = ?1")
        selectAfter = try select("WHERE c.version > ?1 ORDER BY c.version LIMIT 1")
        selectStart = try connection.prepare(
            """
            SELECT a.kind, a.detail, a.audit_sequence
            FROM configurations AS c
            JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
            WHERE c.version = ?1
            """
        )
    }

    package func add(_ content: [UInt8], version: Int64, auditSequence: Int64) throws(SQLiteError) {
        try insert.bind(version, at: 1)
        try insert.bind(auditSequence, at: 2)
        try insert.bindText(SHA256Digest(hashing: content).hex, at: 3)
        try insert.bindText(String(decoding: content, as: UTF8.self), at: 4)
        try insert.run()
    }

    /// 0 if there is none.
    package func newestVersion() throws(SQLiteError) -> Int64 {
        try selectNewestVersion.optionalInt64() ?? 0
    }

    package func newest() throws(SQLiteError) -> StoredConfiguration? {
        try selectNewest.first(Self.read)
    }

    /// The store's own settings: the newest version that does not hold a process's overrides.
    package func base() throws(SQLiteError) -> StoredConfiguration? {
        try selectBase.bindText(StoredConfiguration.environment, at: 1)
        return try selectBase.first(Self.read)
    }

    package func configuration(_ version: Int64) throws(SQLiteError) -> StoredConfiguration? {
        try selectVersion.bind(version, at: 1)
        return try selectVersion.first(Self.read)
    }

    /// The next version after a given one.
    package func next(after version: Int64) throws(SQLiteError) -> StoredConfiguration? {
        try selectAfter.bind(version, at: 1)
        return try selectAfter.first(Self.read)
    }

    /// Whether `override_origin` names an origin that every decision can choose: one that is configured, or has
    /// delivered.
    package func knowsOverrideOrigin(of settings: StoreSettings) throws(SQLiteError) -> Bool {
        guard let name = settings.overrideOrigin else { return true }
        if settings.origins.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            return true
        }
        try selectOrigin.bindText(name, at: 1)
        return try selectOrigin.optionalInt64() != nil
    }

    /// The head when a version was added; nil if its audit row does not record it.
    ///
    /// - throws: `StoreError` with `integrity` if that record is damaged.
    package func start(of version: Int64) throws -> Int64? {
        try selectStart.bind(version, at: 1)
        let row = try selectStart.first {
            ($0.text(at: 0), $0.textIfPresent(at: 1), $0.int64(at: 2))
        }
        guard let (kind, detail, sequence) = row else { return nil }
        if kind == AuditKind.storeCreated.rawValue { return 0 }
        guard let detail else { return nil }
        let name = "after_position"
        let members = AuditDetail.members(of: detail)
        if let members, !members.names(name) { return nil }
        guard let position = members?.number(name) else {
            throw StoreError(
                .integrity,
                during: "read the settings",
                on: "audit_trail \(sequence)",
                "its detail does not say from which event on configuration \(version) is in force",
                hint: "Run 'tally verify'"
            )
        }
        return position
    }

    private static func read(_ row: Statement) -> StoredConfiguration {
        StoredConfiguration(
            version: row.int64(at: 0),
            content: row.blob(at: 1),
            recordedAt: row.int64(at: 2),
            actor: row.text(at: 3),
            reason: row.textIfPresent(at: 4)
        )
    }
}
