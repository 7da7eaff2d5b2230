public import TallystickCore

/// Options of a comparison of origins.
public struct OriginComparisonOptions: Sendable {
    /// By what differences are counted, besides in all.
    public enum Grouping: String, Sendable, CaseIterable {
        /// The hour or the day of the event's time, in UTC.
        case hour, day
        /// What the event was recorded under.
        case category, stream, type
    }

    /// Two or more delivery paths. The first one is compared with each of the others.
    public var origins: [String]
    /// Only events at or after this time. An event without a time of its own counts at the time at which it was
    /// recorded.
    public var since: Timestamp?
    /// Only events before this time.
    public var until: Timestamp?
    /// By what differences are counted, besides in all; nil for nothing.
    public var grouping: Grouping?

    /// - parameter origins: two or more delivery paths, the first of which is compared with each of the others.
    public init(_ origins: [String]) { self.origins = origins }
}

/// What two delivery paths have in common, in numbers of events.
public struct OriginComparison: Sendable, Equatable {
    /// Numbers of events.
    public struct Counts: Sendable, Equatable {
        /// Both delivered the event, and agree under the newest settings.
        public var same: Int64 = 0
        /// Both delivered the event, and what each delivered last differs.
        public var differ: Int64 = 0
        /// Only the first path delivered the event.
        public var onlyFirst: Int64 = 0
        /// Only the second path delivered the event.
        public var onlySecond: Int64 = 0

        /// Whether every event that either path delivered is the same in both.
        public var agree: Bool { differ == 0 && onlyFirst == 0 && onlySecond == 0 }
    }

    /// Numbers of the events of a group.
    public struct Group: Sendable, Equatable {
        /// The hour (`2026-03-01T10:00Z`), the day (`2026-03-01`), or the name of the category, stream or type.
        public var name: String
        /// The events of the group.
        public var counts: Counts
    }

    /// A place in which contents differ.
    public struct Member: Sendable, Equatable {
        /// The name of an attribute, or a JSON Pointer that begins with `/data`.
        public var place: String
        /// In how many events it differs.
        public var events: Int64
    }

    /// The paths that are compared.
    public var first: String
    /// See ``first``.
    public var second: String
    /// All events.
    public var counts: Counts
    /// The events by group: hours and days in order of time, others by name. Empty where no grouping was asked for.
    public var groups: [Group]
    /// The places that differ in most events, at most 20, most frequent first.
    public var members: [Member]
}

/// An event about which two delivery paths do not agree.
public struct OriginDifference: Sendable, Equatable {
    /// How they disagree.
    public enum Kind: String, Sendable, CaseIterable {
        /// Only the first of the paths delivered it.
        case onlyFirst = "only_a"
        /// Only the second of the paths delivered it.
        case onlySecond = "only_b"
        /// Both delivered it, and what each delivered last differs.
        case differ
    }

    /// How the paths disagree.
    public var kind: Kind
    /// The paths that are compared.
    public var first: String
    /// See ``first``.
    public var second: String
    /// The event as appended.
    public var event: StoredEvent
    /// Names of attributes, and JSON Pointers that begin with `/data`, at most 100; empty unless both delivered it.
    public var differsIn: [String]
}
