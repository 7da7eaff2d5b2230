/// The comparison form of a content: canonical JSON that two contents have in common exactly when they agree.
///
/// It is the content without what the rules ignore:
/// - ignored attributes are left out, and so are `data` and `data_base64` where all data is ignored;
/// - ignored members of objects in the data are left out;
/// - ignored elements of arrays are null, so that the others keep their places; those at the end are left out;
/// - `time` is written as ``RFC3339Instant/text``, where it is a date-time of RFC 3339.
///
/// A value reads one content after the other, and keeps its memory from one to the next.
package struct ComparisonForm: Sendable {
    private let ignored: IgnoredMembers
    private var tape = JSONTape()
    /// The form of the content read last.
    package private(set) var bytes: [UInt8] = []

    package init(rules: ComparisonRules) { ignored = IgnoredMembers(rules) }

    /// The SHA-256 of `bytes`.
    package var digest: SHA256Digest { SHA256Digest(hashing: bytes) }

    /// Makes the form of a content, which is the canonical form of an event.
    package mutating func read(_ content: UnsafeRawBufferPointer) throws(JSONError) {
        bytes.removeAll(keepingCapacity: true)
        try tape.parse(content)
        bytes.append(0x7B)
        var name = 1
        while name < tape.nodes.count {
            writeMember(name, content)
            name = Int(tape.nodes[name + 1].next)
        }
        bytes.append(0x7D)
    }

    /// Writes a member of the event.
    private mutating func writeMember(_ name: Int, _ content: UnsafeRawBufferPointer) {
        let text = JSONString.unescaped(tape.nodes[name], in: content)
        if ignored.contains(text) { return }
        writeName(name, content)
        if text.elementsEqual("data".utf8) {
            write(name + 1, ignored.data, content)
        } else if text.elementsEqual("time".utf8), let time = tape.instant(name + 1, content) {
            CanonicalJSON.writeString(time.text, to: &bytes)
        } else {
            bytes.append(contentsOf: tape.token(name + 1, content))
        }
    }

    /// Writes the parts of a value in the data that are not ignored.
    private mutating func write(
        _ node: Int,
        _ place: IgnoredPlaces?,
        _ content: UnsafeRawBufferPointer
    ) {
        guard let place else {
            bytes.append(contentsOf: tape.token(node, content))
            return
        }
        switch tape.nodes[node].kind {
        case .object: writeObject(node, place, content)
        case .array: writeArray(node, place, content)
        default: bytes.append(contentsOf: tape.token(node, content))
        }
    }

    private mutating func writeObject(
        _ object: Int,
        _ place: IgnoredPlaces,
        _ content: UnsafeRawBufferPointer
    ) {
        bytes.append(0x7B)
        var name = object + 1
        for _ in 0..<Int(tape.nodes[object].count) {
            let member = place.member(JSONString.unescaped(tape.nodes[name], in: content))
            if member?.isIgnored != true {
                writeName(name, content)
                write(name + 1, member, content)
            }
            name = Int(tape.nodes[name + 1].next)
        }
        bytes.append(0x7D)
    }

    private mutating func writeArray(
        _ array: Int,
        _ place: IgnoredPlaces,
        _ content: UnsafeRawBufferPointer
    ) {
        bytes.append(0x5B)
        var end = bytes.count
        var node = array + 1
        for index in 0..<Int(tape.nodes[array].count) {
            if index > 0 { bytes.append(0x2C) }
            let element = place.element(index)
            if element?.isIgnored == true {
                bytes.append(contentsOf: "null".utf8)
            } else {
                write(node, element, content)
                end = bytes.count
            }
            node = Int(tape.nodes[node].next)
        }
        // An ignored element may as well be missing.
        bytes.removeLast(bytes.count - end)
        bytes.append(0x5D)
    }

    /// Writes the name of an object's next member. No value ends in the byte that begins an object.
    private mutating func writeName(_ name: Int, _ content: UnsafeRawBufferPointer) {
        if bytes.last != 0x7B { bytes.append(0x2C) }
        bytes.append(contentsOf: tape.token(name, content))
        bytes.append(0x3A)
    }
}

extension JSONTape {
    /// The instant that a string represents; nil if the value is not a date-time of RFC 3339.
    func instant(_ node: Int, _ bytes: UnsafeRawBufferPointer) -> RFC3339Instant? {
        nodes[node].kind == .string ? RFC3339Instant(content(node, bytes)) : nil
    }
}
