import Foundation
import TallystickTestSupport

/// One of the processes that work on a busy store; runs one command after another.
struct BusyProcess {
    /// The kind of its work.
    enum Role: CaseIterable {
        case worker, appender, firstIngester, secondIngester, projector, rebuilder, decider, reader
    }

    /// A command, and its permitted exit codes.
    struct Step {
        var words: [String]
        var codes: Set<Int32> = [0, 75]
        var program: Program = .tally
        /// Whether it runs until it is interrupted.
        var isEndless = false

        enum Program {
            case tally, worker, sqlite
        }

        init(_ words: String, _ codes: Set<Int32> = [0, 75]) {
            self.words = words.split(separator: " ").map(String.init)
            self.codes = codes
        }
    }

    let role: Role
    let store: BusyStore
    private let seed: UInt64
    private var random: SeededGenerator
    private var number = 0
    /// The last revisions seen in shared streams.
    private var revisions: [String: Int] = [:]
    /// Whether the worker reports an event before it is stored: a violation that the test must detect.
    private let claimsEarly: Bool

    init(_ role: Role, _ store: BusyStore, seed: UInt64, claimsEarly: Bool = false) {
        self.role = role
        self.store = store
        self.seed = seed
        self.claimsEarly = claimsEarly
        random = SeededGenerator(seed: seed)
    }

    private static let shared = 3
    /// Milliseconds after which a command is considered hung.
    private static let patience = 300_000

    private mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    // MARK: Commands

    private mutating func next() -> Step {
        number += 1
        switch role {
        case .worker: return workerStep()
        case .appender: return appendStep()
        case .firstIngester, .secondIngester: return ingestStep()
        case .projector: return Step("replay busy.db totals.sql --batch 7", [0, 75])
        case .rebuilder: return replayStep()
        case .decider: return decideStep()
        case .reader: return readStep()
        }
    }

    private func workerStep() -> Step {
        let verb = claimsEarly ? "claim" : "append"
        var step = Step("\(verb) busy.db worker-\(seed)-\(number) \(Self.shared)")
        step.program = .worker
        step.isEndless = true
        return step
    }

    private mutating func appendStep() -> Step {
        let stream = "shared-\(below(Self.shared))"
        // Other processes write to the stream: the expectation fails occasionally.
        let expected = below(3) == 0 ? "any" : revisions[stream].map(String.init) ?? "none"
        let id = "appended-\(seed)-\(number)"
        let text =
            "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/appender\",\"type\":\"work\"}\n"
        let path = store.folder.file("append.json")
        do {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        } catch {
            store.note { $0.complaints.append("cannot write \(path): \(error)") }
        }
        return Step("append busy.db \(stream) append.json --expect \(expected)", [0, 4, 75])
    }

    private mutating func ingestStep() -> Step {
        let origin = pick(BusyStore.origins)
        let files = (0...below(2)).map { _ in BusyStore.file(below(BusyStore.files), origin) }
        return Step("ingest busy.db \(files.joined(separator: " ")) --origin \(origin)")
    }

    private mutating func replayStep() -> Step {
        switch below(4) {
        case 0: Step("replay rebuild busy.db totals.sql", [0, 75])
        case 1: Step("replay rebuild busy.db beside.sql --into beside.db", [0, 75])
        case 2: Step("replay busy.db totals.sql --batch 11", [0, 75])
        default: Step("replay busy.db beside.sql --into beside.db --batch 9", [0, 75])
        }
    }

    private mutating func decideStep() -> Step {
        let conflict = 1 + below(60)
        switch below(12) {
        case 0...3: return Step("reconcile busy.db", [0, 1, 3, 75])
        case 4:
            let origin = pick(BusyStore.origins)
            return Step(
                "conflicts resolve busy.db \(conflict) --take \(origin) --reason r",
                [0, 4, 64, 65, 66, 75]
            )
        case 5:
            return Step(
                "conflicts resolve busy.db \(conflict) --exclude --reason r",
                [0, 4, 64, 65, 66, 75]
            )
        case 6: return Step("conflicts reopen busy.db \(conflict) --reason r", [0, 4, 66, 75])
        case 7: return Step("config apply busy.db settings-\(1 + below(3)).json --reason r")
        case 8:
            return Step(
                "keys rotate busy.db --key-file ring.json --id k-\(seed)-\(number) --reason r"
            )
        case 9: return Step("seal busy.db --key-file signer.key --output head-\(number).note")
        case 10:
            let state = pick(["closed", "forced_open"])
            return Step("breaker set busy.db c \(state) --reason r")
        default: return Step("verify busy.db --repair-derived --reason r")
        }
    }

    private mutating func readStep() -> Step {
        switch below(10) {
        case 0: return Step("verify busy.db", [0])
        case 1: return Step("doctor busy.db", [0, 1])
        case 2: return Step("stats busy.db --content-digest")
        case 3: return Step("export busy.db --output out-\(number).ndjson", [0])
        case 4: return Step("audit replay busy.db", [0])
        case 5, 6: return Step("backup busy.db copy-\(seed)-\(number).db --verify")
        case 7:
            var step = Step("read busy.db --follow", [0])
            step.isEndless = true
            return step
        case 8:
            var step = Step("query busy.db", [0])
            step.words.append("SELECT count(*) - max(position) AS gaps FROM events")
            return step
        default:
            var step = Step("-readonly -cmd .timeout~60000 busy.db", [0])
            step.words[2] = ".timeout 60000"
            step.words.append("SELECT count(*) - max(position) FROM events")
            step.program = .sqlite
            return step
        }
    }

    // MARK: Running

