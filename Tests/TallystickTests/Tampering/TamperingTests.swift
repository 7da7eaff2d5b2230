import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Tampering", .serialized)
struct TamperingTests {
    private static let changes =
        ProcessInfo.processInfo.environment["TALLY_CHANGES"].flatMap { Int($0) } ?? 200
    private static let seed =
        ProcessInfo.processInfo.environment["TALLY_SEED"].flatMap { UInt64($0) } ?? 20_260_301
    /// Histories that are tampered with; one of them has logs of several tiles.
    private static let histories = 8

    @Test("Each change of a proved or derived row is found, and its record named")
    func campaign() async throws {
        var histories: [StoreHistory] = []
        for number in 0..<Self.histories {
            let seed = Self.seed &+ UInt64(number)
            let history = try await StoreHistory(
                seed: seed,
                largestDelivery: number == 0 ? 120 : 12
            )
            try await history.live(30)
            if number == 0 { try await history.fillTile() }
            #expect(try await history.objections() == [], "seed \(seed)")
            histories.append(history)
        }
        var random = SeededGenerator(seed: Self.seed)
        var made: [String: Int] = [:]
        var attempt = 0
        while made.values.reduce(0, +) < Self.changes, attempt < Self.changes * 20 {
            let target = Tampering.targets[attempt % Tampering.targets.count]
            attempt += 1
            // Not every history has rows of every table.
            let first = Int(random.next() % UInt64(histories.count))
            for history in histories[first...] + histories[..<first] {
                guard try await Self.attempt(target, random.next(), history) else { continue }
                made[target.table, default: 0] += 1
                break
            }
        }
        let missed = Tampering.targets.map(\.table).filter { made[$0] == nil }
        #expect(missed == [], "no row of these tables was changed")
    }

    /// Makes a change on a copy, and verifies it; false where there was nothing to change.
    private static func attempt(
        _ target: Tampering.Target,
        _ seed: UInt64,
        _ history: StoreHistory
    ) async throws -> Bool {
        let path = try await history.copy("tampered-\(seed).db")
        defer { history.remove(path) }
        guard let change = try Tampering.change(target, of: path, seed: seed) else { return false }
        // nil: the store was refused at once.
        guard let report = try await verify(path, history.ring) else { return true }
        let found = report.findings.prefix(3).map(\.record)
        let isNamed = report.findings.contains { finding in
            change.names.contains { name in
                covers(finding.record, name) || finding.expected.hasSuffix(" in \(name)")
            }
        }
        let place = "history \(history.seed), seed \(seed): \(change.description)"
        #expect(!report.isIntact, "\(place)")
        #expect(isNamed, "\(place): found \(found)")
        return true
    }

    /// Whether a finding's record is a name, a range of missing rows included.
    private static func covers(_ record: String, _ name: String) -> Bool {
        if record == name || (name.hasSuffix(" ") && record.hasPrefix(name)) { return true }
        if record.hasPrefix(name) && !(record.dropFirst(name.count).first?.isNumber ?? false) {
            return true
        }
        let words = record.split(separator: " ")
        guard words.count == 4, words[2] == "to", let first = Int64(words[1]),
            let last = Int64(words[3]), let key = Int64(name.split(separator: " ").last ?? "")
        else { return false }
        return name.hasPrefix(words[0]) && first <= key && key <= last
    }

    /// nil when the store was refused as damaged before anything was read.
    private static func verify(_ path: String, _ ring: KeyRing) async throws -> VerifyReport? {
        var options = StoreOptions()
        options.access = .readOnly
        do {
            let store = try await EventStore.open(at: path, keys: .ring(ring), options: options)
            var verification = VerifyOptions()
            verification.workers = 1
            return try await store.verify(verification)
        } catch {
            guard error.code == .integrity || error.code == .corrupt else { throw error }
            return nil
        }
    }
}
