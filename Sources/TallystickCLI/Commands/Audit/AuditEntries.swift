import ArgumentParser
import Synchronization
import Tallystick
import TallystickCore

/// Which rows of the audit trail a command is about.
struct AuditFilterOptions: ParsableArguments {
    @Option(
        help: "Rows of this kind, such as resolution; may be repeated.",
        completion: .list(AuditFilter.allKinds)
    )
    var kind: [String] = []
    @Option(help: "Rows about the event at this position.")
    var position: Int64?
    @Option(help: "Rows about the event with this id.")
    var event: String?
    @Option(help: "Rows about events of this source.")
    var source: String?
    @Option(help: "Rows about events of this stream.")
    var stream: String?
    @Option(help: "Rows about this conflict.")
    var conflict: Int64?
    @Option(help: "Rows in which this origin has a part.")
    var origin: String?
    @Option(help: "Resolutions by this policy.")
    var policy: String?
    @Option(help: "Rows by this actor.")
    var actor: String?
    @Option(help: "Rows recorded at this RFC 3339 time or later.")
    var since: String?
    @Option(help: "Rows recorded before this RFC 3339 time.")
    var until: String?

    func value() throws -> AuditFilter {
        var filter = AuditFilter()
        filter.kinds = kind
        filter.position = position.map { Position($0) }
        filter.eventID = event
        filter.source = source
        filter.stream = stream
        filter.conflictID = conflict
        filter.origin = origin
        filter.policy = policy
        filter.actor = actor
        filter.since = try Self.time(since, "--since")
        filter.until = try Self.time(until, "--until")
        return filter
    }

    private static func time(_ text: String?, _ option: String) throws -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(text) else {
            throw ValidationError("\(option): '\(text)' is not an RFC 3339 time")
        }
        return time
    }
}

/// Audit rows as they are printed.
final class AuditEntries: Sendable {
    private let state = Mutex<[AuditEntry]>([])

    func add(_ entry: AuditEntry) { state.withLock { $0.append(entry) } }
    var first: AuditEntry? { state.withLock { $0.first } }

    /// `{"leaf":…,"leaf_hash":…}`, and the hash in the tree where it is another.
    static func json(_ entry: AuditEntry) -> [UInt8] {
        var line = Array("{\"leaf\":".utf8) + entry.leaf
        line += Array(",\"leaf_hash\":\"\(entry.leafHash)\"".utf8)
        if !entry.isProved {
            let stored = entry.storedLeafHash.map { "\"\($0)\"" } ?? "null"
            line += Array(",\"stored_leaf_hash\":\(stored)".utf8)
        }
        return line + [0x7D]
    }

    static func json(_ tree: AuditTree) -> [UInt8] {
        let root = tree.root.map { "\"\($0)\"" } ?? "null"
        return Array("{\"tree\":{\"log\":\"audit\",\"root\":\(root),\"size\":\(tree.size)}}".utf8)
    }

    /// A row for each column of the audit row and of its details, and for the proof.
    static func rows(_ entry: AuditEntry) throws -> [[SQLValue]] {
        var rows: [[SQLValue]] = []
        func add(_ record: String, _ members: [(name: String, value: JSONValue)]) {
            for (name, value) in members {
                rows.append([.text(record), .text(name), cell(name, value)])
            }
        }
        let leaf = try JSONDocument(entry.leaf).root.object ?? []
        add("audit_trail", leaf.filter { $0.name != "rows" && $0.name != "leaf" })
        for (table, details) in leaf.first(where: { $0.name == "rows" })?.value.object ?? [] {
            for (index, detail) in (details.array ?? []).enumerated() {
                let members = (detail.object ?? []).filter { $0.name != "audit_sequence" }
                add("\(table) \(index + 1)", members)
            }
        }
        rows.append([.text("proof"), .text("leaf_hash"), .text(entry.leafHash)])
        if !entry.isProved {
            rows.append([
                .text("proof"), .text("stored_leaf_hash"),
                entry.storedLeafHash.map { .text($0) } ?? .null,
            ])
        }
        return rows
    }

    /// Times are shown as such.
    private static func cell(_ name: String, _ value: JSONValue) -> SQLValue {
        switch value.content {
        case .string(let text): return .text(text)
        case .number(let number):
            guard let integer = Int64(number) else { return .text(number) }
            return name.hasSuffix("_at")
                ? .text(RFC3339.string(microseconds: integer)) : .integer(integer)
        default: return .text(String(decoding: value.canonical, as: UTF8.self))
        }
    }
}
