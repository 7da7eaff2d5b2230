import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

extension TestStore {
    /// The first column of the first row as text; "" where there is none.
    func text(_ sql: String) async throws -> String {
        guard let value = try await rows(sql).first?.first else { return "" }
        return switch value {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): String(number)
        case .blob(let bytes): Hex.string(bytes)
        case .null: "NULL"
        }
    }

    /// Every byte of every proved table.
    func proved() async throws -> [[SQLValue]] {
        var all: [[SQLValue]] = []
        for table in [
            "events", "copies", "audit_trail", "mismatches", "conflicts", "conflict_candidates",
            "resolutions", "configurations", "quarantine",
        ] {
            all += try await rows("SELECT '\(table)', * FROM \(table)")
        }
        return all
    }

    /// A replay of the effective events, as a SQL projection holds them.
    func projected() async throws -> [[SQLValue]] {
        let projection = """
            -- tally:projection seen
            -- tally:version 1
            -- tally:setup
            CREATE TABLE seen (id TEXT PRIMARY KEY, v TEXT) STRICT;
            -- tally:on *
            INSERT INTO seen VALUES (:id, :data ->> 'v') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
            """
        let outcome = try await store.replay(projection: Array(projection.utf8))
        #expect(outcome.status == .complete)
        return try await rows("SELECT id, v FROM seen ORDER BY id")
    }
}

/// A CloudEvent of `/s`.
func event(
    _ id: String,
    _ data: String,
    time: String? = nil,
    type: String = "status",
    more: String = ""
) -> String {
    let times = time.map { ",\"time\":\"\($0)\"" } ?? ""
    return eventLine(id, type: type, more: times + more, data: data)
}

/// Settings whose category `system` has one policy, `p`.
func settings(_ chain: String, category: String = "", more: String = "") -> String {
    """
    {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
     "categories": {"system": {"policy": "p"\(category)}},
     "policies": {"p": {"chain": [\(chain)]}}\(more)}
    """
}
