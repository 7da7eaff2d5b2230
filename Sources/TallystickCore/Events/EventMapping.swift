/// Converts JSON objects that are not CloudEvents.
public struct EventMapping: Sendable {
    /// Where a value comes from: the first of its alternatives that the object has.
    enum Value: Sendable {
        case literal(String)
        case pointer([String])
    }

    enum Shape: Sendable {
        case monitoring
        case rules([(attribute: String, alternatives: [Value])])
    }

    let shape: Shape
    /// The map as it was written.
    package let text: String

    /// The built-in map for `{event_type, timestamp, source, data, metadata, category, sequence_id, checksum}`.
    ///
    /// The id is `metadata.event_id`, else `{sequence_id}@{timestamp}`. `metadata`, as canonical JSON, and `checksum`,
    /// which is not over the event's canonical form, become the attributes `metadata` and `declaredchecksum`.
    public static let monitoring = EventMapping(shape: .monitoring, text: "monitoring")

    private init(shape: Shape, text: String) { (self.shape, self.text) = (shape, text) }

    /// Reads a map: `monitoring`, or a list such as `id=/meta/id|key,type=kind,source='billing'`.
    ///
    /// Each rule gives an attribute the first value that the object has: a member's name, a JSON Pointer
    /// (RFC 6901), or a literal in apostrophes. Without a rule for `data` the whole object is the data.
    ///
    /// - throws: a sentence that says what is wrong, and where.
    public init(_ text: String) throws(EventMappingError) {
        if text == "monitoring" {
            self = .monitoring
            return
        }
        var rules: [(attribute: String, alternatives: [Value])] = []
        for rule in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = rule.firstIndex(of: "=") else {
                throw EventMappingError("'\(rule)' is not a rule; write attribute=member")
            }
            let attribute = String(rule[..<equals])
            let kind = EventAttributes.kind(
                of: attribute,
                delivery: EventAttributes.builtInDelivery
            )
            guard kind != .invalid, kind != .specversion else {
                throw EventMappingError("'\(attribute)' is not an attribute that can be mapped")
            }
            if rules.contains(where: { $0.attribute == attribute }) {
                throw EventMappingError("'\(attribute)' is mapped twice")
            }
            var alternatives: [Value] = []
            for part in rule[rule.index(after: equals)...].split(
                separator: "|",
                omittingEmptySubsequences: false
            ) {
                alternatives.append(try Self.value(part, for: attribute))
            }
            rules.append((attribute, alternatives))
        }
        for required in ["id", "source", "type"]
        where !rules.contains(where: { $0.attribute == required }) {
            throw EventMappingError("there is no rule for '\(required)'")
        }
        shape = .rules(rules)
        self.text = text
    }

    private static func value(
        _ text: Substring,
        for attribute: String
    ) throws(EventMappingError) -> Value {
        if text.isEmpty { throw EventMappingError("the rule for '\(attribute)' is empty") }
        if text.first == "'" {
            guard text.count >= 2, text.last == "'" else {
                throw EventMappingError("a literal for '\(attribute)' has no closing apostrophe")
            }
            return .literal(String(text.dropFirst().dropLast()))
        }
        if text.first == "/" {
            let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            return .pointer(
                parts.map {
                    $0.split(separator: "~1", omittingEmptySubsequences: false)
                        .joined(separator: "/")
                        .split(separator: "~0", omittingEmptySubsequences: false)
                        .joined(separator: "~")
                }
            )
        }
        return .pointer([String(text)])
    }
}

/// What is wrong with the text of a map.
public struct EventMappingError: Error, Sendable {
    /// What is wrong, in one sentence.
    public let message: String
    init(_ message: String) { self.message = message }
}

extension EventAttributes {
    static func kind(of name: String, delivery: Set<String>) -> Kind {
        var name = name
        return name.withUTF8 {
            kind(of: UnsafeRawBufferPointer($0), delivery: delivery.map { Array($0.utf8) })
        }
    }
}

