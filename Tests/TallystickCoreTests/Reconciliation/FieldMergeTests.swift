import TallystickCore
import TallystickTestSupport
import Testing

@Suite("field_merge")
struct FieldMergeTests {
    private let fields =
        #""/count":"max","/floor":"min","/tags":"union","/status":"newest","/owner":{"take":"websocket"}"#

    private func merging(_ fields: String? = nil) throws -> PolicyEngine {
        try engine("{\"use\":\"field_merge\",\"fields\":{\(fields ?? self.fields)}}")
    }

    @Test("Each field follows its rule, and names where its value comes from")
    func design() throws {
        let both = [
            try candidate(
                1,
                ["poll"],
                data:
                    #"{"count":3,"floor":-2,"tags":["b","a"],"status":"up","owner":"x","same":1}"#,
                time: "2026-03-01T10:00:00Z"
            ),
            try candidate(
                2,
                ["websocket"],
                data:
                    #"{"count":7,"floor":-1,"tags":["c","a"],"status":"down","owner":"y","same":1}"#,
                time: "2026-03-01T10:00:00.000+00:00"
            ),
        ]
        let made = try #require(decision(try merging().decide(conflict(both))))
        #expect(made.decision == .merge)
        #expect(made.winner == nil)
        // Times are the same instant, so the smaller digest is the newest.
        let status = both[0].digest < both[1].digest ? "up" : "down"
        let expected =
            #"{"count":7,"floor":-2,"owner":"y","same":1,"status":"\#(status)","tags":["a","b","c"]}"#
        #expect(made.data == expected)
        #expect(made.tieBreak == "content_digest")
        let sources = Dictionary(
            uniqueKeysWithValues: made.provenance.map { ($0.pointer, $0) }
        )
        #expect(sources["/data/count"]?.origins == ["websocket"])
        #expect(sources["/data/floor"]?.origins == ["poll"])
        #expect(sources["/data/tags"]?.origins == ["poll", "websocket"])
        #expect(sources["/data/owner"]?.rule == "take")
        #expect(sources[""]?.origins == ["poll", "websocket"])
        #expect(sources["/data/same"] == nil)
    }

