import TallystickCore
import TallystickSQLite

/// An event as a replay hands it on. Valid only while it is applied.
struct ReplayedEvent {
    /// The row of the event as appended.
    var row: EventRow
    var position: Int64
    var streamID: Int64
    /// Gives the row's names, when they are asked for.
    var names: EventRowReader
    /// What was decided over the event, if anything was. Behind a reference, because few events have it and
    /// all are passed on by value.
    var decision: DecidedEvent?

    /// The resolution that says what the event's content is, if one does.
    var resolution: VerifiedResolution? { decision?.resolution }
    /// What the event's content is by that resolution; nil for the event as appended.
    var replacement: EventFields? { decision?.replacement }
    /// Set where the event is a correction of one that was consumed before.
    var correction: Correction? { decision?.correction }

    struct Correction {
        var resolutionID: Int64
        var decision: String
        /// The content that counted before; nil for none.
        var previousContent: [UInt8]?
        var previousData: SQLValue
    }

    /// The canonical content of the event as appended, put together again from the row that was verified.
    func appendedContent() throws -> [UInt8] {
        guard try names.readContent(row) else {
            throw EventSource.damaged(position, "a name is missing")
        }
        return names.content
    }

    /// The type that counts.
    func type() throws(SQLiteError) -> String {
        if let replacement { return replacement.type }
        return try names.name(.types, of: row)
    }
}

/// What was decided over an event.
final class DecidedEvent {
    let resolution: VerifiedResolution
    let replacement: EventFields?
    let correction: ReplayedEvent.Correction?

    init(
        _ resolution: VerifiedResolution,
        _ replacement: EventFields?,
        correction: ReplayedEvent.Correction? = nil
    ) {
        self.resolution = resolution
        self.replacement = replacement
        self.correction = correction
    }
}
