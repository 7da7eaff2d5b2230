import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport

/// A store with a past that is drawn from a seed: deliveries of several origins with all that goes wrong in
/// them, decisions of people and of policies, keys, seals, settings, replays, and processes that end at any moment.
/// Nobody else ever touched its file, so nothing may be found in it.
///
/// Belongs to one test.
final class StoreHistory {
    /// What somebody kept at a time, to hold the store against later.
    struct Kept {
        var cursor: String?
        /// Whether the cursor carries an HMAC.
        var isKeyed: Bool
        var head: TreeHead?
    }

    let seed: UInt64
    let folder: TemporaryFolder
    private(set) var path: String
    /// How many events a delivery has, at most.
    let largestDelivery: Int
    /// What happened, in order: for the message of a test that fails.
    private(set) var past: [String] = []
    /// Every key that there ever was.
    var ring = KeyRing()
    var kept: [Kept] = []
    var random: SeededGenerator
    var events: [DeliveredEvent] = []
    let clock = ManualClock()
    let signer: NoteSigner
    private var handles: [EventStore] = []
    private var deaths = 0

    /// - parameter largestDelivery: more than a hundred makes logs of several tiles.
    init(seed: UInt64, largestDelivery: Int = 12) async throws {
        self.seed = seed
        self.largestDelivery = largestDelivery
        random = SeededGenerator(seed: seed)
        // Not on a disk, where there is another place: a history waits for the disk most of its time.
        let memory = "/dev/shm"
        folder = try TemporaryFolder(in: access(memory, W_OK) == 0 ? memory : "/tmp")
        path = folder.file("store.db")
        signer = try NoteSigner(name: "history.example")
        var creation = StoreCreation()
        creation.configuration = Array(Self.firstSettings.utf8)
        let store = try await EventStore.create(at: path, creation, options: options())
        handles = [store]
    }

    private static let firstSettings = """
        {"tallystick_config": 1, "compare": {"ignore_data": ["/received_at"]},
         "origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "categories": {
            "critical": {"policy": "careful"}, "system": {"policy": "majority", "window": "5m"},
            "performance": {"policy": "merge"}, "debug": {"policy": "first"}},
         "policies": {
            "careful": {"chain": [{"use": "quorum", "k": 2}, {"use": "manual"}]},
            "merge": {"chain": [{"use": "field_merge", "fields": {"/n": "max"}, "otherwise": "next"},
                {"use": "highest", "pointer": "/n"}]},
            "first": {"chain": [{"use": "first_write_wins", "tie_break": "origin_priority"}]}}}
        """

    private func options() -> StoreOptions {
        let clock = clock
        var options = StoreOptions()
        options.clock = { clock.now }
        // Some processes have overrides of their own.
        if random.next() % 8 == 0 {
            options.overrides = SettingsOverrides { path in
                path == ["categories", "debug", "percentage"]
                    ? .init(text: "50", name: "TALLY_CATEGORIES_DEBUG_PERCENTAGE") : nil
            }
        }
        return options
    }

    func pick<Element>(_ elements: [Element]) -> Element? {
        elements.randomElement(using: &random)
    }

    func happens(oneIn count: UInt64) -> Bool { random.next() % count == 0 }

    // MARK: Handles

    /// One of the processes that have the store open; now and then another one.
    func store() async throws -> EventStore {
        if happens(oneIn: 6) || handles.isEmpty {
            // Some processes have no keys.
            let isKeyless = ring.isEmpty || happens(oneIn: 6)
            handles.append(
                try await EventStore.open(
                    at: path,
                    keys: isKeyless ? .none : .ring(ring),
                    options: options()
                )
            )
        }
        return handles[Int(random.next() % UInt64(handles.count))]
    }

    /// A process that has every key.
    func keyedStore() async throws -> EventStore {
        let store = try await EventStore.open(at: path, keys: .ring(ring), options: options())
        handles.append(store)
        return store
    }

    /// Every process closes the store.
    func closeAll() async {
        for handle in handles { await handle.close() }
        handles = []
    }

    // MARK: The past

