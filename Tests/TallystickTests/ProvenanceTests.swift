import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

/// From which run, input and record each event and copy came.
@Suite("Where each copy came from")
struct ProvenanceTests {
    private let store: TestStore

    init() async throws { store = try await TestStore() }

    private static func text(_ value: SQLValue) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): String(number)
        default: ""
        }
    }

    private func table(_ sql: String) async throws -> [[String]] {
        try await store.rows(sql).map { $0.map(Self.text) }
    }

    private static func event(_ id: Int, _ data: Int) -> String {
        "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/s\",\"type\":\"t\",\"data\":\(data)}"
    }

    /// A file of records, some of which are not events.
    private struct File {
        var name: String
        var records: [String]
        var isArray: Bool

        var bytes: [UInt8] {
            let text =
                isArray
                ? "[\n" + records.joined(separator: ",\n") + "\n]\n"
                : records.joined(separator: "\n\n") + "\n"
            return Array(text.utf8)
        }
    }

    @Test(
        "Every event and copy names the run, the input and the record that brought it",
        arguments: 0..<8
    )
    func model(_ seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        /// For each source, id and origin what was delivered first, by contents.
        var expected: [String] = []
        var known: [Int: [(origin: String, data: Int)]] = [:]
        for run in 0..<6 {
            let origin = ["a", "b", "c"].randomElement(using: &random) ?? "a"
            var files: [File] = []
            for number in 0..<Int.random(in: 1...3, using: &random) {
                var records: [String] = []
                let first = Int.random(in: 0..<400, using: &random)
                var ids = Array(first..<first + Int.random(in: 0...300, using: &random))
                if Bool.random(using: &random) { ids.shuffle(using: &random) }
                let name = "run\(run)-\(number).json"
                for id in ids {
                    if Int.random(in: 0..<40, using: &random) == 0 {
                        records.append("{\"not\": \"an event \(run) \(number) \(records.count)\"}")
                    }
                    let data = Int.random(in: 0..<30, using: &random) == 0 ? run : 0
                    records.append(Self.event(id, data))
                    let copies = known[id, default: []]
                    if copies.contains(where: { $0.origin == origin && $0.data == data }) {
                        continue
                    }
                    known[id, default: []].append((origin, data))
                    let outcome =
                        copies.isEmpty
                        ? "appended" : copies[0].data == data ? "confirmed" : "conflicting"
                    expected.append(
                        "\(id) \(origin) \(outcome) \(name) \(records.count)"
                    )
                }
                files.append(
                    File(name: name, records: records, isArray: Bool.random(using: &random))
                )
            }
            _ = try await store.store.ingest(
                files.map { .bytes($0.bytes, named: $0.name) },
                from: origin
            )
        }
        let found = try await table(
            """
            SELECT event_id || ' ' || origin || ' ' || outcome || ' ' || input || ' ' || record
            FROM deliveries
            """
        )
        #expect(found.map { $0[0] }.sorted() == expected.sorted())
        let runs = try await table(
            "SELECT state, appended + confirmed + conflicting FROM ingest_runs ORDER BY run"
        )
        #expect(runs.map { $0[0] } == Array(repeating: "done", count: 6))
        #expect(runs.compactMap { Int($0[1]) }.reduce(0, +) == expected.count)
        #expect(try await store.store.verify().isIntact)
    }

    @Test("A run of one event leaves one row, which says what it was")
    func smallRun() async throws {
        let before = try await table("SELECT count(*) FROM audit_trail")
        let bytes = Array(Self.event(1, 1).utf8)
        var options = IngestOptions()
        options.actor = "ann"
        let input = IngestInput.bytes(bytes, named: "one.json")
        _ = try await store.store.ingest(input, from: "a", options: options)
        let after = try await table("SELECT count(*) FROM audit_trail")
        #expect(Int(after[0][0]) == Int(before[0][0]).map { $0 + 1 })
        let runs = try await table(
            "SELECT state, origin, actor, appended, started_at IS finished_at FROM ingest_runs"
        )
        #expect(runs == [["done", "a", "ann", "1", "1"]])
        let inputs = try await table(
            "SELECT input, bytes, records, sha256, format FROM ingest_inputs"
        )
        let digest = SHA256Digest(hashing: bytes).hex
        #expect(inputs == [["one.json", String(bytes.count), "1", digest, "ndjson"]])
        // The same again stores nothing but its own row.
        _ = try await store.store.ingest(input, from: "a", options: options)
        #expect(try await table("SELECT duplicate FROM ingest_runs ORDER BY run").last == ["1"])
        #expect(try await table("SELECT count(*) FROM deliveries") == [["1"]])
    }

    @Test("A run that fails, and one that is killed, can be told from one that is done")
    func unfinished() async throws {
        let lines = (0..<20_000).map { Self.event($0, 0) }.joined(separator: "\n")
        _ = await failureCode {
            _ = try await store.store.ingest(
                [.bytes(Array(lines.utf8), named: "many"), .file("/nowhere/at/all")],
                from: "a"
            )
        }
        #expect(
            try await table("SELECT state, finished_at > '' FROM ingest_runs") == [["failed", "1"]]
        )
        // What a killed run leaves: no last row.
        try store.tamper(
            """
            DELETE FROM audit_trail
            WHERE kind = 'ingest' AND audit_sequence = (SELECT max(audit_sequence) FROM audit_trail)
            """
        )
        let runs = try await table("SELECT state, coalesce(finished_at, 'none') FROM ingest_runs")
        #expect(runs == [["unfinished", "none"]])
        #expect(
            try await table("SELECT input FROM ingest_inputs ORDER BY 1") == [
                ["/nowhere/at/all"], ["many"],
            ]
        )
        #expect(
            try await table("SELECT DISTINCT input FROM deliveries") == [["many"]]
        )
    }

    @Test("A change of a range, and a range of no run, is found")
    func tampering() async throws {
        _ = try await store.ingest(Self.event(1, 1), Self.event(2, 2), from: "a")
        for (change, back) in [
            ("UPDATE delivery_ranges SET record = 7", "UPDATE delivery_ranges SET record = 1"),
            (
                "UPDATE delivery_ranges SET input = 'other'",
                "UPDATE delivery_ranges SET input = 'lines'"
            ),
            (
                "INSERT INTO delivery_ranges VALUES ('copy', 1, 1, 999, 'x', 1, NULL)",
                "DELETE FROM delivery_ranges WHERE run = 999"
            ),
            (
                "UPDATE delivery_ranges SET count = 1", "UPDATE delivery_ranges SET count = 2"
            ),
        ] {
            try store.tamper(change)
            let report = try await store.store.verify()
            #expect(
                report.findings.contains { $0.record.hasPrefix("delivery_ranges") },
                "\(change)"
            )
            try store.tamper(back)
            #expect(try await store.store.verify().isIntact, "\(back)")
        }
    }

    @Test("What differs is told member by member, with every origin's value and the chosen one")
    func differences() async throws {
        let first = """
            {"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"total":10.25,"list":[{"n":1},\
            {"n":12345678901234567890}],"a/b":{"c.d":"x\\"y","e~f":null},"same":1}}
            """
        let second = """
            {"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"s","data":{"total":11,"list":[{"n":1},\
            {"n":12345678901234567891},3],"a/b":{"c.d":"z","e~f":true},"same":1}}
            """
        _ = try await store.ingest(first, from: "a")
        _ = try await store.ingest(second, from: "b")
        let before = try await table(
            "SELECT member, origin, value, chosen FROM conflict_differences ORDER BY member, candidate"
        )
        let expected: [(String, String, String)] = [
            ("/data/a~1b/c.d", #""x\"y""#, #""z""#), ("/data/a~1b/e~0f", "null", "true"),
            ("/data/list/1/n", "12345678901234567890", "12345678901234567891"),
            ("/data/list/2", "", "3"), ("/data/total", "10.25", "11"), ("subject", "", #""s""#),
        ]
        #expect(
            before
                == expected.flatMap { [[$0.0, "a", $0.1, ""], [$0.0, "b", $0.2, ""]] }
        )
        let choice = ManualResolution(
            conflictID: 1,
            choice: .take(origin: "b"),
            actor: "ann",
            reason: "b is right"
        )
        _ = try await store.store.resolve(choice)
        let chosen = try await table(
            "SELECT member, chosen FROM conflict_differences WHERE origin = 'a' ORDER BY member"
        )
        #expect(chosen == expected.map { [$0.0, $0.2] })
        let times = try await table(
            "SELECT state, decisions, decision, actor, seconds_to_decision >= 0 FROM decision_times"
        )
        #expect(times == [["resolved", "1", "take", "ann", "1"]])
    }

    @Test("An act needs an actor who can be named")
    func actors() async throws {
        for actor in ["", " ", "a\0b"] {
            var options = IngestOptions()
            options.actor = actor
            let code = await failureCode {
                let bytes = Array(Self.event(1, 1).utf8)
                _ = try await store.store.ingest(
                    [.bytes(bytes, named: "x")],
                    from: "a",
                    options: options
                )
            }
            #expect(code == .invalidArgument)
            #expect(
                await failureCode {
                    try await store.store.record(
                        .backup(path: "x", isVerified: false),
                        actor: actor
                    )
                } == .invalidArgument
            )
        }
        #expect(try await table("SELECT count(*) FROM events") == [["0"]])
    }
}
