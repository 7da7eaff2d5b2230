package import TallystickSQLite

/// Counts occurrences that leave no row elsewhere. For statistics, not evidence.
package struct CounterRows {
    private let add: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        add = try connection.prepare(
            """
            INSERT INTO counters (counter, origin, value)
            VALUES (?1, ?2, ?3)
            ON CONFLICT (counter, origin) DO UPDATE SET value = value + excluded.value
            """
        )
    }

    package func add(_ count: Int, to counter: String, origin: String) throws(SQLiteError) {
        guard count != 0 else { return }
        try add.bindText(counter, at: 1)
        try add.bindText(origin, at: 2)
        try add.bind(Int64(count), at: 3)
        try add.run()
    }
}
