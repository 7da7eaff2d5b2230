import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
    struct Diff: TallyCommand {
        static let title = "conflicts diff"
        static let configuration = CommandConfiguration(
            abstract: "Show the candidates of a conflict side by side, place by place.",
            discussion: """
                On a terminal what differs from the event as appended is coloured; not with NO_COLOR. \
                An origin that lacks the event has an empty column. Two events with one sequence number are shown \
                side by side; of a conflict without contents its own columns are shown. \
                Of many candidates the first 100 are shown (exit 3), less where they are larger than 64 MiB together; \
                --after and --limit show others, beside the event as appended.

                EXAMPLES
                  tally conflicts diff events.db 1
                  tally conflicts diff events.db 1 --full
                  tally conflicts diff events.db 1 --after 100 --limit 20
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @Flag(help: "Show places where the candidates are equal too.")
        var full = false
        @Option(help: "Show the candidates after this one.")
        var after: Int64 = 0
        @Option(help: "Show so many candidates at most.")
        var limit: Int?
        @OptionGroup var rows: RowOptions

        func validate() throws {
            guard after >= 0 else { throw ValidationError("--after is the number of a candidate.") }
            guard limit ?? 1 > 0 else { throw ValidationError("--limit must be at least 1.") }
        }

        func execute() async throws -> Int32 {
            return try await OpenedStore.with(store, .readOnly) { opened in
                let comparison = try await opened.comparison(
                    of: conflict,
                    after: after,
                    limit: limit ?? ConflictComparison.standardLimit
                )
                guard let comparison else { throw Conflicts.unknown(conflict) }
                guard !comparison.columns.isEmpty else {
                    return try await printFacts(of: opened)
                }
                let writer = try rows.writer(style: CandidateTable.style)
                try writer.begin(["place"] + comparison.columns.map(\.title))
                let table = try CandidateTable(comparison.columns.map(\.content))
                try table.forEachRow(full: full) { try writer.add($0) }
                try writer.end()
                return say(whatIsLeftOf: comparison)
            }
        }

        /// Says which candidates are not shown; where nobody asked for less, the answer is incomplete.
        private func say(whatIsLeftOf comparison: ConflictComparison) -> Int32 {
            guard let next = comparison.next else { return Exit.done }
            let count = comparison.candidates
            Terminal.note(
                "tally conflicts diff: candidates after \(next) of \(count) are not shown"
            )
            Terminal.note("hint: go on with --after \(next), or say how many with --limit")
            let shown = comparison.columns.count - (after > 0 ? 1 : 0)
            return shown == limit ? Exit.done : Exit.incomplete
        }

        /// What the conflict says of itself, a row for each column that has a value.
        private func printFacts(of opened: EventStore) async throws -> Int32 {
            let facts = try await opened.rows(.conflict(conflict))
            let writer = try rows.writer()
            try writer.begin(["place", "value"])
            for (name, value) in zip(facts.columns, facts.rows.first ?? []) where value != .null {
                try writer.add([.text(name), value])
            }
            try writer.end()
            return Exit.done
        }
    }
}

/// Contents side by side: a row for each place.
///
/// Contents that have nothing in common have as many places as members together: what is kept is in proportion to the
/// contents, and rows, which have a cell for each of them, are made one by one.
struct CandidateTable {
    private typealias Cell = (column: Int, value: String)
    private var places: [Place: [Cell]] = [:]
    private let columns: Int

    init(_ contents: [[UInt8]?]) throws {
        columns = contents.count
        for case (let column, let content?) in contents.enumerated() {
            try Self.flatten(JSONDocument(content).root, "") { place, value in
                places[Place(place), default: []].append((column, value))
            }
        }
    }

    /// - parameter full: whether places where all are equal have a row too.
    func forEachRow(full: Bool, _ body: ([SQLValue]) throws -> Void) throws {
        let sorted = places.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }
        for (place, cells) in sorted {
            let isEqual = cells.count == columns && Self.areEqual(cells, place.text)
            guard full || !isEqual else { continue }
            var row = [SQLValue](repeating: .null, count: columns)
            for cell in cells { row[cell.column] = .text(cell.value) }
            try body([.text(place.text)] + row)
        }
    }

    /// Whether values are the same; `time` is compared as an instant, however it is written.
    private static func areEqual(_ cells: [Cell], _ place: String) -> Bool {
        guard let first = cells.first?.value else { return true }
        if cells.allSatisfy({ $0.value == first }) { return true }
        guard place == "time" else { return false }
        let instants = cells.map { cell -> RFC3339Instant? in
            let text = cell.value.utf8.dropFirst().dropLast()
            return Array(text).withUnsafeBytes { RFC3339Instant($0) }
        }
        return instants.allSatisfy { $0 != nil && $0 == instants[0] }
    }

    /// How a value is shown: not at all coloured where all are equal.
    static func style(_ row: [SQLValue], _ column: Int) -> Terminal.Style? {
        guard column > 0, row.count > 2 else { return nil }
        if column == 1 { return row.dropFirst(2).contains { $0 != row[1] } ? .old : nil }
        return row[column] == row[1] ? nil : .new
    }

    /// A place by its bytes: names that only look alike are different places.
    private struct Place: Hashable {
        let text: String
        var bytes: [UInt8] { Array(text.utf8) }

        init(_ text: String) { self.text = text }

        static func == (left: Self, right: Self) -> Bool {
            left.text.utf8.elementsEqual(right.text.utf8)
        }

        func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
    }

    private static func flatten(
        _ value: JSONValue,
        _ place: String,
        _ body: (String, String) -> Void
    ) {
        switch value.content {
        case .object(let members) where !members.isEmpty:
            for (name, member) in members {
                flatten(
                    member,
                    // Attributes by their names; places in the data as JSON Pointers.
                    place.isEmpty && name != "data" ? name : place + "/" + escaped(name),
                    body
                )
            }
        case .array(let elements) where !elements.isEmpty:
            for (index, element) in elements.enumerated() {
                flatten(element, "\(place)/\(index)", body)
            }
        default:
            body(place, String(decoding: value.canonical, as: UTF8.self))
        }
    }

    private static func escaped(_ name: String) -> String {
        name.replacing("~", with: "~0").replacing("/", with: "~1")
    }
}
