/// The event types that a section of a projection handles: one type, all types that begin with a prefix and a dot, or
/// all.
package enum EventPattern: Hashable, Sendable {
    /// `*`
    case any
    /// `PREFIX.*`; the bytes are the prefix and its dot.
    case prefix([UInt8])
    /// `TYPE`
    case exact([UInt8])

    /// - returns: nil for a text that is empty, or that has white space, or `*` other than alone or at the end after
    ///   a dot.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes == [0x2A] {
            self = .any
            return
        }
        let isPrefix = bytes.count > 2 && bytes.suffix(2).elementsEqual([0x2E, 0x2A])
        let rest = isPrefix ? Array(bytes.dropLast()) : bytes
        guard !rest.isEmpty,
            rest.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x2A && $0 != 0x2C })
        else { return nil }
        self = isPrefix ? .prefix(rest) : .exact(rest)
    }

    /// Whether a type, as UTF-8, matches. Types are compared by bytes.
    package func matches(_ type: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .any: true
        case .prefix(let prefix): type.starts(with: prefix)
        case .exact(let exact): type.elementsEqual(exact)
        }
    }

    /// Whether a type matches.
    package func matches(_ type: String) -> Bool {
        var type = type
        return type.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    /// The pattern as written in a projection file.
    package var text: String {
        switch self {
        case .any: "*"
        case .prefix(let prefix): String(decoding: prefix, as: UTF8.self) + "*"
        case .exact(let exact): String(decoding: exact, as: UTF8.self)
        }
    }

    /// A text without the white space around it.
    static func trimmed(_ text: some StringProtocol) -> Substring {
        var rest = Substring(text).unicodeScalars
        let isSpace: (UnicodeScalar?) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        while isSpace(rest.first) { rest.removeFirst() }
        while isSpace(rest.last) { rest.removeLast() }
        return Substring(rest)
    }

}
