/// How two contents of one event differ.
package struct ContentDifference: Sendable, Equatable {
    /// Names of attributes, and JSON Pointers that begin with `/data`, sorted; at most
    /// `ContentComparison.listedDifferences`.
    package var places: [String] = []
    /// Number of differing places that the rules do not ignore.
    package var counting = 0
    /// Whether data differs in a place that is not ignored.
    package var dataDiffers = false

    /// Whether the copies agree: nothing differs except what the rules ignore.
    package var agrees: Bool { counting == 0 }

    /// `places` as a canonical JSON array; nil if there are none.
    package var json: [UInt8]? {
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
package struct ContentComparison: Sendable {
    /// How many differing places are listed.
    package static let listedDifferences = 100

    private let ignored: IgnoredMembers
    private var left = JSONTape()
    private var right = JSONTape()

    /// Whether differences are listed, or only counted.
    private var listsPlaces = true
    /// Whether places are listed that differ, but do not count.
    private var listsIgnored = true

    package init(rules: ComparisonRules, listsIgnored: Bool = true) {
        ignored = IgnoredMembers(rules)
        self.listsIgnored = listsIgnored
    }

    /// - parameter left: the contents to compare, parsed.
    init(_ ignored: IgnoredMembers, _ left: JSONTape, _ right: JSONTape) {
        self.ignored = ignored
        self.left = left
        self.right = right
    }

    /// Whether the parsed contents agree.
    mutating func agrees(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        listsPlaces = false
        var result = ContentDifference()
        forEachDifference(a, b, left: 0, right: 0) { name, pair in
            if result.agrees { compareMember(name, pair, a, b, &result) }
        }
        return result.agrees
    }

    /// How two contents differ. Both are canonical forms of events with the same source and id.
    package mutating func difference(
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer
    ) throws(JSONError) -> ContentDifference {
        try left.parse(a)
        try right.parse(b)
        var result = ContentDifference()
        forEachDifference(a, b, left: 0, right: 0) { name, pair in
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
            compareData(pair.0, pair.1, "", ignored.data, a, b, &result)
            return
        }
        let isData = name == "data_base64"
        var counts = !ignored.contains(name.utf8)
        if name == "time", let l = pair.0, let r = pair.1, let instant = left.instant(l, a),
            instant == right.instant(r, b)
        {
            counts = false
        }
        if counts || listsIgnored { result.places.append(isData ? "/data" : name) }
        guard counts else { return }
        result.counting += 1
        if isData { result.dataDiffers = true }
    }

    /// - parameter place: nil if nothing there is ignored.
    private func compareData(
        _ l: Int?,
        _ r: Int?,
        _ pointer: String,
        _ place: IgnoredPlaces?,
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        _ result: inout ContentDifference
    ) {
        let isIgnored = place?.isIgnored == true
        if let l, let r {
            if left.token(l, a).isEqual(to: right.token(r, b)) { return }
            let kinds = (left.nodes[l].kind, right.nodes[r].kind)
            if kinds == (.object, .object), !isIgnored {
                forEachDifference(a, b, left: l, right: r) { name, pair in
                    compareData(
                        pair.0,
                        pair.1,
                        pointer + "/" + Self.escape(name),
                        place?.member(name.utf8),
                        a,
                        b,
                        &result
                    )
                }
                return
            }
            if kinds == (.array, .array), !isIgnored {
                compareElements(l, r, pointer, place, a, b, &result)
                return
            }
        }
        if listsPlaces, !isIgnored || listsIgnored,
            result.places.count < Self.listedDifferences * 8
        {
            result.places.append("/data" + pointer)
        }
        if !isIgnored {
            result.counting += 1
            result.dataDiffers = true
        }
    }

    private func compareElements(
        _ l: Int,
        _ r: Int,
        _ pointer: String,
        _ place: IgnoredPlaces?,
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
                place?.element(index),
                a,
                b,
                &result
            )
            if index < counts.0 { x = Int(left.nodes[x].next) }
            if index < counts.1 { y = Int(right.nodes[y].next) }
        }
    }

    /// Calls `body` with the members of two objects that are not the same bytes in both, in canonical order.
    private func forEachDifference(
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer,
        left l: Int,
        right r: Int,
        _ body: (_ name: String, _ pair: (Int?, Int?)) -> Void
    ) {
        var (x, y) = (Members(of: l, left), Members(of: r, right))
        while let side = order(x.name, y.name, a, b) {
            let pair = (side <= 0 ? x.name : nil, side >= 0 ? y.name : nil)
            if side <= 0 { x.advance(in: left) }
            if side >= 0 { y.advance(in: right) }
            if let m = pair.0, let n = pair.1,
                left.token(m + 1, a).isEqual(to: right.token(n + 1, b))
            {
                continue
            }
            let name =
                pair.0.map { JSONString.text(left.nodes[$0], in: a) }
                ?? pair.1.map { JSONString.text(right.nodes[$0], in: b) } ?? ""
            body(name, (pair.0.map { $0 + 1 }, pair.1.map { $0 + 1 }))
        }
    }

    /// How two names compare, as bytes: as Swift strings, names that only look alike would be equal. A missing name
    /// comes last; nil if both are missing.
    private func order(
        _ l: Int?,
        _ r: Int?,
        _ a: UnsafeRawBufferPointer,
        _ b: UnsafeRawBufferPointer
    ) -> Int? {
        guard let l else { return r == nil ? nil : 1 }
        guard let r else { return -1 }
        if !left.nodes[l].hasEscapes, !right.nodes[r].hasEscapes {
            return JSONString.compare(left.content(l, a), right.content(r, b))
        }
        let (x, y) = (
            JSONString.unescaped(left.nodes[l], in: a), JSONString.unescaped(right.nodes[r], in: b)
        )
        return x.withUnsafeBytes { x in y.withUnsafeBytes { JSONString.compare(x, $0) } }
    }

    /// Iterates over an object's names in canonical order.
    private struct Members {
        /// The node of the current name; nil after the last one.
        private(set) var name: Int?
        private var left: Int
        private var place: Int

        init(of object: Int, _ tape: borrowing JSONTape) {
            left = Int(tape.nodes[object].count)
            place = Int(tape.nodes[object].orderStart)
            name = left == 0 ? nil : place < 0 ? object + 1 : Int(tape.order[place])
        }

        mutating func advance(in tape: borrowing JSONTape) {
            guard let current = name else { return }
            left -= 1
            guard left > 0 else {
                name = nil
                return
            }
            guard place < 0 else {
                place += 1
                name = Int(tape.order[place])
                return
            }
            name = Int(tape.nodes[current + 1].next)
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