extension EventMapping {
    /// Converts an object to a CloudEvent, as JSON.
    func translate(
        _ record: UnsafeRawBufferPointer,
        with tape: inout JSONTape
    ) throws(EventRejection) -> [UInt8] {
        do throws(JSONError) {
            try tape.parse(record)
        } catch {
            throw EventRejection(error.code.rawValue, at: error.offset, error.message)
        }
        guard tape.nodes[0].kind == .object else {
            throw EventRejection(
                "not_an_object",
                "a record must be a JSON object; this is another JSON value"
            )
        }
        let source = MappedObject(tape: tape, bytes: record)
        var event: [UInt8] = Array("{\"specversion\":\"1.0\"".utf8)
        switch shape {
        case .monitoring: try Self.monitoring(source, to: &event)
        case .rules(let rules): try Self.apply(rules, source, to: &event)
        }
        event.append(0x7D)
        return event
    }

    /// The counter `sequence_id` restarts with the process: only with the time does it tell records apart, and it is
    /// not a `sequence` whose gaps mean anything.
    private static func monitoring(
        _ object: MappedObject,
        to event: inout [UInt8]
    ) throws(EventRejection) {
        let (sequence, time) = (object.find(["sequence_id"]), object.find(["timestamp"]))
        if let id = object.find(["metadata", "event_id"]) {
            object.addText("id", id, to: &event)
        } else if let sequence, let time {
            object.addText("id", [sequence, time], joinedBy: "@", to: &event)
        } else {
            throw EventRejection(
                "no_identity",
                "the record has neither metadata.event_id nor sequence_id with timestamp"
            )
        }
        for (attribute, member) in [("source", "source"), ("type", "event_type")] {
            if let value = object.find([member]) { object.add(attribute, value, to: &event) }
        }
        if let time { try object.addTime(time, to: &event) }
        if let sequence { object.addText("sequenceid", sequence, to: &event) }
        if let category = object.find(["category"]) {
            object.add("category", category, to: &event)
        }
        for (attribute, member) in [("metadata", "metadata"), ("declaredchecksum", "checksum")] {
            if let value = object.find([member]) { object.addJSON(attribute, value, to: &event) }
        }
        if let data = object.find(["data"]) { object.add("data", data, to: &event) }
    }

    private static func apply(
        _ rules: [(attribute: String, alternatives: [Value])],
        _ object: MappedObject,
        to event: inout [UInt8]
    ) throws(EventRejection) {
        for (attribute, alternatives) in rules {
            var isFound = false
            for alternative in alternatives where !isFound {
                switch alternative {
                case .literal(let text):
                    event.append(contentsOf: ",\"\(attribute)\":".utf8)
                    CanonicalJSON.writeString(text, to: &event)
                    isFound = true
                case .pointer(let path):
                    guard let value = object.find(path) else { continue }
                    isFound = true
                    switch attribute {
                    case "id", "subject", "source", "type":
                        object.addText(attribute, value, to: &event)
                    case "time": try object.addTime(value, to: &event)
                    default: object.add(attribute, value, to: &event)
                    }
                }
            }
            if !isFound, attribute == "id" {
                throw EventRejection(
                    "no_identity",
                    "the record has no member that 'id' is mapped to"
                )
            }
        }
        if !rules.contains(where: { $0.attribute == "data" || $0.attribute == "data_base64" }) {
            object.add("data", 0, to: &event)
        }
    }
}

/// A parsed object whose values are looked up and written as members of an event.
private struct MappedObject {
    let tape: JSONTape
    let bytes: UnsafeRawBufferPointer

    /// The node at a path, unless it is absent or null.
    func find(_ path: [String]) -> Int? {
        var node = 0
        for step in path {
            guard let next = child(of: node, step) else { return nil }
            node = next
        }
        return tape.nodes[node].kind == .null ? nil : node
    }

