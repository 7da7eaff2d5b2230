/// The kind of a JSON value.
@frozen
package enum JSONKind: UInt8, Sendable {
    case null, `false`, `true`, number, string, array, object
}

/// A parsed document: nodes in document order that point into the caller's bytes. Nothing is copied.
///
/// A tape is reused for each document, so that parsing allocates nothing in a steady state. The rules are those of
/// RFC 8259, and stricter where leniency would let two readers see different documents: see ``JSONError/Code``.
package struct JSONTape: Sendable {
    /// A value, or the name of an object's member, which comes just before the member's value.
    @frozen
    package struct Node: Sendable {
        package var kind: JSONKind
        /// For a string: whether it has escapes.
        package var hasEscapes: Bool
        /// Where the token begins, including quotes and brackets.
        package var start: Int32
        /// Where the token ends.
        package var end: Int32
        /// The node after this value and everything in it.
        package var next: Int32
        /// The number of elements of an array, or members of an object.
        package var count: Int32
        /// For an object whose members are not in canonical order: where its order begins in `order`; else -1.
        @usableFromInline var orderStart: Int32
    }

    /// The values in document order; the document itself is the first.
    package internal(set) var nodes: [Node] = []
    /// Indices of name nodes in canonical order, for objects that need it.
    @usableFromInline var order: [Int32] = []
    private var open: [Int32] = []
    private let limits: JSONLimits

    package init(limits: JSONLimits = .standard) {
        self.limits = limits
        nodes.reserveCapacity(64)
        open.reserveCapacity(16)
    }

    /// Parses one whole document.
    ///
    /// - throws: `JSONError`; the contents of the tape are then undefined.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        nodes.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
        open.removeAll(keepingCapacity: true)
        guard bytes.count <= limits.bytes else {
            throw JSONError(
                .tooLarge,
                at: limits.bytes,
                in: bytes,
                "the document has \(bytes.count) bytes; the limit is \(limits.bytes)"
            )
        }
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONError(
                .byteOrderMark,
                at: 0,
                in: bytes,
                "the document begins with a byte order mark; save it as UTF-8 without one"
            )
        }
        var cursor = JSONCursor(bytes: bytes)
        try parse(&cursor)
        cursor.skipSpace()
        guard cursor.offset == bytes.count else {
            throw cursor.error(.trailingBytes, "there are bytes after the end of the document")
        }
    }

    /// Traverses the document without recursion: `open` holds the containers being read.
    private mutating func parse(_ cursor: inout JSONCursor) throws(JSONError) {
        while true {
            cursor.skipSpace()
            if try beginValue(&cursor) { continue }
            // A value is complete: close the containers that it completes, or continue after a comma.
            while true {
                guard let container = open.last else { return }
                let isObject = nodes[Int(container)].kind == .object
                cursor.skipSpace()
                let byte = cursor.take()
                if byte == 0x2C {  // ,
                    nodes[Int(container)].count += 1
                    if isObject { try readName(&cursor) }
                    break
                }
                guard byte == (isObject ? 0x7D : 0x5D) else {
                    throw cursor.unexpected(
                        byte,
                        isObject ? "',' or '}' after a member" : "',' or ']' after an element"
                    )
                }
                nodes[Int(container)].count += 1
                try close(container, &cursor)
            }
        }
    }

    /// Reads a scalar or an empty container and returns false, or opens a container and returns true.
    private mutating func beginValue(_ cursor: inout JSONCursor) throws(JSONError) -> Bool {
        let start = cursor.offset
        guard let byte = cursor.peek() else {
            throw cursor.error(.unexpectedEnd, "the document ends where a value is expected")
        }
        switch byte {
        case 0x22:  // "
            let escapes = try cursor.skipString()
            append(.string, from: start, to: cursor.offset, hasEscapes: escapes)
            return false
        case 0x7B, 0x5B:  // { [
            guard open.count < limits.depth else {
                throw cursor.error(.tooDeep, "nesting is deeper than \(limits.depth) levels")
            }
            let index = Int32(truncatingIfNeeded: nodes.count)
            append(byte == 0x7B ? .object : .array, from: start, to: start, hasEscapes: false)
            cursor.offset += 1
            cursor.skipSpace()
            if cursor.peek() == byte + 2 {  // the closing bracket
                cursor.offset += 1
                nodes[Int(index)].end = Int32(truncatingIfNeeded: cursor.offset)
                return false
            }
            open.append(index)
            if byte == 0x7B { try readName(&cursor) }
            return true
        case 0x2D, 0x30...0x39:
            try cursor.skipNumber()
            append(.number, from: start, to: cursor.offset, hasEscapes: false)
            return false
        case 0x74:
            try cursor.skipLiteral("true")
            append(.true, from: start, to: cursor.offset, hasEscapes: false)
            return false
        case 0x66:
            try cursor.skipLiteral("false")
            append(.false, from: start, to: cursor.offset, hasEscapes: false)
            return false
        case 0x6E:
            try cursor.skipLiteral("null")
            append(.null, from: start, to: cursor.offset, hasEscapes: false)
            return false
        default:
            throw cursor.error(.syntax, "a JSON value cannot begin with \(JSONCursor.name(byte))")
        }
    }

    private mutating func readName(_ cursor: inout JSONCursor) throws(JSONError) {
        cursor.skipSpace()
        let start = cursor.offset
        guard cursor.peek() == 0x22 else {
            let taken = cursor.take()
            throw cursor.unexpected(taken, "a member's name in quotation marks")
        }
        let escapes = try cursor.skipString()
        append(.string, from: start, to: cursor.offset, hasEscapes: escapes)
        cursor.skipSpace()
        let colon = cursor.take()
        guard colon == 0x3A else { throw cursor.unexpected(colon, "':' after a member's name") }
    }

    private mutating func append(
        _ kind: JSONKind,
        from start: Int,
        to end: Int,
        hasEscapes: Bool
    ) {
        nodes.append(
            Node(
                kind: kind,
                hasEscapes: hasEscapes,
                start: Int32(truncatingIfNeeded: start),
                end: Int32(truncatingIfNeeded: end),
                next: Int32(truncatingIfNeeded: nodes.count + 1),
                count: 0,
                orderStart: -1
            )
        )
    }

    private mutating func close(
        _ container: Int32,
        _ cursor: inout JSONCursor
    ) throws(JSONError) {
        open.removeLast()
        nodes[Int(container)].end = Int32(truncatingIfNeeded: cursor.offset)
        nodes[Int(container)].next = Int32(truncatingIfNeeded: nodes.count)
        if nodes[Int(container)].kind == .object {
            try orderMembers(of: Int(container), cursor.bytes)
        }
    }

    /// Finds duplicate names, and the canonical order if it differs from the document's.
    private mutating func orderMembers(
        of object: Int,
        _ bytes: UnsafeRawBufferPointer
    ) throws(JSONError) {
        var name = object + 1
        let end = Int(nodes[object].next)
        var isOrdered = true
        var hasEscapes = false
        var previous = -1
        while name < end {
            if nodes[name].hasEscapes {
                if JSONString.unescaped(nodes[name], in: bytes).contains(0) {
                    throw JSONError(
                        .nulInName,
                        at: Int(nodes[name].start),
                        in: bytes,
                        "a member's name contains U+0000"
                    )
                }
                isOrdered = false
                hasEscapes = true
            }
            if isOrdered, previous >= 0,
                JSONString.compare(content(previous, bytes), content(name, bytes)) >= 0
            {
                isOrdered = false
            }
            previous = name
            name = Int(nodes[name + 1].next)
        }
        if isOrdered { return }
        if hasEscapes || nodes[object].count > 32 {
            try sortMembers(of: object, bytes)
        } else {
            try insertMembers(of: object, bytes)
        }
    }

    /// Sorts a few members by insertion, while their names stay in place in the document.
    private mutating func insertMembers(
        of object: Int,
        _ bytes: UnsafeRawBufferPointer
    ) throws(JSONError) {
        let start = order.count
        var name = object + 1
        while name < Int(nodes[object].next) {
            let text = content(name, bytes)
            var place = order.count
            while place > start {
                let result = JSONString.compare(content(Int(order[place - 1]), bytes), text)
                if result == 0 { throw duplicate(name, bytes) }
                if result < 0 { break }
                place -= 1
            }
            order.insert(Int32(truncatingIfNeeded: name), at: place)
            name = Int(nodes[name + 1].next)
        }
        nodes[object].orderStart = Int32(truncatingIfNeeded: start)
    }

    private func duplicate(_ name: Int, _ bytes: UnsafeRawBufferPointer) -> JSONError {
        JSONError(
            .duplicateMember,
            at: Int(nodes[name].start),
            in: bytes,
            "a member's name occurs twice in one object"
        )
    }

    private mutating func sortMembers(
        of object: Int,
        _ bytes: UnsafeRawBufferPointer
    ) throws(JSONError) {
        var names: [(node: Int32, text: [UInt8])] = []
        names.reserveCapacity(Int(nodes[object].count))
        var name = object + 1
        while name < Int(nodes[object].next) {
            names.append((Int32(name), JSONString.unescaped(nodes[name], in: bytes)))
            name = Int(nodes[name + 1].next)
        }
        names.sort { left, right in
            let result = left.text.withUnsafeBytes { a in
                right.text.withUnsafeBytes { b in JSONString.compare(a, b) }
            }
            return result != 0 ? result < 0 : left.node < right.node
        }
        for index in names.indices.dropFirst() where names[index].text == names[index - 1].text {
            throw duplicate(Int(names[index].node), bytes)
        }
        nodes[object].orderStart = Int32(order.count)
        for name in names { order.append(name.node) }
    }

    /// The bytes between a string's quotation marks, unmodified.
    @inlinable
    package func content(_ node: Int, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: bytes[Int(nodes[node].start) + 1..<Int(nodes[node].end) - 1]
        )
    }

    /// The bytes of a node's token.
    @inlinable
    package func token(_ node: Int, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Int(nodes[node].start)..<Int(nodes[node].end)])
    }
}
