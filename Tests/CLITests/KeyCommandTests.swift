import Foundation
import TallystickCore
import TallystickTestKit
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

@Suite("No key leaves its file")
struct CanaryKeyTests {
    /// 32 bytes that nobody writes by chance.
    private static let secret = Array("canary:0f5b9e:never-seen-outside".utf8)
    private static let seed = Array("canary:77aa31:signing-key-seed-x".utf8)

    /// The forms in which a key could show.
    private static func forms(_ secret: [UInt8]) -> [[UInt8]] {
        var base64: [UInt8] = []
        Base64.encode(secret, to: &base64)
        let hex = Hex.string(secret)
        return [
            secret, Array(base64.prefix(40)), Array(hex.utf8), Array(hex.uppercased().utf8),
            Array(secret.map(String.init).joined(separator: ", ").utf8),
        ]
    }

    @Test("A key appears in no output, error, database, log file, proof, or argument list")
    func canary() throws {
        let folder = try TemporaryFolder()
        let tally = TallyCommand(in: folder.path)
        var ring = KeyRing()
        try ring.add(KeyRing.Key(id: "canary", activatedAt: 1, secret: Self.secret))
        let kept = folder.file("kept")
        mkdir(kept, 0o700)
        let ringFile = kept + "/ring.json"
        try Data(ring.json()).write(to: URL(filePath: ringFile))
        let damaged = kept + "/damaged.json"
        try Data(ring.json().dropLast(4)).write(to: URL(filePath: damaged))
        let signerFile = kept + "/signer.key"
        var encoded: [UInt8] = []
        Base64.encode([1] + Self.seed, to: &encoded)
        let wrongHash = "PRIVATE+KEY+canary+00000000+" + String(decoding: encoded, as: UTF8.self)
        try Data(wrongHash.utf8).write(to: URL(filePath: signerFile))
        for file in [ringFile, damaged, signerFile] { chmod(file, 0o600) }

        let settings = #"{"tallystick_config":1,"default_category":"critical"}"#
        try Data(settings.utf8).write(to: URL(filePath: folder.file("settings.json")))
        let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":1}}"#
        let bad =
            #"{"specversion":"1.0","id":"2","source":"/s","type":"t","checksum":"\#(String(repeating: "0", count: 64))","checksumalgorithm":"hmac-sha256","checksumkeyid":"canary"}"#
        let keys = ["--key-file", ringFile]
        let commands: [([String], String?, Int32)] = [
            (["init", "s.db", "--config", "settings.json"], nil, 0),
            (["keys", "generate", "s.db", "--reason", "canary", "--json"] + keys, nil, 0),
            (["ingest", "s.db", "-", "--origin", "a", "--json"] + keys, event + "\n" + bad, 0),
            (["append", "s.db", "x", "-"] + keys, event.replacing("\"1\",", with: "\"3\","), 0),
            (
                ["ingest", "s.db", "-", "--origin", "b"], event.replacing("\"1\",", with: "\"9\","),
                77
            ),
            (["verify", "s.db", "--json"] + keys, nil, 0),
            (["verify", "s.db", "-t"] + keys, nil, 0),
            (["keys", "list", "s.db"] + keys, nil, 0),
            (["keys", "reseal", "s.db", "--reason", "canary"] + keys, nil, 0),
            (["export", "s.db"] + keys, nil, 0),
            (["audit", "list", "s.db", "--json"], nil, 0),
            (["query", "s.db", "SELECT * FROM keys"], nil, 0),
            (["verify", "s.db", "--key-file", damaged], nil, 65),
            (["seal", "s.db", "--key-file", signerFile], nil, 65),
            (["seal", "s.db", "--key-file", ringFile], nil, 65),
            (["verify", "s.db", "--key-file", signerFile], nil, 65),
            (["prove", "check", ringFile, "--public-key", ringFile], nil, 65),
            (["config", "validate", ringFile], nil, 65),
            (["keys", "rotate", "s.db", "--id", "next", "--reason", "canary"] + keys, nil, 0),
            (["doctor", "s.db"], nil, 0), (["stats", "s.db"], nil, 0),
            (["backup", "s.db", "copy.db"], nil, 0),
        ]
        let forms = Self.forms(Self.secret) + Self.forms(Self.seed)
        for (arguments, input, code) in commands {
            let result = tally.run(arguments, input: input)
            #expect(result.code == code, "\(arguments): \(result.errors)")
            for text in [result.output, result.errors] {
                #expect(!forms.contains { contains(Array(text.utf8), $0) }, "\(arguments)")
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.contains("s.db") && names.contains("copy.db"))
        for name in names where name != "kept" {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: folder.file(name))))
            #expect(!forms.contains { contains(bytes, $0) }, "\(name)")
        }
        // The search finds what is there.
        let file = [UInt8](try Data(contentsOf: URL(filePath: ringFile)))
        #expect(forms.contains { contains(file, $0) })
    }

    @Test("While a command holds keys it has them in no argument, and its memory in no core dump")
    func process() throws {
        let folder = try TemporaryFolder()
        let tally = TallyCommand(in: folder.path)
        var ring = KeyRing()
        try ring.add(KeyRing.Key(id: "canary", activatedAt: 1, secret: Self.secret))
        try Data(ring.json()).write(to: URL(filePath: folder.file("ring.json")))
        chmod(folder.file("ring.json"), 0o600)
        #expect(tally.run("init", "s.db").code == 0)
        mkfifo(folder.file("fifo"), 0o600)
        let child = tally.start(
            "ingest",
            "s.db",
            "fifo",
            "--origin",
            "a",
            "--key-file",
            "ring.json"
        )
        // The command waits for the other end of the FIFO, with the keys loaded.
        let end = open(folder.file("fifo"), O_WRONLY)
        defer { close(end) }
        let limits = (try? String(contentsOfFile: "/proc/\(child)/limits", encoding: .utf8)) ?? ""
        let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        #expect(core?.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(limits)")
        let line = [UInt8](
            (try? Data(contentsOf: URL(filePath: "/proc/\(child)/cmdline"))) ?? Data()
        )
        #expect(contains(line, Array("ring.json".utf8)))
        #expect(!Self.forms(Self.secret).contains { contains(line, $0) })
        kill(child, SIGKILL)
        tally.wait(for: child)
    }

    private func contains(_ bytes: [UInt8], _ form: [UInt8]) -> Bool {
        Data(bytes).range(of: Data(form)) != nil
    }
}
