import TallystickCore

/// The places in which the candidates of a conflict differ, as listed in `conflict_states`.
///
/// A conflict may have as many candidates as a store has rows, and each may differ in other places. Only the first
/// ``ConflictLimits/listedPlaces``, sorted by name, are listed, so that a list has a bounded size.
package struct DifferingPlaces {
    private var places: Set<String> = []

    /// Adds the places of a JSON array; anything else adds none.
    package mutating func formUnion(_ array: String) {
        let values = try? JSONDocument(Array(array.utf8)).root.array
        places.formUnion((values ?? []).compactMap(\.string))
        // Dropping only occasionally keeps the work linear.
        if places.count > 2 * ConflictLimits.listedPlaces { places = Set(listed) }
    }

    /// The number of remembered places, listed or not.
    package var count: Int { places.count }

    /// The places that are listed.
    package var listed: [String] { Array(places.sorted().prefix(ConflictLimits.listedPlaces)) }

    /// The list as a canonical JSON array; nil if it is empty.
    package var json: String? {
        guard !places.isEmpty else { return nil }
        let json = JSONValue(.array(listed.map { JSONValue(.string($0)) })).canonical
        return String(decoding: json, as: UTF8.self)
    }
}

/// Limits of what is stored of a conflict.
package enum ConflictLimits {
    /// Maximum number of places in `differs_in` of a conflict.
    package static let listedPlaces = 1000
    /// Candidates that are read at a time.
    package static let candidatePage = 1000
    /// Candidates that are compared side by side, unless the caller requests more.
    package static let comparedCandidates = 100
    /// Bytes of the contents that are compared side by side; two are always compared, whatever their size.
    package static let comparedBytes = 64 << 20
}
