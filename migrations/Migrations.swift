/// One step of the schema, as the plain SQL of the file of that name in this folder.
public struct Migration: Sendable {
    /// 1-based, contiguous; the store's `user_version` once this step is applied.
    public let number: Int
    /// The file's name without its extension, for example `V0001_initial`.
    public let name: String
    /// The file's text.
    public let sql: String
}

/// Every migration, in the order in which they are applied.
public enum Migrations {
    public static let all: [Migration] = [
        Migration(number: 1, name: "V0001_initial", bytes: PackageResources.V0001_initial_sql),
        Migration(
            number: 2,
            name: "V0002_reconciliation",
            bytes: PackageResources.V0002_reconciliation_sql
        ),
        Migration(number: 3, name: "V0003_proof", bytes: PackageResources.V0003_proof_sql),
        Migration(
            number: 4,
            name: "V0004_identity_segments",
            bytes: PackageResources.V0004_identity_segments_sql
        ),
        Migration(
            number: 5,
            name: "V0005_provenance",
            bytes: PackageResources.V0005_provenance_sql
        ),
    ]
}

extension Migrations {
    /// By the number of applied migrations, the SHA-256 of the objects that they create: what `SchemaCheck` compares
    /// first. A test computes them again.
    public static let schemaDigests: [Int: String] = [
        4: "17a524f2a429eb589277ff2bd7bcdc5b3e27d0d0316fda9724eaf06892949b04",
        5: "a7d9cd157d20b3e539a11334319f9e7633617e63f16bf01b5a6c4ce39b418895",
    ]
}

extension Migration {
    init(number: Int, name: String, bytes: [UInt8]) {
        self.init(number: number, name: name, sql: String(decoding: bytes, as: UTF8.self))
    }
}
