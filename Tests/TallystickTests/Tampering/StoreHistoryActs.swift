import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport

/// An event as its source made it.
struct DeliveredEvent {
    var id: Int
    var source: Int
    var type: String

    /// What an origin delivers of it.
    ///
    /// - parameter change: 0 for what the source made, others for other data.
    func line(change: UInt64 = 0, more: String = "") -> String {
        let minute = 10 + id / 60 % 50
        return
            #"{"specversion":"1.0","id":"e\#(id)","source":"/service/\#(source)","type":"\#(type)","subject":"host-\#(id % 5)","time":"2026-03-01T09:\#(minute):00Z"\#(more),"data":{"n":\#(UInt64(id) + change),"status":"s\#(change)","received_at":\#(more.utf8.count)}}"#
    }
}

extension StoreHistory {
    /// Something that happens to a store.
    struct Act: Sendable {
        var name: String
        /// The sum of weights up to here.
        var bound: Int
        /// Errors that are right answers, at times.
        var refusals: Set<StoreError.Code>
        var run: @Sendable (StoreHistory) async throws -> Void
    }

    static let weights = acts.last?.bound ?? 0

    static let acts: [Act] = {
        var bound = 0
        func act(
            _ name: String,
            _ weight: Int,
            refused refusals: Set<StoreError.Code> = [],
            _ run: @escaping @Sendable (StoreHistory) async throws -> Void
        ) -> Act {
            bound += weight
            return Act(name: name, bound: bound, refusals: refusals, run: run)
        }
        return [
            act("deliver", 24, refused: [.keyMissing]) { try await $0.deliver() },
            act("append", 4, refused: [.keyMissing, .contentDiffers]) { try await $0.append() },
            act("decide", 10, refused: [.keyMissing]) { try await $0.decide() },
            act("decide in bulk", 3, refused: [.keyMissing]) { try await $0.decideInBulk() },
            act("reopen", 3) { try await $0.reopen() },
            act("reconcile", 10, refused: [.keyMissing]) { try await $0.reconcile() },
            act("new key", 6) { try await $0.changeKey() },
            act("retire key", 1) { try await $0.retireKey() },
            act("seal again", 4, refused: [.keyMissing]) { try await $0.reseal() },
            act("settings", 5) { try await $0.changeSettings() },
            act("seal", 5) { try await $0.seal() },
            act("verify", 4) { try await $0.verify() },
            act("replay", 6, refused: [.held]) { try await $0.replay() },
            act("release", 2, refused: [.keyMissing, .badInput]) { try await $0.release() },
            act("breaker", 2, refused: [.notFound]) { try await $0.setBreaker() },
            act("restore a backup", 2) { try await $0.restoreBackup() },
        ]
    }()

    // MARK: Deliveries

    private static let types = [
        "error", "health_check", "cache_metrics", "response_time", "session_start", "stats",
        "connection_status", "test_event", "invoice",
    ]
    private static let origins = ["websocket", "realtime", "webhook", "poll"]

    private func newEvent(ofType type: String? = nil) -> DeliveredEvent {
        let event = DeliveredEvent(
            id: events.count,
            source: Int(random.next() % 3),
            type: type ?? pick(Self.types) ?? "stats"
        )
        events.append(event)
        return event
    }

    /// Has enough events for a complete tile of each log that the acts made long.
    func fillTile() async throws {
        while events.count < 300 {
            let lines = (0..<100).map { _ in newEvent(ofType: "stats").line() }
            let bytes = Array(lines.joined(separator: "\n").utf8)
            try await keyedStore().ingest(.bytes(bytes, named: "many"), from: "webhook")
        }
    }

