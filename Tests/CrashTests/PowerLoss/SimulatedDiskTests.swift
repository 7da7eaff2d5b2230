import TallystickTestSupport
import Testing

@Suite("The simulated disk")
struct SimulatedDiskTests {
    private static func states(
        _ disk: SimulatedDisk,
        _ survivals: [Survival] = Survival.allCases,
        seeds: Int = 200
    ) -> [[String: [UInt8]]] {
        survivals.flatMap { survival in
            (0..<seeds).map { seed in
                var cut = PowerCut(number: 0, seed: UInt64(seed), cuts: [0])
                cut.survival = survival
                return disk.state(after: cut)
            }
        }
    }

    private static func disk(
        _ operations: [DiskTrace.Operation],
        base: [String: [UInt8]] = [:]
    ) throws -> SimulatedDisk {
        var disk = SimulatedDisk(base: base)
        for operation in operations { try disk.perform(operation) }
        return disk
    }

    private static func created(_ path: String, _ inode: UInt64) -> DiskTrace.Operation {
        .opened(path: path, inode: inode, isCreated: true, isTruncated: false)
    }

    @Test(
        "Syncing a file makes its content durable, not its name; syncing a folder the name, not the content"
    )
    func syncs() throws {
        let written = [
            Self.created("f", 1), DiskTrace.Operation.written(inode: 1, offset: 0, bytes: [1, 2]),
        ]
        let synced = Self.states(try Self.disk(written + [.synced(inode: 1)]))
        #expect(Set(synced) == [[:], ["f": [1, 2]]])
        let named = Self.states(try Self.disk(written + [.folderSynced(path: "")]))
        #expect(named.allSatisfy { $0["f"] != nil })
        #expect(Set(named).isSuperset(of: [["f": []], ["f": [0, 0]], ["f": [1, 2]]]))
        let both = Self.states(
            try Self.disk(written + [.synced(inode: 1), .folderSynced(path: "")])
        )
        #expect(Set(both) == [["f": [1, 2]]])
    }

    @Test("A rename persists or not, independently of the contents; it is never partial")
    func rename() throws {
        let disk = try Self.disk(
            [
                Self.created("new", 1), .written(inode: 1, offset: 0, bytes: [2]),
                .synced(inode: 1), .renamed(from: "new", to: "f"),
            ],
            base: ["f": [1]]
        )
        let states = Set(Self.states(disk))
        #expect(states == [["f": [1]], ["f": [1], "new": [2]], ["f": [2]]])
    }

    @Test("A write is torn at 512 or 4,096 bytes, and the old bytes stay elsewhere")
    func torn() throws {
        let disk = try Self.disk(
            [
                .opened(path: "f", inode: 1, isCreated: false, isTruncated: false),
                .written(inode: 1, offset: 0, bytes: [UInt8](repeating: 2, count: 8192)),
            ],
            base: ["f": [UInt8](repeating: 1, count: 8192)]
        )
        let contents = Set(Self.states(disk, [.anyTorn]).compactMap { $0["f"] })
        for content in contents {
            for sector in 0..<16 {
                #expect(Set(content[sector * 512..<sector * 512 + 512]).count == 1)
            }
        }
        #expect(contents.contains { Set($0[..<4096]) == [1, 2] }, "within a page")
        #expect(contents.contains { Set($0[..<4096]) == [2] && Set($0[4096...]) == [1] })
    }

    @Test(
        "Pages that a failed sync did not write are lost despite later syncs, until they are written again"
    )
    func failedSync() throws {
        let page = [UInt8](repeating: 7, count: 4096)
        let failed: [DiskTrace.Operation] = [
            .opened(path: "f", inode: 1, isCreated: false, isTruncated: false),
            .written(inode: 1, offset: 4096, bytes: page), .syncFailed(inode: 1),
            .written(inode: 1, offset: 8192, bytes: page), .synced(inode: 1),
        ]
        let base = ["f": page]
        let lost = Self.states(try Self.disk(failed, base: base), seeds: 20)
        let gap = page + [UInt8](repeating: 0, count: 4096) + page
        #expect(Set(lost) == [["f": gap], ["f": page + page + page]])
        // One byte makes the whole page dirty again.
        let again: [DiskTrace.Operation] = [
            .written(inode: 1, offset: 4096, bytes: [7]), .synced(inode: 1),
        ]
        let healed = Self.states(try Self.disk(failed + again, base: base), seeds: 20)
        #expect(Set(healed) == [["f": page + page + page]])
    }

    @Test(
        "The first numbers meet each kind of survival after each operation once, whatever the seed"
    )
    func numbers() {
        for seed: UInt64 in [0, 1, 99_999_999_999] {
            let cuts = (0..<100).map { PowerCut(number: $0, seed: seed, cuts: Array(0..<10)) }
            let met = Set(cuts.map { [$0.operation, $0.survival.rawValue] })
            #expect(met.count == 100)
        }
    }
}
