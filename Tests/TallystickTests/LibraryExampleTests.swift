import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

// README: begin
/// Totals the orders of each customer in a table of the store.
struct OrderTotals: Projection {
    let version: Int64 = 1
    let types = ["order.placed"]

    func setUp(in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            "CREATE TABLE orders (customer TEXT PRIMARY KEY, total REAL NOT NULL) STRICT"
        )
    }

    func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            """
            INSERT INTO orders VALUES (?1 ->> 'customer', ?1 ->> 'total')
            ON CONFLICT (customer) DO UPDATE SET total = total + excluded.total
            """,
            [event.sqlData]
        )
    }
}

/// Creates the store on the first run and opens it on later ones.
func openStore(at path: String) async throws -> EventStore {
    do {
        return try await EventStore.create(at: path)
    } catch let error where error.code == .storeExists {
        return try await EventStore.open(at: path)
    }
}
// README: end

@Suite("The README's library example")
struct LibraryExampleTests {
    @Test("It runs, and does what it says")
    func runs() async throws {
        let folder = try TemporaryFolder()
        func path(_ name: String) -> String { folder.file(name) }
        // README: begin
        let store = try await openStore(at: path("orders.db"))
        let data = EventData.json(#"{"customer":"ann","total":12.5}"#)
        let event = Event(id: "1", source: "/shop", type: "order.placed", data: data)
        try await store.append([event], to: "order-42", expecting: .none)
        let delivery =
            #"{"specversion":"1.0","id":"2","source":"/shop","type":"order.placed","data":{"customer":"ann","total":7.5}}"#
        let report = try await store.ingest(
            .bytes(Array(delivery.utf8), named: "delivery"),
            from: "webhook"
        )

        for try await event in store.events(in: "order-42") { print(event.revision, event.type) }
        let outcome = try await store.replay(OrderTotals(), named: "orders")
        let verified = try await store.verify()
        print(report.outcomes.appended, outcome.position, verified.isIntact)
        await store.close()
        // README: end
        #expect(report.outcomes.appended == 1)
        #expect(outcome.applied == 2)
        #expect(verified.isIntact)
        let opened = try await EventStore.open(at: path("orders.db"))
        let rows = Rows()
        try await opened.query("SELECT customer, total FROM orders") {
            rows.add($0)
            return true
        }
        #expect(rows.all == [[.text("ann"), .real(20)]])
        await opened.close()
    }

    @Test("What the README and the article show is what is run here")
    func isShown() throws {
        let source = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
        let parts = source.components(separatedBy: "// README: begin\n").dropFirst().map {
            $0.components(separatedBy: "// README: end")[0]
        }
        // The second-to-last part is this test's own text.
        let run = Self.lines(parts.prefix(2).joined(separator: "\n"))
        for document in ["README.md", "Sources/Tallystick/Documentation.docc/Library.md"] {
            let text = try String(
                contentsOf: Fixture.root.appending(path: document),
                encoding: .utf8
            )
            let blocks = text.components(separatedBy: "```swift\n").dropFirst().map {
                $0.components(separatedBy: "```")[0]
            }
            let shown = Self.lines(blocks.first ?? "").filter { !$0.hasPrefix("import ") }
            #expect(shown == run, "\(document)")
        }
    }

    /// Lines without indentation, empty ones left out; paths as a reader writes them.
    private static func lines(_ code: String) -> [String] {
        code.replacing(/path\(("[^"]*")\)/) { $0.output.1 }
            .split(separator: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }
}