    private func nextLine() -> String {
        let event = happens(oneIn: 2) ? newEvent() : pick(events.suffix(200)) ?? newEvent()
        switch random.next() % 16 {
        case 0...8: return event.line()
        case 9: return event.line(change: 1 + random.next() % 3)
        // Differs only where nobody looks.
        case 10: return event.line(more: #","traceparent":"00-\#(random.next() % 3)""#)
        case 11: return event.line(more: #","zone":"eu""#)
        case 12:
            return event.line(more: #","checksum":"00000000","checksumalgorithm":"crc32""#)
        case 13: return "no event \(random.next() % 4)"
        case 14:
            return
                #"{"event_type":"m","timestamp":"2026-03-01T09:00:00Z","source":"/m","data":{},"metadata":{"event_id":"m\#(random.next() % 9)"}}"#
        default: return event.line(more: #","sequence":"\#(event.id)""#)
        }
    }

    func deliver() async throws {
        let lines = (0..<Int.random(in: 1...largestDelivery, using: &random)).map { _ in
            nextLine()
        }
        var bytes = Array(lines.joined(separator: "\n").utf8)
        let origin = pick(Self.origins) ?? "poll"
        let store = try await store()
        try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
        // Whoever is not sure sends it again.
        guard happens(oneIn: 3) else { return }
        bytes += Array("\n\(newEvent().line())".utf8)
        try await store.ingest(.bytes(bytes, named: "again"), from: origin)
    }

    fileprivate func append() async throws {
        let lines = (0..<Int.random(in: 1...3, using: &random)).map { _ in newEvent().line() }
        let stream = "own-\(random.next() % 3)"
        try await store().append(json: Array(lines.joined(separator: "\n").utf8), to: stream)
    }

    fileprivate func release() async throws {
        let inputs = try await numbers(
            "SELECT quarantine_id FROM quarantine_states WHERE state <> 'released'"
        )
        guard let id = pick(inputs) else { return }
        let mapping = happens(oneIn: 3) ? nil : EventMapping.monitoring
        try await store().releaseQuarantined(id, actor: "me", reason: "it is one", mapping: mapping)
    }

    // MARK: Decisions

    private func numbers(_ sql: String) async throws -> [Int64] {
        let rows = Rows()
        try await store().query(sql) {
            rows.add($0)
            return true
        }
        return rows.all.compactMap { row in
            if case .integer(let number)? = row.first { number } else { nil }
        }
    }

    fileprivate func decide() async throws {
        for id in try await numbers("SELECT conflict_id FROM open_conflicts")
        where happens(oneIn: 3) {
            let store = try await store()
            let candidates = try await store.candidates(of: id)
            let choice: ManualResolution.Choice =
                if let candidate = pick(candidates) {
                    switch random.next() % 4 {
                    case 0: .exclude
                    case 1: .take(origin: candidate.origin)
                    default: .content(candidate.content)
                    }
                } else { .acceptMissing }
            let decision = ManualResolution(
                conflictID: id,
                choice: choice,
                actor: "me",
                reason: "looked at it"
            )
            do {
                try await store.resolve(decision)
            } catch {
                // An origin with two candidates cannot be taken.
                guard error.code == .invalidArgument else { throw error }
            }
        }
    }

    fileprivate func decideInBulk() async throws {
        let choice: ManualResolution.Choice =
            happens(oneIn: 2) ? .acceptMissing : .take(origin: pick(Self.origins) ?? "poll")
        try await store().resolve(
            BulkResolution(ConflictFilter(), choice: choice, actor: "me", reason: "all the same")
        ) { _ in }
    }

    fileprivate func reopen() async throws {
        let decided = try await numbers(
            "SELECT conflict_id FROM conflict_states WHERE state <> 'open'"
        )
        guard let id = pick(decided) else { return }
        try await store().reopen(conflict: id, actor: "me", reason: "it was wrong")
    }

    fileprivate func reconcile() async throws {
        clock.advance(seconds: Int64(random.next() % 2400))
        var options = ReconcileOptions()
        switch random.next() % 6 {
        case 0: options.isDryRun = true
        // It stops in the midst, and goes on the next time.
        case 1: options.duration = .microseconds(Int64(random.next() % 3000))
        case 2: (options.overridesBreaker, options.reason) = (true, "now")
        default: break
        }
        _ = try await store().reconcile(options)
    }

    fileprivate func setBreaker() async throws {
        let state = pick([CircuitBreaker.State.open, .closed, .forcedOpen, .disabled]) ?? .closed
        try await store().setBreaker(
            .origin,
            pick(Self.origins) ?? "poll",
            to: state,
            actor: "me",
            reason: "the feed"
        )
    }

    // MARK: Keys, settings, seals

    /// The first key, or a rotation.
    fileprivate func changeKey() async throws {
        let former = ring.keys.last { $0.state == .active }
        let secret = CanaryKeys.secret(random.next())
        let id = "k\(ring.keys.count + 1)"
        try ring.add(KeyRing.Key(id: id, activatedAt: clock.now, secret: secret))
        guard let key = ring[id] else { return }
        try await keyedStore().register(key, replacing: true, actor: "me", reason: "rotation")
        // Some keep the former key as it was.
        if let former, happens(oneIn: 2) { ring.retire(former.id) }
    }

    fileprivate func retireKey() async throws {
        let keys = try await store().keys()
        guard let key = keys.last(where: { $0.algorithm == .hmacSHA256 && $0.state == .active })
        else { return }
        try await keyedStore().retireKey(key.id, actor: "me", reason: "lost")
    }

    fileprivate func reseal() async throws {
        _ = try await keyedStore().reseal(actor: "me", reason: "older events")
    }

    private static let changes = [
        #"{"categories":{"debug":{"checksum":"hmac-sha256"}}}"#,
        #"{"categories":{"debug":{"checksum":"crc32"}}}"#,
        #"{"categories":{"critical":{"checksum":"sha256"}}}"#,
        #"{"categories":{"critical":{"checksum":"hmac-sha256"}}}"#,
        #"{"categories":{"system":{"policy":"merge","while_open":"hold"}}}"#,
        #"{"categories":{"system":{"policy":"quarantine","while_open":"dispute"}}}"#,
        #"{"categories":{"system":{"percentage":40},"performance":{"enabled":false}}}"#,
        #"{"categories":{"performance":{"enabled":true,"policy":"last_write_wins"}}}"#,
        #"{"categories":{"invoices":{"checksum":"sha256"}},"classification":{"types":{"invoice":"invoices"}}}"#,
        #"{"compare":{"ignore_data":[],"ignore_attributes":["zone"]}}"#,
        #"{"compare":{"ignore_data":["/received_at","/status"]}}"#,
        #"{"override_origin":"realtime"}"#, #"{"override_origin":null}"#,
    ]

    fileprivate func changeSettings() async throws {
        let file = Array((pick(Self.changes) ?? "{}").utf8)
        try await store().apply(settings: file, actor: "me", reason: "better")
    }

    fileprivate func seal() async throws {
        let store = try await store()
        let head = try await store.seal(with: signer).head
        kept.append(Kept(cursor: nil, isKeyed: false, head: head))
    }

    /// A run in one piece, or a few of one in pieces.
    fileprivate func verify() async throws {
        let isKeyed = !ring.isEmpty && happens(oneIn: 2)
        let store = try await EventStore.open(at: path, keys: isKeyed ? .ring(ring) : .none)
        var options = VerifyOptions()
        if happens(oneIn: 3) { options.duration = .microseconds(Int64(random.next() % 5000)) }
        let report = try await store.verify(options)
        await store.close()
        if !report.isIntact { throw Objection(description: "\(report.findings.prefix(3))") }
        kept.append(Kept(cursor: report.cursor, isKeyed: isKeyed, head: nil))
    }

    // MARK: Replays and copies

    private static let projection = Array(
        """
        -- tally:projection seen
        -- tally:version 1
        -- tally:setup
        CREATE TABLE seen (id TEXT PRIMARY KEY, n TEXT) STRICT;
        -- tally:on *
        INSERT INTO seen VALUES (:source || :id, :data ->> 'n') ON CONFLICT (id) DO UPDATE SET n = excluded.n;

        """.utf8
    )

    fileprivate func replay() async throws {
        var options = ReplayOptions()
        options.batch = Int.random(in: 1...20, using: &random)
        options.verifiesHistory = happens(oneIn: 2)
        if happens(oneIn: 2) { options.until = Position(Int64(1 + random.next() % 60)) }
        _ = try await store().replay(projection: Self.projection, options: options)
    }

    fileprivate func restoreBackup() async throws {
        let backup = folder.file("backup-\(random.next()).db")
        _ = try await store().backup(to: backup)
        await moveTo(backup)
    }
}

/// What was found where nothing should be.
struct Objection: Error, CustomStringConvertible {
    var description: String
}
