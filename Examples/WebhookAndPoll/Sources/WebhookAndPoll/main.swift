// Reads a shop's orders from a webhook and a poll, reconciles what they say, and prints what counts.
// Run it again: it opens the store of the first run, and finds nothing new.

import Synchronization
import Tallystick
import TallystickCore

/// Rows that a query hands over on a thread of the store.
final class Rows: Sendable {
    private let rows = Mutex<[[SQLValue]]>([])
    func add(_ row: [SQLValue]) { rows.withLock { $0.append(row) } }
    var all: [[SQLValue]] { rows.withLock { $0 } }
}

func rows(_ sql: String, in store: EventStore) async throws -> [[SQLValue]] {
    let rows = Rows()
    try await store.query(sql) { row in
        rows.add(row)
        return true
    }
    return rows.all
}

/// One delivery of a path; prints what became of it.
func deliver(_ events: [Event], from origin: String, to store: EventStore) async throws {
    var bytes: [UInt8] = []
    for event in events {
        event.writeJSON(to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
    }
    let report = try await store.ingest(.bytes(bytes, named: origin), from: origin)
    let outcomes = IngestOutcome.allCases.filter { report.outcomes[$0] > 0 }
        .map { "\(report.outcomes[$0]) \($0.rawValue)" }
    print("\(origin): \(outcomes.joined(separator: ", "))")
}

/// The store of the first run, or of the runs before.
func openStore(at path: String, _ options: StoreOptions) async throws -> EventStore {
    do {
        return try await EventStore.create(at: path, options: options)
    } catch let error where error.code == .storeExists {
        return try await EventStore.open(at: path, options: options)
    }
}

let path = CommandLine.arguments.dropFirst().first ?? "shop.db"
let clock = ExampleClock(StoreOptions().clock())
var options = StoreOptions()
options.clock = { clock.now }

let store = try await openStore(at: path, options)
// The example's clock may be ahead of the real one since the run before.
let recorded = try await rows("SELECT max(recorded_at) FROM audit_trail", in: store)
if case .integer(let last)? = recorded.first?.first { clock.advance(to: last) }

let applied = try await store.apply(
    settings: Array(Shop.settings.utf8),
    actor: "example",
    reason: "orders by policy, payments by hand"
)
print("settings: version \(applied.version)")

try await deliver([Shop.first], from: "poll", to: store)
clock.advance(minutes: 1)
try await deliver([Shop.first, Shop.second, Shop.payment], from: "webhook", to: store)
clock.advance(minutes: 1)
try await deliver([Shop.secondChanged], from: "poll", to: store)
// The window closes; what the poll has not brought by its next delivery is missing.
clock.advance(minutes: 20)
try await deliver([Shop.third], from: "webhook", to: store)
try await deliver([Shop.third], from: "poll", to: store)

var reconciling = ReconcileOptions()
reconciling.actor = "example"
let report = try await store.reconcile(reconciling)
print("reconciled: \(report.found) found, \(report.resolved) resolved, \(report.open) open")

let open = try await rows("SELECT conflict_id, kind, event_id FROM open_conflicts", in: store)
for row in open {
    guard case .integer(let conflict) = row[0], case .text(let kind) = row[1],
        case .text(let event) = row[2]
    else { continue }
    try await store.resolve(
        ManualResolution(
            conflictID: conflict,
            choice: .acceptMissing,
            actor: "ann",
            reason: "the bank has the payment"
        )
    )
    print("resolved by hand: \(kind) of \(event)")
}

let outcome = try await store.replay(OrderTotals(), named: "order_totals")
print("replayed: \(outcome.consumed) events, \(outcome.applied) applied")
let totals = try await rows("SELECT id, total FROM order_totals ORDER BY id", in: store)
for row in totals {
    if case .text(let id) = row[0], case .integer(let total) = row[1] { print("  \(id): \(total)") }
}

let verified = try await store.verify()
print("verified: \(verified.isIntact ? "intact" : "not intact")")
await store.close()
