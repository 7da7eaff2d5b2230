/// A policy that a program brings, for the rule `swift` of the settings.
///
/// ```swift
/// struct NewestSchema: ResolutionPolicy {
///     let version = "1"
///     func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
///         conflict.candidates.last.map { .take(candidate: $0.number) }
///     }
/// }
/// ```
///
/// A policy must answer from the case alone, and give the same answer whenever it is asked: a run may be killed and
/// asked again. It is never called inside a write transaction, and has a deadline. A policy that throws, is late, or
/// gives content that is not an event of the same identity decides nothing: the conflict stays open, with the reason.
public protocol ResolutionPolicy: Sendable {
    /// Stored with each decision. Change it when the policy would decide differently.
    var version: String { get }

    /// Decides, or returns nil so that the next rule of the chain is tried.
    func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer?
}

/// The answer of a program's policy.
public enum PolicyAnswer: Sendable, Equatable {
    /// The number of a candidate.
    case take(candidate: Int)
    /// A CloudEvent (JSON) with the event's source and id.
    case merge(content: [UInt8])
    /// The event is excluded.
    case exclude
}

/// The result of calling a program's policy.
package enum PolicyReply: Sendable, Equatable {
    case answered(PolicyAnswer, version: String)
    /// It leaves the decision to the next rule.
    case passed
    /// It threw, timed out, or is not registered; the reason is for people.
    case failed(String)
}
