/// A projection written as a SQL file: what to create, and what to run for which events.
///
/// ```sql
/// -- tally:projection service_health
/// -- tally:version 1
/// -- tally:setup
/// CREATE TABLE service_health (service TEXT PRIMARY KEY, checks INTEGER NOT NULL) STRICT;
/// -- tally:on health_check, health.*
/// INSERT INTO service_health VALUES (:data ->> 'service', 1)
/// ON CONFLICT (service) DO UPDATE SET checks = checks + 1;
/// ```
///
/// Parsing finds sections, statements and parameters. Whether the SQL is valid, and what it may touch,
/// only SQLite can tell.
public struct ProjectionFile: Sendable, Equatable {
    /// What happens when a resolution changes history that was already consumed.
    public enum OnCorrection: String, Sendable, CaseIterable {
        /// The projection is rebuilt from effective events. The default.
        case rebuild
        /// The `correct` sections are run.
        case apply
    }

    /// A value that a statement can use. The raw values are the names in SQL, after the colon.
    package enum Parameter: String, Sendable, CaseIterable {
        case position, source, id, type, stream, revision, category, origin, subject, time
        case recordedAt = "recorded_at"
        /// JSON text, bytes for binary data, else NULL.
        case data
        /// Only in `correct` sections, like those after it.
        case previousData = "previous_data"
        case resolutionID = "resolution_id"
        case decision

        /// Whether only `correct` sections have it.
        package var isOfCorrections: Bool {
            switch self {
            case .previousData, .resolutionID, .decision: true
            default: false
            }
        }
    }

    /// One SQL statement.
    package struct SQLStatement: Sendable, Equatable {
        /// As written, including comments inside, without the semicolon.
        package let sql: String
        /// Where it begins in the file; 1-based.
        package let line: Int
        /// Where it begins in its line; 1-based, in bytes.
        package let column: Int
        /// The parameters that it uses, each once, in the order of their first occurrence, which is the order of
        /// their indices in SQLite.
        package let parameters: [Parameter]
    }

    /// Statements that are run for each event, or correction, of certain types.
    package struct Section: Sendable, Equatable {
        /// One match is enough for the section to be run.
        package let patterns: [EventPattern]
        package let statements: [SQLStatement]
        /// 1-based.
        package let line: Int

        /// Whether the section is run for a type, as UTF-8.
        package func matches(_ type: UnsafeRawBufferPointer) -> Bool {
            patterns.contains { $0.matches(type) }
        }
    }

    /// Names of the parameters of `on` sections.
    public static let parameters = Set(
        Parameter.allCases.filter { !$0.isOfCorrections }.map(\.rawValue)
    )
    /// Names of the parameters that only `correct` sections have.
    public static let correctionParameters = Set(
        Parameter.allCases.filter(\.isOfCorrections).map(\.rawValue)
    )

    /// Bytes of a file.
    public static let maximumByteCount = 1 << 20
    /// Bytes of a name.
    public static let maximumNameByteCount = 64
    /// Statements of a file.
    public static let maximumStatementCount = 1000

    /// Also the name, or the beginning of the names, of its tables.
    public let name: String
    /// 1 or more; must be raised when the file changes.
    public let version: Int64
    /// What happens when a decision changes an event that was applied.
    public let onCorrection: OnCorrection
    /// Statements that create the tables.
    package let setup: [SQLStatement]
    /// What is run for each event; in file order.
    package let on: [Section]
    /// What is run for each correction; in file order.
    package let correct: [Section]
    /// Of the file's bytes.
    public let digest: SHA256Digest

    /// Whether a name can be that of a projection: `[a-z_][a-z0-9_]*`, at most 64 bytes.
    public static func isName(_ name: String) -> Bool { ProjectionHeader.isName(name) }

    /// Parses a file.
    public init(_ bytes: UnsafeRawBufferPointer) throws(ProjectionFileError) {
        var parser = try ProjectionParser(bytes)
        try parser.parse()
        name = try parser.header.requiredName(at: 0)
        version = try parser.header.requiredVersion(at: 0)
        onCorrection = parser.header.onCorrection ?? .rebuild
        setup = parser.setup
        on = parser.on
        correct = parser.correct
        digest = SHA256Digest(hashing: bytes)
    }

    /// Parses a file.
    public init(_ bytes: [UInt8]) throws(ProjectionFileError) {
        self = try bytes.withUnsafeBufferPointer { buffer throws(ProjectionFileError) in
            try Self(UnsafeRawBufferPointer(buffer))
        }
    }
}
