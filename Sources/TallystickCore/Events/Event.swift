/// A place in the store's global order: 1-based, contiguous, never reused.
public struct Position: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64
    /// The position of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
    /// The position of that number.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

/// A place in a stream's order of arrival: 0-based, contiguous.
public struct Revision: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64
    /// The revision of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
    /// The revision of that number.
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

extension Position: ExpressibleByIntegerLiteral {
    /// A position written as a number.
    public init(integerLiteral value: Int64) { self.init(value) }
}

extension Revision: ExpressibleByIntegerLiteral {
    /// A revision written as a number.
    public init(integerLiteral value: Int64) { self.init(value) }
}

/// The value of an extension attribute (CloudEvents 1.0, type system).
public enum AttributeValue: Hashable, Sendable {
    case string(String)
    case integer(Int32)
    case boolean(Bool)
}

/// An event's data.
public enum EventData: Hashable, Sendable {
    /// A JSON document.
    case json([UInt8])
    case binary([UInt8])

    /// A JSON document.
    public static func json(_ text: String) -> EventData { .json(Array(text.utf8)) }
}

/// An event as a program passes it to the store: a CloudEvent.
///
/// ```swift
/// let event = Event(id: "1", source: "/orders", type: "order.placed", data: .json(#"{"total":12.5}"#))
/// ```
public struct Event: Hashable, Sendable {
    /// Unique within its source; not empty.
    public var id: String
    /// The producer.
    public var source: String
    /// What happened, such as `order.placed`; not empty.
    public var type: String
    /// Its subject, in the producer's terms.
    public var subject: String?
    /// RFC 3339; kept as it is given.
    public var time: String?
    /// The media type of the data; nil stands for JSON.
    public var dataContentType: String?
    /// The URI of a schema that the data follows.
    public var dataSchema: String?
    /// Extension and delivery attributes: names are lower-case letters and digits.
    public var extensions: [String: AttributeValue]
    /// The payload; nil for an event without one.
    public var data: EventData?

    /// Nothing is checked here: the store validates an event when it is appended.
    public init(
        id: String,
        source: String,
        type: String,
        subject: String? = nil,
        time: String? = nil,
        dataContentType: String? = nil,
        dataSchema: String? = nil,
        extensions: [String: AttributeValue] = [:],
        data: EventData? = nil
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.dataContentType = dataContentType
        self.dataSchema = dataSchema
        self.extensions = extensions
        self.data = data
    }

    /// The event in the JSON format of CloudEvents; not validated yet.
    public func writeJSON(to output: inout [UInt8]) {
        output.append(contentsOf: "{\"specversion\":\"1.0\"".utf8)
        let texts: [(String, String?)] = [
            ("id", id), ("source", source), ("type", type), ("subject", subject), ("time", time),
            ("datacontenttype", dataContentType), ("dataschema", dataSchema),
        ]
        for case (let name, let text?) in texts { Self.write(name, .string(text), to: &output) }
        for (name, value) in extensions { Self.write(name, value, to: &output) }
        switch data {
        case .json(let bytes):
            output.append(contentsOf: ",\"data\":".utf8)
            output.append(contentsOf: bytes)
        case .binary(let bytes):
            output.append(contentsOf: ",\"data_base64\":\"".utf8)
            Base64.encode(bytes, to: &output)
            output.append(0x22)
        case nil: break
        }
        output.append(0x7D)
    }

    private static func write(_ name: String, _ value: AttributeValue, to output: inout [UInt8]) {
        output.append(0x2C)
        CanonicalJSON.writeString(name, to: &output)
        output.append(0x3A)
        switch value {
        case .string(let text): CanonicalJSON.writeString(text, to: &output)
        case .integer(let number): output.append(contentsOf: String(number).utf8)
        case .boolean(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        }
    }
}

extension Event {
    /// Reads a CloudEvent (JSON).
    public static func decoded(from json: UnsafeRawBufferPointer) -> Result<Event, EventRejection> {
        var tape = JSONTape()
        do throws(JSONError) {
            try tape.parse(json)
        } catch {
            return .failure(EventRejection(error.code.rawValue, at: error.offset, error.message))
        }
        guard tape.nodes[0].kind == .object else {
            return .failure(
                EventRejection(
                    "not_an_object",
                    "an event must be a JSON object; this is another JSON value"
                )
            )
        }
        let root = JSONValue(0, of: tape, in: json)
        guard let id = root["id"]?.string, let source = root["source"]?.string,
            let type = root["type"]?.string, root["specversion"]?.string == "1.0"
        else {
            return .failure(
                EventRejection(
                    "missing_attribute",
                    "specversion \"1.0\", id, source and type must be there, as strings"
                )
            )
        }
        var event = Event(id: id, source: source, type: type)
        for (name, value) in root.object ?? [] {
            do throws(EventRejection) {
                try event.set(name, value)
            } catch {
                return .failure(error)
            }
        }
        return .success(event)
    }

    private mutating func set(_ name: String, _ value: JSONValue) throws(EventRejection) {
        switch (name, value.content) {
        case ("id", _), ("source", _), ("type", _), ("specversion", _): return
        case ("data", _): data = .json(value.canonical)
        case (_, .null): return
        case ("data_base64", .string(let text)):
            guard let bytes = Base64.decode(Array(text.utf8)) else {
                throw EventRejection("bad_base64", "'data_base64' is not base64")
            }
            data = .binary(bytes)
        case ("subject", .string(let text)): subject = text
        case ("time", .string(let text)): time = text
        case ("datacontenttype", .string(let text)): dataContentType = text
        case ("dataschema", .string(let text)): dataSchema = text
        case (_, .string(let text)): extensions[name] = .string(text)
        case (_, .boolean(let flag)): extensions[name] = .boolean(flag)
        case (_, .number(let text)):
            guard let number = Int32(text) else {
                throw EventRejection(
                    "attribute_type",
                    "a number in an attribute must be an integer of 32 bits"
                )
            }
            extensions[name] = .integer(number)
        default:
            throw EventRejection(
                "attribute_type",
                "'\(name)' must be a string, an integer or a boolean"
            )
        }
    }
}
