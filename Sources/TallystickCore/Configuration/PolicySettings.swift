/// A named chain of rules, tried in turn until one decides. If none does, the conflict waits for a person, as under
/// `manual`.
package struct PolicySettings: Sendable, Equatable {
    package let name: String
    /// One or more.
    package let chain: [PolicyStep]

    /// The policy if none is named.
    package static let defaultName = "manual"
}

/// One rule of a chain.
package struct PolicyStep: Sendable, Equatable {
    package let rule: PolicyRule
    /// How ties between candidates are broken; nil: the smallest content digest wins, whatever the order of arrival
    /// (for `last_write_wins`, the candidate that arrived last).
    package let tieBreak: TieBreak?

    package init(_ rule: PolicyRule, tieBreak: TieBreak? = nil) {
        self.rule = rule
        self.tieBreak = tieBreak
    }
}

/// How ties between candidates are broken.
package enum TieBreak: String, Sendable, CaseIterable {
    case firstWriteWins = "first_write_wins"
    case lastWriteWins = "last_write_wins"
    case originPriority = "origin_priority"
}

/// A rule that turns a conflict's candidates into a decision.
package enum PolicyRule: Sendable, Equatable {
    /// The candidate that arrived first.
    case firstWriteWins
    /// The candidate with the latest `time`, then the one that arrived last.
    case lastWriteWins
    /// The candidate of the origin with the smallest priority number.
    case originPriority
    /// The candidate with the highest number at a JSON Pointer into the data.
    case highest(pointer: String)
    /// The candidate with the lowest number at a JSON Pointer into the data.
    case lowest(pointer: String)
    /// The candidate that more than half of the origins support.
    case majority
    /// The candidate that at least this many origins support.
    case quorum(Int)
    /// Field by field, for the JSON Pointers listed, in order; if other fields differ too, the next rule decides.
    case fieldMerge([FieldRule])
    /// The event is excluded.
    case quarantine
    /// A person decides.
    case manual
    /// The run stops.
    case halt
    /// A policy that the program registered under this name.
    case swift(String)
    /// Another policy of the settings.
    case policy(String)

    /// The name in a settings file.
    package var name: String {
        switch self {
        case .firstWriteWins: "first_write_wins"
        case .lastWriteWins: "last_write_wins"
        case .originPriority: "origin_priority"
        case .highest: "highest"
        case .lowest: "lowest"
        case .majority: "majority"
        case .quorum: "quorum"
        case .fieldMerge: "field_merge"
        case .quarantine: "quarantine"
        case .manual: "manual"
        case .halt: "halt"
        case .swift: "swift"
        case .policy(let name): name
        }
    }

    /// Names that policies of a settings file cannot have.
    static let builtInNames: Set<String> = [
        "first_write_wins", "last_write_wins", "origin_priority", "highest", "lowest", "majority",
        "quorum", "field_merge", "quarantine", "manual", "halt", "swift",
    ]

    /// The rule with a name that needs no parameters, and that a category can therefore use without a policy.
    static func plain(_ name: String) -> PolicyRule? {
        switch name {
        case "first_write_wins": .firstWriteWins
        case "last_write_wins": .lastWriteWins
        case "origin_priority": .originPriority
        case "majority": .majority
        case "quarantine": .quarantine
        case "manual": .manual
        case "halt": .halt
        default: nil
        }
    }

    /// Whether no rule after this one is ever tried.
    var alwaysDecides: Bool {
        switch self {
        case .quarantine, .manual, .halt: true
        default: false
        }
    }
}

/// How one field of the data is merged.
package struct FieldRule: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The value that an origin delivered.
        case take(String)
        case max
        case min
        /// All elements of the arrays, each once.
        case union
        /// The value of the candidate with the latest `time`.
        case newest
    }

    /// A JSON Pointer (RFC 6901) into the data.
    package let pointer: String
    package let kind: Kind

    package init(_ pointer: String, _ kind: Kind) {
        self.pointer = pointer
        self.kind = kind
    }
}
