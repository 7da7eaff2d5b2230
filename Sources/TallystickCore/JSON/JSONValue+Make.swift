/// Values made from Swift's own.
extension JSONValue {
    package static func make(_ text: String) -> JSONValue { JSONValue(.string(text)) }

    package static func make(_ flag: Bool) -> JSONValue { JSONValue(.boolean(flag)) }

    package static func make(_ number: some BinaryInteger) -> JSONValue {
        JSONValue(.number(String(number)))
    }

    package static func make(_ number: Double) -> JSONValue {
        var text: [UInt8] = []
        CanonicalNumber.write(number, to: &text)
        return JSONValue(.number(String(decoding: text, as: UTF8.self)))
    }

    package static func make(_ values: [JSONValue]) -> JSONValue { JSONValue(.array(values)) }

    package static func make(_ texts: [String]) -> JSONValue { .make(texts.map { .make($0) }) }

    package static func make(_ members: [(String, JSONValue)]) -> JSONValue {
        JSONValue(.object(members.map { (name: $0, value: $1) }))
    }
}
