/// A small JSON document as values that know their position: for settings and details, not for events.
public struct JSONDocument: Sendable {
    /// The document's single value.
    public let root: JSONValue
    private let bytes: [UInt8]

    /// Reads a document in UTF-8. Duplicate keys, and anything else that RFC 8259 forbids, are refused.
    public init(_ bytes: [UInt8]) throws(JSONError) {
        self.bytes = bytes
        var tape = JSONTape()
        root = try bytes.withUnsafeBytesTyped { buffer throws(JSONError) in
            try tape.parse(buffer)
            return JSONValue(0, of: tape, in: buffer)
        }
    }

    /// Line and column, 1-based, of a value.
    public func place(of value: JSONValue) -> (line: Int, column: Int) {
        let before = bytes[..<min(value.offset, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return (line, value.offset - start + 1)
    }
}

/// A JSON value.
public struct JSONValue: Sendable, Equatable {
    /// The kind of the value, and the value itself.
    public enum Content: Sendable, Equatable {
        case null
        case boolean(Bool)
        /// The canonical text.
        case number(String)
        case string(String)
        case array([JSONValue])
        case object([(name: String, value: JSONValue)])

        public static func == (left: Self, right: Self) -> Bool {
            switch (left, right) {
            case (.null, .null): true
            case (.boolean(let a), .boolean(let b)): a == b
            case (.number(let a), .number(let b)), (.string(let a), .string(let b)):
                a.utf8.elementsEqual(b.utf8)
            case (.array(let a), .array(let b)): a == b
            case (.object(let a), .object(let b)):
                a.count == b.count
                    && zip(a, b).allSatisfy { $0.name == $1.name && $0.value == $1.value }
            default: false
            }
        }
    }

    /// The value itself.
    public var content: Content
    /// Where the value begins, in bytes.
    public let offset: Int

    /// A value that was not read from a document: its offset is 0.
    public init(_ content: Content) {
        self.content = content
        offset = 0
    }

    init(_ node: Int, of tape: borrowing JSONTape, in bytes: UnsafeRawBufferPointer) {
        offset = Int(tape.nodes[node].start)
        switch tape.nodes[node].kind {
        case .null: content = .null
        case .true: content = .boolean(true)
        case .false: content = .boolean(false)
        case .number:
            var text: [UInt8] = []
            CanonicalNumber.write(tape.token(node, bytes), to: &text)
            content = .number(String(decoding: text, as: UTF8.self))
        case .string:
            content = .string(
                String(decoding: JSONString.unescaped(tape.nodes[node], in: bytes), as: UTF8.self)
            )
        case .array:
            var elements: [JSONValue] = []
            var child = node + 1
            for _ in 0..<Int(tape.nodes[node].count) {
                elements.append(JSONValue(child, of: tape, in: bytes))
                child = Int(tape.nodes[child].next)
            }
            content = .array(elements)
        case .object:
            var members: [(name: String, value: JSONValue)] = []
            var child = node + 1
            for _ in 0..<Int(tape.nodes[node].count) {
                let name = String(
                    decoding: JSONString.unescaped(tape.nodes[child], in: bytes),
                    as: UTF8.self
                )
                members.append((name, JSONValue(child + 1, of: tape, in: bytes)))
                child = Int(tape.nodes[child + 1].next)
            }
            content = .object(members)
        }
    }

    /// The member with that name; nil if there is none, or the value is not an object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = content else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The text; nil if the value is not a string.
    public var string: String? {
        if case .string(let text) = content { text } else { nil }
    }
    /// The number, rounded to a double; nil if the value is not a number.
    public var double: Double? {
        if case .number(let text) = content { Double(text) } else { nil }
    }
    /// The elements; nil if the value is not an array.
    public var array: [JSONValue]? {
        if case .array(let elements) = content { elements } else { nil }
    }
    /// The members, in order; nil if the value is not an object.
    public var object: [(name: String, value: JSONValue)]? {
        if case .object(let members) = content { members } else { nil }
    }
    /// True or false; nil if the value is not a boolean.
    public var boolean: Bool? {
        if case .boolean(let value) = content { value } else { nil }
    }

    /// Appends the canonical form.
    public func write(to output: inout [UInt8]) {
        switch content {
        case .null: output.append(contentsOf: "null".utf8)
        case .boolean(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): output.append(contentsOf: text.utf8)
        case .string(let text): CanonicalJSON.writeString(text, to: &output)
        case .array(let elements):
            output.append(0x5B)
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(0x2C) }
                element.write(to: &output)
            }
            output.append(0x5D)
        case .object(let members):
            output.append(0x7B)
            let sorted = members.sorted { left, right in
                Array(left.name.utf16).lexicographicallyPrecedes(Array(right.name.utf16))
            }
            for (index, member) in sorted.enumerated() {
                if index > 0 { output.append(0x2C) }
                CanonicalJSON.writeString(member.name, to: &output)
                output.append(0x3A)
                member.value.write(to: &output)
            }
            output.append(0x7D)
        }
    }

    /// The canonical form.
    public var canonical: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` for a body with a typed error.
    @inlinable
    public func withUnsafeBytesTyped<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = withUnsafeBytes { bytes in
            do throws(Failure) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
