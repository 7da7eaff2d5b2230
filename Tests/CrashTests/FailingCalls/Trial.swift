import Foundation
import TallystickTestSupport
import Testing

/// Runs workloads undisturbed, and with a call that fails.
struct Trial {
    let scenes: PreparedScenes
    let library: String
    /// A folder for files that belong to no run.
    let scratch: String

    init(_ scenes: PreparedScenes) throws {
        self.scenes = scenes
        scratch = scenes.folder.path
        library = try InterposedLibrary.build("failing-calls.c", in: scratch)
    }

    // MARK: Runs

    private struct Run {
        var code: Int32
        var output: String
        var errors: String
    }

    private func run(_ workload: Workload, in folder: String, under wrapper: [String] = []) -> Run {
        let (output, errors) = (folder + ".out", folder + ".err")
        for path in [output, errors] { unlink(path) }
        let tally = scenes.tally(in: folder, under: wrapper)
        let child = tally.start(workload.words, output: output, errors: errors)
        let code = tally.wait(for: child)
        defer { for path in [output, errors] { unlink(path) } }
        return Run(
            code: code,
            output: Self.lasting(TallyCommand.text(output)),
            errors: TallyCommand.text(errors)
        )
    }

    private func copy(_ workload: Workload) throws -> String {
        let folder = "\(scratch)/try-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.copyItem(atPath: scenes.path(workload.scene), toPath: folder)
        return folder
    }

    /// Text without times, durations, random ids and values derived from them.
    static func lasting(_ text: String) -> String {
        text.replacing(#/"cursor":"[^"]*"/#, with: "cursor")
            .replacing(#/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/#, with: "time")
            .replacing(#/[0-9A-Za-z+\/=]{32,}/#, with: "digest")
            .replacing(#/[0-9]+\.[0-9]+(e-?[0-9]+)?/#, with: "number")
            .replacing(#/[0-9]{10,}/#, with: "number")
            .replacing(#/"age_seconds":[0-9]+/#, with: "age")
            .replacing(#/[0-9]+ MiB/#, with: "size")
    }

    // MARK: What is left

    private func traces(_ workload: Workload, in folder: String) -> Traces {
        var traces = Traces()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        traces.names = Set(
            names.filter { name in !["-wal", "-shm"].contains { name.hasSuffix($0) } }
        )
        let store = folder + "/" + workload.store
        if access(store, F_OK) == 0 {
            traces.store = text { try StoreState.of(store: store, isLasting: false) }
            traces.lasting = text { try StoreState.of(store: store, isLasting: true) }
        }
        for name in workload.outputs where access(folder + "/" + name, F_OK) == 0 {
            let path = folder + "/" + name
            traces.outputs[name] =
                switch name {
                case "copy.db": text { try StoreState.of(store: path, isLasting: false) }
                case "out.db": text { try StoreState.of(projection: path) }
                default: Self.lasting(TallyCommand.text(path))
                }
        }
        return traces
    }

    private func text(_ read: () throws -> String) -> String {
        do {
            return try read()
        } catch {
            return "cannot be read: \(error)"
        }
    }

    // MARK: References

    /// Runs a workload without faults, counts its calls, and runs it again.
    func reference(_ workload: Workload) throws -> Reference {
        let folder = try copy(workload)
        defer { remove(folder) }
        let report = folder + ".report"
        defer { unlink(report) }
        let untouched = traces(workload, in: folder)
        let counted = run(
            workload,
            in: folder,
            under: ["env", "LD_PRELOAD=\(library)", "FAIL_REPORT=\(report)", "FAIL_TRACE=1"]
        )
        let left = traces(workload, in: folder)
        let (counts, distinct) = try FailingCallReport.read(report: report)
        _ = run(workload, in: folder)
        return Reference(
            code: counted.code,
            output: counted.output,
            untouched: untouched,
            traces: left,
            repeated: traces(workload, in: folder),
            counts: counts,
            distinct: distinct
        )
    }

    /// Runs a workload with a failing call, then without faults.
    ///
    /// - parameter reference: its undisturbed result; nil to check everything.
    func observe(
        _ workload: Workload,
        _ fault: Fault,
        _ reference: Reference? = nil
    ) throws -> Observation {
        let folder = try copy(workload)
        defer { remove(folder) }
        let report = folder + ".report"
        defer { unlink(report) }
        let disturbed = run(
            workload,
            in: folder,
            under: ["env", "LD_PRELOAD=\(library)"] + fault.environment(report: report)
        )
        let fired = FailingCallReport.fired(report: report)
        // If no byte was changed, the repetition behaves as without the fault. It is checked occasionally anyway.
        if let reference, fault.number % 8 != 0, isUntouched(workload, in: folder) {
            return Observation(
                code: disturbed.code,
                output: disturbed.output,
                errors: disturbed.errors,
                fired: fired,
                traces: reference.untouched,
                verified: workload.scene == .empty ? 66 : 0,
                repetition: reference.code,
                repetitionErrors: "",
                final: reference.traces
            )
        }
        let left = traces(workload, in: folder)
        let verified = scenes.tally(in: folder).run("verify", workload.store).code
        let again = run(workload, in: folder)
        return Observation(
            code: disturbed.code,
            output: disturbed.output,
            errors: disturbed.errors,
            fired: fired,
            traces: left,
            verified: verified,
            repetition: again.code,
            repetitionErrors: again.errors,
            final: traces(workload, in: folder)
        )
    }

    /// Whether a folder contains the prepared files unchanged, except the index of the log, to which readers write.
    private func isUntouched(_ workload: Workload, in folder: String) -> Bool {
        let (before, after) = (scenes.path(workload.scene), folder)
        func names(_ path: String) -> Set<String> {
            Set((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
                .filter { !$0.hasSuffix("-shm") }
        }
        let expected = names(before)
        guard expected == names(after) else { return false }
        return expected.allSatisfy {
            FileManager.default.contentsEqual(atPath: before + "/" + $0, andPath: after + "/" + $0)
        }
    }

    private func remove(_ folder: String) {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            Issue.record("cannot remove \(folder): \(error)")
        }
    }
}

/// The report of failing-calls.c on a run.
enum FailingCallReport {
    private static let traceOffset = 4096
    private static let lineOffset = 1024

    /// The counts of calls, and for each class the first call from each stack.
    static func read(report: String) throws -> ([String: Int], [String: [TracedCall]]) {
        let bytes = try Data(contentsOf: URL(filePath: report), options: .alwaysMapped)
        func number(_ offset: Int) -> UInt64 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        }
        var counts: [String: Int] = [:]
        for (index, name) in Fault.classes.enumerated() {
            let count = Int(number(index * 8))
            if count > 0 { counts[name] = count }
        }
        var distinct: [String: [TracedCall]] = [:]
        var stacks: [Set<UInt64>] = Array(repeating: [], count: Fault.classes.count)
        for offset in stride(from: traceOffset, to: bytes.count - 15, by: 16) {
            let word = number(offset)
            guard word != 0 else { break }
            let index = Int(word >> 56)
            let call = TracedCall(number: Int(word & (1 << 56 - 1)), stack: number(offset + 8))
            guard stacks[index].insert(call.stack).inserted else { continue }
            distinct[Fault.classes[index], default: []].append(call)
        }
        return (counts, distinct)
    }

    /// The library's record of the call that it made fail.
    static func fired(report: String) -> String {
        guard let bytes = FileManager.default.contents(atPath: report), bytes.count > lineOffset
        else { return "" }
        return String(decoding: bytes[lineOffset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
