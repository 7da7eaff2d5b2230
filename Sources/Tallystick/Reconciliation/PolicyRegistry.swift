public import TallystickCore

/// The policies that a program brings, by the names that settings give them in `"use": "swift"`.
public struct PolicyRegistry: Sendable {
    private var policies: [String: any ResolutionPolicy] = [:]
    /// How long a policy may take over one conflict. A later answer is ignored.
    public var deadline: Duration = .seconds(5)

    /// No policies.
    public init() {}

    /// Registers a policy under the name that the settings use.
    public mutating func register(_ policy: any ResolutionPolicy, as type: String) {
        policies[type] = policy
    }

    /// Asks a policy, on a thread that may block. A policy that does not come back in time is left alone: its task is
    /// cancelled, and its answer dropped.
    func ask(_ type: String, _ conflict: ConflictCase) -> PolicyReply {
        guard let policy = policies[type] else {
            return .failed("no policy is registered under '\(type)'")
        }
        let answers = BlockingQueue<PolicyReply>()
        let asking = Task {
            do {
                let answer = try await policy.decide(conflict)
                answers.put(
                    answer.map { .answered($0, version: policy.version) } ?? .passed
                )
            } catch {
                answers.put(.failed("policy '\(type)' failed: \(error)"))
            }
        }
        let (late, limit) = (
            self.deadline, "policy '\(type)' did not answer within \(self.deadline)"
        )
        let timer = Task {
            do {
                try await Task.sleep(for: late)
                answers.put(.failed(limit))
            } catch {
                // The answer came first.
            }
        }
        let reply = answers.next()
        answers.finish()
        asking.cancel()
        timer.cancel()
        return reply ?? .failed(limit)
    }
}
