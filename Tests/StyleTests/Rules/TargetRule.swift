/// A target imports the modules that Package.swift lets it depend on, and depends on those that it imports.
enum TargetRule {
    static func violations(in tree: SourceTree) -> [Violation] {
        guard let manifest = tree.files.first(where: { $0.path == "Package.swift" }) else {
            return [Violation(path: "Package.swift", problem: "there is no such file")]
        }
        let targets = targets(in: manifest)
        let products = Set(targets.flatMap(\.products))
        let modules = Set(targets.map(\.name)).union(products)
        var violations: [Violation] = []
        for target in targets where !target.isC {
            let declared = Set(target.dependencies + target.products)
            var imported = Set<String>()
            for file in tree.swift where file.target == target.name || isIn(file, target) {
                for (module, line) in imports(of: file) where modules.contains(module) {
                    imported.insert(module)
                    if !declared.contains(module) {
                        violations.append(
                            Violation(
                                path: file.path,
                                line: line,
                                subject: module,
                                problem: "\(target.name) does not depend on it in Package.swift"
                            )
                        )
                    }
                }
            }
            // Tests also need programs that they run, which nobody imports.
            let mayRun = target.isTest
            for module in declared.subtracting(imported).sorted()
            where !(mayRun && !module.hasPrefix("C")) {
                violations.append(
                    Violation(
                        path: "Package.swift",
                        subject: "\(target.name) \(module)",
                        problem: "no file of the target imports this dependency"
                    )
                )
            }
        }
        return violations
    }

    private static func isIn(_ file: SourceFile, _ target: Target) -> Bool {
        target.path.map { file.path.hasPrefix($0 + "/") } ?? false
    }

    private static func imports(of file: SourceFile) -> [(module: String, line: Int)] {
        file.tokens.indices.compactMap { index in
            guard file.tokens[index].text == "import", index + 1 < file.tokens.count,
                index == 0 || file.tokens[index - 1].line < file.tokens[index].line
                    || file.tokens[index - 1].isWord
            else { return nil }
            return (file.tokens[index + 1].text, file.tokens[index].line)
        }
    }

    private struct Target {
        var name: String
        var dependencies: [String]
        var products: [String]
        var path: String?
        var isTest: Bool
        var isC: Bool
    }

    /// The targets of a manifest in the form that ours has.
    private static func targets(in manifest: SourceFile) -> [Target] {
        let text = manifest.text
        let heads = text.matches(
            of: /\.(target|executableTarget|testTarget|systemLibrary)\(\s*name: "(\w+)"/
        )
        return heads.enumerated().map { number, head in
            let end =
                number + 1 < heads.count ? heads[number + 1].range.lowerBound : text.endIndex
            let body = text[head.range.upperBound..<end]
            let list = body.firstMatch(of: /dependencies: \[((?:[^\[\]]|\[[^\]]*\])*)\]/)?.1 ?? ""
            let products = list.matches(of: /\.product\(name: "(\w+)", package: "[^"]*"\)/)
            let own = list.replacing(/\.product\([^)]*\)/, with: "").matches(of: /"(\w+)"/)
            return Target(
                name: String(head.2),
                dependencies: own.map { String($0.1) },
                products: products.map { String($0.1) },
                path: body.firstMatch(of: /path: "(\w+)"/).map { String($0.1) },
                isTest: head.1 == "testTarget",
                isC: head.2.hasPrefix("C") && head.1 != "testTarget"
            )
        }
    }
}
