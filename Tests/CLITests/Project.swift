import Foundation
import TallystickTestSupport
import Testing

/// Files of the project that tests read.
enum Project {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func file(_ path: String) -> String { root.appending(path: path).path }

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: file(path), encoding: .utf8)
    }
}

extension TallyCommand {
    /// Records an event of origin `a`, over whose time another origin states that it is complete.
    func makeMissing(at origin: String, in store: String) {
        let line =
            #"{"specversion":"1.0","id":"m","source":"/s","type":"t","time":"2026-03-01T00:00:00Z"}"#
        #expect(run(["ingest", store, "-", "--origin", "a"], input: line).code == 0)
        let words = ["origins", "complete", store, origin, "--through", "2026-03-02T00:00:00Z"]
        #expect(run(words + ["--reason", "why"]).code == 0)
    }
}
