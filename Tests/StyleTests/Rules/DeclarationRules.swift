/// What is declared, and how.
enum DeclarationRules {
    private static let documented = [
        "Sources/Tallystick", "Sources/TallystickCore", "Sources/TallystickStorage",
        "Sources/TallystickTestKit",
    ]

    /// Members that a protocol of the standard library asks for, and documents.
    private static let inherited: Set<String> = [
        "description", "debugDescription", "customMirror", "hash", "==", "<", "encode", "rawValue",
        "makeAsyncIterator", "makeIterator", "next", "Element", "Failure", "errorDescription",
        "deinit",
    ]

    /// Every public declaration has a comment of documentation. Cases of an enumeration may speak for themselves.
    static func undocumented(in tree: SourceTree) -> [Violation] {
        let files = documented.flatMap(tree.swift)
        var hidden = Set<String>()
        for file in files {
            for declaration in file.declarations
            where declaration.kind == .type && declaration.access != "public" {
                hidden.insert(declaration.path)
            }
        }
        return files.flatMap { file -> [Violation] in
            file.declarations.compactMap { declaration -> Violation? in
                guard declaration.access == "public", !declaration.isDocumented,
                    !declaration.isLocal, declaration.kind != .extension,
                    declaration.kind != .enumCase, !inherited.contains(declaration.name),
                    !isInside(hidden, declaration)
                else { return nil }
                return Violation(
                    path: file.path,
                    line: declaration.line,
                    subject: declaration.path,
                    problem: "public, and has no comment of documentation"
                )
            }
        }
    }

    private static func isInside(_ hidden: Set<String>, _ declaration: Declaration) -> Bool {
        declaration.enclosing.indices.contains { last in
            hidden.contains(declaration.enclosing[...last].joined(separator: "."))
        }
    }

    /// Called by the compiler, the runtime or swift-argument-parser, under a name that nobody writes.
    private static let implicit: Set<String> = [
        "main", "hash", "encode", "callAsFunction", "wrappedValue", "projectedValue",
        "dynamicMember", "customMirror", "debugDescription", "errorDescription",
        "makeAsyncIterator", "makeIterator", "CodingKeys", "Element", "Failure", "init", "deinit",
        "subscript", "_", "validate", "enqueue", "unownedExecutor",
    ]

    /// No declaration whose name is written only where it is declared.
    static func unused(in tree: SourceTree) -> [Violation] {
        var uses: [String: Int] = [:]
        for file in tree.swift {
            for token in file.tokens where token.isWord { uses[token.text, default: 0] += 1 }
            for declaration in file.declarations {
                uses[file.tokens[declaration.token].text, default: 0] -= 1
            }
        }
        return tree.swift(under: "Sources").flatMap { file -> [Violation] in
            file.declarations.compactMap { declaration -> Violation? in
                guard declaration.access != "public", declaration.kind != .extension,
                    declaration.kind != .enumCase, !implicit.contains(declaration.name),
                    declaration.name.first.map({ $0.isLetter || $0 == "_" }) == true,
                    // Called by the system, or from C.
                    declaration.attributes.isDisjoint(with: ["c", "_cdecl", "main"]),
                    uses[declaration.name, default: 0] <= 0
                else { return nil }
                return Violation(
                    path: file.path,
                    line: declaration.line,
                    subject: declaration.path,
                    problem: "nothing uses it"
                )
            }
        }
    }
}
