/// What does not count when copies of an event are compared.
public struct ComparisonRules: Sendable, Equatable {
    /// Names of context attributes.
    public var ignoredAttributes: Set<String>
    /// JSON Pointers (RFC 6901) into the data.
    public var ignoredData: Set<String>

    public init(ignoredAttributes: Set<String> = [], ignoredData: Set<String> = []) {
        self.ignoredAttributes = ignoredAttributes
        self.ignoredData = ignoredData
    }
}

/// How two contents of one event differ.
public struct ContentDifference: Sendable, Equatable {
    /// Names of attributes, and JSON Pointers that begin with `/data`, sorted; at most
    /// `ContentComparison.listedDifferences`.
    public var places: [String] = []
    /// Places that count by the rules, among all differences.
    public var counting = 0
    /// Whether data differs where it counts.
    public var dataDiffers = false

    /// Whether the copies agree: nothing differs but what the rules ignore.
    public var agrees: Bool { counting == 0 }

    /// `places` as a canonical JSON array; nil when there are none.
    public var json: [UInt8]? {
        guard !places.isEmpty else { return nil }
        var bytes: [UInt8] = [0x5B]
        for (index, place) in places.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            CanonicalJSON.writeString(place, to: &bytes)
        }
        bytes.append(0x5D)
        return bytes
    }
}

/// Compares contents in their comparison form: `time` as an instant, ignored places left out.
public struct ContentComparison: Sendable {
    /// How many differing places are listed.
    public static let listedDifferences = 100

    public var rules: ComparisonRules
    private var left = JSONTape()
    private var right = JSONTape()

    public init(rules: ComparisonRules) { self.rules = rules }

    /// How two contents differ. Both are canonical forms of events with the same source and id.
    public mutating func difference(
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer
    ) throws(JSONError) -> ContentDifference {
        try left.parse(a)
        try right.parse(b)
        var result = ContentDifference()
        for (name, pair) in members(a, b, left: 0, right: 0) {
            compareMember(name, pair, a, b, &result)
        }
        result.places = Array(result.places.sorted().prefix(Self.listedDifferences))
        return result
    }

    private func compareMember(
        _ name: String,
        _ pair: (Int?, Int?),
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        _ result: inout ContentDifference
    ) {
        guard name != "data" else {
            compareData(pair.0, pair.1, "", a, b, &result)
            return
        }
        if let l = pair.0, let r = pair.1 {
            if left.token(l, a).elementsEqual(right.token(r, b)) { return }
            if name == "time", let x = RFC3339Instant(left.content(l, a)),
                let y = RFC3339Instant(right.content(r, b)), x == y
            {
                result.places.append(name)
                return
            }
        }
        let isData = name == "data_base64"
        result.places.append(isData ? "/data" : name)
        if rules.ignoredAttributes.contains(name) { return }
        if isData, rules.ignoredData.contains("") { return }
        result.counting += 1
        if isData { result.dataDiffers = true }
    }

    private func compareData(
        _ l: Int?,
        _ r: Int?,
        _ pointer: String,
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        _ result: inout ContentDifference
    ) {
        if let l, let r {
            if left.token(l, a).elementsEqual(right.token(r, b)) { return }
            let kinds = (left.nodes[l].kind, right.nodes[r].kind)
            if kinds == (.object, .object), !rules.ignoredData.contains(pointer) {
                for (name, pair) in members(a, b, left: l, right: r) {
                    compareData(
                        pair.0,
                        pair.1,
                        pointer + "/" + Self.escape(name),
                        a,
                        b,
                        &result
                    )
                }
                return
            }
            if kinds == (.array, .array), !rules.ignoredData.contains(pointer) {
                compareElements(l, r, pointer, a, b, &result)
                return
            }
        }
        if result.places.count < Self.listedDifferences * 8 {
            result.places.append("/data" + pointer)
        }
        if !rules.ignoredData.contains(pointer) {
            result.counting += 1
            result.dataDiffers = true
        }
    }

    private func compareElements(
        _ l: Int,
        _ r: Int,
        _ pointer: String,
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        _ result: inout ContentDifference
    ) {
        let counts = (Int(left.nodes[l].count), Int(right.nodes[r].count))
        var (x, y) = (l + 1, r + 1)
        for index in 0..<max(counts.0, counts.1) {
            compareData(
                index < counts.0 ? x : nil,
                index < counts.1 ? y : nil,
                pointer + "/\(index)",
                a,
                b,
                &result
            )
            if index < counts.0 { x = Int(left.nodes[x].next) }
            if index < counts.1 { y = Int(right.nodes[y].next) }
        }
    }

    /// The members of two objects, in order of their names.
    private func members(
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        left l: Int,
        right r: Int
    ) -> [(name: String, pair: (Int?, Int?))] {
        // Keyed by bytes: as Swift strings, names that only look alike would be one.
        var members: [[UInt8]: (Int?, Int?)] = [:]
        Self.forEachMember(of: l, left, a) { members[$0, default: (nil, nil)].0 = $1 }
        Self.forEachMember(of: r, right, b) { members[$0, default: (nil, nil)].1 = $1 }
        return members.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
    }

    private static func forEachMember(
        of object: Int,
        _ tape: borrowing JSONTape,
        _ bytes: UnsafeRawBufferPointer,
        _ body: ([UInt8], Int) -> Void
    ) {
        var name = object + 1
        for _ in 0..<Int(tape.nodes[object].count) {
            body(JSONString.unescaped(tape.nodes[name], in: bytes), name + 1)
            name = Int(tape.nodes[name + 1].next)
        }
    }

    private static func escape(_ name: String) -> String {
        guard name.utf8.contains(0x7E) || name.utf8.contains(0x2F) else { return name }
        var escaped = ""
        for character in name.unicodeScalars {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
