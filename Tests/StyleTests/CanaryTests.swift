import Testing

/// A small tree of sources that breaks a rule, for each rule: the rule must say so.
@Suite("Style rules can fail")
struct CanaryTests {
    private static let manifest = """
        let package = Package(
            targets: [
                .target(
                    name: "TallystickCore",
                    dependencies: [.product(name: "Crypto", package: "swift-crypto")]
                ),
                .target(name: "TallystickStorage", dependencies: ["TallystickCore"]),
                .target(name: "Tallystick", dependencies: ["TallystickStorage"]),
            ]
        )
        """

    private let graph = SourceTree([
        "Sources/TallystickStorage/Tables/Rows.swift": """
        package struct Rows {}
        private struct Helper {}
        """,
        "Sources/TallystickStorage/Writer/Writer.swift": "package struct Writer { let rows: Rows }",
        "Sources/Tallystick/Ingest/Ingest.swift": """
        struct Ingest { let writer: Writer }
        struct Helper {}
        extension Writer { func ingestAll() {} }
        """,
        "Sources/Tallystick/Replay/Replay.swift": """
        // Ingest is only mentioned here, and "Rows" too.
        struct Replay { let text = "Rows and \\(Rows())"; func run(_ w: Writer) { w.ingestAll() } }
        """,
    ])

    private func lines(_ count: Int, of line: String = "") -> String {
        String(repeating: line + "\n", count: count)
    }

    private func subjects(_ violations: [Violation]) -> [String] { violations.map(\.subject) }

