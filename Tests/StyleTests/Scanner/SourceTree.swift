import Foundation

/// A file of the repository, scanned where it is Swift.
struct SourceFile {
    /// From the repository's root: `Sources/Tallystick/Ingest/Appender.swift`.
    let path: String
    let text: String
    let swift: SwiftText
    let tokens: [Token]
    let declarations: [Declaration]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        swift = SwiftText(path.hasSuffix(".swift") ? text : "")
        tokens = Token.tokens(of: swift.code)
        let documented = swift.comments.filter { $0.text.hasPrefix("///") }.map(\.line)
        declarations =
            DeclarationParser(tokens, documentedLines: Set(documented)).declarations
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    private var components: [Substring] { path.split(separator: "/") }

    /// The target that a file under `Sources` or `Tests` belongs to.
    var target: String { components.count > 2 ? String(components[1]) : "" }

    /// Target and folder: `Tallystick/Ingest`; the target alone for a file that is in no folder of it.
    var folder: String {
        components.count > 3 ? target + "/" + components[2] : target
    }

    /// The text that starts at a byte of a literal or comment begins on this line.
    static func line(of range: Range<String.Index>, in piece: SwiftText.Piece) -> Int {
        piece.line + piece.text[..<range.lowerBound].count { $0 == "\n" }
    }
}

/// The files that the rules are about: those of the repository, or a few that a canary makes up.
struct SourceTree {
    var files: [SourceFile]

    init(_ files: [String: String]) {
        self.files = files.sorted { $0.key < $1.key }.map(SourceFile.init)
    }

    var swift: [SourceFile] { files.filter(\.isSwift) }

    func swift(under folder: String) -> [SourceFile] {
        swift.filter { $0.path.hasPrefix(folder + "/") }
    }

    /// The repository that this file was compiled in; nil where its sources are not there any more.
    static let repository: SourceTree? = {
        guard let root = repositoryRoot else { return nil }
        var files: [String: String] = [:]
        for folder in ["Sources", "Tests", "migrations"] {
            let names = FileManager.default.enumerator(atPath: root + "/" + folder)
            for case let name as String in names ?? .init() {
                guard [".swift", ".md", ".sql"].contains(where: name.hasSuffix),
                    !name.contains(".build/")
                else { continue }
                files[folder + "/" + name] = try? String(
                    contentsOfFile: "\(root)/\(folder)/\(name)",
                    encoding: .utf8
                )
            }
        }
        for name in ["README.md", "CONTRIBUTING.md", "Package.swift"] {
            files[name] = try? String(contentsOfFile: "\(root)/\(name)", encoding: .utf8)
        }
        return SourceTree(files)
    }()

    static let repositoryRoot: String? = {
        var parts = #filePath.split(separator: "/")
        parts.removeLast(4)
        let root = "/" + parts.joined(separator: "/")
        return FileManager.default.fileExists(atPath: root + "/Sources/TallystickStorage")
            ? root : nil
    }()
}
