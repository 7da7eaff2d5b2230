import Foundation

/// The kind of fault in a state after a power cut.
struct StateFinding: Codable, Hashable {
    enum Kind: String, Codable, Sendable {
        /// Acknowledged events, decisions or checkpoints are missing.
        case lost
        /// A file that a command acknowledged is missing, or has changed.
        case fileLost
        /// An acknowledged store cannot be verified by a read-only command.
        case unreadable
        /// A command of the workload fails when it is repeated.
        case blocked
        /// The store is not intact after the workload was repeated.
        case damaged
        /// The repeated workload ends with a different result from that of an undisturbed run.
        case differs
    }

    var kind: Kind
    var message: String
}

/// Checks states, each in a fresh folder, in this process.
final class StateChecker {
    private let recording: PowerLossRecording
    private let folder: String
    private let disk: String
    private let command: InProcessCommand
    /// The results for states with the same files and acknowledgements.
    private var known: [Int: [StateFinding]] = [:]
    /// The results of reading and repeating from the same contents.
    private var repeated: [Int: [StateFinding]] = [:]

    /// States whose files were checked, because no earlier one had the same.
    private(set) var distinct = 0
    /// States from which the workload was repeated.
    private(set) var repetitions = 0
    /// Of distinct states with known contents, one in this many is repeated from.
    private let repeatsEvery: Int

    /// - parameter folder: contains the folder `in`, and gets `disk`, which becomes the current folder.
    init(
        _ recording: PowerLossRecording,
        in folder: String,
        repeatsEvery: Int,
        _ command: InProcessCommand
    ) throws {
        self.recording = recording
        self.folder = folder
        self.command = command
        self.repeatsEvery = repeatsEvery
        disk = folder + "/state"
        try FileManager.default.createDirectory(
            atPath: disk + "/other",
            withIntermediateDirectories: true
        )
        guard FileManager.default.changeCurrentDirectoryPath(disk) else {
            throw DiskTrace.Failure(message: "cannot enter \(disk)")
        }
    }

    /// - parameter operations: the number of recorded operations before the cut.
    func check(
        _ files: [String: [UInt8]],
        after operations: Int
    ) async throws -> [StateFinding] {
        let acknowledgement = recording.acknowledgement(before: operations)
        let events = recording.printedEvents(before: operations)
        let key = Self.hash(files, acknowledgement, events)
        if let findings = known[key] { return findings }
        distinct += 1
        try write(files)
        var findings: [StateFinding] = []
        let facts = await facts(recording.acknowledgements[acknowledgement], &findings)
        findings += missing(facts, acknowledgement, events, operations, unless: findings)
        let contents = hash(facts, findings)
        if let earlier = repeated[contents], distinct % repeatsEvery != 0 {
            findings += earlier
        } else {
            let later = await repetition(of: recording.acknowledgements[acknowledgement].facts)
            repeated[contents] = later
            findings += later.filter { !findings.contains($0) }
        }
        known[key] = findings
        return findings
    }

    /// Removes the last state, in which a key file may be torn.
    func removeState() throws { try FileManager.default.removeItem(atPath: disk) }

