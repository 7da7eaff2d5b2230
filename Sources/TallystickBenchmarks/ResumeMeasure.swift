import Tallystick
import TallystickCore

/// Resume: a replay in the middle of the store continues by one event, including opening the store.
struct ResumeMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        let path = try await context.store()
        let projection = HealthProjection.file("resumed")
        var position = Int64(context.events / 2)
        var options = ReplayOptions()
        options.until = Position(position)
        let store = try await EventStore.open(at: path)
        _ = try await store.replay(projection: projection, options: options)
        await store.close()

        var times: [Double] = []
        for _ in 0..<max(5, context.pairs) {
            position += 1
            options.until = Position(position)
            let opened = try await seconds {
                let store = try await EventStore.open(at: path)
                let outcome = try await store.replay(projection: projection, options: options)
                guard outcome.consumed == 1 else { throw failed("the replay did not go on") }
                await store.close()
            }
            times.append(opened * 1e3)
        }
        return [
            TableRow(
                work:
                    "resume at \(context.events / 2), to the end of the first event's transaction",
                ours: times,
                unit: " ms",
                goal: "under 50 ms"
            )
        ]
    }
}