    private func child(of node: Int, _ step: String) -> Int? {
        let count = Int(tape.nodes[node].count)
        var child = node + 1
        switch tape.nodes[node].kind {
        case .object:
            for _ in 0..<count {
                if JSONString.unescaped(tape.nodes[child], in: bytes).elementsEqual(step.utf8) {
                    return child + 1
                }
                child = Int(tape.nodes[child + 1].next)
            }
            return nil
        case .array:
            guard let index = Int(step), index >= 0, index < count else { return nil }
            for _ in 0..<index { child = Int(tape.nodes[child].next) }
            return child
        default:
            return nil
        }
    }

    func add(_ attribute: String, _ node: Int, to event: inout [UInt8]) {
        event.append(contentsOf: ",\"\(attribute)\":".utf8)
        event.append(contentsOf: tape.token(node, bytes))
    }

    /// A number becomes the string of its canonical form.
    func addText(_ attribute: String, _ node: Int, to event: inout [UInt8]) {
        guard tape.nodes[node].kind == .number else {
            add(attribute, node, to: &event)
            return
        }
        event.append(contentsOf: ",\"\(attribute)\":\"".utf8)
        CanonicalNumber.write(tape.token(node, bytes), to: &event)
        event.append(0x22)
    }

    /// Texts and numbers, as one text.
    func addText(
        _ attribute: String,
        _ nodes: [Int],
        joinedBy separator: String,
        to event: inout [UInt8]
    ) {
        var text: [UInt8] = []
        for (index, node) in nodes.enumerated() {
            if index > 0 { text += separator.utf8 }
            switch tape.nodes[node].kind {
            case .string: text += JSONString.unescaped(tape.nodes[node], in: bytes)
            case .number: CanonicalNumber.write(tape.token(node, bytes), to: &text)
            default: text += tape.token(node, bytes)
            }
        }
        event.append(contentsOf: ",\"\(attribute)\":".utf8)
        text.withUnsafeBytes { CanonicalJSON.writeString($0, to: &event) }
    }

    /// A text or a number as it is; an object or a list, which no attribute can hold, as the text of its canonical
    /// form. An empty object is left out.
    func addJSON(_ attribute: String, _ node: Int, to event: inout [UInt8]) {
        switch tape.nodes[node].kind {
        case .object where tape.nodes[node].count == 0: return
        case .object, .array:
            event.append(contentsOf: ",\"\(attribute)\":".utf8)
            var text: [UInt8] = []
            CanonicalJSON.write(node, of: tape, in: bytes, to: &text)
            text.withUnsafeBytes { CanonicalJSON.writeString($0, to: &event) }
        default: addText(attribute, node, to: &event)
        }
    }

    /// A number is seconds since 1970, or from 10¹¹ on milliseconds; a string without a zone is UTC.
    func addTime(_ node: Int, to event: inout [UInt8]) throws(EventRejection) {
        switch tape.nodes[node].kind {
        case .number:
            let text = String(decoding: tape.token(node, bytes), as: UTF8.self)
            guard let number = Double(text), number.isFinite, abs(number) < 2.5e14 else {
                throw EventRejection(
                    "bad_time",
                    at: Int(tape.nodes[node].start),
                    "the time is out of range"
                )
            }
            let seconds = abs(number) >= 1e11 ? number / 1000 : number
            let time = RFC3339.string(microseconds: Int64((seconds * 1e6).rounded()))
            event.append(contentsOf: ",\"time\":\"\(time)\"".utf8)
        case .string:
            var text = JSONString.unescaped(tape.nodes[node], in: bytes)
            if text.count > 10, text[10] == 0x20 { text[10] = 0x54 }
            let zone = text.dropFirst(19).contains {
                $0 == 0x5A || $0 == 0x7A || $0 == 0x2B || $0 == 0x2D
            }
            if !zone { text.append(0x5A) }
            event.append(contentsOf: ",\"time\":".utf8)
            text.withUnsafeBytes { CanonicalJSON.writeString($0, to: &event) }
        default:
            add("time", node, to: &event)
        }
    }
}
