import Foundation
import Testing

/// The rules that hold for the text of the sources. Each has a canary (`CanaryTests`) that breaks it.
///
/// `TALLY_STYLE_PRINT=NAME` prints what a list would have to contain (`matrix` and `edges` too);
/// `TALLY_STYLE_UPDATE=1` takes out of the lists what has been put right, and writes the folder matrix.
@Suite(
    "Style",
    .enabled(
        if: SourceTree.repositoryRoot != nil,
        "the sources that this test was built from are not there any more"
    )
)
struct StyleTests {
    private func tree() throws -> SourceTree {
        let tree = try #require(SourceTree.repository)
        // Rules hold over nothing at all; that is not what is asked.
        try #require(tree.swift(under: "Sources/Tallystick").count > 100)
        return tree
    }

    private func path(_ name: String) throws -> String {
        try #require(SourceTree.repositoryRoot) + "/" + name
    }

    @Test("Folders use only the folders that they are declared to use, and never in a circle")
    func folders() throws {
        let graph = FolderGraph(try tree())
        if StyleMode.prints("edges") { print(graph.declaration) }
        let text = try String(
            contentsOfFile: path("Tests/StyleTests/Lists/edges.txt"),
            encoding: .utf8
        )
        for violation in graph.violations(declared: FolderGraph.declared(in: text)) {
            Issue.record(Comment(rawValue: violation.description))
        }
    }

    @Test("The folder matrix of the architecture article is the one that the sources have")
    func matrix() throws {
        let graph = FolderGraph(try tree())
        if StyleMode.prints("matrix") { print(graph.markdown) }
        let article = try path("Sources/Tallystick/Documentation.docc/Architecture.md")
        let text = try String(contentsOfFile: article, encoding: .utf8)
        let written = try #require(
            MatrixArticle(text),
            "the article has a section '## Folder matrix' with a table"
        )
        if StyleMode.updates {
            try written.text(with: graph.markdown).write(
                toFile: article,
                atomically: true,
                encoding: .utf8
            )
        } else {
            #expect(written.table == graph.markdown, "TALLY_STYLE_UPDATE=1 writes it anew")
        }
    }

    @Test("Targets import what Package.swift declares, and declare what they import")
    func targets() throws {
        try StyleList.check("targets", TargetRule.violations(in: tree()))
    }

    @Test("SQL over the store's tables is written in TallystickStorage and in migrations")
    func statements() throws {
        try StyleList.check("sql", SQLRules.statements(in: tree()))
    }

    @Test("Only Transactions.swift begins and ends transactions")
    func transactions() throws {
        for violation in SQLRules.transactions(in: try tree()) {
            Issue.record(Comment(rawValue: violation.description))
        }
    }

    @Test("A file of the command line has one command, and stores are opened in one way")
    func commands() throws {
        let tree = try tree()
        for violation in CommandRules.perFile(in: tree) + CommandRules.openings(in: tree) {
            Issue.record(Comment(rawValue: violation.description))
        }
    }

    @Test("Files have at most 450 lines")
    func files() throws {
        try StyleList.check("long-files", SizeRules.files(in: tree()))
    }

    @Test("Functions have at most 70 lines")
    func functions() throws {
        try StyleList.check("long-functions", SizeRules.functions(in: tree()))
    }

    @Test("Lines of comments have at most 120 columns")
    func comments() throws {
        try StyleList.check("wide-comments", SizeRules.comments(in: tree()))
    }

    @Test("Every public declaration is documented")
    func documentation() throws {
        try StyleList.check("undocumented", DeclarationRules.undocumented(in: tree()))
    }

    @Test("Nothing is declared that nothing uses")
    func unused() throws {
        try StyleList.check("unused", DeclarationRules.unused(in: tree()))
    }

    @Test("Prose has none of the habits that the house style names")
    func prose() throws {
        try StyleList.check("prose", ProseRule.violations(in: tree()))
    }
}

/// The article's text around the table of its section "Folder matrix".
struct MatrixArticle {
    private var before: Substring
    private var after: Substring
    let table: String

    init?(_ text: String) {
        guard let heading = text.range(of: "## Folder matrix\n"),
            let start = text.range(of: "\n|", range: heading.upperBound..<text.endIndex)
        else { return nil }
        let first = text.index(after: start.lowerBound)
        let end = text.range(of: "|\n\n", range: first..<text.endIndex)?.lowerBound
        let last = end.map { text.index(after: $0) } ?? text.endIndex
        before = text[..<first]
        after = text[last...]
        table = String(text[first..<last])
    }

    func text(with table: String) -> String { before + table + after }
}
