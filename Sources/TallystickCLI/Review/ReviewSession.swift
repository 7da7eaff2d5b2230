import Tallystick
import TallystickCore

/// Goes through open conflicts, one at a time, and decides them as a person says.
final class ReviewSession {
    /// What a person did in this session.
    struct Summary {
        var decided = 0
        var skipped = 0
        var undone = 0
    }

    private let store: EventStore
    private let filter: ConflictFilter
    private let actor: String
    private let width: Int
    private let input = LineInput()
    /// Given on the command line, or the last one typed.
    private var reason: String?
    private let asksReason: Bool
    private var summary = Summary()
    /// Decided in this session, newest last.
    private var decided: [Int64] = []
    private let output: OutputFile

    init(
        _ store: EventStore,
        _ filter: ConflictFilter,
        actor: String,
        reason: String?,
        width: Int,
        to output: OutputFile
    ) {
        self.store = store
        self.filter = filter
        self.actor = actor
        self.reason = reason
        self.width = width
        self.output = output
        asksReason = reason == nil
    }

    private enum Next {
        case again, onward, quit
        /// Back to an earlier conflict.
        case back(Int64)
    }

    /// - parameter after: the conflict after which the review begins.
    func run(after: Int64) async throws -> Summary {
        var last = after
        while let conflictID = try await store.nextConflict(filter, after: last) {
            guard let screen = try await ReviewScreen.read(conflictID, from: store) else {
                last = conflictID
                continue
            }
            try print("")
            for line in screen.lines(width: width) { try print(line) }
            try print("")
            var next = Next.again
            while case .again = next {
                for line in screen.choices(width: width) { try print(line) }
                guard let answer = try ask("> ") else { return summary }
                next = try await act(answer, on: conflictID, screen)
            }
            switch next {
            case .quit: return summary
            case .back(let earlier): last = earlier - 1
            case .again, .onward: last = conflictID
            }
        }
        try print("")
        try print("no further open conflict matches")
        return summary
    }

    private func print(_ line: String) throws { try output.write(line + "\n") }

    private func ask(_ prompt: String) throws -> String? {
        try output.write(prompt)
        try output.flush()
        return input.next()?.trimmed
    }

    // MARK: Acts

    private func act(
        _ answer: String,
        on conflictID: Int64,
        _ screen: ReviewScreen
    ) async throws -> Next {
        switch answer.lowercased() {
        case "s", "":
            summary.skipped += 1
            return .onward
        case "q": return .quit
        case "u": return try await undo()
        case "a" where screen.isOverMissing: return try await decide(conflictID, .acceptMissing)
        case "x": return try await decide(conflictID, .exclude)
        case "m":
            guard let content = try merge(screen) else { return .again }
            return try await decide(conflictID, .content(content))
        default:
            let column = screen.comparison.columns.first {
                $0.content != nil && ReviewScreen.key($0) == answer
            }
            guard let column, screen.comparison.kind != .missingAtOrigin else {
                try print("'\(Terminal.escaped(answer))' is not one of the choices")
                return .again
            }
            let origin = column.title.split(separator: " ", maxSplits: 1).last.map(String.init)
            return try await decide(conflictID, .take(origin: origin ?? ""))
        }
    }

    private func decide(
        _ conflictID: Int64,
        _ choice: ManualResolution.Choice
    ) async throws -> Next {
        guard let reason = try askReason() else { return .again }
        let resolution = ManualResolution(
            conflictID: conflictID,
            choice: choice,
            actor: actor,
            reason: reason
        )
        let resolutionID: Int64
        do throws(StoreError) {
            resolutionID = try await store.resolve(resolution)
        } catch {
            switch error.code {
            case .alreadyDecided, .notFound:
                // Somebody else was faster.
                try print(Terminal.escaped(error.message))
                return .onward
            case .invalidArgument, .badInput:
                try print(Terminal.escaped(error.message))
                return .again
            default: throw error
            }
        }
        try print(
            "conflict \(conflictID) is decided (resolution \(resolutionID)); [u] takes it back"
        )
        decided.append(conflictID)
        summary.decided += 1
        return .onward
    }

    private func undo() async throws -> Next {
        guard let last = decided.popLast() else {
            try print("nothing was decided in this session")
            return .again
        }
        guard let reason = try askReason() else { return .again }
        try await store.reopen(conflict: last, actor: actor, reason: reason)
        summary.undone += 1
        try print("conflict \(last) is open again")
        return .back(last)
    }

    private func askReason() throws -> String? {
        guard asksReason else { return reason }
        let hint = reason.map { " [\(Terminal.escaped($0))]" } ?? ""
        guard let answer = try ask("reason\(hint): ") else { return nil }
        if !answer.isEmpty { reason = answer }
        if reason == nil { try print("a decision needs a reason") }
        return reason
    }

    /// The event as appended, with the value of a chosen side in each place that differs; nil where it cannot be.
    private func merge(_ screen: ReviewScreen) throws -> [UInt8]? {
        let columns = screen.comparison.columns
        guard let first = columns.first?.content, columns.count > 1, !screen.isOverMissing else {
            try print("there is nothing to merge")
            return nil
        }
        var merged = try JSONDocument(first).root
        for difference in screen.differences {
            guard let side = try askSide(of: difference.place, columns) else { return nil }
            let pointer =
                difference.place.hasPrefix("/") ? difference.place : "/" + difference.place
            let value = try difference.values[side].map { try JSONDocument(Array($0.utf8)).root }
            guard let tokens = JSONPointer(pointer)?.tokens,
                let changed = merged.replacing(tokens[...], with: value)
            else {
                try print(
                    "\(Terminal.escaped(difference.place)) cannot be merged by itself; take one side"
                )
                return nil
            }
            merged = changed
        }
        return merged.canonical
    }

    private func askSide(
        of place: String,
        _ columns: [ConflictComparison.Column]
    ) throws -> Int? {
        let keys = columns.map(ReviewScreen.key)
        while let answer = try ask("\(Terminal.escaped(place)) [\(keys.joined(separator: "/"))]: ")
        {
            if let index = keys.firstIndex(of: answer) { return index }
            if answer == "q" || answer.isEmpty { return nil }
        }
        return nil
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
