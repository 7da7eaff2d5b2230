/// A value of a settings file, with its path for messages, and its position.
struct SettingsReader {
    let value: JSONValue
    /// The path as people write it: `categories.critical.window`; empty for the whole file.
    let path: String
    private let bytes: [UInt8]

    /// The whole of a file.
    init(_ json: [UInt8]) throws(SettingsError) {
        do throws(JSONError) {
            value = try JSONDocument(json).root
        } catch {
            throw SettingsError(
                error.code == .syntax ? "this is not JSON: \(error.message)" : error.message,
                line: error.line,
                column: error.column
            )
        }
        path = ""
        bytes = json
    }

    private init(_ value: JSONValue, _ path: String, _ bytes: [UInt8]) {
        self.value = value
        self.path = path
        self.bytes = bytes
    }

    // MARK: Errors

    /// An error at this value.
    func fail(_ message: String) -> SettingsError { error(message, at: value.offset) }

    /// An error at the name of this member of an object.
    func failAtName(_ message: String) -> SettingsError { error(message, at: nameOffset) }

    private func mustBe(_ expected: String) -> SettingsError {
        fail("\(path.isEmpty ? "a settings file" : path) must be \(expected)")
    }

    private func error(_ message: String, at offset: Int) -> SettingsError {
        let place = bytes.withUnsafeBytes { TextPlace(of: offset, in: $0) }
        return SettingsError(message, line: place.line, column: place.column)
    }

    /// Where the name of the member with this value begins: found by searching backwards over the colon to the
    /// quotation mark that opens the name. The document is valid, so both exist.
    private var nameOffset: Int {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        var index = value.offset - 1
        while index >= 0, isSpace(bytes[index]) || bytes[index] == 0x3A { index -= 1 }
        index -= 1
        while index >= 0 {
            var backslashes = 0
            while index - backslashes > 0, bytes[index - backslashes - 1] == 0x5C {
                backslashes += 1
            }
            if bytes[index] == 0x22, backslashes % 2 == 0 { return index }
            index -= 1
        }
        return value.offset
    }

    // MARK: Containers

    /// The members of an object.
    func members() throws(SettingsError) -> [(name: String, reader: SettingsReader)] {
        guard let members = value.object else { throw mustBe("an object") }
        return members.map { name, value in
            (name, SettingsReader(value, path.isEmpty ? name : "\(path).\(name)", bytes))
        }
    }

    /// The members of an object that may have only the known ones.
    func members(known: [String]) throws(SettingsError) -> [(name: String, reader: SettingsReader)]
    {
        let members = try members()
        for (name, reader) in members
        where !known.contains(where: { $0.utf8.elementsEqual(name.utf8) }) {
            throw reader.failAtName(
                "\(path.isEmpty ? "a settings file" : path) has no setting '\(name)'; it may have "
                    + known.joined(separator: ", ")
            )
        }
        return members
    }

    /// The elements of a list.
    func elements() throws(SettingsError) -> [SettingsReader] {
        guard let elements = value.array else { throw mustBe("a list") }
        return elements.enumerated().map { SettingsReader($1, "\(path)[\($0)]", bytes) }
    }

    // MARK: Scalars

    /// A text that is not empty.
    func text() throws(SettingsError) -> String {
        guard let text = value.string, !text.isEmpty else {
            throw mustBe("a non-empty string")
        }
        return text
    }

    /// A name of a category or policy: a-z, 0-9 and `_`, not beginning with a digit, at most 64.
    func checkName(_ name: String, of kind: String) throws(SettingsError) {
        let isValid =
            !name.isEmpty && name.utf8.count <= 64
            && !(name.utf8.first.map { $0 &- 0x30 <= 9 } ?? true)
            && name.utf8.allSatisfy { $0 == 0x5F || $0 &- 0x30 <= 9 || $0 &- 0x61 < 26 }
        guard isValid else {
            throw failAtName(
                "'\(name)' is not a name for a \(kind): use a-z, 0-9 and _, at most 64, and no digit first"
            )
        }
    }

    func boolean() throws(SettingsError) -> Bool {
        guard let boolean = value.boolean else { throw mustBe("true or false") }
        return boolean
    }

    func number(_ range: ClosedRange<Double>) throws(SettingsError) -> Double {
        guard let number = value.double, range.contains(number) else {
            throw mustBe(
                "a number from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))"
            )
        }
        return number
    }

    func integer(_ range: ClosedRange<Int>) throws(SettingsError) -> Int {
        guard case .number(let text) = value.content, let number = Int(text), range.contains(number)
        else { throw mustBe("a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    func duration() throws(SettingsError) -> SettingsDuration {
        guard let text = value.string, let duration = SettingsDuration(text) else {
            throw mustBe("a duration such as \"500ms\", \"90s\", \"15m\", \"2h\" or \"1d\"")
        }
        return duration
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ type: Choice.Type
    ) throws(SettingsError) -> Choice where Choice.RawValue == String {
        guard let text = value.string, let choice = Choice(rawValue: text) else {
            throw mustBe("one of " + type.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }

    func choice(_ choices: [String]) throws(SettingsError) -> String {
        guard let text = value.string, choices.contains(text) else {
            throw mustBe("one of " + choices.joined(separator: ", "))
        }
        return text
    }

    /// A JSON Pointer (RFC 6901).
    func pointer() throws(SettingsError) -> String {
        guard let text = value.string, Self.isPointer(text) else {
            throw mustBe("a JSON Pointer such as \"/count\"")
        }
        return text
    }

    /// Whether a text is a JSON Pointer: empty, or tokens that each begin with `/`, with `~0` and `~1` for `~` and `/`.
    static func isPointer(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return true }
        var isEscaping = false
        for byte in text.utf8 {
            if isEscaping, byte != 0x30, byte != 0x31 { return false }
            isEscaping = byte == 0x7E
        }
        return first == 0x2F && !isEscaping
    }

    private static func text(_ number: Double) -> String {
        number == number.rounded() ? "\(Int(number))" : "\(number)"
    }
}
