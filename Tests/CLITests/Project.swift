import Foundation

/// Files of the project that tests read.
enum Project {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func file(_ path: String) -> String { root.appending(path: path).path }

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: file(path), encoding: .utf8)
    }
}
