/// The parts of an event's content, as a row of the store holds them: bytes that the caller keeps in place.
package struct ContentParts {
    /// UTF-8.
    package var id: UnsafeRawBufferPointer
    /// Canonical JSON strings.
    package var source: UnsafeRawBufferPointer
    package var type: UnsafeRawBufferPointer
    /// UTF-8; nil if not set.
    package var subject: UnsafeRawBufferPointer?
    package var time: UnsafeRawBufferPointer?
    package var dataContentType: UnsafeRawBufferPointer?
    /// A canonical JSON object; nil if there are no other attributes.
    package var attributes: UnsafeRawBufferPointer?
    /// Canonical JSON, or bytes if `dataIsBinary`; nil if the event has no data.
    package var data: UnsafeRawBufferPointer?
    package var dataIsBinary: Bool

    package init(
        id: UnsafeRawBufferPointer,
        source: UnsafeRawBufferPointer,
        type: UnsafeRawBufferPointer,
        subject: UnsafeRawBufferPointer? = nil,
        time: UnsafeRawBufferPointer? = nil,
        dataContentType: UnsafeRawBufferPointer? = nil,
        attributes: UnsafeRawBufferPointer? = nil,
        data: UnsafeRawBufferPointer? = nil,
        dataIsBinary: Bool = false
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.dataContentType = dataContentType
        self.attributes = attributes
        self.data = data
        self.dataIsBinary = dataIsBinary
    }
}

/// Joins the parts of an event: the canonical form over which it was hashed.
package enum EventContent {
    /// Appends the content. Parts that were tampered with yield other bytes, never a trap.
    package static func write(_ parts: ContentParts, to output: inout ByteBuffer) {
        var members = CanonicalMembers(parts.attributes)
        output.append(0x7B)
        if let data = parts.data {
            members.passAll(before: parts.dataIsBinary ? "data_base64" : "data", to: &output)
            if parts.dataIsBinary {
                members.name("\"data_base64\":\"", to: &output)
                Base64.write(data, to: &output)
                output.append(0x22)
            } else {
                members.name("\"data\":", to: &output)
                output.append(contentsOf: data)
            }
        }
        if let type = parts.dataContentType {
            members.passAll(before: "datacontenttype", to: &output)
            members.name("\"datacontenttype\":", to: &output)
            CanonicalJSON.writeString(type, to: &output)
        }
        members.passAll(before: "id", to: &output)
        members.name("\"id\":", to: &output)
        CanonicalJSON.writeString(parts.id, to: &output)
        members.passAll(before: "source", to: &output)
        members.name("\"source\":", to: &output)
        output.append(contentsOf: parts.source)
        members.passAll(before: "specversion", to: &output)
        members.name("\"specversion\":\"1.0\"", to: &output)
        if let subject = parts.subject {
            members.passAll(before: "subject", to: &output)
            members.name("\"subject\":", to: &output)
            CanonicalJSON.writeString(subject, to: &output)
        }
        if let time = parts.time {
            members.passAll(before: "time", to: &output)
            members.name("\"time\":", to: &output)
            CanonicalJSON.writeString(time, to: &output)
        }
        members.passAll(before: "type", to: &output)
        members.name("\"type\":", to: &output)
        output.append(contentsOf: parts.type)
        members.passRest(to: &output)
        output.append(0x7D)
    }
}

/// The members of a canonical object, written in order between other members.
private struct CanonicalMembers {
    private let object: UnsafeRawBufferPointer
    private var offset: Int
    private var isFirst = true

    init(_ object: UnsafeRawBufferPointer?) {
        self.object = object ?? UnsafeRawBufferPointer(start: nil, count: 0)
        offset = 1
    }

    /// Writes the beginning of a member that is not of the object.
    @inline(__always)
    mutating func name(_ name: StaticString, to output: inout ByteBuffer) {
        separate(&output)
        output.append(name)
    }

    /// Writes the members whose names come before `limit`.
    @inline(__always)
    mutating func passAll(before limit: StaticString, to output: inout ByteBuffer) {
        if offset >= object.count - 1 { return }
        passSome(before: limit, to: &output)
    }

    private mutating func passSome(before limit: StaticString, to output: inout ByteBuffer) {
        let limit = UnsafeRawBufferPointer(start: limit.utf8Start, count: limit.utf8CodeUnitCount)
        while let end = memberEnd(), JSONString.compare(memberName(), limit) < 0 {
            pass(upTo: end, to: &output)
        }
    }

    mutating func passRest(to output: inout ByteBuffer) {
        while let end = memberEnd() { pass(upTo: end, to: &output) }
    }

    private mutating func pass(upTo end: Int, to output: inout ByteBuffer) {
        separate(&output)
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: object[offset..<end]))
        offset = end + 1
    }

    private mutating func separate(_ output: inout ByteBuffer) {
        if !isFirst { output.append(0x2C) }
        isFirst = false
    }

    /// The name of the member that begins at `offset`, without its quotation marks.
    private func memberName() -> UnsafeRawBufferPointer {
        var end = offset + 1
        while end < object.count, object[end] != 0x22 { end += 1 }
        guard offset + 1 <= end, end <= object.count else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(rebasing: object[offset + 1..<end])
    }

    /// Where the member that begins at `offset` ends: at the comma or the last bracket.
    private func memberEnd() -> Int? {
        guard offset < object.count - 1 else { return nil }
        var index = offset
        var depth = 0
        var inString = false
        while index < object.count - 1 {
            let byte = object[index]
            if inString {
                if byte == 0x5C { index += 1 } else if byte == 0x22 { inString = false }
            } else if byte == 0x22 {
                inString = true
            } else if byte == 0x7B || byte == 0x5B {
                depth += 1
            } else if byte == 0x7D || byte == 0x5D {
                depth -= 1
            } else if byte == 0x2C, depth <= 0 {
                return index
            }
            index += 1
        }
        return object.count - 1
    }
}
