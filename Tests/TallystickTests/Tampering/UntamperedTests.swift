import Foundation
import Tallystick
import TallystickTestSupport
import Testing

/// As many stores that nobody tampered with as the other campaigns tamper with.
@Suite("Untampered stores")
struct UntamperedTests {
    private static let stores =
        ProcessInfo.processInfo.environment["TALLY_UNTAMPERED"].flatMap { Int($0) } ?? 200
    private static let seed =
        ProcessInfo.processInfo.environment["TALLY_SEED"].flatMap { UInt64($0) } ?? 20_260_301
    private static let lanes = 2

    @Test(
        "Kills, rotations, redeliveries, decisions and settings in a store's past are no finding",
        arguments: 0..<lanes
    )
    func noFalseAlarm(lane: Int) async throws {
        for number in 0..<Self.stores where number % Self.lanes == lane {
            let seed = Self.seed &+ UInt64(number)
            let history = try await StoreHistory(seed: seed)
            var objections: [String]
            do {
                try await history.live(8)
                objections = try await history.objections()
            } catch {
                objections = ["\(error)"]
            }
            #expect(objections == [], "seed \(seed): \(history.past.joined(separator: ", "))")
        }
    }
}