    private static func hash(_ files: [String: [UInt8]], _ numbers: Int...) -> Int {
        var hasher = Hasher()
        hasher.combine(numbers)
        for name in files.keys.sorted() {
            hasher.combine(name)
            hasher.combine(files[name]?.count)
            files[name]?.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }

    private func hash(_ facts: StateFacts, _ findings: [StateFinding]) -> Int {
        var hasher = Hasher()
        for (name, file) in facts.files.sorted(by: { $0.key < $1.key }) {
            hasher.combine(name)
            // Files that do not have their final name yet differ after each write, which tells nothing new.
            let isNamed = recording.end.files[name] != nil
            hasher.combine(isNamed ? file : .plain(file == .plain([]) ? [] : [0]))
        }
        hasher.combine(findings)
        return hasher.finalize()
    }

    /// Lays the files out. Process ids start again with the machine: those in names become this process's.
    private func write(_ files: [String: [UInt8]]) throws {
        for name in StateFacts.names(in: disk) {
            unlink(disk + "/" + name)
        }
        for (name, content) in files {
            let path = disk + "/" + currentName(name)
            let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            defer { close(descriptor) }
            guard
                content.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) })
                    == content.count
            else { throw DiskTrace.Failure(message: "cannot write \(path)") }
        }
    }

    private func currentName(_ name: String) -> String {
        var name = name
        for process in recording.trace.processes {
            for ending in [""] + StateFacts.companions where name.hasSuffix("-\(process)\(ending)")
            {
                name.removeLast("-\(process)\(ending)".count)
                name += "-\(getpid())\(ending)"
                return name
            }
        }
        return name
    }

    // MARK: Readers

    /// Reads the state before anything has written to it. If SQLite alone cannot, a read-only command goes first.
    private func facts(
        _ acknowledgement: PowerLossRecording.Acknowledgement,
        _ findings: inout [StateFinding]
    ) async -> StateFacts {
        var facts = StateFacts(folder: disk)
        for name in facts.unreadable.keys.sorted() {
            guard case .database(let said)? = acknowledgement.facts.files[name] else { continue }
            if said.leaves.isEmpty {
                // A projection's file is for its replay, which may write, and rolls back uncommitted changes.
                facts.recover(name, in: disk)
            } else {
                let code = await command.tally(["verify", name])
                if code != 0 { findings.append(unreadable(name, code)) }
                facts.read(name, in: disk)
            }
        }
        return facts
    }

    private func unreadable(_ name: String, _ code: Int32) -> StateFinding {
        StateFinding(kind: .unreadable, message: "verify \(name) exits \(code): \(printed)")
    }

    private var printed: String {
        String(command.printed.prefix(300)).replacing("\n", with: " ")
    }

    /// Acknowledged data that is missing.
    private func missing(
        _ facts: StateFacts,
        _ acknowledgement: Int,
        _ events: Int,
        _ operations: Int,
        unless findings: [StateFinding]
    ) -> [StateFinding] {
        let acknowledged = recording.acknowledgements[acknowledgement].facts
        return acknowledged.files.keys.sorted().compactMap { name -> StateFinding? in
            if let reason = facts.unreadable[name] {
                // A command explained why the store is missing.
                return findings.isEmpty
                    ? StateFinding(kind: .unreadable, message: "\(name): \(reason)") : nil
            }
            guard let file = facts.files[name] else {
                return StateFinding(kind: .fileLost, message: "\(name) is missing")
            }
            switch (acknowledged.files[name], file, recording.end.files[name]) {
            case (.database(let said), .database(let kept), .database(let end)):
                if let lack = kept.lacks(of: said, end: end) {
                    return StateFinding(kind: .lost, message: "\(name): \(lack)")
                }
                if name == "s.db", kept.count(of: "events") < events {
                    let message =
                        "\(name): \(kept.count(of: "events")) events of \(events) that were acknowledged"
                    return StateFinding(kind: .lost, message: message)
                }
                return nil
            case (.plain, .plain(let content), _):
                let contents = recording.contents(
                    of: name,
                    since: acknowledgement,
                    before: operations
                )
                if contents.contains(content) { return nil }
                return StateFinding(kind: .fileLost, message: "\(name) has other content")
            default:
                return StateFinding(kind: .fileLost, message: "\(name) is another kind of file")
            }
        }
    }

    // MARK: Repetition

    private func repetition(of acknowledged: StateFacts) async -> [StateFinding] {
        repetitions += 1
        var findings: [StateFinding] = []
        for name in Self.stores(acknowledged) {
            let code = await command.tally(["verify", name])
            if code != 0 { findings.append(unreadable(name, code)) }
        }
        for step in recording.workload.steps {
            let code = await run(step)
            if step.repeats.contains(code) { continue }
            let message = "\(step.work) exits \(code): \(printed)"
            findings.append(StateFinding(kind: .blocked, message: message))
        }
        // If the repetition failed, the result cannot match.
        return findings.isEmpty ? await differences() : findings
    }

    private static func stores(_ facts: StateFacts) -> [String] {
        facts.files.filter {
            if case .database(let database) = $0.value { return !database.leaves.isEmpty }
            return false
        }.keys.sorted()
    }

    private func run(_ step: PowerLossWorkload.Step) async -> Int32 {
        switch step.work {
        case .tally(let words): return await command.tally(words)
        case .commit(let writer, let count, let frames):
            return await command.commit("s.db", writer, count: count, frames: frames)
        case .commitTogether(let writers, let count, let frames):
            for writer in writers {
                let code = await command.commit("s.db", writer, count: count, frames: frames)
                if code != 0 { return code }
            }
            return 0
        }
    }

    private func differences() async -> [StateFinding] {
        var findings: [StateFinding] = []
        for name in Self.stores(recording.end) {
            let code = await command.tally(["verify", name])
            if code != 0 {
                let message = "verify \(name) exits \(code): \(printed)"
                findings.append(StateFinding(kind: .damaged, message: message))
            }
        }
        do {
            let digest = try await InProcessCommand.contentDigest(of: "s.db")
            if digest != recording.contentDigest { findings.append(differs("the content digest")) }
        } catch {
            findings.append(differs("the content digest: \(error)"))
        }
        let facts = StateFacts(folder: disk)
        for (name, file) in recording.end.files {
            findings += differences(of: name, facts.files[name], file)
        }
        for (query, expected) in zip(recording.workload.queries, recording.rows) {
            let rows = try? DatabaseFacts.rows(of: disk + "/" + query.database, query.sql)
            if rows != expected {
                let message = "'\(query.sql)': \(rows ?? []), not \(expected)"
                findings.append(differs(String(message.prefix(600))))
            }
        }
        return findings
    }

    private func differences(
        of name: String,
        _ file: FileFacts?,
        _ expected: FileFacts
    ) -> [StateFinding] {
        switch (file, expected) {
        case (nil, _): return [differs("\(name) is missing")]
        case (.plain(let content)?, .plain(let said)):
            return content.isEmpty && !said.isEmpty ? [differs("\(name) is empty")] : []
        case (.database(let database)?, .database(let end)):
            return database.checkpoints == end.checkpoints
                ? [] : [differs("the digests of replays in \(name)")]
        default: return [differs("\(name) is another kind of file")]
        }
    }

    private func differs(_ message: String) -> StateFinding {
        StateFinding(kind: .differs, message: message)
    }
}
