import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Ingest")
struct IngestTests {
    private struct Step: Decodable {
        var appended: Int
        var duplicate: Int
        var confirmed: Int
        var conflicting: Int
        var quarantined: Int
    }

    @Test("An event gets the outcome that the set of stored copies says")
    func outcomes() async throws {
        let test = try await TestStore()
        func event(_ data: String, _ more: String = "") -> String {
            eventLine("1", more: more, data: data)
        }
        #expect(try await test.ingest(event("1"), from: "a").outcomes.appended == 1)
        #expect(try await test.ingest(event("1.0"), from: "a").outcomes.duplicate == 1)
        #expect(try await test.ingest(event("1"), from: "b").outcomes.confirmed == 1)
        #expect(try await test.ingest(event("1"), from: "b").outcomes.duplicate == 1)
        var report = try await test.ingest(event("2"), from: "c")
        #expect(report.outcomes.conflicting == 1)
        #expect(report.conflictsOpened == 1)
        // Support for a candidate, from an origin that delivered something else before.
        report = try await test.ingest(event("2"), from: "b")
        #expect(report.outcomes.conflicting == 1)
        #expect(report.conflictsOpened == 0)
        #expect(try await test.ingest(event("2"), from: "c").outcomes.duplicate == 1)
        // A third content is a further candidate of the same conflict.
        #expect(try await test.ingest(event("3"), from: "c").outcomes.conflicting == 1)
        let conflicts = try await test.rows("SELECT kind, candidates, origins FROM open_conflicts")
        #expect(conflicts == [[.text("payload_differs"), .integer(3), .text("a, c")]])
        #expect(try await test.ingest("[", from: "a").outcomes.quarantined == 1)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("Copies that differ only in how time is written are confirmed, and say so")
    func instants() async throws {
        let test = try await TestStore()
        func event(_ time: String) -> String {
            eventLine(1, more: ",\"time\":\"\(time)\"")
        }
        try await test.ingest(event("2026-03-01T10:00:00Z"), from: "a")
        let report = try await test.ingest(event("2026-03-01T12:00:00.000+02:00"), from: "b")
        #expect(report.outcomes.confirmed == 1)
        #expect(try await test.rows("SELECT differs_in FROM copies") == [[.text("[\"time\"]")]])
        await test.store.close()
    }

    @Test("A second delivery by the same origin that differs is an equivocation")
    func equivocation() async throws {
        let test = try await TestStore()
        let line =
            "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":"
        try await test.ingest(line + "1}", line + "2}", from: "a")
        #expect(try await test.rows("SELECT kind FROM open_conflicts") == [[.text("equivocation")]])
        await test.store.close()
    }

    @Test("Ignored places do not count, and are listed")
    func ignored() async throws {
        let settings =
            #"{"compare":{"ignore_attributes":["sequence"],"ignore_data":["/received_at"]}}"#
        let test = try await TestStore(settings: settings)
        let head = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""
        try await test.ingest(
            head + ",\"sequence\":\"1\",\"data\":{\"received_at\":1,\"x\":1}}",
            from: "a"
        )
        let report = try await test.ingest(
            head + ",\"sequence\":\"2\",\"data\":{\"received_at\":2,\"x\":1}}",
            from: "b"
        )
        #expect(report.outcomes.confirmed == 1)
        let differs = try await test.rows("SELECT differs_in FROM copies")
        #expect(differs == [[.text("[\"/data/received_at\",\"sequence\"]")]])
        await test.store.close()
    }

    @Test(
        "The fixtures have the outcomes of an independent model, and a second run adds only its own row"
    )
    func fixtures() async throws {
        let test = try await TestStore()
        let files = ["websocket", "realtime"]
        var first: [OutcomeCounts] = []
        for origin in files {
            let report = try await test.store.ingest(
                .file(Fixture.path("events/\(origin).ndjson")),
                from: origin
            )
            first.append(report.outcomes)
        }
        let text = String(decoding: try Fixture.bytes("README.md"), as: UTF8.self)
        for (origin, outcomes) in zip(files, first) {
            let counts = IngestOutcome.allCases.map { String(outcomes[$0]) }.joined(
                separator: " | "
            )
            #expect(
                text.contains("| `\(origin).ndjson` | \(outcomes.total) | \(counts) |"),
                "\(origin): \(counts)"
            )
        }
        let before = try await test.provedRows()
        for origin in files {
            let report = try await test.store.ingest(
                .file(Fixture.path("events/\(origin).ndjson")),
                from: origin
            )
            #expect(report.outcomes.duplicate == report.outcomes.total)
        }
        #expect(try await test.provedRows() == before)
        let verified = try await test.store.verify()
        #expect(verified.isIntact)
        #expect(verified.events == Int64(first[0].appended + first[1].appended))
        await test.store.close()
    }

