/// Changes of values in canonical JSON.
///
/// Replacement values are inserted between the bytes that stay, which keeps the form canonical. Changes of an
/// object's members are made on the document's values.
struct ContentEdit {
    private let bytes: [UInt8]
    private var changes: [(path: JSONPointer, range: Range<Int>?, token: ArraySlice<UInt8>?)] = []
    /// Whether every change replaces a value, so that each object and array keeps its members.
    private(set) var isInPlace = true

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Puts a value, canonical JSON, at a place, or with nil removes the value there. Later changes see earlier ones.
    ///
    /// - parameter range: the range of the existing value; nil if there is none.
    mutating func replace(
        _ path: JSONPointer,
        at range: Range<Int>?,
        with token: ArraySlice<UInt8>?
    ) {
        let isApart = changes.allSatisfy { other in
            guard let range, let before = other.range else { return false }
            return !range.overlaps(before)
        }
        isInPlace = isInPlace && range != nil && token != nil && isApart
        changes.append((path, range, token))
    }

    /// The changed document; nil if the parent of a place is missing, or an array would change its length.
    var content: [UInt8]? { isInPlace ? spliced : rebuilt }

    private var spliced: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(changes.reduce(bytes.count) { $0 + ($1.token?.count ?? 0) })
        var place = 0
        let parts = changes.sorted { ($0.range?.lowerBound ?? 0) < ($1.range?.lowerBound ?? 0) }
        for part in parts {
            guard let range = part.range, let token = part.token else { continue }
            output.append(contentsOf: bytes[place..<range.lowerBound])
            output.append(contentsOf: token)
            place = range.upperBound
        }
        output.append(contentsOf: bytes[place...])
        return output
    }

    private var rebuilt: [UInt8]? {
        guard var root = try? JSONDocument(bytes).root else { return nil }
        for change in changes {
            var value: JSONValue?
            if let token = change.token {
                guard let document = try? JSONDocument(Array(token)) else { return nil }
                value = document.root
            }
            guard let changed = root.replacing(change.path.tokens[...], with: value) else {
                return nil
            }
            root = changed
        }
        return root.canonical
    }
}

extension JSONTape {
    /// The range of a node's token.
    func range(_ node: Int) -> Range<Int> { Int(nodes[node].start)..<Int(nodes[node].end) }
}
