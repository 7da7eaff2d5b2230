import CTallystickBaseline
import Tallystick

/// Replay into an SQL projection in the store, compared with a C loop that runs the same statements over the same
/// rows without verification.
struct ReplayMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var row = TableRow(
            work: "replay into SQL (time)",
            ours: [],
            unit: " ms",
            goal: "at most 1.3"
        )
        let path = try await context.store()
        let store = try await EventStore.open(at: path)
        let copy = context.folder.file("replay-raw.db")
        for pair in 0..<context.pairs {
            let time = try await seconds {
                let outcome = try await store.replay(
                    projection: HealthProjection.file("health_\(pair)")
                )
                guard outcome.consumed == context.events else { throw failed("the replay stopped") }
            }
            row.ours.append(time * 1e3)
            try await store.backup(to: copy)
            var applied: Int64 = 0
            var code: Int32 = 0
            let other = await seconds {
                code = tally_baseline_replay(
                    copy,
                    HealthProjection.setup,
                    HealthProjection.statement,
                    Int64(BatchSize.replay),
                    &applied
                )
            }
            guard code == 0, applied == context.events else { throw failed("the C loop", code) }
            row.baseline.append(other * 1e3)
            context.remove(copy)
        }
        await store.close()
        return [row]
    }
}

/// The projection of the design's example, over every type.
enum HealthProjection {
    static let setup = """
        CREATE TABLE service_health (service TEXT PRIMARY KEY, status TEXT, checks INTEGER NOT NULL,
            last_position INTEGER NOT NULL) STRICT;
        """
    static let statement = """
        INSERT INTO service_health VALUES (:data ->> 'service', :data ->> 'status', 1, :position)
        ON CONFLICT (service) DO UPDATE SET status = excluded.status, checks = checks + 1,
            last_position = excluded.last_position
        """

    static func file(_ name: String) -> [UInt8] {
        let text = """
            -- tally:projection \(name)
            -- tally:version 1
            -- tally:setup
            \(setup.replacing("service_health", with: name))
            -- tally:on *
            \(statement.replacing("service_health", with: name));

            """
        return Array(text.utf8)
    }
}
