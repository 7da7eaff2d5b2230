/// A distinct content of an event, with the delivery paths that vouch for it.
public struct Candidate: Sendable, Equatable {
    /// In order of arrival: 1 is the event as appended.
    public let number: Int
    /// The delivery path that delivered it first.
    public let origin: String
    /// Every delivery path that delivered this content, or content that agrees with it, including ``origin``; each
    /// once, in byte order.
    public let supporters: [String]
    /// Canonical form; empty if the applicable rules do not read it.
    public private(set) var content: [UInt8]
    /// SHA-256 of the content.
    public let digest: SHA256Digest
    /// The smallest SHA-256 among this content and those that agree with it: it distinguishes candidates
    /// independently of which copy came first.
    public let smallestDigest: SHA256Digest
    /// The event's own `time` in this content.
    public let time: RFC3339Instant?
    /// The content, parsed.
    private(set) var tape: JSONTape

    /// - parameter supporters: delivery paths besides `origin`, in any order.
    /// - parameter agreeing: digests of other contents that agree with this one.
    /// - throws: `JSONError` if the content is not a JSON document.
    public init(
        number: Int,
        origin: String,
        supporters: [String] = [],
        content: [UInt8],
        digest: SHA256Digest? = nil,
        agreeing: [SHA256Digest] = []
    ) throws(JSONError) {
        self.number = number
        self.origin = origin
        self.supporters =
            supporters.isEmpty ? [origin] : Self.sorted(Set(supporters).union([origin]))
        self.content = content
        let digest = digest ?? SHA256Digest(hashing: content)
        self.digest = digest
        smallestDigest = agreeing.reduce(digest) { min($0, $1) }
        var tape = JSONTape()
        time = try content.withUnsafeBytesTyped { bytes throws(JSONError) in
            try tape.parse(bytes)
            guard let node = tape.member("time", of: 0, in: bytes),
                tape.nodes[node].kind == .string
            else { return nil }
            return RFC3339Instant(tape.content(node, bytes))
        }
        self.tape = tape
    }

    /// The same without its content, for rules that do not read it: a conflict may be as large as the store.
    package func withoutContent() -> Candidate {
        var candidate = self
        (candidate.content, candidate.tape) = ([], JSONTape())
        return candidate
    }

    /// The same with its content restored, unparsed.
    package func with(content: [UInt8]) -> Candidate {
        var candidate = self
        candidate.content = content
        return candidate
    }

    /// The other values are derived from these.
    public static func == (left: Self, right: Self) -> Bool {
        left.number == right.number && left.origin == right.origin
            && left.supporters == right.supporters && left.content == right.content
            && left.digest == right.digest && left.smallestDigest == right.smallestDigest
    }

    /// Names in byte order, as in every list of origins in a decision.
    static func sorted(_ names: Set<String>) -> [String] {
        names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The delivery paths that vouch for any of the given candidates, in byte order.
    static func supporters(of candidates: some Sequence<Candidate>) -> [String] {
        var all: [String] = []
        for candidate in candidates {
            for name in candidate.supporters {
                let place = all.firstIndex { !$0.utf8.lexicographicallyPrecedes(name.utf8) }
                guard let place else {
                    all.append(name)
                    continue
                }
                if !all[place].utf8.elementsEqual(name.utf8) { all.insert(name, at: place) }
            }
        }
        return all
    }
}

/// Everything that a policy can see of a conflict.
public struct ConflictCase: Sendable, Equatable {
    /// What kind of conflict it is.
    public var kind: ConflictKind
    /// The source of the event in conflict.
    public var source: String
    /// The id of the event in conflict.
    public var eventID: String
    /// The category under which the event was recorded.
    public var category: String
    /// In order of their numbers; one for `missing_at_origin`.
    public var candidates: [Candidate]
    /// Delivery paths whose missing copy is the conflict; for `missing_at_origin`.
    public var missingOrigins: [String]
    /// The run's only clock: microseconds since 1970.
    public var asOf: Int64

    /// Creates a case, for tests of a policy; candidates are sorted by number.
    public init(
        kind: ConflictKind,
        source: String,
        eventID: String,
        category: String,
        candidates: [Candidate],
        missingOrigins: [String] = [],
        asOf: Int64 = 0
    ) {
        self.kind = kind
        self.source = source
        self.eventID = eventID
        self.category = category
        self.candidates = candidates.sorted { $0.number < $1.number }
        self.missingOrigins = missingOrigins
        self.asOf = asOf
    }
}