    @Test("An edge is found by a type's name, in an interpolation, and by a member of an extension")
    func edges() {
        #expect(
            FolderGraph(graph).declaration == """
                TallystickStorage/Writer: TallystickStorage/Tables
                Tallystick/Ingest: TallystickStorage/Writer
                Tallystick/Replay: Tallystick/Ingest TallystickStorage/Tables TallystickStorage/Writer
                """
        )
    }

    @Test("An edge that is not declared is reported, and one that is declared and is not there")
    func undeclaredEdge() {
        let graph = FolderGraph(graph)
        #expect(graph.violations(declared: graph.edges).isEmpty)
        for edge in graph.edges {
            let found = graph.violations(declared: graph.edges.subtracting([edge]))
            #expect(found.map(\.path) == ["Sources/\(edge.from)"])
        }
        let stale = FolderGraph.declared(in: "# why\nTallystick/Ingest: Tallystick/Replay")
        let found = graph.violations(declared: graph.edges.union(stale))
        #expect(found.map(\.path) == ["Tests/StyleTests/Lists/edges.txt"])
    }

    @Test("Folders that use each other are reported, although the edges are declared")
    func cycle() {
        var files = Dictionary(uniqueKeysWithValues: graph.files.map { ($0.path, $0.text) })
        files["Sources/TallystickStorage/Tables/More.swift"] =
            "extension Rows { func write(_ writer: Writer) {} }"
        let graph = FolderGraph(SourceTree(files))
        let found = graph.violations(declared: graph.edges)
        #expect(
            found.map(\.problem) == [
                "folders use each other: TallystickStorage/Tables → TallystickStorage/Writer"
                    + " → TallystickStorage/Tables"
            ]
        )
    }

    @Test("The matrix has a mark for each edge, and the article's table is found and replaced")
    func matrix() throws {
        let matrix = FolderGraph(graph).markdown
        #expect(
            matrix == """
                | | folder | 1 | 2 | 3 | 4 |
                |---|---|---|---|---|---|
                | 1 | `TallystickStorage/Tables` | – |  |  |  |
                | 2 | `TallystickStorage/Writer` | ● | – |  |  |
                | 3 | `Tallystick/Ingest` |  | ● | – |  |
                | 4 | `Tallystick/Replay` | ● | ● | ● | – |
                """
        )
        let article = "# A\n\n## Folder matrix\n\nWords.\n\n| old | x |\n|---|---|\n\n## Next\n"
        let found = try #require(MatrixArticle(article))
        #expect(found.table == "| old | x |\n|---|---|")
        #expect(
            found.text(with: matrix)
                == "# A\n\n## Folder matrix\n\nWords.\n\n" + matrix + "\n\n## Next\n"
        )
        #expect(MatrixArticle("# A\n\n| a | b |\n") == nil)
    }

    @Test(
        "An import that Package.swift does not declare is reported, and a dependency nobody imports"
    )
    func targets() {
        var files = [
            "Package.swift": Self.manifest,
            "Sources/TallystickCore/Core.swift": "import Crypto\nimport Foundation",
            "Sources/TallystickStorage/Rows.swift": "package import TallystickCore",
            "Sources/Tallystick/Store.swift": "@_exported public import TallystickStorage",
        ]
        #expect(TargetRule.violations(in: SourceTree(files)).isEmpty)
        files["Sources/Tallystick/More.swift"] = "import TallystickCore"
        #expect(
            TargetRule.violations(in: SourceTree(files)).map(\.path) == [
                "Sources/Tallystick/More.swift"
            ]
        )
        files["Sources/TallystickCore/Core.swift"] = "import Foundation"
        #expect(
            subjects(TargetRule.violations(in: SourceTree(files)))
                == ["TallystickCore Crypto", "TallystickCore"]
        )
    }

    @Test(
        "SQL over a table outside of the storage is reported; prose, comments and other SQL are not"
    )
    func statements() {
        let rows = #"let sql = "SELECT a FROM events AS e JOIN log USING (a)""#
        let tree = SourceTree([
            "migrations/V1.sql": "CREATE TABLE events (a);\nCREATE VIEW log AS SELECT 1;",
            "Sources/TallystickStorage/Rows.swift": rows,
            "Sources/Tallystick/Query/Rows.swift": rows,
            "Sources/Tallystick/Query/Multiline.swift":
                "let a = \"\"\"\n    UPDATE events\n    SET a = 1\n    \"\"\"",
            "Sources/Tallystick/Query/Fine.swift": """
            // SELECT a FROM events
            let a = "SELECT \\(b) FROM json_each(?1)", c = "the events come from events"
            """,
            "Sources/Tallystick/Query/Named.swift": #"let a = "DELETE FROM \(table)""#,
        ])
        let found = SQLRules.statements(in: tree)
        #expect(subjects(found) == ["events", "\\()", "events", "log"])
        #expect(
            found.map(\.path) == [
                "Sources/Tallystick/Query/Multiline.swift", "Sources/Tallystick/Query/Named.swift",
                "Sources/Tallystick/Query/Rows.swift", "Sources/Tallystick/Query/Rows.swift",
            ]
        )
        #expect(found.map(\.line) == [2, 1, 1, 1])
    }

    @Test("A transaction's statement outside of Transactions.swift is reported")
    func transactions() {
        let text = ##"try execute("BEGIN IMMEDIATE"); try execute(#"a; COMMIT"#)"##
        let tree = SourceTree([
            "Sources/TallystickSQLite/Transactions.swift": text,
            "Sources/TallystickSQLite/Backup.swift": text + " // ROLLBACK",
            "Sources/Tallystick/Query/Query.swift": #"let hint = "begin, commit""#,
        ])
        let found = SQLRules.transactions(in: tree)
        #expect(subjects(found) == ["BEGIN", "COMMIT"])
        #expect(Set(found.map(\.path)) == ["Sources/TallystickSQLite/Backup.swift"])
    }

    @Test("A second command in a file, and a store that a command opens itself, are reported")
    func commands() {
        let tree = SourceTree([
            "Sources/TallystickCLI/Commands/A.swift":
                "struct A: AsyncParsableCommand {\n    struct B: TallyCommand {}\n}",
            "Sources/TallystickCLI/Commands/C.swift":
                "struct C: TallyCommand { let store = EventStore.open(at: path) }",
            "Sources/TallystickCLI/Output/OpenedStore.swift": "EventStore.open(at: path)",
        ])
        #expect(subjects(CommandRules.perFile(in: tree)) == ["B"])
        let found = CommandRules.openings(in: tree)
        #expect(found.map(\.path) == ["Sources/TallystickCLI/Commands/C.swift"])
    }

    @Test("A file, a function and a comment's line that are too long are reported")
    func sizes() {
        let comment = "// " + String(repeating: "é", count: SizeRules.columnsOfComment - 3)
        let body = lines(SizeRules.linesOfFunction - 2, of: "    run { a() }")
        let fine = SourceTree([
            "Sources/A/File.swift": lines(SizeRules.linesOfFile),
            "Sources/A/Function.swift": "func f() {\n" + body + "}\n" + comment,
        ])
        #expect(SizeRules.files(in: fine).isEmpty)
        #expect(SizeRules.functions(in: fine).isEmpty)
        #expect(SizeRules.comments(in: fine).isEmpty)
        let long = SourceTree([
            "Sources/A/File.swift": lines(SizeRules.linesOfFile + 1),
            "Sources/A/Function.swift": """
            struct S {
                @discardableResult
                func f(_ g: () -> Int = { 1 }) -> Int {
            \(body)
                }
                var computed: Int {
            \(body)a
                }
                init() { }
            }
            \(comment)x
            """,
        ])
        #expect(SizeRules.files(in: long).map(\.path) == ["Sources/A/File.swift"])
        #expect(subjects(SizeRules.functions(in: long)) == ["S.f", "S.computed"])
        #expect(SizeRules.comments(in: long).count == 1)
    }

    @Test("A public declaration without documentation is reported, wherever its access is written")
    func documentation() {
        let tree = SourceTree([
            "Sources/Tallystick/A.swift": """
            /// Documented.
            public struct Documented {
                public var count: Int
                /// Documented.
                @inlinable
                public private(set) var name = ""
                public func run() {}
                func hidden() {}
                public var description: String { "" }
            }
            public enum Bare { case one }
            package struct Inner { public var member = 1 }
            extension Inner { public func more() {} }
            public extension Documented { func inherits() {} }
            /// Documented.
            public protocol Requirement {
                func required()
            }
            """,
            "Sources/TallystickCLI/B.swift": "public struct NotOurs {}",
        ])
        #expect(
            subjects(DeclarationRules.undocumented(in: tree)) == [
                "Documented.count", "Documented.run", "Bare", "Documented.inherits",
                "Requirement.required",
            ]
        )
    }

    @Test(
        "A declaration that nothing uses is reported, and one that a test or interpolation uses is not"
    )
    func unused() {
        let tree = SourceTree([
            "Sources/Tallystick/A.swift": """
            struct Used { private let unusedMember = 1; var first = 1, second = 2 }
            private func unusedFunction() {}
            public func exported() {}
            @c func called() {}
            // unusedFunction() is mentioned.
            let text = "\\(Used().first) unusedMember"
            func twice() {}
            enum E { static func twice() {} }
            """,
            "Tests/ATests/ATests.swift": "@Test func test() { _ = text; E.self }",
        ])
        #expect(
            subjects(DeclarationRules.unused(in: tree))
                == ["Used.unusedMember", "unusedFunction", "twice", "E.twice"]
        )
    }

    @Test(
        "Prose of the kinds that the house style names is reported",
        arguments: [
            ("A file that is no database.", 1), ("There is no such table; there was no file.", 0),
            ("It is no longer open.", 0), ("Reads it for who asks.", 1),
            ("The candidates are others by now.", 1), ("A later answer is not heard.", 1),
            ("It is a database, but no store.", 1), ("Ask who decided, and when.", 0),
        ]
    )
    func prose(_ sentence: String, _ count: Int) throws {
        for (path, text) in [
            ("Sources/Tallystick/A.swift", "/// " + sentence),
            ("Sources/Tallystick/A.swift", "let message = \"\(sentence)\""),
            ("README.md", "# A\n" + sentence + "\n```\nis no code\n```"),
        ] {
            let found = try ProseRule.violations(in: SourceTree([path: text]))
            #expect(found.count == count, "\(path): \(sentence)")
        }
    }

    @Test("A list complains of what is not in it, and of what is in it and was put right")
    func lists() {
        let list = StyleList(name: "a", text: "# why\nA.swift x ×2\nB.swift\n")
        func violation(_ path: String, _ subject: String = "") -> Violation {
            Violation(path: path, subject: subject, problem: "p")
        }
        let listed = [violation("A.swift", "x"), violation("A.swift", "x"), violation("B.swift")]
        #expect(list.complaints(about: listed).isEmpty)
        #expect(list.complaints(about: listed + [violation("A.swift", "x")]).count == 3)
        #expect(list.complaints(about: listed + [violation("C.swift")]) == ["C.swift: p"])
        #expect(list.complaints(about: Array(listed.dropFirst())).count == 1)
        #expect(list.complaints(about: Array(listed.dropLast())).count == 1)
        #expect(list.shrunk(to: listed) == "# why\nA.swift x ×2\nB.swift\n")
        #expect(list.shrunk(to: Array(listed.dropFirst().dropLast())) == "# why\nA.swift x\n")
    }

    @Test("Literals of every form, comments in comments and expressions are told from code")
    func scan() {
        let text = SwiftText(
            ##"""
            let a = "x \"quoted\" \(b + "c") y", d = #"raw \(e) \#(f)"#
            /* outer /* inner */ still */ let g = /[0-9]"+/
            let h = i / j / k // tail "
            let l = """
                "m" \(n)
                """
            let o = #/p"q/#
            """##
        )
        #expect(
            text.literals.map(\.text) == [
                "c", #"x \"quoted\" \() y"#, #"raw \(e) \()"#, "\n    \"m\" \\()\n    ",
            ]
        )
        #expect(text.comments.map(\.line) == [2, 3])
        let words = Token.tokens(of: text.code).filter(\.isWord).map(\.text)
        #expect(
            words.joined(separator: " ") == "let a b d f let g let h i j k let l n let o"
        )
    }
}
