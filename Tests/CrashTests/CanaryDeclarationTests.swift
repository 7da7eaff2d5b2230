import Foundation
import Testing

/// `Canaries/canaries.json`: the safety rules that `canary-run.sh` removes one by one.
@Suite("Declarations of canary builds")
struct CanaryDeclarationTests {
    private struct Canary: Decodable {
        struct Edit: Decodable {
            var file: String
            var old: String
            var new: String
        }

        var name: String
        var rule: String
        var edits: [Edit]
        var campaign: String
        var filter: String
        var environment: [String: String]
        var finds: String
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    private static let root = folder.deletingLastPathComponent().deletingLastPathComponent()

    private static func declared() throws -> [Canary] {
        let file = folder.appending(path: "Canaries/canaries.json")
        return try JSONDecoder().decode([Canary].self, from: Data(contentsOf: file))
    }

    @Test("The text that a canary build replaces occurs once in its file")
    func replacements() throws {
        for canary in try Self.declared() {
            #expect(!canary.edits.isEmpty, "\(canary.name) removes nothing")
            for edit in canary.edits {
                #expect(edit.file.hasPrefix("Sources/") && edit.old != edit.new, "\(canary.name)")
                let file = Self.root.appending(path: edit.file)
                let text = try? String(contentsOf: file, encoding: .utf8)
                let count = text?.ranges(of: edit.old).count
                #expect(
                    count == 1,
                    """
                    canary '\(canary.name)' in Tests/CrashTests/Canaries/canaries.json: \
                    \(count.map { "\(edit.file) holds \($0) times" } ?? "there is no \(edit.file) with") \
                    '\(edit.old)'. Name the file and the text that keep this rule now: \(canary.rule)
                    """
                )
            }
        }
    }

    @Test("Every campaign has a canary, which names a suite and the campaign's output")
    func campaigns() throws {
        let canaries = try Self.declared()
        #expect(Set(canaries.map(\.name)).count == canaries.count, "names are taken once")
        #expect(
            Set(canaries.map(\.campaign)) == [
                "power loss", "failing calls", "concurrency", "tampering", "damage", "mutation",
            ]
        )
        let tests = try Self.sourcesOfTests()
        for canary in canaries {
            #expect(throws: Never.self, "\(canary.name)") { try Regex(canary.finds) }
            for (variable, _) in canary.environment {
                #expect(tests.contains("\"\(variable)\""), "\(canary.name): \(variable)")
            }
            let words = canary.filter.split(separator: "/")
            let isSuite = tests.contains("struct \(words[0]) {")
            let isTest = words.count == 1 || tests.contains("func \(words[1])(")
            #expect(isSuite && isTest, "\(canary.name): there is no \(canary.filter)")
        }
    }

    /// The text of all test files.
    private static func sourcesOfTests() throws -> String {
        let tests = root.appending(path: "Tests")
        let names = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
        return try names.filter { $0.hasSuffix(".swift") }.map {
            try String(contentsOf: tests.appending(path: $0), encoding: .utf8)
        }.joined()
    }
}
