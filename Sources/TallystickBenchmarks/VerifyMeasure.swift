import CTallystickBaseline
import Tallystick

/// Verify: every checksum, leaf and tile, and the index tables, compared with a C loop that only hashes as many
/// bytes, on as many threads.
struct VerifyMeasure: Measure {
    /// Bytes of a leaf of the workload.
    private static let leafBytes: Int64 = 270

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var row = TableRow(
            work: "verify (raw C: SHA-256 of the same bytes)",
            ours: [],
            unit: "/s",
            goal: "500,000/s, then 1,000,000/s"
        )
        let store = try await EventStore.open(at: try await context.store())
        let options = VerifyOptions()
        for _ in 0..<context.pairs {
            let time = try await seconds {
                let report = try await store.verify(options)
                guard report.isIntact, report.events == Int64(context.events) else {
                    throw failed("the store did not verify")
                }
            }
            row.ours.append(Double(context.events) / time)
            var code: Int32 = 0
            let other = await seconds {
                code = tally_baseline_hash(
                    Int32(options.workers),
                    Int64(context.events),
                    Int64(context.workload.byteCount / context.events - 1),
                    Self.leafBytes
                )
            }
            guard code == 0 else { throw failed("the C loop could not start its threads") }
            row.baseline.append(Double(context.events) / other)
        }
        await store.close()
        return [row]
    }
}
