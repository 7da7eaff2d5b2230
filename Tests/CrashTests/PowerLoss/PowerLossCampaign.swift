import Foundation
import TallystickTestSupport

/// Cuts the power of one workload at many moments, and checks the possible states of the disk.
struct PowerLossCampaign: Codable, Sendable {
    var workload: String
    var states: Int
    var seed: UInt64
    /// Only this state.
    var only: Int?
    var canary: SimulatedDisk.Canary?
    /// One in this many states with known contents is repeated from anyway.
    var repeatsEvery = 20
    /// Where to keep a state that is checked alone.
    var keeps: String?

    /// The result of a campaign.
    struct Report: Codable, Sendable {
        struct Example: Codable, Sendable {
            var number: Int
            var operation: Int
            var survival: String
            var findings: [StateFinding]
        }

        var operations = 0
        var cuts = 0
        var states = 0
        var distinct = 0
        var repetitions = 0
        /// Faulty states.
        var faulty = 0
        var byKind: [String: Int] = [:]
        /// The first state with each kind of finding.
        var examples: [Example] = []
        var seconds = 0.0
    }

    /// Runs it in this process, changing its current folder, and sending its output to a file.
    func run(printingTo file: String) async throws -> Report {
        let clock = ContinuousClock()
        let started = clock.now
        guard let workload = PowerLossWorkload.named(workload) else {
            throw DiskTrace.Failure(message: "no workload '\(workload)'")
        }
        let memory = "/dev/shm"
        let folder = try TemporaryFolder(
            named: "power-loss",
            in: access(memory, W_OK) == 0 ? memory : "/tmp"
        )
        let recording = try await PowerLossRecording(workload, in: folder.path)
        guard let command = InProcessCommand(printingTo: file) else {
            throw DiskTrace.Failure(message: "cannot take the output")
        }
        let checker = try StateChecker(
            recording,
            in: folder.path,
            repeatsEvery: repeatsEvery,
            command
        )
        var report = Report()
        report.operations = recording.trace.operations.count
        report.cuts = recording.cuts.count
        let numbers = only.map { $0...$0 } ?? 0...max(0, states - 1)
        let cuts = numbers.map {
            (number: $0, cut: PowerCut(number: $0, seed: seed, cuts: recording.cuts))
        }.sorted { $0.cut.operation < $1.cut.operation }
        var disk = SimulatedDisk(base: recording.base, canary: canary)
        for (number, cut) in cuts {
            while disk.order < cut.operation {
                try disk.perform(recording.trace.operations[disk.order])
            }
            let files = disk.state(after: cut)
            if let keeps { try Self.keep(files, in: keeps) }
            let findings = try await checker.check(files, after: cut.operation)
            report.add(number, cut, findings)
        }
        try checker.removeState()
        report.distinct = checker.distinct
        report.repetitions = checker.repetitions
        report.seconds = Double((clock.now - started) / .milliseconds(1)) / 1000
        return report
    }

    private static func keep(_ files: [String: [UInt8]], in folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder + "/other",
            withIntermediateDirectories: true
        )
        for (name, content) in files {
            try Data(content).write(to: URL(filePath: folder + "/" + name))
        }
    }
}

extension PowerLossCampaign.Report {
    fileprivate mutating func add(_ number: Int, _ cut: PowerCut, _ findings: [StateFinding]) {
        states += 1
        guard !findings.isEmpty else { return }
        faulty += 1
        let kinds = Set(findings.map(\.kind.rawValue))
        let isNew = kinds.contains { byKind[$0] == nil }
        for kind in kinds { byKind[kind, default: 0] += 1 }
        guard isNew || examples.count < 6 else { return }
        examples.append(
            Example(
                number: number,
                operation: cut.operation,
                survival: "\(cut.survival)",
                findings: findings
            )
        )
    }
}
