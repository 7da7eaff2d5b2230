import TallystickCore

/// A part of a verification that has its own position. Names are part of cursors.
enum VerifyLane: Hashable, Sendable {
    case index(IndexTable)
    case events
    case tiles(MerkleLogName, level: Int)
    case strayTiles
    case copies
    case audit
    case details(DetailTable)
    case states(StateTable)
    case segments

    var name: String {
        switch self {
        case .index(let table): table.rawValue
        case .events: "events"
        case .tiles(let log, let level): "merkle_tiles \(log.rawValue)/\(level)"
        case .strayTiles: "merkle_tiles"
        case .copies: "copies"
        case .audit: "audit_rows"
        case .details(let table): table.name
        case .states(let table): table.rawValue
        case .segments: "identity_segments"
        }
    }
}

/// Divides the work of a verification, and tracks the progress of each part.
struct VerifyLanes: Sendable {
    /// A piece of work.
    struct Chunk {
        var lane: VerifyLane
        /// Where to begin; empty for a lane's beginning.
        var key: [SQLValue]
        /// Where to end, for a lane over a range of numbers.
        var last: Int64

        /// The number of its records; 0 for a keyed lane.
        var records: Int64 {
            guard case .integer(let first) = key.first, last > first else { return 0 }
            return last - first
        }
    }

    private struct State {
        let lane: VerifyLane
        /// A lane over numbers has an end, and several workers; any other proceeds from key to key.
        let end: Int64?
        let step: Int64
        var key: [SQLValue]
        var isDone = false
        var isTaken = false
        /// For reports: the approximate number of records of the lane.
        let records: Int64
    }

    /// The tables whose rows lanes read.
    static let tables: Set<String> = Set(
        MerkleLogName.allCases.map(\.table.name) + IndexTable.allCases.map(\.rawValue)
            + StateTable.allCases.map(\.rawValue) + DetailTable.allCases.map(\.name)
            + ["merkle_tiles", "identity_segments"]
    )

    private var states: [State] = []

    /// - parameter first: a lane over numbers checks the records after it, up to `end`.
    mutating func addRange(_ lane: VerifyLane, after first: Int64, through end: Int64, step: Int64)
    {
        states.append(
            State(
                lane: lane,
                end: end,
                step: step,
                key: [.integer(first)],
                isDone: first >= end,
                records: max(0, end - first)
            )
        )
    }

    mutating func addKeyed(_ lane: VerifyLane, records: Int64) {
        states.append(State(lane: lane, end: nil, step: 0, key: [], records: records))
    }

    /// The next piece of work; nil if there is none for another worker.
    mutating func take() -> Chunk? {
        for index in states.indices where !states[index].isDone && !states[index].isTaken {
            let state = states[index]
            guard let end = state.end else {
                states[index].isTaken = true
                return Chunk(lane: state.lane, key: state.key, last: 0)
            }
            guard case .integer(let first) = state.key.first else { continue }
            let last = min(end, first + state.step)
            states[index].key = [.integer(last)]
            states[index].isDone = last >= end
            return Chunk(lane: state.lane, key: state.key, last: last)
        }
        return nil
    }

    /// Marks a piece as done, and sets where a keyed lane continues: nil at its end.
    mutating func finish(_ chunk: Chunk, next: [SQLValue]?) {
        guard let index = states.firstIndex(where: { $0.lane == chunk.lane }),
            states[index].end == nil
        else { return }
        states[index].isTaken = false
        if let next { states[index].key = next } else { states[index].isDone = true }
    }

    var isDone: Bool { states.allSatisfy(\.isDone) }

    func isDone(_ lane: VerifyLane) -> Bool {
        states.first { $0.lane == lane }?.isDone ?? true
    }

    /// The approximate number of records of a lane.
    func records(_ lane: VerifyLane) -> Int64 {
        states.first { $0.lane == lane }?.records ?? 0
    }

    /// The remaining work, by lane.
    var rest: [(name: String, records: Int64)] {
        states.filter { !$0.isDone }.map { state in
            guard let end = state.end, case .integer(let next) = state.key.first else {
                return (state.lane.name, state.records)
            }
            return (state.lane.name, end - next)
        }
    }

    // MARK: Cursors

    /// The place of each lane; nil for one that is done.
    var keys: [(name: String, key: [SQLValue]?)] {
        states.map { ($0.lane.name, $0.isDone ? nil : $0.key) }
    }

    /// Moves to the places of an earlier run.
    ///
    /// - returns: false if the keys are not those of these lanes.
    mutating func resume(from keys: [String: [SQLValue]?]) -> Bool {
        guard keys.count == states.count else { return false }
        for index in states.indices {
            guard let key = keys[states[index].lane.name] else { return false }
            guard let key else {
                states[index].isDone = true
                continue
            }
            if let end = states[index].end {
                guard case .integer(let next) = key.first, (0...end).contains(next) else {
                    return false
                }
            }
            states[index].key = key
        }
        return true
    }
}
