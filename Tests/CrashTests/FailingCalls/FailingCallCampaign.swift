import Foundation
import Synchronization
import TallystickTestSupport

/// Many runs of workloads, in each of which one call fails.
struct FailingCallCampaign {
    /// The result of a campaign.
    struct Result: Sendable {
        /// How often a call failed, and how often a command ended before reaching that call.
        var failed = 0
        var unreached = 0
        /// The same by class.
        var byClass: [String: Int] = [:]
        /// The number of commands by exit code.
        var codes: [Int32: Int] = [:]
        /// `FAULT (CALL): COMPLAINT`.
        var complaints: [String] = []
    }

    let trial: Trial
    let workloads: [Workload]
    let references: [String: Reference]

    /// Measures every workload.
    init(_ workloads: [Workload], program: String?) throws {
        let trial = try Trial(PreparedScenes(program: program))
        let measured = Mutex<[String: Reference]>([:])
        let failure = Mutex<(any Error)?>(nil)
        Self.concurrently(workloads) { workload in
            do {
                let reference = try trial.reference(workload)
                measured.withLock { $0[workload.name] = reference }
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        self.trial = trial
        self.workloads = workloads
        references = measured.withLock { $0 }
    }

    // MARK: Plans

    /// A sample of faults, the same for the same seed and the same numbers of calls: about as many of every class.
    func sample(_ count: Int, of workload: Workload, seed: UInt64) -> [Fault] {
        var random = SeededGenerator(
            seed: seed &+ UInt64(truncatingIfNeeded: Self.hash(workload.name))
        )
        let distinct = references[workload.name]?.distinct ?? [:]
        let classes = Fault.classes.filter { distinct[$0] != nil }
        guard !classes.isEmpty else { return [] }
        return (0..<count).compactMap { _ in
            guard let callClass = classes.randomElement(using: &random),
                let number = distinct[callClass]?.randomElement(using: &random)?.number,
                let answer = Self.answers(of: callClass).randomElement(using: &random)
            else { return nil }
            return Fault(
                workload: workload.name,
                callClass: callClass,
                number: number,
                answer: answer
            )
        }
    }

    /// Every call of the workloads with every result; of the allocations, of which there are tens of thousands in
    /// each workload, one from each stack, in the first workload that makes it.
    ///
    /// - parameter isDistinct: whether one call from each stack of each workload is enough for the other classes,
    ///   too.
    func all(isDistinct: Bool = false) -> [Fault] {
        var allocated: Set<UInt64> = []
        return workloads.flatMap { workload -> [Fault] in
            guard let reference = references[workload.name] else { return [] }
            return Fault.classes.flatMap { callClass -> [Fault] in
                let distinct = reference.distinct[callClass] ?? []
                let numbers =
                    if callClass == "memory" {
                        distinct.filter { allocated.insert($0.stack).inserted }.map(\.number)
                    } else if isDistinct {
                        distinct.map(\.number)
                    } else {
                        Array(1..<((reference.counts[callClass] ?? 0) + 1))
                    }
                return numbers.flatMap { number in
                    Self.answers(of: callClass).map { answer in
                        Fault(
                            workload: workload.name,
                            callClass: callClass,
                            number: number,
                            answer: answer
                        )
                    }
                }
            }
        }
    }

    private static func answers(of callClass: String) -> [Fault.Answer] {
        Fault.answers(of: callClass).filter { !$0.lies }
    }

    private static func hash(_ text: String) -> Int {
        text.utf8.reduce(5381) { ($0 << 5) &+ $0 &+ Int($1) }
    }

    /// The number of faults to try for each workload and class, as a short text.
    func plan(of faults: [Fault]) -> String {
        let counts = Dictionary(grouping: faults) { $0.workload }.sorted { $0.key < $1.key }
        let lines = counts.map { workload, faults in
            let classes = Dictionary(grouping: faults) { $0.callClass }.sorted { $0.key < $1.key }
            return "\(workload) \(faults.count): "
                + classes.map { "\($0.key) \($0.value.count)" }.joined(separator: ", ")
        }
        return lines.joined(separator: "\n") + "\n\(faults.count) faults"
    }

    // MARK: Runs

    /// - parameter report: called with each complaint as soon as it is known, and with the counts every 5,000 faults.
    func run(_ faults: [Fault], report: @Sendable (String) -> Void = { _ in }) -> Result {
        let result = Mutex(Result())
        let byName = Dictionary(uniqueKeysWithValues: workloads.map { ($0.name, $0) })
        Self.concurrently(faults) { fault in
            guard let workload = byName[fault.workload],
                let reference = references[fault.workload]
            else { return }
            var complaints: [String]
            var seen: Observation?
            do {
                let observation = try trial.observe(workload, fault, reference)
                seen = observation
                complaints = Judgement(workload: workload, reference: reference)
                    .complaints(observation, fault)
            } catch {
                complaints = ["cannot be tried: \(error)"]
            }
            let lines = complaints.map { "\(fault) (\(seen?.fired ?? "")): \($0)" }
            lines.forEach(report)
            let progress = result.withLock { result -> String? in
                if let seen { result.count(seen, fault) }
                result.complaints += lines
                let tried = result.failed + result.unreached
                return tried % 5000 == 0 ? "\(tried) tried, now \(fault): \(result.summary)" : nil
            }
            if let progress { report(progress) }
        }
        return result.withLock { $0 }
    }

    /// Does work on as many threads as there are processors.
    private static func concurrently<Item: Sendable>(
        _ items: [Item],
        _ work: @Sendable (Item) -> Void
    ) {
        let next = Atomic(0)
        let threads = max(2, ProcessInfo.processInfo.activeProcessorCount)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < items.count else { return }
                work(items[index])
            }
        }
    }
}

extension FailingCallCampaign.Result {
    fileprivate mutating func count(_ seen: Observation, _ fault: Fault) {
        if seen.fired.isEmpty {
            unreached += 1
        } else {
            failed += 1
            byClass[fault.callClass, default: 0] += 1
        }
        codes[seen.code, default: 0] += 1
    }

    /// The counts as a short text.
    var summary: String {
        let classes = byClass.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let codes = codes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return """
            \(failed) calls failed (\(classes.joined(separator: ", "))), \(unreached) were not reached; \
            exit codes \(codes.joined(separator: ", ")); \(complaints.count) complaints
            """
    }
}
