import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Commands for keys and proofs")
struct KeyCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        try write(
            "settings.json",
            #"{"tallystick_config": 1, "classification": {"types": {"db.failover": "critical"}}}"#
        )
        #expect(tally.run("init", "s.db", "--config", "settings.json").code == 0)
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder.file(name)))
    }

    private func critical(_ id: Int) -> String {
        #"{"specversion":"1.0","id":"\#(id)","source":"/s","type":"db.failover","data":{"n":\#(id)}}"#
    }

    private func member(_ name: String, of text: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return try #require(object?[name] as? String)
    }

    private func python(_ arguments: String...) throws -> Int32 {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.arguments =
            ["python3", root.appending(path: "Independent/check_proof.py").path] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Whether Python has the library that knows Ed25519.
    private static let hasCryptography: Bool = {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", "import cryptography"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test("A ring's life: generated, demanded, rotated, sealed again, retired")
    func ring() throws {
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: critical(1)).code == 0)
        let ring = ["--key-file", "ring.json", "--reason", "test"]
        #expect(tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring).code == 0)
        #expect(tally.run(["keys", "generate", "s.db"] + ring).code == 64)
        let refused = tally.run("ingest", "s.db", "-", "--origin", "a", input: critical(2))
        #expect(refused.code == 77)
        #expect(refused.errors.contains("--key-file"))
        let accepted = tally.run(
            ["ingest", "s.db", "-", "--origin", "a"],
            environment: ["TALLY_KEY_FILE=ring.json"],
            input: critical(2)
        )
        #expect(accepted.code == 0)
        let rotated = tally.run(["keys", "rotate", "s.db", "--id", "k2", "--json"] + ring)
        #expect(rotated.code == 0)
        #expect(try member("retired", of: rotated.output) == "k1")
        let resealed = tally.run(["keys", "reseal", "s.db", "--json"] + ring)
        #expect(resealed.code == 0)
        #expect(resealed.output.contains("\"sealed\":2"))
        let listed = tally.run(
            "keys",
            "list",
            "s.db",
            "--key-file",
            "ring.json",
            "--format",
            "csv"
        )
        #expect(listed.output.contains("k1,hmac-sha256,retired"))
        #expect(listed.output.contains("k2,hmac-sha256,active"))
        #expect(tally.run("verify", "s.db", "--key-file", "ring.json").code == 0)
        let without = tally.run("verify", "s.db", "--json")
        #expect(without.code == 0)
        #expect(without.output.contains("HMACs whose keys were not given"))
        #expect(tally.run(["keys", "retire", "s.db", "k2"] + ring).code == 0)
        let ended = tally.run(
            "append",
            "s.db",
            "x",
            "-",
            "--key-file",
            "ring.json",
            input: critical(3)
        )
        #expect(ended.code == 77)
    }

    @Test(
        "A rotation and a retirement that were interrupted before the ring was changed are finished by the next run; one that was done says so"
    )
    func repeatedRotation() throws {
        let ring = ["--key-file", "ring.json", "--reason", "test"]
        func interrupt() throws {
            // The first key is active in the ring again, as before the last step.
            let path = folder.file("ring.json")
            let text = TallyCommand.text(path)
            let retired = try #require(text.firstRange(of: "retired"))
            try text.replacingCharacters(in: retired, with: "active")
                .write(toFile: path, atomically: false, encoding: .utf8)
        }
        #expect(tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring).code == 0)
        let again = tally.run(["keys", "generate", "s.db", "--id", "k1"] + ring)
        #expect(again.code == 4, "\(again.errors)")
        let rotate = ["keys", "rotate", "s.db", "--id", "k2", "--json"] + ring
        #expect(tally.run(rotate).code == 0)
        try interrupt()
        let finished = tally.run(rotate)
        #expect(finished.code == 0, "\(finished.errors)")
        #expect(try member("key_id", of: finished.output) == "k2")
        #expect(try member("retired", of: finished.output) == "k1")
        let done = tally.run(rotate)
        #expect(done.code == 4)
        #expect(done.errors.contains("already done by"))
        let taken = tally.run(["keys", "rotate", "s.db", "--id", "k1"] + ring)
        #expect(taken.code == 64, "\(taken.errors)")

        let retire = ["keys", "retire", "s.db", "k2"] + ring
        #expect(tally.run(retire).code == 0)
        try interrupt()
        #expect(tally.run(["keys", "retire", "s.db", "k1"] + ring).code == 0)
        #expect(tally.run(retire).code == 4)
        #expect(!TallyCommand.text(folder.file("ring.json")).contains("active"))
    }

    @Test("A file of keys that others can reach is refused with 77, and nothing happens")
    func refusedFile() throws {
        let ring = ["--key-file", "ring.json", "--reason", "test"]
        #expect(tally.run(["keys", "generate", "s.db"] + ring).code == 0)
        chmod(folder.file("ring.json"), 0o644)
        for command in [
            ["verify", "s.db", "--key-file", "ring.json"], ["keys", "rotate", "s.db"] + ring,
            ["ingest", "s.db", "-", "--origin", "a", "--key-file", "ring.json"],
        ] {
            let result = tally.run(command, input: "")
            #expect(result.code == 77, "\(command): \(result.errors)")
        }
        #expect(
            tally.run("verify", "s.db", "--key-file", "a", "--key-fd", "3").code == 64
        )
    }

    @Test("Notes and proofs are checked without the store, by us and by an independent program")
    func proofs() throws {
        let made = tally.run(
            "keys",
            "generate",
            "s.db",
            "--signing",
            "signer.key",
            "--reason",
            "seals",
            "--json"
        )
        #expect(made.code == 0)
        let key = try member("public_key", of: made.output)
        for id in 1...5 {
            let input = critical(id)
            #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: input).code == 0)
        }
        let seal = ["seal", "s.db", "--key-file", "signer.key", "--output"]
        #expect(tally.run(seal + ["one.note"]).code == 0)
        for id in 6...9 {
            let input = critical(id)
            #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: input).code == 0)
        }
        #expect(tally.run(seal + ["two.note"]).code == 0)
        #expect(tally.run("prove", "event", "s.db", "4", "--output", "event.proof").code == 0)
        #expect(
            tally.run(
                "prove",
                "event",
                "s.db",
                "--source",
                "/s",
                "--id",
                "4",
                "--note",
                "one.note",
                "--output",
                "old.proof"
            ).code == 0
        )
        #expect(
            tally.run(
                "prove",
                "consistency",
                "s.db",
                "--from",
                "one.note",
                "--output",
                "growth.proof"
            ).code == 0
        )
        for suffix in ["", "-wal", "-shm"] { unlink(folder.file("s.db" + suffix)) }
        let checks: [(ours: [String], theirs: [String], code: Int32)] = [
            (["event.proof"], ["event", "event.proof", key], 0),
            (
                ["event.proof", "--note", "two.note"],
                ["event", "event.proof", key, "two.note"], 0
            ),
            (["old.proof", "--note", "one.note"], ["event", "old.proof", key, "one.note"], 0),
            (["old.proof", "--note", "two.note"], ["event", "old.proof", key, "two.note"], 2),
            (
                ["growth.proof", "--note", "one.note"],
                ["consistency", "growth.proof", key, "one.note"], 0
            ),
            (
                ["growth.proof", "--note", "two.note"],
                ["consistency", "growth.proof", key, "two.note"], 2
            ),
        ]
        for check in checks {
            let result = tally.run(["prove", "check"] + check.ours + ["--public-key", key])
            #expect(result.code == check.code, "\(check.ours): \(result.errors)")
            if Self.hasCryptography {
                #expect(try run(check.theirs) == check.code, "\(check.theirs)")
            }
        }
        let stranger = try NoteSigner(name: "seal.example").verifier.description
        #expect(tally.run("prove", "check", "event.proof", "--public-key", stranger).code == 2)
        #expect(tally.run("prove", "check", "one.note", "--public-key", key).code == 65)
        #expect(tally.run("prove", "check", "event.proof", "--public-key", "a+b+c").code == 65)
        #expect(tally.run("prove", "check", "event.proof").code == 64)
        #expect(tally.run("prove", "check", "growth.proof", "--public-key", key).code == 64)
        #expect(tally.run("prove", "check", "none.proof", "--public-key", key).code == 66)
    }

    private func run(_ arguments: [String]) throws -> Int32 {
        arguments.count == 3
            ? try python(arguments[0], arguments[1], arguments[2])
            : try python(arguments[0], arguments[1], arguments[2], arguments[3])
    }

    @Test("A flip of any byte of a note or proof is refused by both programs")
    func flips() throws {
        let made = tally.run(
            "keys",
            "generate",
            "s.db",
            "--signing",
            "signer.key",
            "--reason",
            "seals",
            "--json"
        )
        let key = try member("public_key", of: made.output)
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: critical(1)).code == 0)
        #expect(tally.run("seal", "s.db", "--key-file", "signer.key").code == 0)
        #expect(tally.run("prove", "event", "s.db", "1", "--output", "good.proof").code == 0)
        let good = [UInt8](try Data(contentsOf: URL(filePath: folder.file("good.proof"))))
        var random = SeededGenerator(seed: 41)
        for _ in 0..<6 {
            var bad = good
            bad[Int(random.next() % UInt64(bad.count))] ^= 1 << UInt8(random.next() % 8)
            try Data(bad).write(to: URL(filePath: folder.file("bad.proof")))
            let code = tally.run("prove", "check", "bad.proof", "--public-key", key).code
            #expect(code == 2 || code == 65)
            if Self.hasCryptography {
                #expect(try python("event", "bad.proof", key) != 0)
            }
        }
    }
}
