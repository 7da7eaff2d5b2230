import TallystickCore
import Testing

@Suite("Policies")
struct PolicyTests {
    private let early = "2026-03-01T10:00:00Z"
    private let late = "2026-03-01T12:00:00+01:00"  // an hour later

    @Test("first_write_wins takes the copy that arrived first")
    func first() throws {
        let both = [
            try candidate(1, ["poll"], data: "{\"v\":1}"),
            try candidate(2, ["websocket"], data: "{\"v\":2}"),
        ]
        let made = decision(try engine(#"{"use":"first_write_wins"}"#).decide(conflict(both)))
        #expect(made?.decision == .take)
        #expect(made?.winner?.number == 1)
        #expect(made?.winnerOrigin == "poll")
        #expect(made?.tieBreak == nil)
        #expect(made?.policy == "p")
        #expect(made?.rule == "first_write_wins")
        #expect(made?.policyVersion.hasPrefix("1-") == true)
    }

    @Test(
        "A rule that does not read contents makes the same decisions without them",
        arguments: [
            #"{"use":"first_write_wins"}"#, #"{"use":"last_write_wins"}"#,
            #"{"use":"last_write_wins","tie_break":"origin_priority"}"#,
            #"{"use":"origin_priority"}"#, #"{"use":"majority"}"#,
            #"{"use":"quorum","k":2}"#, #"{"use":"quarantine"}"#, #"{"use":"manual"}"#,
        ]
    )
    func withoutContent(_ rule: String) throws {
        let engine = try engine(rule)
        let whole = conflict([
            try candidate(1, ["poll"], data: "{\"v\":1}", time: early),
            try candidate(2, ["websocket", "realtime"], data: "{\"v\":2}", time: late),
            try candidate(3, ["webhook"], data: "{\"v\":3}", time: late),
        ])
        #expect(!engine.readsContent(of: whole.category))
        var slim = whole
        slim.candidates = whole.candidates.map { $0.withoutContent() }
        var (expected, made) = (decision(engine.decide(whole)), decision(engine.decide(slim)))
        #expect(expected?.winner?.number == made?.winner?.number)
        expected?.winner = nil
        made?.winner = nil
        #expect(expected == made)
    }

    @Test("A rule that reads contents gets them, even through another policy")
    func withContent() throws {
        for rule in [
            #"{"use":"highest","pointer":"/v"}"#, #"{"use":"lowest","pointer":"/v"}"#,
            #"{"use":"field_merge","fields":{"/v":"max"}}"#, #"{"use":"swift","type":"T"}"#,
            #"{"use":"first_write_wins"},{"use":"highest","pointer":"/v"}"#,
        ] {
            let category = conflict([try candidate(1, ["a"], data: "1")]).category
            #expect(try engine(rule).readsContent(of: category), "\(rule)")
        }
    }

    @Test("last_write_wins compares instants, then arrival, or what the tie-break says")
    func last() throws {
        let last = try engine(#"{"use":"last_write_wins"}"#)
        let times = [
            try candidate(1, ["a"], data: "1", time: late),
            try candidate(2, ["b"], data: "2", time: early),
        ]
        #expect(decision(last.decide(conflict(times)))?.winner?.number == 1)
        let same = [
            try candidate(1, ["a"], data: "1", time: early),
            try candidate(2, ["b"], data: "2", time: "2026-03-01T10:00:00.000Z"),
        ]
        #expect(decision(last.decide(conflict(same)))?.winner?.number == 2)
        #expect(decision(last.decide(conflict(same)))?.tieBreak == "arrival")
        let none = [try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2")]
        #expect(decision(last.decide(conflict(none)))?.winner?.number == 2)
        let named = try engine(#"{"use":"last_write_wins","tie_break":"first_write_wins"}"#)
        let broken = decision(named.decide(conflict(same)))
        #expect(broken?.winner?.number == 1)
        #expect(broken?.tieBreak == "first_write_wins")
    }

    @Test("origin_priority considers all supporters, and passes if no origin has a priority")
    func priority() throws {
        let rule = try engine(#"{"use":"origin_priority"}"#)
        let backed = [
            try candidate(1, ["realtime"], data: "1"),
            try candidate(2, ["poll", "websocket"], data: "2"),
        ]
        let made = decision(rule.decide(conflict(backed)))
        #expect(made?.winner?.number == 2)
        #expect(made?.winnerOrigin == "websocket")
        let unknown = [try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2")]
        #expect(rule.decide(conflict(unknown)) == .open(policy: "p"))
    }

    @Test("origin_priority distinguishes two contents of one origin regardless of arrival")
    func equivocation() throws {
        let rule = try engine(#"{"use":"origin_priority"}"#)
        let one = [
            try candidate(1, ["websocket"], data: "1"), try candidate(2, ["websocket"], data: "2"),
        ]
        let other = [
            try candidate(1, ["websocket"], data: "2"), try candidate(2, ["websocket"], data: "1"),
        ]
        let (a, b) = (decision(rule.decide(conflict(one))), decision(rule.decide(conflict(other))))
        #expect(a?.contentDigest == b?.contentDigest)
        #expect(a?.tieBreak == "content_digest")
    }

    @Test(
        "highest and lowest compare exactly, beyond the precision of a double",
        arguments: [
            ("9007199254740992", "9007199254740993", 2, 1),
            ("-1", "0", 2, 1), ("-2", "-10", 1, 2), ("1e400", "9e399", 1, 2),
            ("0.1", "0.10000000000000000001", 2, 1), ("-1e400", "1", 2, 1), ("100", "99", 1, 2),
            ("0", "-0.5", 1, 2), ("1e-400", "0", 1, 2),
        ]
    )
    func extremes(_ first: String, _ second: String, _ highest: Int, _ lowest: Int) throws {
        let both = [
            try candidate(1, ["a"], data: "{\"n\":{\"x\":\(first)}}"),
            try candidate(2, ["b"], data: "{\"n\":{\"x\":\(second)}}"),
        ]
        let high = try engine(#"{"use":"highest","pointer":"/n/x"}"#).decide(conflict(both))
        let low = try engine(#"{"use":"lowest","pointer":"/n/x"}"#).decide(conflict(both))
        #expect(decision(high)?.winner?.number == highest)
        #expect(decision(low)?.winner?.number == lowest)
    }

    @Test("highest ignores candidates without a number there, and passes if there is no number")
    func highestWithoutNumbers() throws {
        let rule = try engine(#"{"use":"highest","pointer":"/n"}"#)
        let some = [
            try candidate(1, ["a"], data: #"{"n":"9"}"#),
            try candidate(2, ["b"], data: #"{"n":1}"#),
            try candidate(3, ["c"], data: "{}"),
        ]
        #expect(decision(rule.decide(conflict(some)))?.winner?.number == 2)
        #expect(rule.decide(conflict([some[0], some[2]])) == .open(policy: "p"))
    }

    @Test("majority needs more than half of the origins; an origin that delivered both has no vote")
    func majority() throws {
        let rule = try engine(#"{"use":"majority"}"#)
        let two = [
            try candidate(1, ["a", "b"], data: "1"), try candidate(2, ["c"], data: "2"),
        ]
        #expect(decision(rule.decide(conflict(two)))?.winner?.number == 1)
        let split = [try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2")]
        #expect(rule.decide(conflict(split)) == .open(policy: "p"))
        let both = [
            try candidate(1, ["a", "b"], data: "1"), try candidate(2, ["b", "c"], data: "2"),
        ]
        #expect(rule.decide(conflict(both)) == .open(policy: "p"))
    }

    @Test("A missing copy counts against a majority, and a decision on it accepts it")
    func missing() throws {
        let rule = try engine(#"{"use":"majority"},{"use":"origin_priority"}"#)
        let present = [try candidate(1, ["websocket"], data: "1")]
        let accepted = decision(
            rule.decide(conflict(present, kind: .missingAtOrigin, missing: ["realtime"]))
        )
        #expect(accepted?.decision == .acceptMissing)
        #expect(accepted?.rule == "origin_priority")
        let three = [try candidate(1, ["poll", "websocket"], data: "1")]
        let voted = decision(
            rule.decide(conflict(three, kind: .missingAtOrigin, missing: ["realtime"]))
        )
        #expect(voted?.rule == "majority")
    }

    @Test("quorum needs k origins; more votes win over fewer")
    func quorum() throws {
        let rule = try engine(#"{"use":"quorum","k":2}"#)
        let votes = [
            try candidate(1, ["a", "b"], data: "1"), try candidate(2, ["c", "d", "e"], data: "2"),
        ]
        #expect(decision(rule.decide(conflict(votes)))?.winner?.number == 2)
        let few = [try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2")]
        #expect(rule.decide(conflict(few)) == .open(policy: "p"))
    }

    @Test("quarantine excludes, manual waits, halt stops; earlier rules may decide")
    func ends() throws {
        let split = conflict([
            try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2"),
        ])
        let excluded = decision(
            try engine(#"{"use":"majority"},{"use":"quarantine"}"#).decide(split)
        )
        #expect(excluded?.decision == .exclude)
        #expect(excluded?.contentDigest == nil)
        #expect(
            try engine(#"{"use":"majority"},{"use":"manual"}"#).decide(split) == .open(policy: "p")
        )
        #expect(
            try engine(#"{"use":"majority"},{"use":"halt"}"#).decide(split) == .halted(policy: "p")
        )
    }

    @Test("A policy can use another; its version changes with what it uses")
    func nested() throws {
        let more = #","policies":{"p":{"chain":[{"use":"q"}]},"q":{"chain":[{"use":"RULE"}]}}"#
        func nested(_ rule: String) throws -> PolicyEngine {
            let json =
                "{\"categories\":{\"system\":{\"policy\":\"p\"}}"
                + more.replacing("RULE", with: rule) + "}"
            return PolicyEngine(try StoreSettings(json: Array(json.utf8)))
        }
        let both = conflict([
            try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2"),
        ])
        let first = decision(try nested("first_write_wins").decide(both))
        let last = decision(try nested("last_write_wins").decide(both))
        #expect(first?.policy == "p")
        #expect(first?.rule == "first_write_wins")
        #expect(first?.policyVersion != last?.policyVersion)
    }

    @Test("override_origin takes that origin's content, whatever the policy")
    func override() throws {
        let rule = try engine(
            #"{"use":"first_write_wins"}"#,
            more: #","override_origin":"realtime""#
        )
        let both = [
            try candidate(1, ["websocket"], data: "1"), try candidate(2, ["realtime"], data: "2"),
        ]
        let made = decision(rule.decide(conflict(both)))
        #expect(made?.policy == "override_origin")
        #expect(made?.winner?.number == 2)
        let other = decision(rule.decide(conflict([both[0]])))
        #expect(other?.policy == "p")
    }

    @Test("A program's policy can take, merge, exclude or pass; its answer is validated")
    func program() throws {
        let rule = try engine(#"{"use":"swift","type":"Mine"},{"use":"first_write_wins"}"#)
        let both = conflict([
            try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2"),
        ])
        func outcome(_ reply: PolicyReply) -> PolicyOutcome {
            rule.decide(both) { type, _ in type == "Mine" ? reply : .failed("another") }
        }
        let taken = decision(outcome(.answered(.take(candidate: 2), version: "7")))
        #expect(taken?.winner?.number == 2)
        #expect(taken?.policyVersion.hasSuffix("+7") == true)
        let json = #"{"id":"1","source":"/s","specversion":"1.0","type":"t","data":{"b":1,"a":2}}"#
        let merged = decision(outcome(.answered(.merge(content: Array(json.utf8)), version: "7")))
        #expect(merged?.data == #"{"a":2,"b":1}"#)
        #expect(merged?.decision == .merge)
        let excluded = decision(outcome(.answered(.exclude, version: "7")))
        #expect(excluded?.decision == .exclude)
        #expect(decision(outcome(.passed))?.rule == "first_write_wins")
        let other = json.replacing("\"id\":\"1\"", with: "\"id\":\"2\"")
        let failures: [PolicyReply] = [
            .failed("it threw"), .answered(.take(candidate: 3), version: "7"),
            .answered(.merge(content: Array(other.utf8)), version: "7"),
            .answered(.merge(content: Array("{".utf8)), version: "7"),
        ]
        for reply in failures {
            guard case .failed(let policy, let reason) = outcome(reply) else {
                Issue.record("\(reply) decided something")
                continue
            }
            #expect(policy == "p")
            #expect(!reason.isEmpty)
        }
        #expect(
            rule.decide(both)
                == .failed(policy: "p", reason: "no policy is registered under 'Mine'")
        )
    }

    @Test("A decision names who backs it, so that a breaker can tell whom it favours")
    func backers() throws {
        let both = [
            try candidate(1, ["a", "c"], data: "1"), try candidate(2, ["b"], data: "2"),
        ]
        let made = decision(try engine(#"{"use":"first_write_wins"}"#).decide(conflict(both)))
        #expect(made?.backers == [["a", "c"]])
        #expect(
            String(decoding: made?.provenanceJSON ?? [], as: UTF8.self)
                == #"{"":{"origins":["a","c"],"rule":"first_write_wins"}}"#
        )
    }

    @Test("The decisions' digest does not depend on their order, and changes with each member")
    func digest() throws {
        let made = try #require(
            decision(
                try engine(#"{"use":"first_write_wins"}"#).decide(
                    conflict([
                        try candidate(1, ["a"], data: "1"), try candidate(2, ["b"], data: "2"),
                    ])
                )
            )
        )
        func record(_ id: String) -> DecisionsDigest.Record {
            .init(
                kind: .payloadDiffers,
                source: "/s",
                eventID: id,
                candidates: "00",
                decision: made
            )
        }
        var (a, b) = (DecisionsDigest(), DecisionsDigest())
        for id in ["1", "2", "3"] { a.add(record(id)) }
        for id in ["3", "1", "2"] { b.add(record(id)) }
        #expect(a.digest == b.digest)
        let stored = try #require(DecisionsDigest(state: a.state))
        #expect(stored == a)
        b.add(record("3"))
        #expect(a.digest != b.digest)
        var other = record("3")
        other.winnerOrigin = "b"
        var c = DecisionsDigest()
        for id in ["1", "2"] { c.add(record(id)) }
        c.add(other)
        #expect(a.digest != c.digest)
        #expect(DecisionsDigest(state: "x") == nil)
        #expect(DecisionsDigest(state: "-1:" + SHA256Digest.zero.hex) == nil)
    }
}
