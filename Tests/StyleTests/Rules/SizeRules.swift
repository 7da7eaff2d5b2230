/// How long files, functions and lines of comments may be.
enum SizeRules {
    static let linesOfFile = 450
    static let linesOfFunction = 70
    static let columnsOfComment = 120

    static func files(in tree: SourceTree) -> [Violation] {
        tree.swift.compactMap { file -> Violation? in
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            guard lines > linesOfFile else { return nil }
            return Violation(
                path: file.path,
                problem: "\(lines) lines; at most \(linesOfFile): it has two subjects"
            )
        }
    }

    static func functions(in tree: SourceTree) -> [Violation] {
        // The manifest is one long expression.
        tree.swift.filter { $0.path != "Package.swift" }.flatMap { file -> [Violation] in
            file.declarations.compactMap { declaration -> Violation? in
                guard let last = declaration.lastLine,
                    [.function, .initializer, .property].contains(declaration.kind),
                    last - declaration.line + 1 > linesOfFunction
                else { return nil }
                return Violation(
                    path: file.path,
                    line: declaration.line,
                    subject: declaration.path,
                    problem: "\(last - declaration.line + 1) lines; at most \(linesOfFunction)"
                )
            }
        }
    }

    static func comments(in tree: SourceTree) -> [Violation] {
        tree.swift.flatMap { file -> [Violation] in
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
            return file.swift.comments.compactMap { comment -> Violation? in
                let columns = lines[comment.line - 1].count
                guard columns > columnsOfComment else { return nil }
                return Violation(
                    path: file.path,
                    line: comment.line,
                    problem:
                        "the comment's line has \(columns) columns; at most \(columnsOfComment)"
                )
            }
        }
    }
}
