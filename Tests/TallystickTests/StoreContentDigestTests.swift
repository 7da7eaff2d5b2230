import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("The content digest of a store")
struct StoreContentDigestTests {
    /// The digest by the article on the file format, from a view. For stores without rules and times in UTC.
    private func recomputed(_ test: TestStore) async throws -> (digest: SHA256Digest, events: Int) {
        let rows = try await test.rows(
            """
            SELECT source, event_id, type, subject, time, data_content_type, attributes, data
            FROM effective_events
            ORDER BY CAST(source AS BLOB), CAST(event_id AS BLOB)
            """
        )
        var bytes = Array("tallystick content 1\n".utf8)
        for row in rows {
            let texts = row.map { value in
                if case .text(let text) = value { text } else { nil as String? }
            }
            var members = try JSONDocument(Array((texts[6] ?? "{}").utf8)).root.object ?? []
            for (name, index) in [
                ("source", 0), ("id", 1), ("type", 2), ("subject", 3), ("datacontenttype", 5),
            ] {
                if let text = texts[index] { members.append((name, JSONValue(.string(text)))) }
            }
            members.append(("specversion", JSONValue(.string("1.0"))))
            if let time = texts[4] { members.append(("time", JSONValue(.string(short(time))))) }
            switch row[7] {
            case .text(let json):
                members.append(("data", try JSONDocument(Array(json.utf8)).root))
            case .blob(let data):
                let text = Data(data).base64EncodedString()
                members.append(("data_base64", JSONValue(.string(text))))
            default: break
            }
            for text in [texts[0] ?? "", texts[1] ?? ""] {
                bytes += withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { [UInt8]($0) }
                bytes += text.utf8
            }
            bytes += SHA256Digest(hashing: JSONValue(.object(members)).canonical).bytes
        }
        return (SHA256Digest(hashing: bytes), rows.count)
    }

    /// A time in UTC without zeros at the end of its fraction, which has microseconds.
    private func short(_ time: String) -> String {
        guard let microseconds = RFC3339.microseconds(time) else { return time }
        var digits = String(RFC3339.string(microseconds: microseconds).dropLast())
        while digits.hasSuffix("0") { digits.removeLast() }
        if digits.hasSuffix(".") { digits.removeLast() }
        return digits + "Z"
    }

