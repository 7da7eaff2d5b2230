/// Changes of values in canonical JSON.
///
/// Values that take the place of others are put between the bytes that stay, which keeps the form canonical. What
/// changes an object's members is done on the document's values.
struct ContentEdit {
    private let bytes: [UInt8]
    private let tape: JSONTape
    private var changes: [(path: JSONPointer, range: Range<Int>?, token: ArraySlice<UInt8>?)] = []

    /// - parameter tape: of these bytes.
    init(_ bytes: [UInt8], _ tape: JSONTape) {
        self.bytes = bytes
        self.tape = tape
    }

    /// Puts a value, canonical JSON, at a place, or takes out what is there where it is nil. Later changes see earlier
    /// ones.
    mutating func replace(_ path: JSONPointer, with token: ArraySlice<UInt8>?) {
        let node = bytes.withUnsafeBytes { tape.node(at: path, from: 0, in: $0) }
        changes.append((path, node.map { tape.range($0) }, token))
    }

    /// The changed document; nil where the parent of a place is missing, or an array would change its length.
    var content: [UInt8]? { spliced ?? rebuilt }

    /// nil where a change adds, removes, or lies within another.
    private var spliced: [UInt8]? {
        var parts: [(range: Range<Int>, token: ArraySlice<UInt8>)] = []
        for change in changes {
            guard let range = change.range, let token = change.token else { return nil }
            parts.append((range, token))
        }
        parts.sort { $0.range.lowerBound < $1.range.lowerBound }
        var output: [UInt8] = []
        output.reserveCapacity(parts.reduce(bytes.count) { $0 + $1.token.count })
        var place = 0
        for part in parts {
            guard part.range.lowerBound >= place else { return nil }
            output.append(contentsOf: bytes[place..<part.range.lowerBound])
            output.append(contentsOf: part.token)
            place = part.range.upperBound
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
    /// Where a node's token is.
    func range(_ node: Int) -> Range<Int> { Int(nodes[node].start)..<Int(nodes[node].end) }
}