    /// Lives through some acts.
    func live(_ acts: Int) async throws {
        for _ in 0..<acts {
            let number = Int(random.next() % UInt64(Self.weights))
            guard let act = Self.acts.first(where: { number < $0.bound }) else { continue }
            past.append(act.name)
            let death = happens(oneIn: 5) ? try Death(path) : nil
            let before = (kept, events)
            do {
                try await act.run(self)
            } catch let error as StoreError where act.refusals.contains(error.code) {
                past.append("(\(error.code.rawValue))")
            }
            clock.advance(seconds: Int64(random.next() % 100))
            if let death, death.path == path {
                // What was kept of what was lost would rightly be missed.
                (kept, events) = before
                try await die(death)
            } else if happens(oneIn: 6) {
                await closeAll()
            }
        }
    }

    /// Every process is killed at a moment of what just happened; others go on with what is on the disk.
    private func die(_ death: Death) async throws {
        deaths += 1
        let next = folder.file("store-\(deaths).db")
        let cut = try death.leave(next, random: &random)
        past.append("killed at byte \(cut) of the log")
        await moveTo(next)
    }

    /// Goes on with another file.
    func moveTo(_ next: String) async {
        await closeAll()
        remove(path)
        path = next
    }

    // MARK: Judgement

    /// Everything that a verification of any kind says against the store.
    func objections() async throws -> [String] {
        await closeAll()
        var reading = options()
        reading.access = .readOnly
        let keyed = try await EventStore.open(at: path, keys: .ring(ring), options: reading)
        let keyless = try await EventStore.open(at: path, options: reading)
        var found: [String] = []
        func judge(_ what: String, _ report: VerifyReport, isWhole: Bool = false) {
            if !report.isIntact { found.append("\(what): \(report.findings.prefix(3))") }
            if !report.isComplete { found.append("\(what): not complete") }
            if isWhole, !report.notChecked.isEmpty {
                found.append("\(what): \(report.notChecked)")
            }
        }
        var options = VerifyOptions()
        // One thread is enough for so little.
        options.workers = 1
        options.against = kept.compactMap(\.head)
        judge("in full", try await keyed.verify(options), isWhole: true)
        // By turns, because each takes its time.
        switch seed % 3 {
        case 0: judge("without keys", try await keyless.verify(options))
        case 1:
            options.scope = .audit
            judge("the audit trail", try await keyed.verify(options))
            options.scope = .everything
        default:
            let audit = try await keyed.replayAudit()
            if audit.driftCount > 0 { found.append("decisions: \(audit.drifts.prefix(3))") }
        }
        if let old = pick(kept.filter { $0.cursor != nil }) {
            options.cursor = old.cursor
            judge("what was added", try await (old.isKeyed ? keyed : keyless).verify(options))
        }
        return found
    }

    /// A copy of the files, of which nobody writes any.
    ///
    /// - parameter isClosed: whether every process closes the store before; otherwise the last commits are in the log
    ///   alone.
    func copy(_ name: String, whenClosed isClosed: Bool = true) async throws -> String {
        if isClosed { await closeAll() }
        let copy = folder.file(name)
        for suffix in ["", "-wal"] where access(path + suffix, F_OK) == 0 {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        return copy
    }

    func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}

/// The files of a store before something happened, to be left as they are when every process is killed in it.
private struct Death {
    let path: String
    private let store: Data
    private let log: Data

    init(_ path: String) throws {
        self.path = path
        store = try Data(contentsOf: URL(filePath: path))
        log = (try? Data(contentsOf: URL(filePath: path + "-wal"))) ?? Data()
    }

    /// Writes what is on the disk after a kill: the log up to any byte that was written since.
    ///
    /// - returns: the length of the log.
    func leave(_ next: String, random: inout SeededGenerator) throws -> Int {
        let stored = try Data(contentsOf: URL(filePath: path))
        let written = (try? Data(contentsOf: URL(filePath: path + "-wal"))) ?? Data()
        // Where the log was written back meanwhile, an earlier end of it is no moment that there was.
        let only = 32
        let grew =
            stored == store && written.count >= log.count
            && written.prefix(only) == (log.isEmpty ? written : log).prefix(only)
        let end = grew ? Int.random(in: log.count...written.count, using: &random) : written.count
        try stored.write(to: URL(filePath: next))
        try written.prefix(end).write(to: URL(filePath: next + "-wal"))
        return end
    }
}
