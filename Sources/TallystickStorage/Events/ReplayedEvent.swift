import TallystickCore
package import TallystickSQLite

/// An event as a replay hands it on. Valid only while it is applied.
package struct ReplayedEvent {
    /// The row of the event as appended.
    package var row: EventRow
    package var position: Int64
    package var streamID: Int64
    /// Gives the row's names, when they are asked for.
    package var names: EventRowReader
    /// What was decided over the event, if anything was. Behind a reference, because few events have it and
    /// all are passed on by value.
    package var decision: DecidedEvent?

    /// The resolution that says what the event's content is, if one does.
    package var resolution: VerifiedResolution? { decision?.resolution }
    /// What the event's content is by that resolution; nil for the event as appended.
    package var replacement: EventFields? { decision?.replacement }
    /// Set where the event is a correction of one that was consumed before.
    package var correction: Correction? { decision?.correction }

    package struct Correction {
        package var resolutionID: Int64
        package var decision: String
        /// The content that counted before; nil for none.
        package var previousContent: [UInt8]?
        package var previousData: SQLValue
    }

    /// The canonical content of the event as appended, put together again from the row that was verified.
    package func appendedContent() throws -> [UInt8] {
        guard try names.readContent(row) else {
            throw EventSource.damaged(position, "a name is missing")
        }
        return names.content
    }

    /// The type that counts.
    package func type() throws(SQLiteError) -> String {
        if let replacement { return replacement.type }
        return try names.name(.types, of: row)
    }
}

/// What was decided over an event.
package final class DecidedEvent {
    package let resolution: VerifiedResolution
    package let replacement: EventFields?
    package let correction: ReplayedEvent.Correction?

    package init(
        _ resolution: VerifiedResolution,
        _ replacement: EventFields?,
        correction: ReplayedEvent.Correction? = nil
    ) {
        self.resolution = resolution
        self.replacement = replacement
        self.correction = correction
    }
}
