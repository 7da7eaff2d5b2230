package import TallystickCore

/// A row of `conflicts`: the unchanging facts about a conflict.
package struct ConflictRecord {
    /// 0 before it is written.
    package var conflictID: Int64 = 0
    package var kind: ConflictKind
    package var severity: String
    package var category: String?
    package var position: Int64?
    package var source: String?
    package var eventID: String?
    package var origin: String?
    /// Microseconds since 1970.
    package var openedAt: Int64 = 0
    /// A JSON object.
    package var detail: String?

    package init(
        conflictID: Int64 = 0,
        kind: ConflictKind,
        severity: String,
        category: String? = nil,
        position: Int64? = nil,
        source: String? = nil,
        eventID: String? = nil,
        origin: String? = nil,
        openedAt: Int64 = 0,
        detail: String? = nil
    ) {
        self.conflictID = conflictID
        self.kind = kind
        self.severity = severity
        self.category = category
        self.position = position
        self.source = source
        self.eventID = eventID
        self.origin = origin
        self.openedAt = openedAt
        self.detail = detail
    }
}

/// Distinguishes conflicts that are not about a single event.
package struct ConflictSpan: Hashable {
    private let kind: String
    private let origin: String
    private let source: String
    private let detail: String

    package init(_ kind: String, _ origin: String, _ source: String, _ detail: String) {
        (self.kind, self.origin, self.source, self.detail) = (kind, origin, source, detail)
    }

    package init(_ conflict: ConflictRecord) {
        self.init(
            conflict.kind.rawValue,
            conflict.origin ?? "",
            conflict.source ?? "",
            conflict.detail ?? ""
        )
    }
}

/// A row of `conflicts` with its current state.
package struct StoredConflict {
    package var conflictID: Int64
    package var isOpen: Bool
    package var resolutionID: Int64?
    package var candidates: Int64
}

/// A distinct content under a conflict.
package struct StoredCandidate {
    package var candidate: Int64
    package var origin: String
    package var copyID: Int64?
    package var contentDigest: SHA256Digest

    package init(
        candidate: Int64,
        origin: String,
        copyID: Int64? = nil,
        contentDigest: SHA256Digest
    ) {
        self.candidate = candidate
        self.origin = origin
        self.copyID = copyID
        self.contentDigest = contentDigest
    }
}
