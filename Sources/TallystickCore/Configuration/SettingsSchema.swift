/// The shape of a settings file: unknown keys are errors.
indirect enum SettingsShape: Sendable {
    case text
    case oneOf([String])
    case flag
    /// A number in a closed range.
    case number(ClosedRange<Double>)
    /// `ms`, `s`, `m`, `h`, `d` after a number.
    case duration
    case list(SettingsShape)
    case pair(SettingsShape, SettingsShape)
    case record([String: SettingsShape])
    case map(SettingsShape)
    case textOrNull
    case anything
}

enum SettingsSchema {
    private static let severities = ["critical", "high", "medium", "low"]

    private static let file = SettingsShape.record([
        "tallystick_config": .number(1...1),
        "default_category": .text,
        "compare": .record([
            "ignore_attributes": .list(.text), "ignore_data": .list(.text),
        ]),
        "origins": .map(
            .record(["priority": .number(0...1_000_000), "mismatch_threshold": .number(0...1)])),
        "categories": .map(
            .record([
                "enabled": .flag, "percentage": .number(0...100), "origins": .list(.text),
                "checksum": .oneOf(ChecksumAlgorithm.allCases.map(\.rawValue)),
                "severity": .oneOf(severities), "mismatch_threshold": .number(0...1),
                "window": .duration, "while_open": .oneOf(["dispute", "hold"]), "policy": .text,
            ])),
        "policies": .map(.record(["chain": .list(.map(.anything))])),
        "classification": .record([
            "types": .map(.text), "type_keywords": .list(.pair(.text, .text)),
            "data_keys": .list(.pair(.text, .text)),
        ]),
        "breakers": .map(
            .record([
                "failure_rate": .number(0...1),
                "window": .record(["count": .number(1...1_000_000), "time": .duration]),
                "minimum_calls": .number(1...1_000_000), "wait_open": .duration,
                "half_open_calls": .number(1...1_000_000),
            ])),
        "override_origin": .textOrNull,
    ])

    static func check(_ document: JSONDocument) throws(SettingsError) {
        try check(document.root, file, "settings", document)
    }

    private static func check(
        _ value: JSONValue,
        _ shape: SettingsShape,
        _ path: String,
        _ document: JSONDocument
    ) throws(SettingsError) {
        func fail(_ expected: String) -> SettingsError {
            SettingsError("\(path) must be \(expected)", at: value, in: document)
        }
        switch shape {
        case .anything: return
        case .text:
            guard let text = value.string, !text.isEmpty else { throw fail("a text") }
        case .textOrNull:
            guard value.content == .null || value.string != nil else {
                throw fail("a text or null")
            }
        case .oneOf(let choices):
            guard let text = value.string, choices.contains(text) else {
                throw fail("one of " + choices.joined(separator: ", "))
            }
        case .flag:
            guard value.boolean != nil else { throw fail("true or false") }
        case .number(let range):
            guard let number = value.double, range.contains(number) else {
                throw fail("a number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .duration:
            guard let text = value.string, isDuration(text) else {
                throw fail("a duration such as \"500ms\", \"90s\", \"15m\", \"2h\" or \"1d\"")
            }
        case .list(let element):
            guard let elements = value.array else { throw fail("a list") }
            for (index, item) in elements.enumerated() {
                try check(item, element, "\(path)[\(index)]", document)
            }
        case .pair(let first, let second):
            guard let items = value.array, items.count == 2 else { throw fail("a pair") }
            try check(items[0], first, "\(path)[0]", document)
            try check(items[1], second, "\(path)[1]", document)
        case .map(let element):
            guard let members = value.object else { throw fail("an object") }
            for (name, item) in members { try check(item, element, "\(path).\(name)", document) }
        case .record(let shapes):
            guard let members = value.object else { throw fail("an object") }
            for (name, item) in members {
                guard let shape = shapes[name] else {
                    let known = shapes.keys.sorted().joined(separator: ", ")
                    throw SettingsError(
                        "\(path) has no setting '\(name)'; it has \(known)", at: item, in: document)
                }
                try check(item, shape, "\(path).\(name)", document)
            }
        }
    }

    private static func isDuration(_ text: String) -> Bool {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        return !digits.isEmpty && digits.count <= 9
            && ["ms", "s", "m", "h", "d"].contains(text.dropFirst(digits.count))
    }
}
