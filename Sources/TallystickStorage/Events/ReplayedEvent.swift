import TallystickCore
package import TallystickSQLite

/// An event as passed on by a replay. Valid only while it is being applied.
package struct ReplayedEvent {
    /// The row of the event as appended.
    package var row: EventRow
    package var position: Int64
    package var streamID: Int64
    /// Supplies the row's names on request.
    package var names: EventRowReader
    /// The decision on the event, if there is one. Behind a reference, because few events have one and all are
    /// passed by value.
    package var decision: DecidedEvent?

    /// The resolution that determines the event's content, if there is one.
    package var resolution: VerifiedResolution? { decision?.resolution }
    /// The event's content by that resolution; nil for the event as appended.
    package var replacement: EventFields? { decision?.replacement }
    /// Set if the event is a correction of one consumed earlier.
    package var correction: Correction? { decision?.correction }

    package struct Correction {
        package var resolutionID: Int64
        package var decision: String
        /// The content that was effective before; nil for none.
        package var previousContent: [UInt8]?
        package var previousData: SQLValue
    }

    /// The canonical content of the event as appended, rebuilt from the verified row.
    package func appendedContent() throws -> [UInt8] {
        guard try names.readContent(row) else {
            throw EventSource.damaged(position, "a name is missing")
        }
        return names.content
    }

    /// The effective type.
    package func type() throws(SQLiteError) -> String {
        if let replacement { return replacement.type }
        return try names.name(.types, of: row)
    }
}

/// A decision on an event.
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
