import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// How a decision comes about. `allCases` is the list; a new one does not compile before it is made below.
enum DecisionWay: CaseIterable {
    case policy, person, bulk, superseded, reopened, afterBackup

    /// The decisions over one conflict of a kind that are tried, each in the order in which they are made.
    func decisions(over kind: ConflictKind) -> [[Decision]] {
        let allowed = Decision.allCases.filter { self.allows($0, over: kind) }
        switch self {
        case .policy, .person, .bulk, .afterBackup:
            return kind == .lateArrival && self != .policy ? [] : allowed.map { [$0] }
        case .superseded:
            guard kind != .lateArrival else { return [] }
            return allowed.flatMap { first in
                allowed.filter { $0 != first }.map { [first, $0] }
            }
        case .reopened:
            // Only a run decides first that something came late.
            let first = kind == .lateArrival ? [.acceptMissing] : allowed
            return first.flatMap { first in allowed.map { [first, $0] } }
        }
    }

    /// Whether a conflict of a kind can be decided so, that way.
    private func allows(_ decision: Decision, over kind: ConflictKind) -> Bool {
        let isByPolicy = self == .policy || self == .superseded
        if self == .bulk, decision == .merge { return false }
        switch kind {
        case .payloadDiffers, .metadataDiffers, .equivocation: return decision != .acceptMissing
        case .missingAtOrigin: return !isByPolicy || decision != .take
        case .lateArrival: return !isByPolicy || decision == .acceptMissing
        case .originSilent, .sequenceGap:
            return decision == .acceptMissing && self != .superseded
        case .sequenceCollision, .unverifiable, .tamperedAtRest:
            // No copy is evidence here, so that policies are asked once.
            return (decision == .merge || decision == .exclude) && self != .superseded
        }
    }
}

/// A conflict, and the decisions that are made over it one after the other.
struct DecisionScenario: Hashable {
    let kind: ConflictKind
    let decisions: [Decision]

    static func all(_ way: DecisionWay) -> [DecisionScenario] {
        ConflictKind.allCases.flatMap { kind in
            way.decisions(over: kind).map { DecisionScenario(kind: kind, decisions: $0) }
        }
    }

    /// The id of its event.
    var id: String { decisions.map(\.rawValue).joined(separator: ",") }
    /// The source of its event: `/` and the kind, so that the policy can tell. Each collision has one of its own.
    var source: String {
        "/" + kind.rawValue + (kind == .sequenceCollision ? "/" + id : "")
    }
    var stream: String { "\(source)#\(id)" }

    /// Whether the conflict is over one event.
    var isOverEvent: Bool { kind != .originSilent && kind != .sequenceGap }

    /// A copy of its event.
    func event(_ value: Int, type: String = "status", sequence: Int? = nil) -> String {
        Self.event(source, id, value, type: type, sequence: sequence)
    }

    static func event(
        _ source: String,
        _ id: String,
        _ value: Int,
        type: String = "status",
        sequence: Int? = nil
    ) -> String {
        let number = sequence.map { ",\"sequence\":\"\($0)\"" } ?? ""
        return
            eventLine(
                id,
                source: source,
                type: type,
                subject: id,
                more: number,
                data: #"{"v":\#(value)}"#
            )
    }

    /// Content that nobody delivered.
    var merged: [UInt8] { Array(event(99, type: "merged").utf8) }

    /// What a person chooses for a decision.
    func choice(_ decision: Decision) -> ManualResolution.Choice {
        switch decision {
        case .take:
            let isFirst = kind == .missingAtOrigin || kind == .lateArrival || kind == .equivocation
            return .take(origin: isFirst ? "websocket" : "realtime")
        case .merge: return .content(merged)
        case .exclude: return .exclude
        case .acceptMissing: return .acceptMissing
        }
    }
}

/// Answers as the event's id and source say; before `turn` with the first decision, then with the last.
struct ScenarioPolicy: ResolutionPolicy {
    let version = "1"
    let turn: Int64
    /// Whether conflicts other than those over what comes late are left to people.
    let passes: Bool

    func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
        let first = conflict.source.split(separator: "/").first.map(String.init) ?? ""
        guard let kind = ConflictKind(rawValue: first) else { return nil }
        // It is missing first.
        if kind == .lateArrival { return .take(candidate: 1) }
        guard !passes, kind == conflict.kind else { return nil }
        let decisions = conflict.eventID.split(separator: ",").compactMap {
            Decision(rawValue: String($0))
        }
        guard let decision = conflict.asOf < turn ? decisions.first : decisions.last else {
            return nil
        }
        switch decision {
        case .take: return conflict.candidates.last.map { .take(candidate: $0.number) }
        case .merge:
            return .merge(content: DecisionScenario(kind: kind, decisions: decisions).merged)
        case .exclude: return .exclude
        case .acceptMissing: return .take(candidate: 1)
        }
    }
}
