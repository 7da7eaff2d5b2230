import Foundation
import TallystickTestSupport
import Testing

/// What a command that was cut off left, and what the same command makes of it.
@Suite("Repeated commands")
struct RepeatedCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand
    private let ring = ["--key-file", "ring.json", "--actor", "ann", "--reason", "yearly"]

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
    }

    private func bytes(_ name: String) throws -> Data {
        try Data(contentsOf: URL(filePath: folder.file(name)))
    }

    private func set(_ name: String, _ content: Data) throws {
        let path = folder.file(name)
        // A log that is left would bring the later state back.
        for ending in ["", "-wal", "-shm"] {
            let file = path + ending
            guard FileManager.default.fileExists(atPath: file) else { continue }
            try FileManager.default.removeItem(atPath: file)
        }
        let isMade = FileManager.default.createFile(
            atPath: path,
            contents: content,
            attributes: [.posixPermissions: 0o600]
        )
        #expect(isMade)
    }

    /// The keys of the store and of the ring, with their states.
    private func keys() throws -> (store: [String], ring: [String]) {
        let sql = """
            SELECT key_id || ' ' || state FROM keys
            WHERE key_row IN (SELECT max(key_row) FROM keys GROUP BY key_id) ORDER BY key_id
            """
        let rows = tally.run("query", "s.db", sql, "--csv").output.split(
            whereSeparator: \.isNewline
        )
        .dropFirst()
        let object = try JSONSerialization.jsonObject(with: bytes("ring.json")) as? [String: Any]
        let held = (object?["keys"] as? [[String: Any]] ?? []).map {
            "\($0["id"] as? String ?? "") \($0["state"] as? String ?? "")"
        }
        return (rows.map { String($0) }, held.sorted())
    }

    @Test(
        "keys rotate, cut off at any step, is finished by the same command, which makes no second key",
        arguments: [
            ["--id", "k2"], [],
        ]
    )
    func rotate(_ id: [String]) throws {
        let rotate = ["keys", "rotate", "s.db"] + id + ring
        #expect(tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring).code == 0)
        let (storeBefore, ringBefore) = (try bytes("s.db"), try bytes("ring.json"))
        #expect(tally.run(rotate).code == 0)
        let done = try keys()
        #expect(done.store.count == 2 && done.ring == done.store, "\(done)")
        let (storeAfter, ringAfter) = (try bytes("s.db"), try bytes("ring.json"))
        let both = try #require(String(data: ringAfter, encoding: .utf8))
            .replacing("\"retired\"", with: "\"active\"")

        // After the first step: the ring has both keys, the store the former one.
        try set("s.db", storeBefore)
        try set("ring.json", Data(both.utf8))
        #expect(tally.run(rotate).code == 0)
        #expect(try keys() == done)

        // After the second step: the ring has both keys, the store the new one.
        try set("s.db", storeAfter)
        try set("ring.json", Data(both.utf8))
        let finished = tally.run(rotate)
        #expect(finished.code == 0, "\(finished.errors)")
        #expect(try keys() == done)

        // After the third: nothing is left.
        let again = tally.run(rotate)
        #expect(again.code == 4 && again.errors.contains("already done by ann at"), "\(again)")
        #expect(try keys() == done)
        #expect(try bytes("ring.json") == ringAfter)

        // Before the first: the ring as it was.
        try set("s.db", storeBefore)
        try set("ring.json", ringBefore)
        #expect(tally.run(rotate).code == 0)
        let other = try keys()
        #expect(other == done)
    }

    @Test(
        "keys generate, cut off at any step, is finished by the same command, which makes no second key"
    )
    func generate() throws {
        let generate = ["keys", "generate", "s.db"] + ring
        let store = try bytes("s.db")
        #expect(tally.run(generate).code == 0)
        let done = try keys()
        let again = tally.run(generate)
        #expect(again.code == 4 && again.errors.contains("already done by ann at"), "\(again)")
        try set("s.db", store)
        #expect(tally.run(generate).code == 0)
        #expect(try keys() == done)
        let other = ["--key-file", "ring.json", "--actor", "bob", "--reason", "mine"]
        #expect(tally.run(["keys", "generate", "s.db"] + other).code == 64)
    }

    @Test("A key's id that was given before is refused, and is not a bug")
    func takenID() throws {
        #expect(tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring).code == 0)
        #expect(tally.run(["keys", "rotate", "s.db", "--id", "k2"] + ring).code == 0)
        let taken = tally.run(["keys", "rotate", "s.db", "--id", "k1"] + ring)
        #expect(taken.code == 64, "\(taken)")
        #expect(tally.run(["keys", "rotate", "s.db", "--id", "no id"] + ring).code == 64)
    }

    @Test("keys retire, cut off between store and ring, is finished by the same command")
    func retire() throws {
        let retire = ["keys", "retire", "s.db", "k1"] + ring
        #expect(tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring).code == 0)
        let before = try bytes("ring.json")
        #expect(tally.run(retire).code == 0)
        let done = try keys()
        try set("ring.json", before)
        #expect(tally.run(retire).code == 0)
        #expect(try keys() == done)
        let again = tally.run(retire)
        #expect(again.code == 4 && again.errors.contains("already done by ann at"), "\(again)")
    }

    @Test(
        "keys generate --signing, cut off at any step, is finished by the same command, with the same key"
    )
    func signing() throws {
        let generate = [
            "keys", "generate", "s.db", "--signing", "signer.key", "--actor", "ann", "--reason",
            "r",
        ]
        let store = try bytes("s.db")
        let made = tally.run(generate)
        #expect(made.code == 0, "\(made.errors)")
        let (secret, published) = (try bytes("signer.key"), try bytes("signer.pub"))
        #expect(made.output.contains("signer.pub"))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("signer.pub"))
        #expect((attributes[.posixPermissions] as? Int ?? 0) & 0o444 == 0o444)
        for (keepsPublic, keepsStore) in [(false, false), (true, false), (false, true)] {
            if !keepsPublic {
                try FileManager.default.removeItem(atPath: folder.file("signer.pub"))
            }
            if !keepsStore { try set("s.db", store) }
            let finished = tally.run(generate)
            #expect(finished.code == 0, "\(keepsPublic), \(keepsStore): \(finished.errors)")
            #expect(try bytes("signer.key") == secret)
            #expect(try bytes("signer.pub") == published)
        }
        let again = tally.run(generate)
        #expect(again.code == 4 && again.errors.contains("already done by ann at"), "\(again)")

        #expect(tally.run(["ingest", "s.db", "-", "--origin", "a"], input: Self.event).code == 0)
        #expect(
            tally.run("seal", "s.db", "--key-file", "signer.key", "--output", "n.note").code == 0
        )
        #expect(tally.run("prove", "event", "s.db", "1", "--output", "e.proof").code == 0)
        #expect(tally.run("prove", "check", "e.proof", "--public-key", "signer.pub").code == 0)
        let against = ["verify", "s.db", "--against", "n.note", "--public-key", "signer.pub"]
        #expect(tally.run(against).code == 0)
    }

    @Test("Files that are another's are never replaced by a signing key")
    func otherFiles() throws {
        let generate = ["keys", "generate", "s.db", "--signing", "signer.key", "--reason", "r"]
        try set("signer.pub", Data("mine\n".utf8))
        #expect(tally.run(generate).code == 73)
        #expect(!FileManager.default.fileExists(atPath: folder.file("signer.key")))
        try FileManager.default.removeItem(atPath: folder.file("signer.pub"))
        try set("signer.key", Data("mine\n".utf8))
        #expect(tally.run(generate).code == 73)
        #expect(try bytes("signer.key") == Data("mine\n".utf8))
    }

    private static let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}"#

    @Test(
        "A decision, a reopening and a release that are repeated say who did them, when, and where that is on record"
    )
    func decisions() throws {
        let other = Self.event.replacing("\"data\":1", with: "\"data\":2")
        for (origin, event) in [("a", Self.event), ("b", other)] {
            #expect(tally.run(["ingest", "s.db", "-", "--origin", origin], input: event).code == 0)
        }
        let act = ["--actor", "ann", "--reason", "r"]
        let resolve = ["conflicts", "resolve", "s.db", "1", "--take", "b"] + act
        #expect(tally.run(resolve).code == 0)
        let again = tally.run(resolve)
        #expect(again.code == 4, "\(again)")
        #expect(again.errors.contains("this was already done by ann at 20"), "\(again.errors)")
        #expect(again.errors.contains("as audit row"), "\(again.errors)")
        #expect(again.errors.contains("resolution 1 (take b)"), "\(again.errors)")
        for request in [
            ["conflicts", "resolve", "s.db", "1", "--take", "a"] + act,
            [
                "conflicts", "resolve", "s.db", "1", "--take", "b", "--actor", "bob", "--reason",
                "r",
            ],
            ["conflicts", "resolve", "s.db", "1", "--exclude"] + act,
        ] {
            let refused = tally.run(request)
            #expect(refused.code == 4, "\(request)")
            #expect(
                refused.errors.contains("it was already decided by ann at"),
                "\(refused.errors)"
            )
        }
        let reopen = ["conflicts", "reopen", "s.db", "1"] + act
        #expect(tally.run(reopen).code == 0)
        let reopened = tally.run(reopen)
        #expect(reopened.code == 4, "\(reopened)")
        #expect(reopened.errors.contains("it was already reopened by ann at"), "\(reopened.errors)")
        #expect(tally.run(resolve).code == 0)

        let bad = #"{"i":"9","src":"/s","typ":"t"}"#
        _ = tally.run(["ingest", "s.db", "-", "--origin", "a"], input: bad)
        let release =
            ["quarantine", "release", "s.db", "1", "--map", "id=i,source=src,type=typ"] + act
        let released = tally.run(release)
        #expect(released.code == 0, "\(released.errors)")
        let twice = tally.run(release)
        #expect(twice.code == 4, "\(twice)")
        #expect(twice.errors.contains("this was already done by ann at"), "\(twice.errors)")
    }
}
