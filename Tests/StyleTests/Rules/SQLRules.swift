/// Where SQL may be written.
enum SQLRules {
    /// SQL over the store's tables is written in TallystickStorage and in migrations. Programs that only measure or
    /// test may write it too.
    ///
    /// A table whose name is put in by an interpolation may be one of the store's, and is reported too.
    static func statements(in tree: SourceTree) -> [Violation] {
        let names = tables(in: tree)
        let exempt = [
            "Sources/TallystickStorage/", "Sources/TallystickBenchmarks/",
        ]
        var violations: [Violation] = []
        for file in tree.swift(under: "Sources") where !exempt.contains(where: file.path.hasPrefix)
        {
            for literal in file.swift.literals {
                for match in literal.text.matches(
                    of: /\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+(?:main\.)?"?(\w+|\\\(\))/
                ) where names.contains(String(match.1)) || match.1 == interpolated {
                    violations.append(
                        Violation(
                            path: file.path,
                            line: SourceFile.line(of: match.range, in: literal),
                            subject: String(match.1),
                            problem: "SQL over the store's tables belongs in TallystickStorage"
                        )
                    )
                }
            }
        }
        return violations
    }

    /// How `SwiftText` gives an interpolation.
    private static let interpolated = "\\()"

    /// The tables and views that the migrations create.
    private static func tables(in tree: SourceTree) -> Set<String> {
        var names = Set<String>()
        for file in tree.files where file.path.hasPrefix("migrations/") && !file.isSwift {
            for match in file.text.matches(
                of: /\bCREATE (?:TABLE|VIEW) (?:IF NOT EXISTS )?(\w+)/
            ) {
                names.insert(String(match.1))
            }
        }
        return names
    }

    /// Transactions begin and end in one place, which no other file can do with statements of its own.
    static func transactions(in tree: SourceTree) -> [Violation] {
        var violations: [Violation] = []
        for file in tree.swift(under: "Sources")
        where file.path != "Sources/TallystickSQLite/Transactions.swift" {
            for literal in file.swift.literals {
                for match in literal.text.matches(of: /\b(BEGIN|COMMIT|ROLLBACK|SAVEPOINT)\b/) {
                    violations.append(
                        Violation(
                            path: file.path,
                            line: SourceFile.line(of: match.range, in: literal),
                            subject: String(match.1),
                            problem: "only Transactions.swift begins and ends transactions"
                        )
                    )
                }
            }
        }
        return violations
    }
}
