/// A JSON Pointer (RFC 6901).
package struct JSONPointer: Sendable, Equatable {
    /// Reference tokens, escapes resolved.
    package let tokens: [String]

    init(tokens: [String]) { self.tokens = tokens }

    /// - returns: nil for text that is not a pointer.
    package init?(_ text: String) {
        guard SettingsReader.isPointer(text) else { return nil }
        tokens = text.utf8.split(separator: 0x2F, omittingEmptySubsequences: false).dropFirst()
            .map { token in
                var bytes: [UInt8] = []
                var isEscaped = false
                for byte in token {
                    if isEscaped {
                        bytes.append(byte == 0x30 ? 0x7E : 0x2F)
                        isEscaped = false
                    } else if byte == 0x7E {
                        isEscaped = true
                    } else {
                        bytes.append(byte)
                    }
                }
                return String(decoding: bytes, as: UTF8.self)
            }
    }
}

extension JSONTape {
    /// The node of an object's member; nil if there is none.
    func member(_ name: String, of object: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard nodes[object].kind == .object else { return nil }
        var index = object + 1
        for _ in 0..<Int(nodes[object].count) {
            let isIt =
                nodes[index].hasEscapes
                ? JSONString.unescaped(nodes[index], in: bytes).elementsEqual(name.utf8)
                : content(index, bytes).elementsEqual(name.utf8)
            if isIt { return index + 1 }
            index = Int(nodes[index + 1].next)
        }
        return nil
    }

    /// The node that a pointer names, starting at a value; nil if there is none.
    func node(
        at pointer: JSONPointer,
        from root: Int,
        in bytes: UnsafeRawBufferPointer
    ) -> Int? {
        var node = root
        for token in pointer.tokens {
            switch nodes[node].kind {
            case .object:
                guard let next = member(token, of: node, in: bytes) else { return nil }
                node = next
            case .array:
                guard let index = JSONPointer.index(token), index < Int(nodes[node].count) else {
                    return nil
                }
                node += 1
                for _ in 0..<index { node = Int(nodes[node].next) }
            default: return nil
            }
        }
        return node
    }
}

extension JSONPointer {
    /// An array index: decimal digits without leading zeros (RFC 6901, section 4).
    static func index(_ token: String) -> Int? {
        guard token.utf8.count <= 9, token.utf8.allSatisfy({ $0 &- 0x30 <= 9 }),
            token == "0" || token.utf8.first != 0x30
        else { return nil }
        return Int(token)
    }
}

extension JSONValue {
    /// The value with the part that a pointer names replaced, or removed if `new` is nil.
    ///
    /// - returns: nil if the place's parent is missing, or an array would change its length.
    package func replacing(
        _ tokens: ArraySlice<String>,
        with new: JSONValue?
    ) -> JSONValue? {
        guard let token = tokens.first else { return new }
        let rest = tokens.dropFirst()
        switch content {
        case .object(var members):
            let index = members.firstIndex { $0.name.utf8.elementsEqual(token.utf8) }
            if rest.isEmpty {
                if let index, let new {
                    members[index].value = new
                } else if let index {
                    members.remove(at: index)
                } else if let new {
                    members.append((token, new))
                }
                return JSONValue(.object(members))
            }
            guard let index else { return new == nil ? self : nil }
            guard let value = members[index].value.replacing(rest, with: new) else { return nil }
            members[index].value = value
            return JSONValue(.object(members))
        case .array(var elements):
            guard let index = JSONPointer.index(token), index < elements.count else {
                return new == nil ? self : nil
            }
            guard let value = elements[index].replacing(rest, with: new) else { return nil }
            elements[index] = value
            return JSONValue(.array(elements))
        default:
            return new == nil ? self : nil
        }
    }
}
