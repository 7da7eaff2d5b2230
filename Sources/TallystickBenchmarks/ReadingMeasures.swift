import CTallystickBaseline
import Tallystick
import TallystickCore
import TallystickTestKit

/// Verify, replay and resume over one store.
struct ReadingMeasures {
    private let workload: Workload
    private let folder: TemporaryFolder
    private let pairs: Int

    init(_ workload: Workload, _ folder: TemporaryFolder, _ pairs: Int) {
        self.workload = workload
        self.folder = folder
        self.pairs = pairs
    }

    private static let setup = """
        CREATE TABLE service_health (service TEXT PRIMARY KEY, status TEXT, checks INTEGER NOT NULL,
            last_position INTEGER NOT NULL) STRICT;
        """
    private static let statement = """
        INSERT INTO service_health VALUES (:data ->> 'service', :data ->> 'status', 1, :position)
        ON CONFLICT (service) DO UPDATE SET status = excluded.status, checks = checks + 1,
            last_position = excluded.last_position
        """

    private func projection(_ name: String) -> [UInt8] {
        let text = """
            -- tally:projection \(name)
            -- tally:version 1
            -- tally:setup
            \(Self.setup.replacing("service_health", with: name))
            -- tally:on *
            \(Self.statement.replacing("service_health", with: name));

            """
        return Array(text.utf8)
    }

    func run() async throws {
        let path = folder.file("reading.db")
        let store = try await EventStore.create(at: path)
        try await store.ingest(.bytes(workload.bytes, named: "events"), from: "websocket")
        await store.close()
        let opened = try await EventStore.open(at: path)

        var verified: [Double] = []
        var replayed: [Double] = []
        var plain: [Double] = []
        for pair in 0..<pairs {
            var started = ContinuousClock.now
            let report = try await opened.verify()
            verified.append(Double(report.events) / (ContinuousClock.now - started).seconds)
            started = ContinuousClock.now
            let outcome = try await opened.replay(projection: projection("health_\(pair)"))
            replayed.append(Double(outcome.consumed) / (ContinuousClock.now - started).seconds)
            let copy = folder.file("plain-\(pair).db")
            try await opened.backup(to: copy)
            started = ContinuousClock.now
            var applied: Int64 = 0
            let code = tally_baseline_replay(copy, Self.setup, Self.statement, 0, 10_000, &applied)
            guard code == 0 else {
                throw StoreError(.bug, during: "run the C loop", "SQLite code \(code)")
            }
            plain.append(Double(applied) / (ContinuousClock.now - started).seconds)
        }
        Table.row("verify", ours: Table.median(verified), baseline: nil, unit: "/s")
        Table.row(
            "replay into SQL",
            ours: Table.median(replayed),
            baseline: Table.median(plain),
            unit: "/s"
        )

        let started = ContinuousClock.now
        _ = try await opened.replay(projection: projection("health_0"))
        let resumed = (ContinuousClock.now - started).seconds * 1000
        Table.row("resume", ours: resumed, baseline: nil, unit: " ms")
        await opened.close()
    }
}
