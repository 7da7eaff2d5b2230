import TallystickCore

/// What a run is limited to.
struct RunScope: Sendable, Equatable {
    /// Names of delivery paths; nil for all.
    var origins: [String]?
    /// Events recorded, and conflicts opened, before are left out; microseconds since 1970.
    var since: Int64?

    /// Whether the run looks at everything: only then does it say how far it has looked.
    var isWhole: Bool { origins == nil && since == nil }

    func includes(origin: String) -> Bool {
        origins?.contains { $0.utf8.elementsEqual(origin.utf8) } ?? true
    }

    func includes(recordedAt: Int64) -> Bool { since.map { recordedAt >= $0 } ?? true }

    /// A conflict over copies concerns an origin that delivered one, or should have.
    func includes(_ conflict: ConflictRecord, origins delivered: [String]) -> Bool {
        guard includes(recordedAt: conflict.openedAt) else { return false }
        let concerned = delivered + [conflict.origin].compactMap { $0 }
        return origins == nil || concerned.contains { includes(origin: $0) }
    }

    /// As `reconciliations.scope` holds it: canonical JSON.
    var text: String {
        var members: [(name: String, value: JSONValue)] = []
        if let origins {
            members.append(
                ("origins", JSONValue(.array(origins.sorted().map { JSONValue(.string($0)) })))
            )
        }
        if let since { members.append(("since", JSONValue(.number(String(since))))) }
        return String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
    }
}
