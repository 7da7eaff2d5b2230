/// Where a disagreement between checksums was detected. The raw values are part of the file format.
package enum MismatchKind: String {
    case transit
    case copy
    case atRest = "at_rest"
    case replay
}

/// A row of `mismatches` to be added.
package struct NewMismatch {
    package var kind: MismatchKind
    package var severity: String
    package var category: String?
    package var origin: String?
    package var position: Int64?
    package var copyID: Int64?
    package var source: String?
    package var eventID: String?
    package var algorithm: String
    package var expected: String
    package var actual: String
    /// A JSON array.
    package var differsIn: String?

    package init(
        kind: MismatchKind,
        severity: String,
        category: String? = nil,
        origin: String? = nil,
        position: Int64? = nil,
        copyID: Int64? = nil,
        source: String? = nil,
        eventID: String? = nil,
        algorithm: String,
        expected: String,
        actual: String,
        differsIn: String? = nil
    ) {
        self.kind = kind
        self.severity = severity
        self.category = category
        self.origin = origin
        self.position = position
        self.copyID = copyID
        self.source = source
        self.eventID = eventID
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual
        self.differsIn = differsIn
    }
}

/// A stored record that failed its proof.
package struct DamagedRecord {
    package var position: Int64?
    package var copyID: Int64?
    /// What failed: the algorithm of the checksum, or `leaf` if the checksum matches and the leaf hash does not.
    package var algorithm: String
    package var expected: String
    package var actual: String

    package init(
        position: Int64? = nil,
        copyID: Int64? = nil,
        algorithm: String,
        expected: String,
        actual: String
    ) {
        self.position = position
        self.copyID = copyID
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual
    }
}
