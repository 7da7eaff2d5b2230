import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Bytes from untrusted sources")
struct MutationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "fixtures")

    /// Small documents of every kind that is read, as they are in the fixtures.
    private static func seeds() throws -> [[UInt8]] {
        func text(_ path: String) throws -> String {
            try String(contentsOf: root.appending(path: path), encoding: .utf8)
        }
        var seeds: [[UInt8]] = [
            Array(#"{"tallystick_config":1,"categories":{"x":{"percentage":10}}}"#.utf8)
        ]
        for line in try text("events/websocket.ndjson").split(separator: "\n").prefix(40) {
            seeds.append(Array(line.utf8))
        }
        seeds += try Data(contentsOf: root.appending(path: "events/malformed.ndjson")).split(
            separator: 10
        )
        .map { [UInt8]($0) }
        seeds.append(Array(try text("events/monitoring.json").utf8))
        for name in ["error_counts", "service_health", "sessions"] {
            seeds.append(Array(try text("projections/\(name).sql").utf8))
        }
        return seeds
    }

    @Test("Reading never traps, and settings are the same after writing and reading")
    func mutations() throws {
        let environment = ProcessInfo.processInfo.environment
        let asked = environment["TALLY_MUTATIONS"].flatMap { Int($0) }
        let seed =
            environment["TALLY_MUTATION_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: .min ... .max)
        var mutator = Mutator(seed: seed)
        let seeds = try Self.seeds()
        for bytes in seeds {
            #expect(
                ParserProperties.brokenProperty(bytes) == nil,
                "\(String(decoding: bytes, as: UTF8.self))"
            )
        }
        for round in 0..<(asked ?? 3000) {
            var bytes = seeds[round % seeds.count]
            if round % 3 == 0 { bytes = bytes + [10] + seeds[(round / 3) % seeds.count] }
            bytes = mutator.mutate(bytes)
            if let broken = ParserProperties.brokenProperty(bytes) {
                Issue.record(
                    "seed \(seed), round \(round): \(broken): \(Data(bytes).base64EncodedString())"
                )
                return
            }
        }
    }
}
