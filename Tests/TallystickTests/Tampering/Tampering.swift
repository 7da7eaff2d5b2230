import CTallystickSQLite
import Foundation
import Tallystick
import TallystickTestSupport

/// Makes one random change to a store, as somebody with write access to the file does it.
struct Tampering {
    /// A table whose every change must be found, and its key.
    struct Target {
        var table: String
        var key: [String]
        /// Columns that are neither proved nor derived.
        var ignored: Set<String> = []
        /// Names that a finding about a row may have, by the row's columns.
        var names: @Sendable ([String: SQLValue]) -> [String]
    }

    static let targets: [Target] = {
        @Sendable func text(_ value: SQLValue?) -> String {
            switch value {
            case .integer(let number)?: "\(number)"
            case .text(let text)?: text
            default: "?"
            }
        }
        func plain(_ table: String, _ key: String) -> Target {
            Target(table: table, key: [key]) { ["\(table) \(text($0[key]))"] }
        }
        func detail(_ table: String, _ key: String) -> Target {
            Target(table: table, key: [key]) {
                ["audit_trail \(text($0["audit_sequence"]))", "\(table) \(text($0[key]))"]
            }
        }
        func dictionary(_ table: String, _ key: String) -> Target {
            Target(table: table, key: [key]) { _ in ["events ", "copies ", "\(table) "] }
        }
        func index(_ table: String, _ key: [String]) -> Target {
            Target(table: table, key: key) { ["\(table) for position \(text($0["position"]))"] }
        }
        return [
            plain("events", "position"), plain("copies", "copy_id"),
            plain("audit_trail", "audit_sequence"),
            detail("mismatches", "mismatch_id"), detail("conflicts", "conflict_id"),
            detail("conflict_candidates", "candidate_id"), detail("resolutions", "resolution_id"),
            detail("configurations", "version"), detail("quarantine", "quarantine_id"),
            detail("keys", "key_row"), detail("checksums", "checksum_id"),
            Target(table: "merkle_tiles", key: ["log", "level", "tile"]) {
                ["merkle_tiles \(text($0["log"]))/\(text($0["level"]))/\(text($0["tile"]))"]
            },
            Target(table: "merkle_tail", key: ["log", "leaf_index"]) {
                let table = ["events": "events", "copies": "copies", "audit": "audit_trail"]
                let log = text($0["log"])
                guard case .integer(let index)? = $0["leaf_index"] else { return ["merkle_tail"] }
                return ["merkle_tail", "\(table[log] ?? "?") \(index &+ 1)"]
            },
            dictionary("sources", "source_id"), dictionary("origins", "origin_id"),
            dictionary("streams", "stream_id"), dictionary("types", "type_id"),
            dictionary("categories", "category_id"),
            index("event_identities", ["segment", "event_id", "source_id"]),
            index("stream_revisions", ["stream_id", "revision"]),
            Target(
                table: "conflict_states",
                key: ["conflict_id"],
                ignored: ["policy", "blocked_by"]
            ) {
                ["conflict_states \(text($0["conflict_id"]))"]
            },
            Target(table: "delivery_ranges", key: ["kind", "first"]) { _ in
                ["delivery_ranges of run "]
            },
            plain("effective_state", "position"), plain("quarantine_states", "quarantine_id"),
        ]
    }()

    /// What was changed, and what a finding may call it.
    struct Change {
        var description: String
        var names: [String]
    }

    /// Makes a random change of a table's rows; nil where there is nothing to change, or SQLite refuses it.
    static func change(_ target: Target, of path: String, seed: UInt64) throws -> Change? {
        var tampering = try Tampering(path, seed: seed)
        return try tampering.change(target)
    }

    private let database: PlainSQLite
    private var random: SeededGenerator

    private init(_ path: String, seed: UInt64) throws {
        database = try PlainSQLite(path)
        random = SeededGenerator(seed: seed)
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.randomElement(using: &random)
    }

    private mutating func change(_ target: Target) throws -> Change? {
        let columns = try database.run("SELECT name FROM pragma_table_info('\(target.table)')")
            .compactMap { row in if case .text(let name) = row[0] { name } else { nil } }
        let rows = try database.run(
            "SELECT \(columns.joined(separator: ", ")) FROM \(target.table)"
        ).map { Dictionary(uniqueKeysWithValues: zip(columns, $0)) }
        guard let row = pick(rows) else { return nil }
        var change = Change(description: target.table, names: target.names(row))
        var wasMade = false
        let kind = Int.random(in: 0..<12, using: &random)
        try database.withoutGuards(of: target.table) {
            do {
                switch kind {
                case 0: wasMade = try delete(row, target, &change)
                case 1: wasMade = try insert(row, target, &change)
                case 2: wasMade = try swap(row, pick(rows) ?? row, target, columns, &change)
                default:
                    guard let column = pick(columns.filter { !target.ignored.contains($0) }) else {
                        return
                    }
                    wasMade = try alter(row, column, target, &change)
                }
            } catch is PlainSQLite.Failure {
                // A unique index refuses the change: there is nothing to find.
                wasMade = false
            }
        }
        return wasMade ? change : nil
    }

