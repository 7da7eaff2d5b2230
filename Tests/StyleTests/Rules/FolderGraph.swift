/// Which folders of the library's targets use which others, by the names that they mention.
///
/// A folder uses another one where it names a type, function or constant that is declared there at the top level, or
/// calls a member that an extension there adds to one of the targets' types. Names that several folders declare say
/// nothing, and are left out; that no target uses one above it is the compiler's business.
struct FolderGraph {
    struct Edge: Hashable, Comparable {
        var from: String
        var to: String

        static func < (left: Self, right: Self) -> Bool {
            (left.from, left.to) < (right.from, right.to)
        }
    }

    /// From the bottom of the layers.
    static let targets = ["TallystickStorage", "Tallystick"]

    let folders: [String]
    /// With each edge the names that make it: `Appender.swift: StoreWriter`.
    private(set) var reasons: [Edge: Set<String>] = [:]

    var edges: Set<Edge> { Set(reasons.keys) }

    init(_ tree: SourceTree) {
        let files = Self.targets.flatMap { tree.swift(under: "Sources/\($0)") }
        folders = Set(files.map(\.folder)).sorted {
            (Self.level(of: $0), $0) < (Self.level(of: $1), $1)
        }
        let names = Names(files, all: tree.swift(under: "Sources"))
        for file in files {
            for (index, token) in file.tokens.enumerated() where token.isWord {
                let previous = index > 0 ? file.tokens[index - 1].text : ""
                let next = index + 1 < file.tokens.count ? file.tokens[index + 1].text : ""
                let home: String?
                if previous == "." || (next == "(" && names.members[token.text] != nil) {
                    home = names.members[token.text]
                } else if next == ":" && token.text.first?.isLowercase == true {
                    home = nil
                } else {
                    home = names.topLevel[token.text]
                }
                guard let home, home != file.folder,
                    Self.level(of: home) <= Self.level(of: file.folder)
                else { continue }
                let name = file.path.split(separator: "/").last.map(String.init) ?? ""
                reasons[Edge(from: file.folder, to: home), default: []].insert(
                    "\(name): \(token.text)"
                )
            }
        }
    }

    private static func level(of folder: String) -> Int {
        targets.firstIndex { folder == $0 || folder.hasPrefix($0 + "/") } ?? targets.count
    }

    /// The folders in which names are declared that only one folder declares.
    private struct Names {
        var topLevel: [String: String] = [:]
        var members: [String: String] = [:]

        /// - parameter everything: files of all targets; a member's name that one of them declares too says nothing.
        init(_ files: [SourceFile], all everything: [SourceFile]) {
            var (top, member, all) = (
                [String: Set<String>](), [String: Set<String>](), [String: Set<String>]()
            )
            var own = Set<String>()
            for file in everything {
                for declaration in file.declarations where !declaration.isLocal {
                    all[declaration.name, default: []].insert(file.folder)
                }
            }
            for file in files {
                for declaration in file.declarations
                where declaration.enclosing.isEmpty && !declaration.isLocal
                    && !["private", "fileprivate"].contains(declaration.access)
                    && declaration.kind != .extension
                {
                    top[declaration.name, default: []].insert(file.folder)
                    if declaration.kind == .type { own.insert(declaration.name) }
                }
            }
            for file in files {
                for declaration in file.declarations
                where declaration.isInExtension && !declaration.isLocal
                    && own.contains(declaration.enclosing.first ?? "")
                    && [.function, .property].contains(declaration.kind)
                    && !["private", "fileprivate"].contains(declaration.access)
                {
                    member[declaration.name, default: []].insert(file.folder)
                }
            }
            for (name, folders) in top where folders.count == 1 { topLevel[name] = folders.first }
            for (name, folders) in member where folders.count == 1 && all[name] == folders {
                members[name] = folders.first
            }
        }
    }

    /// The folders of a cycle, the first of them twice; empty where there is no cycle.
    var cycle: [String] {
        var left = Set(folders)
        var edges = edges
        while let free = left.first(where: { folder in !edges.contains { $0.from == folder } }) {
            left.remove(free)
            edges = edges.filter { $0.to != free }
        }
        // What is left has an edge to something that is left: following these leads around.
        guard var folder = left.min() else { return [] }
        var path: [String] = []
        while !path.contains(folder) {
            path.append(folder)
            folder = edges.filter { $0.from == folder }.map(\.to).min() ?? folder
        }
        let cycle = path[(path.firstIndex(of: folder) ?? 0)...]
        let first = cycle.firstIndex(of: cycle.min() ?? folder) ?? cycle.startIndex
        return Array(cycle[first...] + cycle[..<first]) + [cycle[first]]
    }

    /// The folders from the bottom up: each stands after all that it uses.
    var order: [String] {
        var order: [String] = []
        var left = folders
        while !left.isEmpty {
            let free = left.first { folder in
                !edges.contains { $0.from == folder && left.contains($0.to) && $0.to != folder }
            }
            let next = free ?? left[0]
            order.append(next)
            left.removeAll { $0 == next }
        }
        return order
    }

    /// The matrix as Markdown. Where no folder uses one above it, every mark is left of the diagonal.
    var markdown: String {
        let order = order
        var lines = [
            "| | folder | " + order.indices.map { String($0 + 1) }.joined(separator: " | ") + " |",
            "|---|---|" + order.map { _ in "---|" }.joined(),
        ]
        for (number, folder) in order.enumerated() {
            let cells = order.map { other in
                other == folder ? "–" : edges.contains(Edge(from: folder, to: other)) ? "●" : ""
            }
            lines.append(
                "| \(number + 1) | `\(folder)` | " + cells.joined(separator: " | ") + " |"
            )
        }
        return lines.joined(separator: "\n")
    }

    /// What does not agree with the declared edges, and cycles.
    func violations(declared: Set<Edge>) -> [Violation] {
        var violations: [Violation] = []
        for edge in edges.subtracting(declared).sorted() {
            let reasons = (reasons[edge] ?? []).sorted().prefix(4).joined(separator: ", ")
            violations.append(
                Violation(
                    path: "Sources/\(edge.from)",
                    problem: "uses \(edge.to) (\(reasons)), which edges.txt does not declare"
                )
            )
        }
        for edge in declared.subtracting(edges).sorted() {
            violations.append(
                Violation(
                    path: "Tests/StyleTests/Lists/edges.txt",
                    problem: "\(edge.from) does not use \(edge.to): take the edge out"
                )
            )
        }
        let cycle = cycle
        if !cycle.isEmpty {
            violations.append(
                Violation(
                    path: "Sources",
                    problem: "folders use each other: " + cycle.joined(separator: " → ")
                )
            )
        }
        return violations
    }

    /// Reads the declared edges: `FOLDER: FOLDER FOLDER …` on each line.
    static func declared(in text: String) -> Set<Edge> {
        var edges = Set<Edge>()
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let from = parts.first else { continue }
            for to in parts.dropFirst().joined().split(separator: " ") {
                edges.insert(Edge(from: String(from), to: String(to)))
            }
        }
        return edges
    }

    /// The edges in the form that `declared(in:)` reads.
    var declaration: String {
        order.compactMap { folder in
            let used = edges.filter { $0.from == folder }.map(\.to).sorted()
            return used.isEmpty ? nil : "\(folder): " + used.joined(separator: " ")
        }.joined(separator: "\n")
    }
}
