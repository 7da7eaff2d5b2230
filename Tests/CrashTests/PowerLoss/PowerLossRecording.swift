import Foundation
import TallystickTestSupport

/// A recorded run of a workload: its operations on the disk, and its acknowledgements.
struct PowerLossRecording {
    /// The state of the files once a step had been acknowledged.
    struct Acknowledgement {
        /// The operations before it.
        var operations: Int
        var facts: StateFacts
    }

    let workload: PowerLossWorkload
    let base: [String: [UInt8]]
    let trace: DiskTrace
    /// Of the preparation, and of each step that exited 0.
    private(set) var acknowledgements: [Acknowledgement] = []
    /// The number of events acknowledged by printed lines, after each number of operations.
    private(set) var printed: [(operations: Int, events: Int)] = []
    /// The contents that files got by being renamed, each with the operations before it.
    let versions: [String: [(operations: Int, content: [UInt8])]]
    /// The contents of the files when the last step had ended.
    let end: StateFacts
    /// The content digest of the store once every step was done.
    let contentDigest: String
    /// The rows of the workload's queries at that time.
    let rows: [[[String]]]
    let cuts: [Int]

    /// Runs the workload.
    ///
    /// - parameter folder: where `in` and `disk` are made.
    init(_ workload: PowerLossWorkload, in folder: String) async throws {
        self.workload = workload
        let disk = folder + "/disk"
        for name in ["in", "disk", "disk/other"] {
            try FileManager.default.createDirectory(
                atPath: folder + "/" + name,
                withIntermediateDirectories: true
            )
        }
        for (name, text) in workload.inputs {
            try Data(text.utf8).write(to: URL(filePath: folder + "/in/" + name))
        }
        if workload.beginsWithSchema1 {
            let fixture = URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "../../../fixtures/databases/schema-1.db").standardized
            try Data(contentsOf: fixture).write(to: URL(filePath: disk + "/s.db"))
        }
        let tally = TallyCommand(in: disk)
        for words in workload.preparation {
            let result = tally.run(words)
            guard result.code == 0 else {
                throw DiskTrace.Failure(message: "\(words): \(result.errors)")
            }
        }
        base = Self.files(in: disk)
        let recorder = try DiskRecorder(
            folder: disk,
            file: folder + "/trace",
            scratch: folder
        )
        var acknowledged = [(bytes: 0, facts: StateFacts(folder: disk))]
        for step in workload.steps {
            let code = try Self.run(step, recorder)
            if code == 0 { acknowledged.append((recorder.bytes, StateFacts(folder: disk))) }
        }
        let trace = try DiskTrace(file: recorder.file)
        // It contains the bytes written to key files, and the folder is searched for those.
        try FileManager.default.removeItem(atPath: recorder.file)
        self.trace = trace
        acknowledgements = acknowledged.map {
            Acknowledgement(operations: trace.count(inBytes: $0.bytes), facts: $0.facts)
        }
        printed = Self.printedAcknowledgements(trace)
        end = StateFacts(folder: disk)
        cuts = Self.cuts(trace)
        let (model, versions) = try Self.replay(trace, over: base)
        self.versions = versions
        try Self.compare(model, Self.files(in: disk))
        if workload.steps.contains(where: { !$0.failing.isEmpty }) {
            // Failed steps are repeated by healthy processes.
            for step in workload.steps { _ = try Self.run(step.healthy, recorder) }
            try FileManager.default.removeItem(atPath: recorder.file)
        }
        contentDigest = try await InProcessCommand.contentDigest(of: disk + "/s.db")
        rows = try workload.queries.map {
            try DatabaseFacts.rows(of: disk + "/" + $0.database, $0.sql)
        }
    }

    private static func run(_ step: PowerLossWorkload.Step, _ recorder: DiskRecorder) throws
        -> Int32
    {
        let worker = "TallystickCrashWorker"
        func commit(_ writer: String, _ count: Int, _ frames: Int32) -> [String] {
            ["commit", "s.db", writer, "\(count)", "\(frames)"]
        }
        let result =
            switch step.work {
            case .tally(let words): recorder.run([words], failing: step.failing)
            case .commit(let writer, let count, let frames):
                recorder.run(
                    [commit(writer, count, frames)],
                    of: worker,
                    failing: step.failing
                )
            case .commitTogether(let writers, let count, let frames):
                recorder.run(writers.map { commit($0, count, frames) }, of: worker)
            }
        guard result.code == 0 || !step.failing.isEmpty else {
            throw DiskTrace.Failure(message: "\(step.work): \(result.code) \(result.printed)")
        }
        return result.code
    }

    /// Lines `ID STREAM REVISION POSITION` of the crash worker.
    private static func printedAcknowledgements(
        _ trace: DiskTrace
    ) -> [(operations: Int, events: Int)] {
        var most = 0
        return trace.operations.enumerated().compactMap { index, operation in
            guard case .printed(let text) = operation else { return nil }
            let words = text.split { $0 == " " || $0 == "\n" }
            guard words.count == 4, let position = Int(words[3]), Int(words[2]) != nil else {
                return nil
            }
            most = max(most, position)
            return (index + 1, most)
        }
    }

    private static func cuts(_ trace: DiskTrace) -> [Int] {
        [0]
            + trace.operations.enumerated().compactMap { index, operation in
                if case .opened(_, _, false, false) = operation { return nil }
                return index + 1
            }
    }

    private static func replay(
        _ trace: DiskTrace,
        over base: [String: [UInt8]]
    ) throws -> (SimulatedDisk, [String: [(operations: Int, content: [UInt8])]]) {
        var disk = SimulatedDisk(base: base)
        var versions: [String: [(operations: Int, content: [UInt8])]] = [:]
        for operation in trace.operations {
            try disk.perform(operation)
            switch operation {
            case .renamed(_, let to), .linked(_, let to):
                versions[to, default: []].append((disk.order, disk.cached(to) ?? []))
            default: continue
            }
        }
        return (disk, versions)
    }

    /// Checks that the recorder missed nothing.
    private static func compare(_ disk: SimulatedDisk, _ files: [String: [UInt8]]) throws {
        let modelled = disk.cached
        for name in Set(modelled.keys).union(files.keys) where modelled[name] != files[name] {
            throw DiskTrace.Failure(
                message:
                    "the recorder missed a change of '\(name)': \(modelled[name]?.count ?? -1) bytes, not \(files[name]?.count ?? -1)"
            )
        }
    }

    /// The files of a folder, except shared memory.
    static func files(in folder: String) -> [String: [UInt8]] {
        Dictionary(
            uniqueKeysWithValues: StateFacts.names(in: folder).filter { !$0.hasSuffix("-shm") }
                .compactMap { name in
                    FileManager.default.contents(atPath: folder + "/" + name)
                        .map { (name, [UInt8]($0)) }
                }
        )
    }

    /// The index of the newest acknowledgement before a cut.
    func acknowledgement(before operations: Int) -> Int {
        (acknowledgements.lastIndex { $0.operations <= operations }) ?? 0
    }

    /// The contents that a file may have after a cut: the acknowledged one, and all later ones.
    func contents(of name: String, since acknowledgement: Int, before operations: Int) -> [[UInt8]]
    {
        let acknowledged = acknowledgements[acknowledgement]
        var contents = (versions[name] ?? []).filter {
            $0.operations > acknowledged.operations && $0.operations <= operations
        }.map(\.content)
        if case .plain(let content) = acknowledged.facts.files[name] { contents.append(content) }
        return contents
    }

    /// The number of events acknowledged by printed lines before a cut.
    func printedEvents(before operations: Int) -> Int {
        printed.last { $0.operations <= operations }?.events ?? 0
    }
}