    private func place(_ row: [String: SQLValue], _ target: Target) -> (String, [SQLValue]) {
        (
            target.key.map { "\($0) IS ?" }.joined(separator: " AND "),
            target.key.map { row[$0] ?? .null }
        )
    }

    private func delete(_ row: [String: SQLValue], _ target: Target, _ change: inout Change) throws
        -> Bool
    {
        let (condition, key) = place(row, target)
        try database.run("DELETE FROM \(target.table) WHERE \(condition)", key)
        change.description += " delete \(key)"
        return true
    }

    private mutating func insert(
        _ row: [String: SQLValue],
        _ target: Target,
        _ change: inout Change
    ) throws -> Bool {
        var copy = row
        guard let last = target.key.last else { return false }
        let far: [Int64] = [
            -1, 0, 1 << 40, .max, .min, Int64.random(in: 1...5000, using: &random),
        ]
        copy[last] = .integer(pick(far) ?? 0)
        if target.table.hasSuffix("s"), target.key.count == 1, copy["name"] != nil {
            copy["name"] = .text("inserted \(random.next())")
        }
        let names = copy.keys.sorted()
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        try database.run(
            "INSERT INTO \(target.table) (\(names.joined(separator: ", "))) VALUES (\(marks))",
            names.map { copy[$0] ?? .null }
        )
        change.description += " insert \(copy[last] ?? .null)"
        change.names = target.names(copy) + ["merkle_tail", "\(target.table) "]
        return true
    }

    private func swap(
        _ a: [String: SQLValue],
        _ b: [String: SQLValue],
        _ target: Target,
        _ columns: [String],
        _ change: inout Change
    ) throws -> Bool {
        let others = columns.filter { !target.key.contains($0) && !target.ignored.contains($0) }
        guard others.contains(where: { a[$0] != b[$0] }) else { return false }
        for row in [a, b] {
            let (condition, key) = place(row, target)
            try database.run("DELETE FROM \(target.table) WHERE \(condition)", key)
        }
        for (keys, values) in [(a, b), (b, a)] {
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            try database.run(
                "INSERT INTO \(target.table) (\(columns.joined(separator: ", "))) VALUES (\(marks))",
                columns.map { (target.key.contains($0) ? keys : values)[$0] ?? .null }
            )
        }
        change.description += " swap \(place(a, target).1) \(place(b, target).1)"
        change.names += target.names(b)
        return true
    }

    private mutating func alter(
        _ row: [String: SQLValue],
        _ column: String,
        _ target: Target,
        _ change: inout Change
    ) throws -> Bool {
        let (condition, key) = place(row, target)
        let old = row[column] ?? .null
        let set = "UPDATE \(target.table) SET \(column) = ? WHERE \(condition)"
        let changesType = Int.random(in: 0..<3, using: &random) == 0
        change.description += " \(key) \(column)"
        let new: SQLValue
        switch old {
        case .null: new = pick([.integer(0), .text(""), .blob([]), .text("x")]) ?? .integer(0)
        case .integer(let number):
            new =
                changesType
                ? pick([.null, .text("\(number)"), .real(Double(number))]) ?? .null
                : .integer(number ^ 1 << Int64.random(in: 0..<63, using: &random))
        case .text(let text) where changesType:
            new = pick([.blob(Array(text.utf8)), .null, .text(text + "\u{0}")]) ?? .null
        case .text(let text):
            guard let bytes = flipped(Array(text.utf8)) else { return false }
            try database.run(set, text: bytes, key)
            change.description += " one bit"
            return true
        case .blob(let bytes) where changesType:
            if String(validating: bytes, as: UTF8.self) != nil || bytes.isEmpty {
                new = .text(String(decoding: bytes, as: UTF8.self))
            } else {
                new = pick([.null, .blob([]), .blob(bytes + [0])]) ?? .null
            }
        case .blob(let bytes):
            guard let bytes = flipped(bytes) else { return false }
            new = .blob(bytes)
        case .real: return false
        }
        // An integer key takes no other type.
        if target.key.contains(column), target.key.count == 1, case .integer = new {
        } else if target.key == [column] {
            return false
        }
        try database.run(set, [new] + key)
        change.description += " to \(String(describing: new).prefix(60))"
        var changed = row
        changed[column] = new
        change.names += target.names(changed)
        return true
    }

    private mutating func flipped(_ bytes: [UInt8]) -> [UInt8]? {
        guard let index = bytes.indices.randomElement(using: &random) else { return nil }
        var bytes = bytes
        bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        return bytes
    }
}
