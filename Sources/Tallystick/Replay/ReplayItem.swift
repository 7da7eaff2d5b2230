public import TallystickCore

/// What a replay hands to a sink outside of SQLite: an event as appended, or a correction of one that was
/// handed on before.
public enum ReplayItem: Sendable, Equatable {
    case event(StoredEvent)
    case correction(EventCorrection)

    /// Of the event. For deduplication: an event is known by its position, a correction by its resolution's id.
    public var position: Position {
        switch self {
        case .event(let event): event.position
        case .correction(let correction): correction.event.position
        }
    }

    /// Appends the item as one JSON object, without a line feed.
    ///
    /// `kind` (`event` or `correction`), `position`, `stream`, `revision`, `category`, `origin`, `recorded_at`
    /// (RFC 3339), and `event`: the CloudEvent in canonical form, `null` where a correction excludes it. A
    /// correction also has `resolution_id`, `decision`, and `previous`: the CloudEvent that counted before, or
    /// `null`.
    public func writeJSON(to output: inout [UInt8]) {
        switch self {
        case .event(let event):
            Self.literal("{\"kind\":\"event\"", to: &output)
            Self.writePlace(of: event, to: &output)
            Self.literal(",\"event\":", to: &output)
            output.append(contentsOf: event.content)
        case .correction(let correction):
            Self.literal(
                "{\"kind\":\"correction\",\"resolution_id\":\(correction.resolutionID),\"decision\":\"\(correction.decision.rawValue)\"",
                to: &output
            )
            Self.writePlace(of: correction.event, to: &output)
            Self.literal(",\"event\":", to: &output)
            let content = correction.isExclusion ? nil : correction.event.content
            output.append(contentsOf: content ?? Array("null".utf8))
            Self.literal(",\"previous\":", to: &output)
            output.append(contentsOf: correction.previousContent ?? Array("null".utf8))
        }
        output.append(0x7D)
    }

    private static func writePlace(of event: StoredEvent, to output: inout [UInt8]) {
        literal(",\"position\":\(event.position),\"stream\":", to: &output)
        CanonicalJSON.writeString(event.stream, to: &output)
        literal(",\"revision\":\(event.revision),\"category\":", to: &output)
        CanonicalJSON.writeString(event.category, to: &output)
        literal(",\"origin\":", to: &output)
        CanonicalJSON.writeString(event.origin, to: &output)
        literal(",\"recorded_at\":\"", to: &output)
        RFC3339.write(microseconds: event.recordedAt.microseconds, to: &output)
        literal("\"", to: &output)
    }

    private static func literal(_ text: String, to output: inout [UInt8]) {
        output.append(contentsOf: text.utf8)
    }
}

/// Where a replay without a checkpoint stands: after an event, and after a decision made there.
///
/// Its text is `POSITION` or `POSITION:RESOLUTION`. Without a resolution, decisions made at that position
/// are still to come.
public struct ReplayCursor: Sendable, Equatable, CustomStringConvertible {
    /// The last position that was handed on; 0 before the first event.
    public var position: Position
    /// The resolution handed on last, 0 for none; nil: those made before the position was the head.
    public var resolutionID: Int64?
    /// Why the replay stopped there before the head; nil where nothing held it.
    public internal(set) var hold: String?

    /// Before the first event, where none is given.
    public init(after position: Position = 0, resolutionID: Int64? = nil) {
        self.position = position
        self.resolutionID = resolutionID
    }

    /// - returns: nil for a text that is not a cursor.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard (1...2).contains(parts.count), let position = parts[0], position >= 0 else {
            return nil
        }
        self.init(after: Position(position))
        guard parts.count == 2 else { return }
        guard let resolution = parts[1], resolution >= 0 else { return nil }
        resolutionID = resolution
    }

    public var description: String {
        resolutionID.map { "\(position):\($0)" } ?? "\(position)"
    }
}
