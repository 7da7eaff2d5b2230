import TallystickCore
package import TallystickMigrations
package import TallystickSQLite

/// Brings a store's schema up to date.
package enum SchemaMigrator {
    /// Applies the migrations that a store lacks, in one transaction.
    package static func migrate(_ connection: Connection, clock: () -> Int64) throws {
        try connection.write {
            let present = try StoreSchema.version(of: connection)
            for migration in Migrations.all.dropFirst(present) {
                try connection.execute(migration.sql)
                let record = try connection.prepare(
                    """
                    INSERT INTO schema_migrations (number, name, sha256, applied_at)
                    VALUES (?1, ?2, ?3, ?4)
                    """
                )
                try record.bind(Int64(migration.number), at: 1)
                try record.bindText(migration.name, at: 2)
                try record.bindText(digest(migration), at: 3)
                try record.bind(clock(), at: 4)
                try record.run()
            }
            try connection.execute("PRAGMA user_version = \(Migrations.all.count)")
            try connection.execute("PRAGMA application_id = \(StoreSchema.applicationID)")
        }
    }

    package static func digest(_ migration: Migration) -> String {
        SHA256Digest(hashing: Array(migration.sql.utf8)).hex
    }
}
