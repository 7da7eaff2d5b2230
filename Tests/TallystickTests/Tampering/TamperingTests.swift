import Foundation
import Tallystick
import TallystickCore
import TallystickTestKit
import Testing

@Suite("Tampering", .serialized)
struct TamperingTests {
    private static let changes =
        ProcessInfo.processInfo.environment["TALLY_CHANGES"].flatMap { Int($0) } ?? 200
    private static let seed =
        ProcessInfo.processInfo.environment["TALLY_SEED"].flatMap { UInt64($0) } ?? 20_260_301

    @Test("Each change of a proved or derived row is found, and its record named")
    func campaign() async throws {
        let template = try await TemplateStore.make()
        var random = SeededGenerator(seed: Self.seed)
        var made = 0
        var attempt = 0
        while made < Self.changes {
            let target = Tampering.targets[attempt % Tampering.targets.count]
            attempt += 1
            if try await Self.attempt(target, random.next(), template) { made += 1 }
        }
    }

    /// Makes a change on a copy, and verifies it; false where there was nothing to change.
    private static func attempt(
        _ target: Tampering.Target,
        _ seed: UInt64,
        _ template: TemplateStore
    ) async throws -> Bool {
        let path = try template.copy("tampered-\(seed).db")
        defer { template.remove(path) }
        guard let change = try Tampering.change(target, of: path, seed: seed) else { return false }
        // nil: the store was refused at once.
        guard let report = try await verify(path) else { return true }
        let found = report.findings.prefix(3).map(\.record)
        let isNamed = report.findings.contains { finding in
            change.names.contains { name in
                covers(finding.record, name) || finding.expected.hasSuffix(" in \(name)")
            }
        }
        #expect(!report.isIntact, "seed \(seed): \(change.description)")
        #expect(isNamed, "seed \(seed): \(change.description): found \(found)")
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
    private static func verify(_ path: String) async throws -> VerifyReport? {
        var options = StoreOptions()
        options.access = .readOnly
        let ring = try TemplateStore.ring()
        do {
            let store = try await EventStore.open(at: path, keys: .ring(ring), options: options)
            return try await store.verify()
        } catch {
            guard error.code == .integrity || error.code == .corrupt else { throw error }
            return nil
        }
    }
}
