import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Settings of a store: versions with who and why, overrides, and handles that follow them.
@Suite("Store settings")
struct StoreSettingsTests {
    private static func event(_ id: String) -> String {
        eventLine(id, source: "/test", type: "plain", data: #"{"a":1}"#)
    }

    private static let debug = Array(#"{"default_category": "debug"}"#.utf8)

    private func overrides(_ values: [String: String]) -> StoreOptions {
        var options = StoreOptions()
        options.overrides = SettingsOverrides { path in
            let name = path.joined(separator: ".")
            return values[name].map { SettingsOverrides.Found(text: $0, name: name) }
        }
        return options
    }

    private func history(_ test: TestStore) async throws -> [[SQLValue]] {
        try await test.rows(
            """
            SELECT c.version, a.kind, a.actor, a.reason, c.content ->> 'default_category'
            FROM configurations AS c
            JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
            ORDER BY c.version
            """
        )
    }

    @Test(
        "A file merges into the settings in force, replaces them on request, and adds no version for nothing"
    )
    func apply() async throws {
        let test = try await TestStore()
        let store = test.store
        let first = try await store.apply(settings: Self.debug, actor: "ann", reason: "quieter")
        #expect(first.version == 2)
        #expect(first.changes.map(\.pointer) == ["/default_category"])
        #expect(first.changes.first?.old == "\"system\"")
        let second = try await store.apply(
            settings: Array(#"{"categories": {"debug": {"percentage": 5}}}"#.utf8),
            actor: "bob",
            reason: "less"
        )
        #expect(second.version == 3)
        let now = try await store.settings()
        #expect(now.settings.defaultCategory == "debug")
        #expect(now.settings[category: "debug"]?.percentage == 5)
        #expect((now.actor, now.reason) == ("bob", "less"))

        let same = try await store.apply(settings: Self.debug, actor: "ann", reason: "again")
        #expect(same.version == 3 && same.changes.isEmpty)

        let whole = try await store.settings(version: 1).settings.canonical
        let back = try await store.apply(
            settings: whole,
            replacing: true,
            actor: "ann",
            reason: "back"
        )
        #expect(back.version == 4)
        #expect(try await store.settings().settings == .standard)
        #expect(try await history(test).count == 4)
        #expect(try await store.verify().isIntact)
    }

    @Test("Settings that are not right are refused with line and column, and change nothing")
    func refusals() async throws {
        let test = try await TestStore()
        let store = test.store
        let before = try await test.provedRows()
        do throws(StoreError) {
            _ = try await store.apply(
                settings: Array("{\n  \"categories\": {\"debug\": {\"percentage\": 200}}\n}".utf8),
                actor: "a",
                reason: "r"
            )
            Issue.record("a percentage of 200 was taken")
        } catch {
            #expect(error.code == .badInput)
            #expect(error.subject == "line 2, column 42")
        }
        for file in ["", "[]", #"{"nothing": 1}"#, #"{"default_category": "none"}"#] {
            let code = await failureCode {
                _ = try await store.apply(settings: Array(file.utf8), actor: "a", reason: "r")
            }
            #expect(code == .badInput, "\(file)")
        }
        let nobody = Array(#"{"override_origin": "nobody"}"#.utf8)
        let code = await failureCode {
            _ = try await store.apply(settings: nobody, actor: "a", reason: "r")
        }
        #expect(code == .badInput)
        for (actor, reason) in [("", "r"), ("a", ""), ("environment", "r")] {
            let code = await failureCode {
                _ = try await store.apply(settings: Self.debug, actor: actor, reason: reason)
            }
            #expect(code == .invalidArgument, "\(actor), \(reason)")
        }
        #expect(await failureCode { _ = try await store.settings(version: 9) } == .notFound)
        #expect(try await test.provedRows() == before)
    }

    @Test("An open store sees what another process applied, at its next append and its next batch")
    func following() async throws {
        let test = try await TestStore()
        let other = try await EventStore.open(at: test.path)
        try await test.ingest(Self.event("1"), from: "left")
        try await test.store.append(json: Array(Self.event("2").utf8), to: "s")
        try await other.apply(settings: Self.debug, actor: "ann", reason: "quieter")
        try await test.store.append(json: Array(Self.event("3").utf8), to: "s")
        #expect(test.store.settingsInForce.defaultCategory == "debug")
        try await test.ingest(Self.event("4"), from: "left")
        await other.close()
        #expect(
            try await test.rows("SELECT event_id, category FROM event_log ORDER BY event_id") == [
                [.text("1"), .text("system")], [.text("2"), .text("system")],
                [.text("3"), .text("debug")], [.text("4"), .text("debug")],
            ]
        )
        #expect(try await test.store.verify().isIntact)
    }

    @Test(
        "Overrides are recorded before they are used, once, and taken back by the next process without them"
    )
    func environment() async throws {
        let test = try await TestStore()
        let options = overrides(["default_category": "debug"])
        let other = try await EventStore.open(at: test.path, options: options)
        #expect(other.settingsInForce.defaultCategory == "debug")
        #expect(other.settingsOverrides == ["default_category"])
        #expect(try await history(test).count == 1)
        try await other.append(json: Array(Self.event("1").utf8), to: "s")
        try await other.append(json: Array(Self.event("2").utf8), to: "s")
        #expect(try await other.settings().version == 1)
        // Another handle goes on with its own, also after the other's version.
        try await test.store.append(json: Array(Self.event("3").utf8), to: "s")
        try await other.append(json: Array(Self.event("4").utf8), to: "s")
        await other.close()
        let expected: [[SQLValue]] = [
            [.integer(1), .text("store_created"), .text("local"), .null, .text("system")],
            [
                .integer(2), .text("configuration"), .text("environment"),
                .text("default_category"), .text("debug"),
            ],
            [
                .integer(3), .text("configuration"), .text("environment"), .text("no overrides"),
                .text("system"),
            ],
        ]
        #expect(try await history(test) == expected)
        #expect(
            try await test.rows("SELECT category FROM event_log ORDER BY position") == [
                [.text("debug")], [.text("debug")], [.text("system")], [.text("debug")],
            ]
        )
        let again = try await EventStore.open(at: test.path)
        try await again.append(json: Array(Self.event("5").utf8), to: "s")
        await again.close()
        #expect(try await history(test) == expected)
    }

    @Test(
        "What is applied under overrides is the store's own; the overrides are recorded on top of it"
    )
    func applyUnderOverrides() async throws {
        let test = try await TestStore()
        await test.store.close()
        let options = overrides(["categories.debug.percentage": "7"])
        let other = try await EventStore.open(at: test.path, options: options)
        try await other.apply(settings: Self.debug, actor: "ann", reason: "quieter")
        #expect(other.settingsInForce.defaultCategory == "debug")
        #expect(other.settingsInForce[category: "debug"]?.percentage == 7)
        await other.close()
        #expect(
            try await test.rows(
                """
                SELECT c.version, a.actor, c.content ->> '$.categories.debug.percentage'
                FROM configurations AS c
                JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
                """
            ) == [
                [.integer(1), .text("local"), .integer(100)],
                [.integer(2), .text("ann"), .integer(100)],
                [.integer(3), .text("environment"), .integer(7)],
            ]
        )
    }

    @Test("An override that is not right is refused when the store is opened, by its name")
    func badOverride() async throws {
        let test = try await TestStore()
        do throws(StoreError) {
            _ = try await EventStore.open(
                at: test.path,
                options: overrides(["categories.debug.window": "15"])
            )
            Issue.record("a window without unit was taken")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.subject == "categories.debug.window")
        }
    }

    @Test("Changes of settings arrive as a sequence, whoever made them, and it ends with the store")
    func changes() async throws {
        let test = try await TestStore()
        let other = try await EventStore.open(at: test.path)
        var iterator = test.store.settingsChanges.makeAsyncIterator()
        #expect(try await iterator.next()?.version == 1)
        try await other.apply(settings: Self.debug, actor: "ann", reason: "quieter")
        let next = try #require(try await iterator.next())
        #expect(next.version == 2)
        #expect(next.actor == "ann")
        #expect(next.settings.defaultCategory == "debug")
        await other.close()
        await test.store.close()
        #expect(try await iterator.next() == nil)
    }
}
