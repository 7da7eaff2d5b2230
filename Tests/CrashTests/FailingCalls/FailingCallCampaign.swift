import Foundation
import Synchronization
import TallystickTestKit

/// Many runs of workloads, in each of which one call fails.
struct FailingCallCampaign {
    /// What a campaign found.
    struct Result: Sendable {
        /// How often a call did fail, and how often a command ended before it came to that call.
        var failed = 0
        var unreached = 0
        /// The same by class.
        var byClass: [String: Int] = [:]
        /// How often commands ended with each code.
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

    /// Some faults, the same for the same seed and the same counts of calls: of every class about as many.
    func sample(_ count: Int, of workload: Workload, seed: UInt64) -> [Fault] {
        var random = SeededGenerator(
            seed: seed &+ UInt64(truncatingIfNeeded: Self.hash(workload.name))
        )
        let distinct = references[workload.name]?.distinct ?? [:]
        let classes = Fault.classes.filter { distinct[$0] != nil }
        guard !classes.isEmpty else { return [] }
        return (0..<count).compactMap { _ in
            guard let callClass = classes.randomElement(using: &random),
                let number = distinct[callClass]?.randomElement(using: &random),
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

    /// Every call with every answer; of allocations, of which there are tens of thousands, one from each stack.
    ///
    /// - parameter isDistinct: whether of the other calls, too, one from each stack is enough.
    func all(of workload: Workload, isDistinct: Bool = false) -> [Fault] {
        guard let reference = references[workload.name] else { return [] }
        return Fault.classes.flatMap { callClass -> [Fault] in
            let numbers =
                isDistinct || callClass == "memory"
                ? reference.distinct[callClass] ?? []
                : Array(1..<((reference.counts[callClass] ?? 0) + 1))
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

    private static func answers(of callClass: String) -> [Fault.Answer] {
        Fault.answers(of: callClass).filter { !$0.lies }
    }

    private static func hash(_ text: String) -> Int {
        text.utf8.reduce(5381) { ($0 << 5) &+ $0 &+ Int($1) }
    }

    // MARK: Runs

    /// - parameter report: told of each complaint as soon as it is known.
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
            result.withLock {
                if let seen { $0.count(seen, fault) }
                $0.complaints += lines
            }
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

    /// The counts in a few words.
    var summary: String {
        let classes = byClass.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let codes = codes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return """
            \(failed) calls failed (\(classes.joined(separator: ", "))), \(unreached) were not reached; \
            exit codes \(codes.joined(separator: ", ")); \(complaints.count) complaints
            """
    }
}
