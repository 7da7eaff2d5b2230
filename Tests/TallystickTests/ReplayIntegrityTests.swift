import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// A store in which two origins disagree over its first event, and a person has taken the second one's word.
struct DecidedStore {
    let test: TestStore
    /// The resolution's content.
    static let content = #"{"data":2,"id":"1","source":"/s","specversion":"1.0","type":"new"}"#
    static let forged = #"{"data":9,"id":"1","source":"/s","specversion":"1.0","type":"new"}"#

    init() async throws {
        test = try await TestStore()
        func line(_ id: Int, _ type: String, _ data: Int) -> String {
            eventLine(id, type: type, data: data)
        }
        try await test.ingest(line(1, "old", 1), line(2, "old", 5), from: "a")
        try await test.ingest(line(1, "new", 2), from: "b")
        try await test.store.resolve(
            ManualResolution(
                conflictID: 1,
                choice: .take(origin: "b"),
                actor: "me",
                reason: "right"
            )
        )
    }

    /// Ways to change what was decided, each by plain SQL.
    static let edits: [String] = [
        "UPDATE resolutions SET content = '\(forged)'",
        """
        UPDATE resolutions
        SET content = '\(forged)', content_sha256 = '\(SHA256Digest(hashing: Array(forged.utf8)).hex)'
        """,
        "UPDATE resolutions SET decision = 'exclude'",
        "UPDATE resolutions SET decision = 'accept_missing'",
        "UPDATE resolutions SET position = 2",
        "UPDATE resolutions SET audit_sequence = audit_sequence - 1",
        "UPDATE resolutions SET reason = 'another'",
        "DELETE FROM resolutions",
        "UPDATE audit_trail SET kind = 'manual' WHERE kind = 'resolution'",
        "UPDATE audit_trail SET actor = 'another' WHERE kind = 'resolution'",
        "DELETE FROM audit_trail WHERE kind = 'resolution'",
        """
        INSERT INTO resolutions
        SELECT 2, audit_sequence, conflict_id, position, after_position, decided_at, policy, policy_version,
            configuration_version, 'exclude', NULL, NULL, NULL, actor, reason, candidates_digest, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL
        FROM resolutions
        """,
        """
        UPDATE merkle_tail
        SET hash = zeroblob(32)
        WHERE log = 'audit' AND leaf_index = (SELECT audit_sequence - 1 FROM resolutions)
        """,
    ]
}

@Suite("Replay serves no decision that was changed in the file")
struct ReplayIntegrityTests {
    private func projection(_ onCorrection: String) -> [UInt8] {
        Array(
            """
            -- tally:projection totals
            -- tally:version 1
            -- tally:on-correction \(onCorrection)
            -- tally:setup
            CREATE TABLE totals (type TEXT, n INTEGER) STRICT;
            -- tally:on *
            INSERT INTO totals VALUES (:type, :data);
            \(onCorrection == "apply" ? "-- tally:correct *\nINSERT INTO totals VALUES (:type, :data);" : "")
            """.utf8
        )
    }

    @Test("As it is, the decision is served", arguments: ["rebuild", "apply"])
    func intact(_ onCorrection: String) async throws {
        let decided = try await DecidedStore()
        let done = try await decided.test.store.replay(projection: projection(onCorrection))
        #expect(done.status == .complete)
        let rows = try await decided.test.rows("SELECT type, n FROM totals WHERE n <> 5")
        #expect(rows.last == [.text("new"), .integer(2)])
        #expect(rows.count == (onCorrection == "apply" ? 2 : 1))
        await decided.test.store.close()
    }

    @Test(
        "An edited, forged or deleted decision is refused, and nothing is applied",
        arguments: DecidedStore.edits,
        ["rebuild", "apply"]
    )
    func edited(_ sql: String, _ onCorrection: String) async throws {
        let decided = try await DecidedStore()
        try decided.test.tamper(sql)
        let code = await failureCode {
            _ = try await decided.test.store.replay(projection: projection(onCorrection))
        }
        #expect(code == .integrity)
        #expect(try await decided.test.rows("SELECT count(*) FROM totals") == [[.integer(0)]])
        let status = try await decided.test.rows("SELECT status FROM replays")
        #expect(status == [[.text("halted")]])
        await decided.test.store.close()
    }
}
