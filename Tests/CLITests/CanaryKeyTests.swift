import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("No key leaves its file")
struct CanaryKeyTests {
    private static let secret = CanaryKeys.secret(1)
    private static let seed = CanaryKeys.secret(2)

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
        // What they print is searched by the command, and what they wrote at the end.
        for (arguments, input, code) in commands {
            let result = tally.run(arguments, input: input)
            #expect(result.code == code, "\(arguments): \(result.errors)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.contains("s.db") && names.contains("copy.db"))
        let watch = SecretWatch()
        watch.inspect(folder: folder.path)
        #expect(watch.found == [])
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
        #expect(!SecretWatch.show(line, [Self.secret]))
        kill(child, SIGKILL)
        tally.wait(for: child)
    }

    private func contains(_ bytes: [UInt8], _ form: [UInt8]) -> Bool {
        Data(bytes).range(of: Data(form)) != nil
    }

    // MARK: The search itself

    @Test(
        "A key is found in every form, in files, output, errors and arguments, and its own file is none"
    )
    func search() throws {
        let folder = try TemporaryFolder()
        let kept = folder.file("ring.json")
        var ring = KeyRing()
        let strange = (0..<32).map { UInt8(truncatingIfNeeded: $0 * 7 + 200) }
        try ring.add(KeyRing.Key(id: "canary", activatedAt: 1, secret: Self.secret))
        try ring.add(KeyRing.Key(id: "strange", activatedAt: 1, secret: strange))
        try Data(ring.json()).write(to: URL(filePath: kept))
        let clean = SecretWatch()
        clean.inspect(folder: folder.path)
        #expect(clean.found == [])
        let other = folder.file("other")
        for secret in [Self.secret, strange] {
            for form in SecretWatch.forms(of: secret) {
                try Data(Array("before ".utf8) + form + Array(" after".utf8))
                    .write(to: URL(filePath: other))
                let watch = SecretWatch()
                watch.inspect(folder: folder.path)
                #expect(watch.found == [other], "\(form)")
            }
        }
        // Files are read in pieces: wherever the key lies, it is found.
        for before in stride(from: (1 << 18) - 40, to: (1 << 18) + 120, by: 7) {
            try Data([UInt8](repeating: 0x20, count: before) + Self.secret + [0x20])
                .write(to: URL(filePath: other))
            let watch = SecretWatch()
            watch.inspect(folder: folder.path)
            #expect(watch.found == [other], "after \(before) bytes")
        }
        unlink(other)
        for (words, shell) in [
            (["--key-file", "ring.json"], "cat ring.json"),
            (["--key-file", "ring.json"], "tail -n 1 ring.json >&2"),
            (["--key-file", "ring.json"], "grep strange ring.json"),
            ([String(decoding: Self.secret.prefix(12), as: UTF8.self)], "true"),
        ] {
            var command = TallyCommand(in: folder.path, path: "/bin/sh")
            command.watch = SecretWatch()
            _ = command.run(["-c", shell, "sh"] + words)
            #expect(command.watch.found.count == 1, "\(words) \(shell)")
        }
        var silent = TallyCommand(in: folder.path, path: "/bin/sh")
        silent.watch = SecretWatch()
        _ = silent.run(["-c", "wc ring.json", "sh", "--key-file", "ring.json"])
        #expect(silent.watch.found == [])
    }

    @Test(
        "A signing key is found wherever its base64 has plus signs, and nothing else is taken for it"
    )
    func plusSigns() throws {
        let folder = try TemporaryFolder()
        let (kept, empty) = (folder.file("signer.key"), folder.file("empty"))
        let other = folder.file("other")
        try Data().write(to: URL(filePath: empty))
        for position in 0...32 {
            // 0xFB 0xEF 0xBE is `++++` in base64, and each of its bytes is a plus sign in one place or another.
            var key = [UInt8](repeating: 0x41, count: 33)
            for index in position..<min(position + 3, 33) {
                key[index] = [0xFB, 0xEF, 0xBE][index % 3]
            }
            var text: [UInt8] = []
            Base64.encode(key, to: &text)
            #expect(text.contains(0x2B))
            try Data(Array("PRIVATE+KEY+plus+00000000+".utf8) + text + [0x0A])
                .write(to: URL(filePath: kept))
            try Data("+A AA Pz8+\n".utf8).write(to: URL(filePath: other))
            let clean = SecretWatch()
            clean.inspect(folder: folder.path)
            #expect(clean.found == [], "plus signs from byte \(position)")
            try Data(key.dropFirst()).write(to: URL(filePath: other))
            let watch = SecretWatch()
            watch.inspect(folder: folder.path)
            #expect(watch.found == [other], "plus signs from byte \(position)")
            unlink(other)
        }
    }

    @Test("A process in which a key was found fails when it ends, whatever its tests say")
    func failure() async {
        await #expect(processExitsWith: .exitCode(86)) {
            let folder = try TemporaryFolder()
            try Data(CanaryKeys.secret(1)).write(to: URL(filePath: folder.file("leak")))
            SecretWatch.shared.inspect(folder: folder.path)
            unlink(folder.file("leak"))
            exit(0)
        }
    }
}
