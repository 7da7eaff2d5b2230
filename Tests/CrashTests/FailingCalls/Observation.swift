import Foundation

/// The state that a command left behind.
struct Traces: Equatable {
    /// The store's contents; the error if it cannot be read, nil if there is none.
    var store: String?
    /// The same, without the rows that a repetition adds.
    var lasting: String?
    /// The files that the command makes, by name, without the parts that vary between runs.
    var outputs: [String: String] = [:]
    /// The names in the folder, except those of logs and their indexes.
    var names: Set<String> = []
}

/// The result of a command without disturbances.
struct Reference {
    var code: Int32
    var output: String
    /// The state before it.
    var untouched = Traces()
    var traces: Traces
    /// The same after it was run again.
    var repeated: Traces
    /// The number of calls of each class.
    var counts: [String: Int] = [:]
    /// For each class, the first call from each stack, in order.
    var distinct: [String: [TracedCall]] = [:]
}

/// The number of a call within its class, and an identifier of the stack from which it was made.
struct TracedCall {
    let number: Int
    let stack: UInt64
}

/// The observations of a command with a failing call, and of the same command afterwards.
struct Observation {
    var code: Int32
    var output: String
    var errors: String
    /// The call that failed, and its file; empty if the command ended before.
    var fired: String
    var traces: Traces
    var verified: Int32
    var repetition: Int32
    var repetitionErrors: String
    var final: Traces
}

/// The rules for a command that meets a failing call.
struct Judgement {
    let workload: Workload
    let reference: Reference

    /// The codes of DESIGN's table, except 70, a bug, which must never be seen.
    static let documented: Set<Int32> = [0, 1, 2, 3, 4, 64, 65, 66, 73, 74, 75, 77, 78]
    /// The codes for failures of the operating system.
    static let refusals: Set<Int32> = [3, 73, 74, 75]

    /// The complaints; empty if all is well.
    func complaints(_ seen: Observation, _ fault: Fault) -> [String] {
        if seen.code < 0 { return [ended(by: -seen.code)] }
        var found: [String] = []
        if !Self.documented.contains(seen.code) {
            found.append("exit \(seen.code): \(seen.errors.prefix(300))")
        } else if seen.code == reference.code {
            found += ofSuccess(seen)
        } else if workload.answers.contains(seen.code) && !seen.output.isEmpty {
            // The report is the message.
        } else {
            found += ofFailure(seen, fault)
        }
        if ![0, 66].contains(seen.verified) || seen.verified == 66 && seen.traces.store != nil {
            found.append("afterwards verify exits \(seen.verified)")
        }
        return found + ofRepetition(seen, fault)
    }

    private func ended(by signal: Int32) -> String {
        signal == SIGALRM
            ? "it hangs: nothing after \(Fault.patience) seconds"
            : "it was ended by signal \(signal)"
    }

    private func ofSuccess(_ seen: Observation) -> [String] {
        var found: [String] = []
        if seen.output != reference.output {
            found.append("success, but other output: '\(seen.output.suffix(200))'")
        }
        if seen.traces.store != reference.traces.store {
            found.append(
                "success, but the store differs: \(difference(seen.traces.store, reference.traces.store))"
            )
        }
        for (name, text) in reference.traces.outputs where seen.traces.outputs[name] != text {
            found.append(
                "success, but \(name) differs: \(difference(seen.traces.outputs[name], text))"
            )
        }
        return found
    }

    private func ofFailure(_ seen: Observation, _ fault: Fault) -> [String] {
        var found: [String] = []
        if !Self.refusals.contains(seen.code) && !isForgotten(seen, fault) {
            found.append("exit \(seen.code) for \(fault.answer.name): \(seen.errors.prefix(300))")
        }
        // Only another process can make a command wait.
        if fault.callClass == "thread" && seen.code == 75 {
            found.append("a limit of the system is told as a busy store")
        }
        if fault.isHarmless { found.append("\(fault.answer.name) ended it, exit \(seen.code)") }
        // If messages cannot be written, there are none; a halted replay has said how to continue.
        let isSilent = seen.fired.contains(".err") || fault.answer.isSticky
        let helps = seen.errors.contains("hint: ") || seen.code == 3
        if !isSilent && !(seen.errors.contains("tally") && helps) {
            found.append("the message does not help: '\(seen.errors.prefix(300))'")
        }
        for (name, text) in reference.traces.outputs {
            guard let made = seen.traces.outputs[name], made != text else { continue }
            // A replay in batches keeps the batches that it has completed.
            if name != "out.db" { found.append("failure, and \(name) is there, incomplete") }
        }
        return found
    }

    /// Whether SQLite lost the reason: a file that it cannot open for writing it opens for reading, so a later write
    /// is refused, or the second attempt finds no file.
    private func isForgotten(_ seen: Observation, _ fault: Fault) -> Bool {
        seen.code == 77 && fault.callClass == "open"
            && ["readonly database", "No such file"].contains { seen.errors.contains($0) }
    }

    private func ofRepetition(_ seen: Observation, _ fault: Fault) -> [String] {
        var found: [String] = []
        if seen.repetition != reference.code && !workload.repeats.contains(seen.repetition) {
            found.append("repeated: exit \(seen.repetition): \(seen.repetitionErrors.prefix(300))")
        }
        let expected = [reference.traces.lasting, reference.repeated.lasting]
        if !expected.contains(seen.final.lasting) {
            found.append(
                "repeated, the store differs: \(difference(seen.final.lasting, reference.traces.lasting))"
            )
        }
        for (name, text) in reference.traces.outputs {
            let made = seen.final.outputs[name]
            // Work that was already done, and is now refused, produces no report.
            if made == nil && seen.repetition != reference.code { continue }
            if made != text && made != reference.repeated.outputs[name] && !workload.accumulates {
                found.append("repeated, \(name) differs: \(difference(made, text))")
            }
        }
        let left = seen.final.names.subtracting(reference.traces.names)
            .subtracting(reference.repeated.names)
        // A file that could not be removed stays.
        if !left.isEmpty && fault.callClass != "unlink" {
            found.append("left behind: \(left.sorted())")
        }
        return found
    }

    /// The place where two texts differ.
    private func difference(_ seen: String?, _ expected: String?) -> String {
        guard let seen else { return "there is none" }
        guard let expected else { return "there is one" }
        let (left, right) = (seen.split(separator: "\n"), expected.split(separator: "\n"))
        for (one, other) in zip(left, right) where one != other {
            return "'\(one.prefix(150))' instead of '\(other.prefix(150))'"
        }
        return "\(left.count) lines instead of \(right.count)"
    }
}
