/// Habits of prose that a pattern finds reliably. What else makes a sentence hard to read needs a reader.
enum ProseRule {
    private struct Pattern: Sendable {
        var name: String
        /// What it finds is allowed where its first group, if it has one, takes part.
        var expression: String
        var advice: String
    }

    private static let patterns = [
        Pattern(
            name: "is no X",
            expression:
                #"(\b[Tt]here )?\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|later\b|one\b)[A-Za-z`]"#,
            advice: "write 'is not a'"
        ),
        Pattern(
            name: "who as noun",
            expression:
                #"\b(?:for|of|to|by|from|with|than|ahead of) (?:who|whoever) (?!(?:did|does|has|had) what)"#,
            advice: "name the caller, the reader, the program"
        ),
        Pattern(
            name: "another than",
            expression: #"\b(?:an)?other than the (?:one|other)s?['’]"#,
            advice: "write 'a different'"
        ),
        Pattern(
            name: "others by now",
            expression: #"\bothers by now\b|\bnot heard\b|\blets? the (?:file|store) go\b"#,
            advice: "say what happened: has changed, is ignored, is closed"
        ),
        Pattern(
            name: "but no X",
            expression: #", but no [A-Za-z]+(?=[.;,)]|$)"#,
            advice: "write 'but not a'"
        ),
    ]

    static func violations(in tree: SourceTree) throws -> [Violation] {
        let patterns = try patterns.map { ($0, try Regex($0.expression)) }
        var violations: [Violation] = []
        for file in tree.files where isProse(file.path) {
            for piece in pieces(of: file) {
                for (pattern, expression) in patterns {
                    for match in piece.text.matches(of: expression)
                    where match.output.count < 2 || match.output[1].range == nil {
                        violations.append(
                            Violation(
                                path: file.path,
                                line: SourceFile.line(of: match.range, in: piece),
                                subject: "'\(pattern.name)'",
                                problem: pattern.advice
                            )
                        )
                    }
                }
            }
        }
        return violations
    }

    private static func isProse(_ path: String) -> Bool {
        path.hasPrefix("Sources/") || !path.contains("/")
    }

    /// Comments and literals of Swift; text outside of code in Markdown.
    private static func pieces(of file: SourceFile) -> [SwiftText.Piece] {
        if file.isSwift { return file.swift.comments + file.swift.literals }
        guard file.path.hasSuffix(".md") else { return [] }
        var isCode = false
        var pieces: [SwiftText.Piece] = []
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
            if line.hasPrefix("```") {
                isCode.toggle()
            } else if !isCode {
                pieces.append(SwiftText.Piece(line: number + 1, text: String(line)))
            }
        }
        return pieces
    }
}
