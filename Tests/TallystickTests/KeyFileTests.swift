import Foundation
import Glibc
import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Files of keys")
struct KeyFileTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("ring.json")
        try KeyRingFile.change(path) { try $0.add(.random(id: "k1", activatedAt: 1)) }
    }

    private func code(_ source: KeySource) -> StoreError.Code? {
        do throws(StoreError) {
            _ = try source.load()
            return nil
        } catch {
            return error.code
        }
    }

    private func mode(_ path: String, _ mode: mode_t) { chmod(path, mode) }

    @Test("A new file is its owner's alone, and gives its keys back")
    func created() throws {
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(try KeySource.file(path).load().keys.map(\.id) == ["k1"])
    }

    @Test("A file that a group or the world can reach is refused", arguments: 0..<9)
    func permissions(_ bit: Int) {
        mode(path, 0o600 | 1 << mode_t(bit))
        let isOwners = bit >= 6
        #expect(code(.file(path)) == (isOwners ? nil : .keyRefused))
    }

    @Test("A descriptor may be readable for a group, and for nobody else")
    func descriptor() {
        for (bits, refusal) in [
            (0o600, nil), (0o640, nil), (0o660, StoreError.Code.keyRefused),
            (0o644, .keyRefused), (0o604, .keyRefused), (0o602, .keyRefused),
        ] as [(mode_t, StoreError.Code?)] {
            mode(path, bits)
            let descriptor = open(path, O_RDONLY)
            #expect(code(.descriptor(descriptor)) == refusal, "\(bits)")
            // It stays open, and can be read again.
            #expect(fcntl(descriptor, F_GETFD) >= 0)
            #expect(code(.descriptor(descriptor)) == refusal)
            close(descriptor)
        }
        #expect(code(.descriptor(2_000_000_000)) == .noInput)
    }

    @Test("A folder, a FIFO, a device and a missing file are refused, without waiting")
    func otherFiles() {
        #expect(code(.file(folder.path)) == .keyRefused)
        let fifo = folder.file("fifo")
        mkfifo(fifo, 0o600)
        #expect(code(.file(fifo)) == .keyRefused)
        #expect(code(.file("/dev/null")) == .keyRefused)
        #expect(code(.file(folder.file("nothing"))) == .noInput)
        #expect(code(.file("")) == .noInput)
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        #expect(code(.descriptor(ends[0])) == .keyRefused)
        close(ends[0])
        close(ends[1])
    }

    @Test("A symbolic link is followed where only its owner could put it, and refused elsewhere")
    func links() {
        let own = folder.file("own")
        mkdir(own, 0o700)
        symlink(path, own + "/link")
        #expect(code(.file(own + "/link")) == nil)
        for bits in [0o777, 0o770, 0o1777] as [mode_t] {
            mode(own, bits)
            #expect(code(.file(own + "/link")) == .keyRefused, "\(bits)")
        }
        mode(own, 0o700)
        unlink(own + "/link")
        symlink(own + "/link", own + "/link")
        #expect(code(.file(own + "/link")) == .keyRefused)
    }

    @Test("A file that is written while it is read gives one of its states whole, or is refused")
    func changing() throws {
        let other = folder.file("other.json")
        try KeyRingFile.change(other) { try $0.add(.random(id: "k2", activatedAt: 1)) }
        let states = [Self.bytes(path), Self.bytes(other)]
        let rings = try states.map { try KeyRing(json: $0).keys.map(\.fingerprint) }
        let writing = Switch()
        // A thread of its own: queues may have none to spare while tests run.
        Thread.detachNewThread { [path] in
            let descriptor = open(path, O_WRONLY)
            var round = 0
            while writing.isOn.withLock({ $0 }) {
                let bytes = states[round % 2]
                ftruncate(descriptor, 0)
                // In two pieces: no beginning of a ring is a ring.
                let half = bytes.count / 2
                _ = pwrite(descriptor, bytes, half, 0)
                _ = pwrite(descriptor, Array(bytes[half...]), bytes.count - half, off_t(half))
                round += 1
            }
            close(descriptor)
        }
        var (accepted, refused) = (0, 0)
        for _ in 0..<1_000_000 where accepted < 100 || refused < 100 {
            do throws(StoreError) {
                let keys = try KeySource.file(path).load().keys.map(\.fingerprint)
                #expect(rings.contains(keys))
                accepted += 1
            } catch {
                #expect(error.code == .keyRefused || error.code == .badInput)
                refused += 1
            }
        }
        #expect(accepted > 0 && refused > 0)
        writing.isOn.withLock { $0 = false }
    }

    private final class Switch: Sendable {
        let isOn = Mutex(true)
    }

    private static func bytes(_ path: String) -> [UInt8] { Array(TallyCommand.text(path).utf8) }

    @Test("A large file is refused before it is read, and one that is no ring is bad input")
    func contents() {
        truncate(path, off_t(KeyRing.maximumFileBytes) + 1)
        #expect(code(.file(path)) == .keyRefused)
        truncate(path, 0)
        #expect(code(.file(path)) == .badInput)
    }

    @Test("A change takes the file's place at once, and one that fails changes nothing")
    func changes() throws {
        let before = try KeySource.file(path).load()
        #expect(throws: StoreError.self) {
            try KeyRingFile.change(path) { ring in
                ring.retire("k1")
                throw StoreError(.busy, during: "test", "stopped")
            }
        }
        #expect(try KeySource.file(path).load()["k1"]?.state == .active)
        try KeyRingFile.change(path) { $0.retire("k1") }
        let after = try KeySource.file(path).load()
        #expect(after["k1"]?.state == .retired)
        #expect(after["k1"]?.fingerprint == before["k1"]?.fingerprint)
        #expect(access(path + ".tally-new", F_OK) != 0)
    }

    @Test("A symbolic link is read, and never replaced by a change")
    func linkedChange() throws {
        let link = folder.file("link")
        symlink(path, link)
        #expect(throws: StoreError.self) { try KeyRingFile.change(link) { $0.retire("k1") } }
        #expect(try KeySource.file(path).load()["k1"]?.state == .active)
    }

    @Test("Two processes never change a file at once; what a killed one left is replaced")
    func lock() throws {
        let other = open(path + ".tally-new", O_WRONLY | O_CREAT | O_EXCL, 0o600)
        #expect(flock(other, LOCK_EX) == 0)
        let failure = #expect(throws: StoreError.self) {
            try KeyRingFile.change(path) { $0.retire("k1") }
        }
        #expect(failure?.code == .busy)
        #expect(try KeySource.file(path).load()["k1"]?.state == .active)
        close(other)
        try KeyRingFile.change(path) { $0.retire("k1") }
        #expect(try KeySource.file(path).load()["k1"]?.state == .retired)
        #expect(access(path + ".tally-new", F_OK) != 0)
    }

    @Test("A signing key's file is judged as a ring's, and never replaced")
    func signer() throws {
        let file = folder.file("signer.key")
        let signer = try NoteSigner(name: "seal.example")
        try KeyRingFile.write(signer, to: file)
        #expect(try NoteSigner.load(from: file).verifier == signer.verifier)
        #expect(throws: StoreError.self) { try KeyRingFile.write(signer, to: file) }
        mode(file, 0o644)
        #expect(throws: StoreError.self) { try NoteSigner.load(from: file) }
    }
}