    @Test("What is exported and ingested elsewhere is exported the same, byte for byte")
    func roundTrip() async throws {
        let one = try await TestStore()
        try await one.store.ingest(
            .file(Fixture.path("events/websocket.ndjson")),
            from: "websocket"
        )
        let exported = try await export(one.store)
        let two = try await TestStore()
        try await two.store.ingest(.bytes(exported, named: "export"), from: "websocket")
        #expect(try await export(two.store) == exported)
        #expect(exported.count > 100_000)
        await one.store.close()
        await two.store.close()
    }

    private func export(_ store: EventStore) async throws -> [UInt8] {
        let rows = Rows()
        try await store.export { event in
            rows.add([.blob(event)])
            return true
        }
        return rows.all.flatMap { row -> [UInt8] in
            if case .blob(let bytes)? = row.first { bytes + [0x0A] } else { [] }
        }
    }

    @Test("Input that is no event goes to quarantine once, with its place, and can be released")
    func quarantine() async throws {
        let test = try await TestStore()
        let bad = eventLine("")
        let record = "{\"uuid\":\"7\",\"kind\":\"k\"}"
        let report = try await test.ingest(bad, record, bad, from: "a")
        #expect(report.outcomes.quarantined == 3)
        #expect(
            report.quarantine.map(\.code) == [
                "empty_attribute", "missing_attribute", "empty_attribute",
            ]
        )
        #expect(report.quarantine.map(\.line) == [1, 2, 3])
        #expect(try await test.rows("SELECT count(*) FROM quarantine") == [[.integer(2)]])
        let mapping = try EventMapping("id=uuid,type=kind,source='/s'")
        let outcome = try await test.store.releaseQuarantined(
            2,
            actor: "me",
            reason: "mapped",
            mapping: mapping
        )
        #expect(outcome == .appended)
        #expect(
            await failureCode {
                _ = try await test.store.releaseQuarantined(
                    2,
                    actor: "me",
                    reason: "again",
                    mapping: mapping
                )
            } == .alreadyDecided
        )
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A declared checksum is verified on arrival; a failure is a transit mismatch")
    func declaredChecksum() async throws {
        let test = try await TestStore()
        let event = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
        let report = try await test.ingest(
            event + "\"checksum\":\"00000000\",\"checksumalgorithm\":\"crc32\"}",
            from: "a"
        )
        #expect(report.quarantine.first?.code == "checksum_mismatch")
        #expect(try await test.rows("SELECT kind FROM mismatches") == [[.text("transit")]])
        let content = "{\"id\":\"1\",\"source\":\"/s\",\"specversion\":\"1.0\",\"type\":\"t\"}"
        let digest = SHA256Digest(hashing: Array(content.utf8)).hex
        let good = try await test.ingest(
            event + "\"checksum\":\"\(digest)\",\"checksumalgorithm\":\"sha256\"}",
            from: "a"
        )
        #expect(good.outcomes.appended == 1)
        await test.store.close()
    }

    @Test("A source that is the delivery path's name refuses the run and stores nothing")
    func sourceIsOrigin() async throws {
        let test = try await TestStore()
        let event = eventLine("1", source: "websocket")
        let code = await failureCode { try await test.ingest(event, from: "websocket") }
        #expect(code == .sourceIsOrigin)
        #expect(try await test.rows("SELECT count(*) FROM events") == [[.integer(0)]])
        await test.store.close()
    }
}
