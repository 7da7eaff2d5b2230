import TallystickCore
import TallystickSQLite

/// A projection on the connection that holds its tables: a SQL file, or a Swift type.
///
/// The engine calls it inside its transactions, and never keeps what it hands over.
protocol ProjectionDriver: AnyObject {
    /// Creates the projection's tables.
    func setUp() throws
    /// Finds mistakes before the first event.
    func prepare() throws
    /// Applies an event, or a correction; false when the projection takes none of its type.
    ///
    /// - throws: `PoisonEvent` for a reason that lies in the event; anything else stops the replay.
    func apply(_ event: ReplayedEvent) throws -> Bool
}

extension ProjectionDriver {
    func prepare() throws {}
}

/// An event that a projection cannot apply, and why.
struct PoisonEvent: Error {
    var reason: String
}
