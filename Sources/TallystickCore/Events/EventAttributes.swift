/// The context attributes of CloudEvents 1.0, and how Tallystick treats them.
package enum EventAttributes {
    /// Attributes that describe a delivery instead of the fact.
    package static let builtInDelivery: Set<String> = [
        "checksum", "checksumalgorithm", "checksumkeyid", "traceparent", "tracestate", stream,
        "tallyrevision",
    ]
    /// The delivery attribute that names the stream.
    package static let stream = "tallystream"
    static let sourceIsOrigin = "source_is_origin"

    enum Kind: String {
        case data
        case dataBase64 = "data_base64"
        case dataContentType = "datacontenttype"
        case id, source, specversion, subject, time, type
        case `extension`, delivery
        /// Not the name of any attribute.
        case invalid
    }

    /// The role of a member of an event, by its name.
    static func kind(of name: UnsafeRawBufferPointer, delivery: [[UInt8]]) -> Kind {
        switch name.count {
        case 2 where equal(name, "id"): return .id
        case 4 where equal(name, "data"): return .data
        case 4 where equal(name, "time"): return .time
        case 4 where equal(name, "type"): return .type
        case 6 where equal(name, "source"): return .source
        case 7 where equal(name, "subject"): return .subject
        case 11 where equal(name, "specversion"): return .specversion
        case 11 where equal(name, "data_base64"): return .dataBase64
        case 15 where equal(name, "datacontenttype"): return .dataContentType
        default: break
        }
        guard !name.isEmpty, name.count <= EventLimits.nameBytes else { return .invalid }
        for byte in name where !(byte &- 0x61 < 26 || byte &- 0x30 <= 9) { return .invalid }
        for known in delivery where known.count == name.count && known.elementsEqual(name) {
            return .delivery
        }
        return .extension
    }

    /// Whether a name can be that of an extension attribute.
    package static func isExtensionName(_ name: String) -> Bool {
        [.extension, .delivery].contains(kind(of: name, delivery: builtInDelivery))
    }

    @inline(__always)
    private static func equal(_ name: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        for index in 0..<name.count where name[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Extensions and delivery attributes that must be strings, and not empty: `dataschema` is a URI (CloudEvents 1.0),
    /// the others are ours.
    private static let strings = [
        stream, "dataschema", "checksum", "checksumalgorithm", "checksumkeyid",
    ].map { Array($0.utf8) }

    private static func isString(_ name: UnsafeRawBufferPointer) -> Bool {
        strings.contains { $0.count == name.count && $0.elementsEqual(name) }
    }

    /// Validates a value by the rules for its attribute.
    static func validate(
        _ kind: Kind,
        named name: UnsafeRawBufferPointer,
        value: Int,
        of tape: borrowing JSONTape,
        in bytes: UnsafeRawBufferPointer
    ) throws(EventRejection) {
        let node = tape.nodes[value]
        let length = Int(node.end - node.start) - 2
        if kind == .data { return }
        let isExtension = kind == .extension || kind == .delivery
        if isExtension {
            try validateExtension(kind, node, tape.token(value, bytes))
            guard isString(name) else { return }
        }
        func text() -> String { String(decoding: name, as: UTF8.self) }
        guard node.kind == .string else {
            throw EventRejection(
                "attribute_type",
                at: Int(node.start),
                "'\(text())' must be a string"
            )
        }
        if kind == .dataBase64 { return }
        guard length > 0 else {
            throw EventRejection(
                "empty_attribute",
                at: Int(node.start),
                "'\(text())' must not be empty"
            )
        }
        if isExtension { return }
        guard length <= EventLimits.nameBytes else {
            throw EventRejection(
                "attribute_too_long",
                at: Int(node.start),
                "'\(kind.rawValue)' has more than \(EventLimits.nameBytes) bytes"
            )
        }
        let text = tape.content(value, bytes)
        if kind == .specversion, !text.elementsEqual("1.0".utf8) {
            throw EventRejection(
                "bad_specversion",
                at: Int(node.start),
                "'specversion' must be \"1.0\""
            )
        }
        if kind == .time, node.hasEscapes || RFC3339Instant(text) == nil {
            throw EventRejection(
                "bad_time",
                at: Int(node.start),
                "'time' must be an RFC 3339 date and time with an offset or Z"
            )
        }
    }

    private static func validateExtension(
        _ kind: Kind,
        _ node: JSONTape.Node,
        _ token: UnsafeRawBufferPointer
    ) throws(EventRejection) {
        switch node.kind {
        case .string where kind == .delivery && token.count > EventLimits.streamNameBytes:
            throw EventRejection(
                "attribute_too_long",
                at: Int(node.start),
                "a delivery attribute has more than \(EventLimits.streamNameBytes) bytes"
            )
        case .string, .true, .false, .null: return
        case .number:
            var text: [UInt8] = []
            CanonicalNumber.write(token, to: &text)
            if Int32(String(decoding: text, as: UTF8.self)) != nil { return }
            throw EventRejection(
                "attribute_type",
                at: Int(node.start),
                "a number in an attribute must be an integer of 32 bits"
            )
        case .array, .object:
            throw EventRejection(
                "attribute_type",
                at: Int(node.start),
                "an attribute must be a string, an integer or a boolean"
            )
        }
    }
}
