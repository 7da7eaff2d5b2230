import Tallystick
import TallystickCore

/// What each order comes to, in a table of the store.
struct OrderTotals: Projection {
    let version: Int64 = 1
    let types = ["order.placed"]

    func setUp(in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            "CREATE TABLE order_totals (id TEXT PRIMARY KEY, total INTEGER NOT NULL) STRICT"
        )
    }

    func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            """
            INSERT INTO order_totals VALUES (?1, ?2 ->> 'total')
            ON CONFLICT (id) DO UPDATE SET total = excluded.total
            """,
            [.text(event.id), event.sqlData]
        )
    }
}
