import Tallystick
import TallystickCore
import TallystickTestSupport

/// Offline proofs: made from the stored tiles for events anywhere in the log, and checked without the store.
struct ProofMeasure: Measure {
    private static let mostProofs = 1000

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var prove = TableRow(
            work: "prove an event, of \(context.events)",
            ours: [],
            unit: " µs",
            goal: ""
        )
        var check = TableRow(
            work: "check its proof, signature included",
            ours: [],
            unit: " µs",
            goal: ""
        )
        let store = try await EventStore.open(at: try await context.store())
        let signer = try NoteSigner(name: "benchmark")
        let sealed = try await store.seal(with: signer)
        var random = SeededGenerator(seed: 7)
        let count = min(Self.mostProofs, context.events / 10)
        for _ in 0..<context.pairs {
            let positions = (0..<count).map { _ in
                Position(1 + Int64(random.next() % UInt64(context.events)))
            }
            var files: [[UInt8]] = []
            let making = try await seconds {
                files = try await store.proveEvents(at: positions, in: sealed.note).map(\.bytes)
            }
            prove.ours.append(making * 1e6 / Double(count))
            let checking = try await seconds {
                for (file, position) in zip(files, positions) {
                    let proved = try EventProof(parsing: file).verify(with: [signer.verifier])
                    guard proved.position == position else { throw failed("another event") }
                }
            }
            check.ours.append(checking * 1e6 / Double(count))
        }
        await store.close()
        return [prove, check]
    }
}
