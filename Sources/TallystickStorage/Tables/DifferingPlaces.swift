import TallystickCore

/// The places in which the candidates of a conflict differ, as `conflict_states` lists them.
///
/// A conflict may have as many candidates as a store has rows, and each may differ in places of its own. Only the
/// first ``ConflictLimits/listedPlaces`` in the order of their names are listed, so that a list has a bounded size.
package struct DifferingPlaces {
    private var places: Set<String> = []

    /// Adds the places of a JSON array; anything else adds none.
    package mutating func formUnion(_ array: String) {
        let values = try? JSONDocument(Array(array.utf8)).root.array
        places.formUnion((values ?? []).compactMap(\.string))
        // Dropping only every now and then keeps the work linear.
        if places.count > 2 * ConflictLimits.listedPlaces { places = Set(listed) }
    }

    /// How many places are remembered, listed or not.
    package var count: Int { places.count }

    /// The places that are listed.
    package var listed: [String] { Array(places.sorted().prefix(ConflictLimits.listedPlaces)) }

    /// The list as a canonical JSON array; nil when it is empty.
    package var json: String? {
        guard !places.isEmpty else { return nil }
        let json = JSONValue(.array(listed.map { JSONValue(.string($0)) })).canonical
        return String(decoding: json, as: UTF8.self)
    }
}

/// Limits of what is stored of a conflict.
package enum ConflictLimits {
    /// Places in `differs_in` of a conflict.
    package static let listedPlaces = 1000
    /// Candidates that are read at a time.
    package static let candidatePage = 1000
    /// Candidates that are compared side by side, unless more are asked for.
    package static let comparedCandidates = 100
    /// Bytes of the contents that are compared side by side; two are compared whatever their size.
    package static let comparedBytes = 64 << 20
}