    @Test("With other differences the next rule decides")
    func otherwise() throws {
        let both = [
            try candidate(1, ["a"], data: #"{"count":1,"x":1}"#),
            try candidate(2, ["b"], data: #"{"count":2,"x":2}"#),
        ]
        #expect(try merging().decide(conflict(both)) == .open(policy: "p"))
        let next = try engine(
            #"{"use":"field_merge","fields":{"/count":"max"},"otherwise":"next"},{"use":"last_write_wins"}"#
        )
        #expect(decision(next.decide(conflict(both)))?.rule == "last_write_wins")
    }

    @Test("Ignored places do not count as differences; the newest candidate's values are kept")
    func ignored() throws {
        let rule = try engine(
            #"{"use":"field_merge","fields":{"/count":"max"}}"#,
            more: #","compare":{"ignore_data":["/received_at"],"ignore_attributes":["time"]}"#
        )
        let both = [
            try candidate(
                1,
                ["a"],
                data: #"{"count":1,"received_at":5}"#,
                time: "2026-03-01T11:00:00Z"
            ),
            try candidate(
                2,
                ["b"],
                data: #"{"count":2,"received_at":6}"#,
                time: "2026-03-01T10:00:00Z"
            ),
        ]
        #expect(decision(rule.decide(conflict(both)))?.data == #"{"count":2,"received_at":5}"#)
    }

    @Test(
        "If a rule cannot merge the values, the next rule decides",
        arguments: [
            (#"{"count":"3"}"#, #"{"count":4}"#), (#"{"tags":"a"}"#, #"{"tags":["a"]}"#),
            (#"{"owner":1}"#, #"{"owner":2}"#), (#"{"status":1}"#, #"{"status":2}"#),
        ]
    )
    func unmergeable(_ first: String, _ second: String) throws {
        let both = [try candidate(1, ["a"], data: first), try candidate(2, ["b"], data: second)]
        #expect(try merging().decide(conflict(both)) == .open(policy: "p"))
    }

    @Test(
        "If one side lacks a field, max and union use the existing values, take and newest its absence"
    )
    func absent() throws {
        let both = [
            try candidate(
                1,
                ["poll"],
                data: #"{"count":1,"tags":["b"],"owner":1,"status":1}"#,
                time: "2026-03-01T10:00:00Z"
            ),
            try candidate(2, ["websocket"], data: "{}", time: "2026-03-01T10:00:01Z"),
        ]
        let rule = try engine(
            "{\"use\":\"field_merge\",\"fields\":{\(fields)}}",
            more: #","compare":{"ignore_attributes":["time"]}"#
        )
        #expect(decision(rule.decide(conflict(both)))?.data == #"{"count":1,"tags":["b"]}"#)
    }

    @Test("Pointers with escapes and into arrays and nested objects are followed")
    func pointers() throws {
        let both = [
            try candidate(1, ["a"], data: #"{"a/b":{"~":[1,2]},"é":1}"#),
            try candidate(2, ["b"], data: #"{"a/b":{"~":[1,9]},"é":4}"#),
        ]
        let rule = try merging(#""/a~1b/~0/1":"max","/é":"min""#)
        #expect(decision(rule.decide(conflict(both)))?.data == #"{"a/b":{"~":[1,9]},"é":1}"#)
    }

    @Test("A field within another one is merged into that one's result")
    func nested() throws {
        let both = [
            try candidate(
                1,
                ["websocket"],
                data: #"{"a":{"b":1,"c":1}}"#,
                time: "2026-03-01T10:00:00Z"
            ),
            try candidate(
                2,
                ["b"],
                data: #"{"a":{"b":9,"c":2}}"#,
                time: "2026-03-01T10:00:00.0Z"
            ),
        ]
        let rule = try merging(#""/a":{"take":"websocket"},"/a/b":"max""#)
        #expect(decision(rule.decide(conflict(both)))?.data == #"{"a":{"b":9,"c":1}}"#)
    }

    @Test("Content of another event is never merged")
    func otherIdentity() throws {
        let both = [
            try candidate(1, ["a"], data: #"{"count":1}"#, id: "2"),
            try candidate(2, ["b"], data: #"{"count":2}"#, id: "2"),
        ]
        #expect(try merging().decide(conflict(both)) == .open(policy: "p"))
    }

    @Test("The whole data can be taken from an origin; with binary data the next rule decides")
    func whole() throws {
        let both = [
            try candidate(1, ["a"], data: "1"), try candidate(2, ["websocket"], data: "[2]"),
        ]
        #expect(
            decision(try merging(#""":{"take":"websocket"}"#).decide(conflict(both)))?.data == "[2]"
        )
    }

    /// Random candidates of one event: any of the fields may be missing, or equal.
    private func random(_ seed: UInt64) throws -> [Candidate] {
        var generator = SeededGenerator(seed: seed)
        let origins = ["websocket", "realtime", "poll", "webhook"].shuffled(using: &generator)
        return try (1...Int.random(in: 2...4, using: &generator)).map { number in
            var members: [String] = [#""same":{"x":[1,2]}"#]
            if Bool.random(using: &generator) {
                members.append("\"count\":\(Int.random(in: -3...3, using: &generator))")
            }
            if Bool.random(using: &generator) {
                members.append("\"floor\":\(Double.random(in: -1...1, using: &generator))")
            }
            if Bool.random(using: &generator) {
                let tags = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    "\(Int.random(in: 0...4, using: &generator))"
                }
                members.append("\"tags\":[\(tags.joined(separator: ","))]")
            }
            if Bool.random(using: &generator) {
                members.append("\"status\":\(Int.random(in: 0...2, using: &generator))")
            }
            return try candidate(
                number,
                [origins[number - 1]],
                data: "{\(members.joined(separator: ","))}",
                // Times differ, so that `newest` is idempotent.
                time: "2026-03-01T10:00:0\(number)Z"
            )
        }
    }

    private func propertyEngine() throws -> PolicyEngine {
        try engine(
            #"{"use":"field_merge","fields":{"/count":"max","/floor":"min","/tags":"union","/status":"newest"}}"#,
            more: #","compare":{"ignore_attributes":["time"]}"#
        )
    }

    private func renumbered(_ candidates: [Candidate]) throws -> [Candidate] {
        try candidates.enumerated().map { index, candidate in
            try Candidate(
                number: index + 1,
                origin: candidate.origin,
                supporters: candidate.supporters,
                content: candidate.content
            )
        }
    }

    @Test("The result does not depend on the order of arrival", arguments: 0..<200)
    func orderIndependent(_ seed: Int) throws {
        let candidates = try random(UInt64(seed))
        let rule = try propertyEngine()
        let first = decision(rule.decide(conflict(candidates)))
        var generator = SeededGenerator(seed: UInt64(seed) &+ 1)
        let shuffled = try renumbered(candidates.shuffled(using: &generator))
        let other = decision(rule.decide(conflict(shuffled)))
        #expect(first?.content == other?.content, "seed \(seed)")
        #expect(first?.provenance == other?.provenance, "seed \(seed)")
        #expect(first != nil, "seed \(seed)")
        // However it was put together, it equals the result of ingest.
        let content = try #require(first?.content)
        #expect(
            try EventContent.validated(content, source: "/s", id: "1") == content,
            "seed \(seed)"
        )
        #expect(first?.contentDigest == SHA256Digest(hashing: content), "seed \(seed)")
    }

    @Test("Merging the result with any of the contents yields the result again", arguments: 0..<200)
    func idempotent(_ seed: Int) throws {
        let candidates = try random(UInt64(seed))
        let rule = try propertyEngine()
        let merged = try #require(decision(rule.decide(conflict(candidates)))?.content)
        for candidate in candidates {
            let again = [
                try Candidate(number: 1, origin: "merged", content: merged),
                try Candidate(number: 2, origin: candidate.origin, content: candidate.content),
            ]
            #expect(decision(rule.decide(conflict(again)))?.content == merged, "seed \(seed)")
        }
    }
}