    /// The digest by a program that has only the article on the file format in common with this one.
    private func digestByPython(_ test: TestStore) throws -> String {
        let process = Process()
        let output = Pipe()
        let program = Fixture.root.appending(path: "Tests/Independent/content_digest.py").path
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-B", program, test.path]
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    private func resolve(
        _ conflict: Int64,
        _ choice: ManualResolution.Choice,
        in test: TestStore
    ) async throws {
        try await test.store.resolve(
            ManualResolution(conflictID: conflict, choice: choice, actor: "me", reason: "test")
        )
    }

    @Test("It is what plain SQL and the article on the file format give, decided events included")
    func independent() async throws {
        let test = try await TestStore()
        #expect(try await test.store.contentDigest().sha256 == recomputed(test).digest)
        for feed in ["websocket", "realtime"] {
            try await test.store.ingest(.file(Fixture.path("events/\(feed).ndjson")), from: feed)
        }
        try await test.ingest(
            #"{"specversion":"1.0","id":"b\u0000\"","source":"/é","type":"t","data_base64":"AAH/"}"#,
            #"{"specversion":"1.0","id":"b","source":"/e\u0301","type":"t","k":true,"l":7}"#,
            from: "websocket"
        )
        let open = try await test.rows("SELECT count(*) FROM open_conflicts")
        let before = try await test.store.contentDigest()
        #expect([[SQLValue.integer(before.disputed)]] == open && before.disputed > 3)
        #expect(before.resolutionID == 0 && before.configurationVersion == 1)
        try await resolve(1, .take(origin: "realtime"), in: test)
        try await resolve(2, .exclude, in: test)
        try await resolve(3, .take(origin: "websocket"), in: test)
        let after = try await test.store.contentDigest()
        let expected = try await recomputed(test)
        #expect(after.sha256 == expected.digest && after.events == Int64(expected.events))
        #expect(after.sha256 != before.sha256 && after.events == before.events - 1)
        #expect(after.disputed == before.disputed - 3 && after.resolutionID == 3)
        #expect(after.position.rawValue == after.events + 1)
        #expect(try digestByPython(test) == after.sha256.hex)
    }

    @Test("With rules and times of every kind it is what an independent program gives")
    func rules() async throws {
        let rules = #""ignore_data":["/seen","/way/1","/way/3","/deep/0/a~1b","/n/x"]"#
        let test = try await TestStore(
            settings: "{\"compare\":{\"ignore_attributes\":[\"hop\"],\(rules)}}"
        )
        let times = ["10:00:00Z", "12:30:00.1200+02:30", "10:00:00.000-00:00", "23:59:59.5-11:00"]
        let data = [
            #"{"seen":1,"way":[1,2,3,4],"n":9007199254740993,"e":1e400}"#,
            #"{"way":[{"seen":1},2],"deep":[{"a/b":1,"é":"\"\u0001"},{"a/b":2}]}"#,
            #"{"n":{"x":1},"way":{"1":2,"3":[]},"t":[true,null,-0.5]}"#, "[1,2,3]", "null",
        ]
        for (index, data) in data.enumerated() {
            let time = "2026-02-28T\(times[index % times.count])"
            try await test.ingest(
                event("\(index)", data, time: time, more: #","hop":"1""#),
                from: "poll"
            )
        }
        let digest = try await test.store.contentDigest()
        #expect(digest.events == Int64(data.count))
        #expect(try digestByPython(test) == digest.sha256.hex)
        let all = Array(#"{"compare":{"ignore_data":[""]}}"#.utf8)
        try await test.store.apply(settings: all, actor: "me", reason: "test")
        let less = try await test.store.contentDigest()
        #expect(less.sha256 != digest.sha256)
        #expect(try digestByPython(test) == less.sha256.hex)
    }

    @Test("More events than one transaction reads, or one read-ahead block holds")
    func manyEvents() async throws {
        let test = try await TestStore()
        var generator = EventGenerator(seed: 11, streams: 40)
        let count = Int(ReadAheadLimits.worthAThread) + EventReadingLimits.pageEvents + 17
        let events = generator.events(count)
        try await test.store.ingest(.bytes(events, named: "events"), from: "websocket")
        let digest = try await test.store.contentDigest()
        #expect(digest.events == Int64(count) && digest.position == Position(Int64(count)))
        #expect(try await digest.sha256 == recomputed(test).digest)
        let lines = events.split(separator: 0x0A)
        let other = try await TestStore()
        let turned = Array(lines.reversed().joined(separator: [0x0A]))
        try await other.store.ingest(.bytes(turned, named: "events"), from: "poll")
        #expect(try await other.store.contentDigest().sha256 == digest.sha256)
    }

    @Test("The rules in force count, and the version that holds them is told")
    func settings() async throws {
        let test = try await TestStore()
        try await test.ingest(event("1", #"{"a":1,"b":2}"#), from: "websocket")
        let other = try await TestStore()
        try await other.ingest(event("1", #"{"a":1,"b":3}"#), from: "websocket")
        let whole = try await test.store.contentDigest()
        #expect(try await other.store.contentDigest().sha256 != whole.sha256)
        let rules = Array(#"{"compare":{"ignore_data":["/b"]}}"#.utf8)
        for test in [test, other] {
            try await test.store.apply(settings: rules, actor: "me", reason: "test")
        }
        let ignoring = try await test.store.contentDigest()
        #expect(ignoring.configurationVersion == 2 && ignoring.sha256 != whole.sha256)
        #expect(try await other.store.contentDigest().sha256 == ignoring.sha256)
        // Overrides of a process that only reads are recorded by nobody.
        var options = StoreOptions()
        options.access = .readOnly
        options.overrides = SettingsOverrides { path in
            path == ["compare", "ignore_data"]
                ? SettingsOverrides.Found(text: "/a", name: "OVERRIDE") : nil
        }
        let overridden = try await EventStore.open(at: test.path, options: options)
        let read = try await overridden.contentDigest()
        #expect(read.configurationVersion == nil && read.sha256 != ignoring.sha256)
    }

    @Test(
        "An event that was changed in the file is refused, and not digested",
        arguments: [
            "UPDATE events SET data = '{\"v\":9}' WHERE position = 2",
            "DELETE FROM events WHERE position = 2",
            "UPDATE resolutions SET content = NULL",
        ]
    )
    func tampered(_ sql: String) async throws {
        let test = try await TestStore()
        for origin in ["websocket", "realtime"] {
            let events = (1...3).map { event("\($0)", "{\"v\":\"\(origin)\"}") }
            try await test.ingest(events.joined(separator: "\n"), from: origin)
        }
        try await resolve(1, .take(origin: "realtime"), in: test)
        #expect(try await test.store.contentDigest().disputed == 2)
        try test.tamper(sql)
        let failure = await failure { _ = try await test.store.contentDigest() }
        #expect(failure?.code == .integrity)
    }

    @Test("A cancelled digest says that it is not whole")
    func cancelled() async throws {
        let test = try await TestStore()
        try await test.ingest(event("1", "1"), from: "websocket")
        let store = test.store
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.contentDigest()
        }
        #expect(await failureCode { _ = try await task.value } == .interrupted)
    }

    @Test("Records are sorted by bytes; two of one identity are refused")
    func sorter() throws {
        let identities = [
            ("b", "1"), ("a", "2"), ("é", ""), ("a", "10"), ("", "z"), ("B", "\u{0}"),
        ]
        let form = SHA256Digest(hashing: [1])
        func add(_ identity: (String, String), to sorter: ContentSorter) throws {
            try Array(identity.1.utf8).withUnsafeBytes { id in
                try sorter.add(source: Array(identity.0.utf8), id: id, form: form)
            }
        }
        var expected = ContentDigest()
        for (source, id) in identities.sorted(by: {
            ($0.0, $0.1) < ($1.0, $1.1)
        }) {
            let isNext = Array(source.utf8).withUnsafeBytes { source in
                Array(id.utf8).withUnsafeBytes {
                    expected.append(source: source, id: $0, form: form)
                }
            }
            #expect(isNext)
        }
        let sorter = try ContentSorter(StopFlag())
        for identity in identities { try add(identity, to: sorter) }
        #expect(try sorter.digest().digest == expected.digest)
        try add(("a", "2"), to: sorter)
        #expect(throws: StoreError.self) { try sorter.digest() }
    }
}
