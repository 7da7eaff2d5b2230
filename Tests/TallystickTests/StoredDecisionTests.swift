import Foundation
import Tallystick
import TallystickTestSupport
import Testing

/// Stores that a release wrote, made by `fixtures/databases/make.sh`.
@Suite("Decisions in stores of earlier releases")
struct StoredDecisionTests {
    private func opened(_ name: String) async throws -> DecisionReaders {
        let folder = try TemporaryFolder()
        let path = folder.file("store.db")
        // A closed file, copied before anybody opens it.
        try FileManager.default.copyItem(atPath: Fixture.path("databases/\(name)"), toPath: path)
        chmod(path, 0o600)
        var options = StoreOptions()
        options.migratesOlderSchema = true
        return DecisionReaders(
            store: try await EventStore.open(at: path, options: options),
            path: path,
            folder: folder,
            when: name
        )
    }

    private func digests(_ readers: DecisionReaders) async throws -> [String] {
        var digests = [try await readers.store.contentDigest().sha256.hex]
        for onCorrection in ["apply", "rebuild"] {
            digests.append(try await readers.replay(onCorrection).digest)
        }
        return digests
    }

    @Test("What release 0.1 wrote and then refused to read is read in every way, and verifies")
    func acceptMissing() async throws {
        let readers = try await opened("accept-missing-0.1.db")
        #expect(
            try await readers.rows(
                """
                SELECT kind, policy, count(*) FROM resolution_trail
                WHERE decision = 'accept_missing' AND position IS NULL GROUP BY 1, 2 ORDER BY 1, 2
                """
            ) == [
                "late_arrival|late_arrival|1", "missing_at_origin|first|1",
                "missing_at_origin|late_arrival|1", "missing_at_origin|manual|4",
            ]
        )
        try await readers.check()
        #expect(
            try await digests(readers) == [
                "342d6571f2dfae63566bc7e720eb24db46b19930e8fb47bdf62a0f691d23953c",
                "f284e81217bec5e4514c7131b5fd652bfffe0512bc9bc426ca18f3bc60a9be06",
                "8a77e8f2506a1fc6975ed853f2d67aa5602fa6929f6b803cec99c04ba3242b66",
            ]
        )
        await readers.store.close()
    }

    @Test("Replays that release 0.1 had begun go on to the end")
    func resumed() async throws {
        let readers = try await opened("accept-missing-0.1.db")
        for (name, onCorrection) in [("strict", "apply"), ("rebuilt", "rebuild")] {
            let projection = """
                -- tally:projection \(name)
                -- tally:version 1
                -- tally:on-correction \(onCorrection)
                -- tally:setup
                CREATE TABLE \(name)_numbers (position INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;
                -- tally:on order.*
                INSERT INTO \(name)_numbers VALUES (:position, :data ->> 'total');

                """
            let outcome = try await readers.store.replay(projection: Array(projection.utf8))
            #expect(outcome.status == .complete)
            #expect(!outcome.rebuilt, "it resumed")
            #expect(
                try await readers.rows("SELECT count(*), sum(number) FROM \(name)_numbers")
                    == ["8|36"]
            )
            let independent = try readers.independent("replay_digest.py", onCorrection)
            #expect(outcome.digest == independent)
        }
        await readers.store.close()
    }

    @Test("A store of schema 4 keeps the digests that its release computed")
    func schema4() async throws {
        let readers = try await opened("schema-4.db")
        #expect(
            try await digests(readers) == [
                "6f5ffd71a0539243c9b4aa611b639f2dde86664844e5c2f67aef5b3e4b3a77b6",
                "8f691d81ce1dfa35621e83dbb65cfaade33966fd9d43bc4b84d26be2fffbd90f",
                "97fdc68b184a47663c97edc2aaea758442048c9a521823cb3df27d3b322289e1",
            ]
        )
        #expect(
            try await readers.rows(
                "SELECT replay, digest FROM replay_status WHERE target = 'store' LIMIT 3"
            )
                == [
                    "error_counts|8f691d81ce1dfa35621e83dbb65cfaade33966fd9d43bc4b84d26be2fffbd90f",
                    "seen_apply|8f691d81ce1dfa35621e83dbb65cfaade33966fd9d43bc4b84d26be2fffbd90f",
                    "seen_rebuild|97fdc68b184a47663c97edc2aaea758442048c9a521823cb3df27d3b322289e1",
                ]
        )
        try await readers.check()
        await readers.store.close()
    }
}
