import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Rows of a query as lines, for the example.
final class Lines: @unchecked Sendable {
    private let rows = Rows()
    func add(_ row: [SQLValue]) { rows.add(row) }
    var all: [String] {
        rows.all.map { row in
            row.map { if case .text(let text) = $0 { text } else { "" } }.joined(separator: " ")
        }
    }
}

@Suite("Article: Reconciliation")
struct ReconciliationArticleTests {
    private static let article = Fixture.root.appending(
        path: "Sources/Tallystick/Documentation.docc/Reconciliation.md"
    )

    private func blocks(_ language: String) throws -> [String] {
        let text = try String(contentsOf: Self.article, encoding: .utf8)
        return text.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
    }

    @Test(
        "The application of the article runs, is what the article shows, and has at most 60 lines"
    )
    func example() async throws {
        let folder = try TemporaryFolder()
        let lines = try await Feeds.run(
            store: folder.file("feeds.db"),
            feeds: [
                ("websocket", event("1", #"{"count":1}"#) + "\n" + event("2", #"{"a":1}"#)),
                ("realtime", event("1", #"{"count":2}"#) + "\n" + event("2", #"{"a":1,"b":2}"#)),
            ]
        )
        #expect(
            lines == ["1 merge rule field_merge", "2 take rule swift", "2 decided, 0 open"]
        )
        let source = Fixture.root.appending(
            path: "Tests/TallystickTests/Reconciliation/EmbeddingExample.swift"
        )
        let code = try String(contentsOf: source, encoding: .utf8)
        #expect(try blocks("swift").first.map { $0 + "\n" } == code)
        #expect(code.split(separator: "\n", omittingEmptySubsequences: false).count <= 61)
    }

    @Test("Each question of the article is one statement that answers")
    func questions() async throws {
        let test = try await TestStore(
            settings: settings(#"{"use":"origin_priority"}"#),
            clock: ManualClock()
        )
        func order(_ total: Int) -> String {
            event("order-1", "{\"total\":\(total)}").replacing("\"/s\"", with: "\"/checkout\"")
        }
        try await test.ingest(order(1), event("2", "1"), from: "realtime")
        try await test.ingest(order(2), from: "websocket")
        try await test.ingest(event("2", "2"), from: "poll")
        _ = try await test.store.reconcile()
        try await test.ingest(event("3", "1"), from: "poll")
        try await test.ingest(event("3", "2"), from: "webhook")
        let statements = try blocks("sql")
        #expect(statements.count == 5)
        var answers: [[[SQLValue]]] = []
        for statement in statements {
            // The test's clock is the store's, not SQLite's.
            let sql = statement.replacing("'now', '-7 days'", with: "'2026-02-25'")
            #expect(statement.split(separator: ";").count == 1)
            answers.append(try await test.rows(String(sql.dropLast())))
        }
        #expect(answers[0].count == 1)
        #expect(
            answers[0].first?[1...4] == [
                .text("take"), .text("websocket"), .text("p"), .text("reconcile"),
            ]
        )
        #expect(answers[1].map { $0[2] } == [.text("order-1")])
        #expect(answers[2].map { $0[4] } == [.text("3")])
        #expect(answers[3] == [[.text("p"), .text("take"), .integer(2)]])
        #expect(answers[4].map { $0[3] } == [.text(#"{"total":1}"#), .text(#"{"total":2}"#)])
    }
}
