import Foundation
import TallystickTestSupport
import Testing

@Suite("Config commands")
struct ConfigCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
    }

    private func apply(_ settings: String, _ more: String...) -> TallyCommand.Result {
        tally.run(
            ["config", "apply", "s.db", "-", "--reason", "test", "--json"] + more,
            input: settings
        )
    }

    @Test("Settings are applied, shown, compared and listed")
    func life() throws {
        let applied = apply(#"{"categories": {"debug": {"percentage": 5}}}"#, "--actor", "ann")
        #expect(applied.code == 0, "\(applied.errors)")
        #expect(applied.output.contains("\"version\":2"))
        #expect(
            applied.output.contains(
                #""changes":[{"new":5,"old":100,"setting":"/categories/debug/percentage"}]"#
            )
        )
        let same = apply(#"{"categories": {"debug": {"percentage": 5}}}"#)
        #expect(same.output.contains("\"result\":\"unchanged\""))

        let old = tally.run("config", "show", "s.db", "--version", "1")
        #expect(old.output.contains(#""percentage":100"#) && !old.output.contains(#":5,"#))
        #expect(tally.run("config", "show", "s.db", "--version", "3").code == 66)
        let now = tally.run("config", "show", "s.db", "-t")
        #expect(now.output.contains("/categories/debug/percentage"))
        #expect(now.errors.contains("version 2"))

        let file = tally.run("config", "show", "s.db", "--settings").output
        #expect(apply(file, "--replace").output.contains("\"result\":\"unchanged\""))

        #expect(
            tally.run("config", "diff", "s.db").output
                == "{\"setting\":\"/categories/debug/percentage\",\"old\":\"100\",\"new\":\"5\"}\n"
        )
        #expect(
            tally.run(
                "config",
                "diff",
                "s.db",
                "--file",
                "-",
                input: #"{"default_category": "debug"}"#
            )
            .output
                == "{\"setting\":\"/default_category\",\"old\":\"\\\"system\\\"\",\"new\":\"\\\"debug\\\"\"}\n"
        )
        let history = tally.run("config", "history", "s.db", "--csv").output
        #expect(history.split(separator: "\r\n").count == 3)
        #expect(history.contains(",ann,test,"))
        #expect(tally.run("audit", "verify", "s.db").code == 0)
    }

    @Test("A file that is not right is refused with its name, line and column")
    func refusals() {
        let bad = apply("{\n  \"categories\": {\"debug\": {\"window\": \"15\"}}\n}")
        #expect(bad.code == 65)
        #expect(bad.errors.contains("(-, line 2, column 38)"), "\(bad.errors)")
        #expect(apply("{}", "--actor", "environment").code == 64)
        #expect(tally.run("config", "apply", "s.db", "none.json", "--reason", "r").code == 66)
        #expect(tally.run("config", "apply", "s.db", "-", input: "{}").code == 64)
        #expect(
            tally.run(
                "config",
                "validate",
                "-",
                "--store",
                "s.db",
                input: #"{"categories": {"debug": {"policy": "none"}}}"#
            ).code == 65
        )
        #expect(tally.run("config", "history", "s.db").output.split(separator: "\n").count == 1)
    }

    @Test("Every setting is in the article Configuration, and its variables are named right")
    func article() throws {
        let applied = apply(
            #"""
            {"origins": {"a": {"priority": 1, "mismatch_threshold": 0.5}},
             "categories": {"debug": {"origins": ["a"], "policy": "p"}},
             "policies": {"p": {"chain": [
                {"use": "highest", "pointer": "/n", "tie_break": "origin_priority"}, {"use": "quorum", "k": 2},
                {"use": "field_merge", "fields": {"/n": "max"}}, {"use": "manual"}]}}}
            """#
        )
        #expect(applied.code == 0, "\(applied.errors)")
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let article = try String(
            contentsOf: root.appending(
                path: "Sources/Tallystick/Documentation.docc/Configuration.md"
            ),
            encoding: .utf8
        )
        let text = tally.run("config", "show", "s.db", "--settings").output
        let settings = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        )
        var names = Set(settings.keys)
        for section in ["origins", "categories", "breakers"] {
            for value in (settings[section] as? [String: [String: Any]] ?? [:]).values {
                names.formUnion(value.keys)
            }
        }
        for section in ["compare", "classification"] {
            names.formUnion((settings[section] as? [String: Any] ?? [:]).keys)
        }
        for policy in (settings["policies"] as? [String: [String: Any]] ?? [:]).values {
            for step in policy["chain"] as? [[String: Any]] ?? [] { names.formUnion(step.keys) }
        }
        #expect(names.count > 30)
        for name in names.sorted() {
            #expect(article.contains("`\(name)`"), "\(name) is not in the article")
        }
    }

    @Test("Environment variables take the place of settings, by name")
    func environment() {
        let line = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{}}"#
        let variables = ["TALLY_DEFAULT_CATEGORY=debug", "TALLY_UNKNOWN=/none", "TALLY_X=1"]
        let ingest = tally.run(
            ["ingest", "s.db", "-", "--origin", "a"],
            environment: variables,
            input: line
        )
        #expect(ingest.code == 0, "\(ingest.errors)")
        #expect(tally.run("read", "s.db").output.contains("\"category\":\"debug\""))
        let history = tally.run("config", "history", "s.db", "--csv").output
        #expect(history.contains(",environment,TALLY_DEFAULT_CATEGORY,"), "\(history)")
        let shown = tally.run(["config", "show", "s.db"], environment: variables).output
        #expect(shown.contains("\"overrides\":\"TALLY_DEFAULT_CATEGORY\""))
        #expect(shown.contains("\"default_category\":\"debug\""))

        let bad = tally.run(
            ["ingest", "s.db", "-", "--origin", "a"],
            environment: ["TALLY_CATEGORIES_USER_ACTIVITY_PERCENTAGE=1000"],
            input: line
        )
        #expect(bad.code == 64)
        #expect(bad.errors.contains("TALLY_CATEGORIES_USER_ACTIVITY_PERCENTAGE"))
    }
}
