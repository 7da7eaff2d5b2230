import Glibc
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Scratch files")
struct ScratchFileTests {
    private func names(in folder: TemporaryFolder) -> [String] {
        let listed = TallyCommand(in: folder.path, path: "/bin/ls").run("-A").output
        // The command keeps its own output in the folder while it runs.
        return listed.split(separator: "\n").map(String.init).filter { !$0.hasPrefix(".run-") }
    }

    @Test("Scratch files of one process have names of their own, and go with their owners")
    func ownNames() throws {
        let folder = try TemporaryFolder()
        let target = folder.file("p.db")
        do {
            let first = try ScratchFile(for: target, projection: "totals")
            let second = try ScratchFile(for: target, projection: "totals")
            #expect(first.path != second.path)
            #expect(names(in: folder).count == 2)
            withExtendedLifetime((first, second)) {}
        }
        #expect(names(in: folder).isEmpty)
    }

    @Test(
        "What killed rebuilds left goes, of this process's id too; what is locked, or another's, stays"
    )
    func leftovers() throws {
        let folder = try TemporaryFolder()
        let target = folder.file("p.db")
        func make(_ name: String) -> Int32 {
            open(folder.file(name), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        }
        let left = ["p.db-rebuild-totals-\(getpid())", "p.db-rebuild-totals-00c0ffee00c0ffee"]
        let others = ["p.db-rebuild-totals-notes", "p.db-rebuild-other-00c0ffee00c0ffee"]
        let used = "p.db-rebuild-totals-0123456789abcdef"
        for name in left + others { close(make(name)) }
        let lock = make(used)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let scratch = try ScratchFile(for: target, projection: "totals")
        let there = names(in: folder)
        #expect(Set(there).isDisjoint(with: left), "\(there)")
        #expect(Set(there).isSuperset(of: others + [used]), "\(there)")
        close(lock)
        withExtendedLifetime(scratch) {}
    }
}
