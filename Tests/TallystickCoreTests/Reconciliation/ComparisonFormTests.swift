import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Comparison form")
struct ComparisonFormTests {
    private func rules(_ data: [String], attributes: [String] = []) -> ComparisonRules {
        ComparisonRules(ignoredAttributes: attributes, ignoredData: data)
    }

    private func form(_ content: String, _ rules: ComparisonRules) throws -> String {
        var form = ComparisonForm(rules: rules)
        try Array(content.utf8).withUnsafeBytesTyped { bytes throws(JSONError) in
            try form.read(bytes)
        }
        #expect(form.digest == SHA256Digest(hashing: form.bytes))
        return String(decoding: form.bytes, as: UTF8.self)
    }

    private func agree(_ a: String, _ b: String, _ rules: ComparisonRules) throws -> Bool {
        var comparison = ContentComparison(rules: rules)
        return try Array(a.utf8).withUnsafeBytesTyped { a throws(JSONError) in
            try Array(b.utf8).withUnsafeBytesTyped { b throws(JSONError) in
                try comparison.difference(a, b)
            }
        }.agrees
    }

    @Test(
        "Ignored places do not appear in the form",
        arguments: [
            // Members, at any depth; a pointer that leads nowhere ignores nothing.
            (["/a"], #"{"a":1,"b":2}"#, #"{"b":2}"#),
            (["/a", "/b"], #"{"a":1,"b":2}"#, "{}"),
            (["/a/b"], #"{"a":{"b":1,"c":2}}"#, #"{"a":{"c":2}}"#),
            (["/a/b"], #"{"a":{"b":1}}"#, #"{"a":{}}"#),
            (["/a/b"], #"{"a":5}"#, #"{"a":5}"#),
            (["/a/b/c"], #"{"a":"b"}"#, #"{"a":"b"}"#),
            (["/x"], "7", "7"), (["/x"], "null", "null"),
            (["/a", "/a/b"], #"{"a":{"b":1}}"#, "{}"),
            // Elements keep the places of those after them.
            (["/1"], "[1,2,3]", "[1,null,3]"), (["/2"], "[1,2,3]", "[1,2]"),
            (["/1", "/2"], "[1,2,3]", "[1]"), (["/0"], "[1]", "[]"), (["/0"], "[1,2]", "[null,2]"),
            (["/0"], "[1,null]", "[null,null]"), (["/7"], "[1]", "[1]"),
            (["/0/x"], #"[{"x":1}]"#, "[{}]"),
            (["/a/1/x"], #"{"a":[{"x":1},{"x":2,"y":3}]}"#, #"{"a":[{"x":1},{"y":3}]}"#),
            (["/0/0"], "[[1,2],[3]]", "[[null,2],[3]]"), (["/0/1"], "[[1,2],[3]]", "[[1],[3]]"),
            (["/01", "/-", "/+1", "/1x"], "[1,2,3]", "[1,2,3]"),
            (["/1", "/-"], #"{"-":1,"1":2,"01":3}"#, #"{"01":3}"#),
            // Names with escapes, in pointers and in JSON; the empty name.
            (["/a~1b", "/c~0d", "/~01"], #"{"/":1,"a/b":1,"c~d":2,"~1":3}"#, #"{"/":1}"#),
            (["/"], #"{"":1,"a":2}"#, #"{"a":2}"#),
            (["//x"], #"{"":{"x":1,"y":2}}"#, #"{"":{"y":2}}"#),
            (["/a\"b", "/\n"], #"{"\n":1,"a\"b":2,"c":3}"#, #"{"c":3}"#),
            (["/\u{e9}"], "{\"e\u{301}\":1,\"\u{e9}\":2}", "{\"e\u{301}\":1}"),
            (["/e\u{301}", "/\u{e9}"], "{\"e\u{301}\":1,\"\u{e9}\":2}", "{}"),
            // Everything that is not ignored stays unchanged.
            (
                ["/n"], #"{"a":9007199254740993,"b":1e400,"n":1}"#,
                #"{"a":9007199254740993,"b":1e400}"#
            ),
            (["a", "/~", "/~2"], #"{"a":1,"~":2,"~2":3}"#, #"{"a":1,"~":2,"~2":3}"#),
        ]
    )
    func data(_ pointers: [String], _ data: String, _ expected: String) throws {
        let written = try form("{\"data\":\(data),\"id\":\"1\"}", rules(pointers))
        #expect(written == "{\"data\":\(expected),\"id\":\"1\"}", "\(pointers) in \(data)")
    }

    @Test("All data, and whole attributes, can be ignored; data is not an attribute")
    func members() throws {
        let json = #"{"a":"x","data":{"a":1},"id":"1"}"#
        let binary = #"{"a":"x","data_base64":"AQ==","id":"1"}"#
        for content in [json, binary] {
            #expect(try form(content, rules([""])) == #"{"a":"x","id":"1"}"#)
        }
        #expect(try form(binary, rules(["/a"])) == binary)
        #expect(try form(json, rules([], attributes: ["a"])) == #"{"data":{"a":1},"id":"1"}"#)
        #expect(try form(json, rules([], attributes: ["data", "/a", "A"])) == json)
        #expect(
            try form(binary, rules([], attributes: ["data_base64"])) == #"{"a":"x","id":"1"}"#
        )
        #expect(try agree(json, binary, rules([""])))
        #expect(try agree(json, #"{"a":"x","id":"1"}"#, rules([""])))
        #expect(try form("{}", rules([""])) == "{}")
    }

    @Test(
        "Equal instants are written identically, and different ones never are",
        arguments: [
            ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
            ("2026-03-01t10:00:00z", "2026-03-01T10:00:00Z"),
            ("2026-03-01T12:30:00+02:30", "2026-03-01T10:00:00Z"),
            ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:00Z"),
            ("2026-03-01T10:00:00.1200-00:00", "2026-03-01T10:00:00.12Z"),
            (
                "2026-02-28T23:00:00.0000000000000000000010-11:00",
                "2026-03-01T10:00:00.000000000000000000001Z"
            ),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
            ("2017-01-01T00:59:60.50+01:00", "2016-12-31T23:59:60.5Z"),
            ("2017-01-01T00:00:00Z", "2017-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.9Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0000-01-01T00:30:00+01:00", "0000-01-01T23:29:00+23:59"),
            ("0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00+23:59"),
            ("0000-01-01T00:59:60.1+01:00", "0000-01-01T23:58:60.1+23:59"),
            ("9999-12-31T23:59:60Z", "9999-12-31T23:59:60Z"),
            ("9999-12-31T23:30:00-01:00", "9999-12-31T00:31:00-23:59"),
            ("9999-12-31T23:59:59.9-23:59", "9999-12-31T23:59:59.9-23:59"),
            // Not date-times: unchanged.
            ("2026-03-01", "2026-03-01"), ("-0001-12-31T23:30:00Z", "-0001-12-31T23:30:00Z"),
            ("2026-02-29T00:00:00Z", "2026-02-29T00:00:00Z"),
            ("2026-03-01T10:00:00", "2026-03-01T10:00:00"), ("", ""),
        ]
    )
    func time(_ given: String, _ expected: String) throws {
        let content = "{\"id\":\"1\",\"time\":\"\(given)\"}"
        #expect(try form(content, rules([])) == "{\"id\":\"1\",\"time\":\"\(expected)\"}")
        #expect(try form(content, rules([], attributes: ["time"])) == #"{"id":"1"}"#)
        #expect(RFC3339Instant(expected) == RFC3339Instant(given))
        // In data, and in values that are not strings, a time stays unchanged.
        let data = "{\"data\":{\"time\":\"\(given)\"},\"time\":5}"
        #expect(try form(data, rules([])) == data)
        #expect(!(try agree(data, #"{"time":6}"#, rules([""]))))
    }

    @Test("Forms are equal exactly if contents agree, and are canonical JSON")
    func property() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = RandomContents(seed: seed)
        var agreeing = 0
        let asked = ProcessInfo.processInfo.environment["TALLY_MUTATIONS"].flatMap { Int($0) }
        let rounds = asked ?? 10_000
        for round in 0..<rounds {
            let rules = random.rules()
            let a = random.content()
            let b = random.changed(a)
            let (x, y) = (Self.text(a), Self.text(b))
            let (left, right) = (try form(x, rules), try form(y, rules))
            let agrees = try agree(x, y, rules)
            let mirrored = try agree(y, x, rules)
            if agrees { agreeing += 1 }
            #expect(
                agrees == (left == right) && agrees == mirrored,
                "seed \(seed), round \(round): \(x) and \(y) by \(rules)"
            )
            let canonical = try CanonicalJSON.canonicalize(Array(left.utf8))
            #expect(canonical == Array(left.utf8), "seed \(seed), round \(round): \(left)")
        }
        // Neither answer is given away.
        #expect(agreeing > rounds / 10 && agreeing < rounds * 9 / 10, "seed \(seed): \(agreeing)")
    }

    private static func text(_ value: JSONValue) -> String {
        String(decoding: value.canonical, as: UTF8.self)
    }
}

/// Contents with few different names and values, so that rules meet them.
private struct RandomContents {
    private var generator: SeededGenerator
    private static let names = [
        "a", "b", "0", "1", "a/b", "~", "", "\n", "\u{e9}", "e\u{301}", "-",
    ]
    private static let tokens = [
        "a", "b", "0", "1", "2", "a~1b", "~0", "", "\n", "\u{e9}", "e\u{301}", "-", "01",
    ]
    private static let times = [
        "2026-03-01T10:00:00Z", "2026-03-01T11:00:00+01:00", "2026-03-01T10:00:00.0Z",
        "2026-03-01T10:00:00.00000000001Z", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z",
        "0000-01-01T00:30:00+01:00", "0000-01-01T23:29:00+23:59", "never",
    ]
    private static let scalars: [JSONValue.Content] = [
        .null, .boolean(true), .number("1"), .number("2"), .number("9007199254740993"),
        .number("9007199254740992"), .number("1e+400"), .string(""), .string("\"{"),
    ]

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func pick<Element>(_ elements: [Element], or standard: Element) -> Element {
        elements.randomElement(using: &generator) ?? standard
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &generator) < percent
    }

    mutating func rules() -> ComparisonRules {
        var rules = ComparisonRules()
        for name in ["time", "type", "x", "data", "data_base64"] where chance(12) {
            rules.ignoredAttributes.append(name)
        }
        for _ in 0..<Int.random(in: 0...5, using: &generator) {
            let depth = chance(4) ? 0 : Int.random(in: 1...3, using: &generator)
            let tokens = (0..<depth).map { _ in pick(Self.tokens, or: "") }
            rules.ignoredData.append(tokens.map { "/" + $0 }.joined())
        }
        if chance(5) { rules.ignoredData.append("a") }
        return rules
    }

    mutating func content() -> JSONValue {
        var members: [(name: String, value: JSONValue)] = [("id", JSONValue(.string("1")))]
        if chance(60) { members.append(("time", JSONValue(.string(pick(Self.times, or: ""))))) }
        if chance(50) { members.append(("x", value(depth: 0))) }
        if chance(20) {
            members.append(("data_base64", JSONValue(.string(pick(["", "AQ=="], or: "")))))
        } else if chance(95) {
            members.append(("data", value(depth: 3)))
        }
        return JSONValue(.object(members))
    }

    private mutating func value(depth: Int) -> JSONValue {
        switch depth == 0 ? 0 : Int.random(in: 0..<5, using: &generator) {
        case 0: return JSONValue(pick(Self.scalars, or: .null))
        case 1, 2:
            let count = Int.random(in: 0...4, using: &generator)
            return JSONValue(.array((0..<count).map { _ in value(depth: depth - 1) }))
        default:
            var members: [(name: String, value: JSONValue)] = []
            for name in Self.names where chance(35) {
                members.append((name, value(depth: depth - 1)))
            }
            return JSONValue(.object(members))
        }
    }

    /// The content with a few places changed; occasionally a different one.
    mutating func changed(_ content: JSONValue) -> JSONValue {
        if chance(5) { return self.content() }
        guard case .object(var members) = content.content else { return content }
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let index = Int.random(in: 0..<members.count, using: &generator)
            switch members[index].name {
            case "id": break
            case "data": members[index].value = mutated(members[index].value, depth: 3)
            case "time": members[index].value = JSONValue(.string(pick(Self.times, or: "")))
            default: members[index].value = value(depth: 0)
            }
        }
        return JSONValue(.object(members))
    }

    private mutating func mutated(_ value: JSONValue, depth: Int) -> JSONValue {
        switch value.content {
        case .array(var elements):
            guard !elements.isEmpty, chance(80) else {
                if chance(50) { return self.value(depth: depth) }
                elements.append(self.value(depth: max(0, depth - 1)))
                return JSONValue(.array(elements))
            }
            let index = Int.random(in: 0..<elements.count, using: &generator)
            if chance(25) {
                elements.removeLast()
            } else {
                elements[index] = mutated(elements[index], depth: max(0, depth - 1))
            }
            return JSONValue(.array(elements))
        case .object(var members):
            guard !members.isEmpty, chance(90) else { return self.value(depth: depth) }
            let index = Int.random(in: 0..<members.count, using: &generator)
            if chance(25) {
                members.remove(at: index)
            } else {
                members[index].value = mutated(members[index].value, depth: max(0, depth - 1))
            }
            return JSONValue(.object(members))
        default: return self.value(depth: depth)
        }
    }
}