    /// The disturbance of a command.
    private enum Fate {
        case none, killed, stopped, stoppedAndKilled
    }

    private mutating func fate() -> Fate {
        switch below(12) {
        case 0...2: .killed
        case 3: .stopped
        case 4: .stoppedAndKilled
        default: .none
        }
    }

    /// Runs the next command to its end.
    mutating func step() {
        let step = next()
        let place = store.folder.file("process-\(role)")
        for suffix in [".out", ".err"] { unlink(place + suffix) }
        let child = start(step, output: place + ".out", errors: place + ".err")
        let (isKilled, isInterrupted) = befall(child, step)
        guard let code = wait(for: child) else {
            store.note { $0.complaints.append("\(step.words) hangs") }
            return
        }
        let name = step.words.prefix(2).filter { $0 != "busy.db" }.joined(separator: " ")
        store.note { record in
            record.ends["\(name) \(code)", default: 0] += 1
            let mayBe = step.codes.contains(code) || isKilled && code == -SIGKILL
            // An interruption may arrive before the process is ready for it.
            guard !mayBe && !(isInterrupted && [0, -SIGINT].contains(code)) else { return }
            record.complaints.append(
                "\(step.words.joined(separator: " ")): exit \(code): \(TallyCommand.text(place + ".err"))"
            )
        }
        learn(step, code, TallyCommand.text(place + ".out"))
    }

    private func start(_ step: Step, output: String, errors: String) -> pid_t {
        let command =
            switch step.program {
            case .tally: store.tally
            case .worker: store.worker
            case .sqlite: TallyCommand(in: store.folder.path, path: "sqlite3")
            }
        return command.start(step.words, output: output, errors: errors)
    }

    /// - returns: whether it was killed, and whether it was interrupted.
    private mutating func befall(_ child: pid_t, _ step: Step) -> (Bool, Bool) {
        let fate = step.program == .worker ? Fate.killed : fate()
        // The worker continues until it is killed, with time for some appends.
        let moment = UInt32(step.program == .worker ? 50_000 + below(600_000) : below(200_000))
        guard fate != .none || step.isEndless else { return (false, false) }
        usleep(moment)
        switch fate {
        case .none:
            kill(child, SIGINT)
            return (false, true)
        case .killed: kill(child, SIGKILL)
        case .stopped, .stoppedAndKilled:
            kill(child, SIGSTOP)
            usleep(UInt32(below(60_000)))
            if fate == .stoppedAndKilled { kill(child, SIGKILL) }
            kill(child, SIGCONT)
            if fate == .stopped && step.isEndless { kill(child, SIGINT) }
        }
        let isKilled = fate != .stopped
        store.note {
            if isKilled { $0.kills += 1 } else { $0.stops += 1 }
        }
        return (isKilled, step.isEndless)
    }

    /// - returns: nil for a process that did not end, and was killed for that.
    private func wait(for child: pid_t) -> Int32? {
        var status: Int32 = 0
        for _ in 0..<Self.patience {
            if waitpid(child, &status, WNOHANG) == child {
                return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
            }
            usleep(1000)
        }
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
        return nil
    }

    // MARK: What was said

    private mutating func learn(_ step: Step, _ code: Int32, _ output: String) {
        switch role {
        case .worker:
            let lines = output.split(separator: "\n").map {
                $0.split(separator: " ").map(String.init)
            }
            for line in lines where line.first == "failed:" {
                store.note { $0.complaints.append("the worker \(line.joined(separator: " "))") }
            }
            let said = lines.filter { $0.count == 4 && $0[0].hasPrefix("worker-") }.map {
                BusyStore.Acknowledgement(
                    id: $0[0],
                    stream: $0[1],
                    revision: $0[2],
                    position: $0[3]
                )
            }
            store.note { $0.acknowledged += said }
        case .appender:
            let stream = step.words[2]
            if code == 0, let place = Self.place(output) {
                revisions[stream] = place.revision
                let said = BusyStore.Acknowledgement(
                    id: "appended-\(seed)-\(number)",
                    stream: stream,
                    revision: "\(place.revision)",
                    position: "\(place.position)"
                )
                store.note { $0.acknowledged.append(said) }
            } else {
                revisions[stream] = revisions[stream].map { $0 + 1 } ?? 0
            }
        case .reader:
            if step.program == .sqlite || step.words.first == "query", code == 0,
                !output.hasPrefix("0\n"), !output.contains("\"gaps\":0}")
            {
                store.note { $0.complaints.append("positions have gaps: \(output)") }
            }
            if step.words.first == "backup" { judgeCopy(step.words[2], isComplete: code == 0) }
        default: break
        }
    }

    private static func place(_ report: String) -> (position: Int, revision: Int)? {
        guard
            let value = try? JSONSerialization.jsonObject(with: Data(report.utf8))
                as? [String: Any],
            let events = value["events"] as? [[String: Any]],
            let position = events.first?["position"] as? Int,
            let revision = events.first?["revision"] as? Int
        else { return nil }
        return (position, revision)
    }

    /// A reported copy is a complete store; an unreported one is complete or absent.
    private func judgeCopy(_ name: String, isComplete: Bool) {
        let exists = access(store.folder.file(name), F_OK) == 0
        if isComplete && !exists { store.note { $0.complaints.append("\(name) is missing") } }
        guard exists else { return }
        let verified = store.tally.run("verify", name)
        if verified.code != 0 {
            store.note {
                $0.complaints.append("\(name): verify exits \(verified.code): \(verified.errors)")
            }
        }
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(store.folder.file(name + suffix)) }
    }
}
