/// Kinds of conflict. The raw values are part of the file format.
public enum ConflictKind: String, Sendable, CaseIterable {
    case payloadDiffers = "payload_differs"
    case metadataDiffers = "metadata_differs"
    case equivocation
    case missingAtOrigin = "missing_at_origin"
    case originSilent = "origin_silent"
    case lateArrival = "late_arrival"
    case sequenceGap = "sequence_gap"
    case sequenceCollision = "sequence_collision"
    case unverifiable
    case tamperedAtRest = "tampered_at_rest"

    /// Whether the conflict is about something that did not arrive.
    public var isOverAbsence: Bool {
        switch self {
        case .missingAtOrigin, .originSilent, .lateArrival, .sequenceGap: true
        default: false
        }
    }

    /// Whether copies that come late end the conflict, and `late_arrival` says so.
    public var isEndedByLateArrival: Bool { self == .missingAtOrigin || self == .originSilent }

    /// Whether the conflict is about a stored record that failed a proof. Such a one is never left out of a sample.
    public var isOverDamage: Bool { self == .tamperedAtRest || self == .unverifiable }

    /// Whether the conflict is about what the event at a position says.
    public var isOverContent: Bool {
        switch self {
        case .payloadDiffers, .metadataDiffers, .equivocation: true
        default: false
        }
    }
}

/// What a resolution does with its event. The raw values are part of the file format.
public enum Decision: String, Sendable, CaseIterable {
    /// One candidate's content counts.
    case take
    /// Content that no origin delivered as a whole counts.
    case merge
    /// Nothing counts at the position.
    case exclude
    /// The event stands although an origin did not bring it.
    case acceptMissing = "accept_missing"
}
