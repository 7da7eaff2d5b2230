import Foundation
import Synchronization
import TallystickTestSupport
import Testing

extension PowerLossCampaign: CustomTestStringConvertible {
    private static let processors = Places(ProcessInfo.processInfo.activeProcessorCount)

    var testDescription: String { canary.map { "\(workload), \($0)" } ?? workload }

    /// Runs it in its own process; there is one for each processor.
    func runInChild() async throws -> Report {
        await Self.processors.take()
        defer { Self.processors.give() }
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .success) {
            [campaign = self as PowerLossCampaign, path = folder.path as String] in
            do {
                let report = try await campaign.run(printingTo: path + "/printed")
                try JSONEncoder().encode(report).write(to: URL(filePath: path + "/report"))
            } catch {
                try Data("\(error)".utf8).write(to: URL(filePath: path + "/printed"))
            }
        }
        guard let report = FileManager.default.contents(atPath: folder.file("report")) else {
            throw DiskTrace.Failure(
                message:
                    "\(testDescription) ended with: \(TallyCommand.text(folder.file("printed")).prefix(2000))"
            )
        }
        return try JSONDecoder().decode(Report.self, from: report)
    }
}

/// A number of places, taken in turn.
private final class Places: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func give() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}

extension PowerLossCampaign.Report {
    /// One line for the table of the failure model.
    func line(_ campaign: PowerLossCampaign) -> String {
        let kinds = byKind.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return
            "power loss: \(campaign.testDescription): \(operations) operations, \(states) states "
            + "(\(distinct) distinct, \(repetitions) repeated from), seed \(campaign.seed), "
            + "\(faulty) faulty\(kinds.isEmpty ? "" : " (\(kinds.joined(separator: ", ")))"), \(Int(seconds)) s"
    }

    func examples(_ campaign: PowerLossCampaign) -> String {
        examples.map { example in
            "TALLY_POWER_LOSS_CASE=\(campaign.workload):\(campaign.seed):\(example.number) "
                + "after operation \(example.operation), \(example.survival):\n"
                + example.findings.map { "    \($0.kind): \($0.message)\n" }.joined()
        }.joined()
    }
}
