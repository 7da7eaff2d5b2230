import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// What the public TestKit promises to the tests of other packages.
@Suite("TestKit")
struct TestKitTests {
    private struct Refusal: Error {}

    @Test("A temporary store is closed and removed, whether the body returns or throws")
    func temporaryStore() async throws {
        var stores: [TemporaryStore] = []
        var paths: [String] = []
        let stored = try await TemporaryStore.with { temporary in
            paths.append(temporary.path)
            stores.append(temporary)
            let event = Event(id: "1", source: "/s", type: "order.placed", data: .json("{}"))
            return try await temporary.ingest([event], from: "webhook").outcomes.appended
        }
        #expect(stored == 1)
        await #expect(throws: Refusal.self) {
            try await TemporaryStore.with { temporary in
                paths.append(temporary.path)
                stores.append(temporary)
                throw Refusal()
            }
        }
        #expect(Set(paths).count == 2)
        for temporary in stores {
            #expect(FileManager.default.fileExists(atPath: temporary.path))
            #expect(await failureCode { try await temporary.ingest([], from: "poll") } == .closed)
        }
        stores = []
        for path in paths {
            let folder = URL(filePath: path).deletingLastPathComponent().path
            #expect(!FileManager.default.fileExists(atPath: folder), "\(folder)")
        }
    }

    @Test(
        "The store's time is that of the manual clock, and its settings are those that were given"
    )
    func clockAndSettings() async throws {
        let clock = ManualClock()
        let file = #"{"default_category": "debug"}"#
        try await TemporaryStore.with(settings: file, clock: clock) { temporary in
            #expect(try await temporary.store.settings().recordedAt.microseconds == clock.now)
            #expect(temporary.store.settingsInForce.defaultCategory == "debug")
            clock.advance(seconds: 90)
            let applied = try await temporary.store.apply(
                settings: Array(#"{"default_category": "system"}"#.utf8),
                actor: "test",
                reason: "time has passed"
            )
            let recorded = try await temporary.store.settings(version: applied.version)
            #expect(recorded.recordedAt.microseconds == clock.now)
        }
    }

    @Test("The same seed gives the same events, and every one is a CloudEvent")
    func seededEvents() async throws {
        var generator = EventGenerator(seed: 1, streams: 10)
        var again = generator
        var other = EventGenerator(seed: 2, streams: 10)
        let bytes = generator.events(100)
        #expect(again.events(100) == bytes)
        #expect(other.events(100) != bytes)
        let delivery = IngestInput.bytes(bytes, named: "generated")
        try await TemporaryStore.with { temporary in
            let first = try await temporary.store.ingest(delivery, from: "webhook")
            #expect(first.outcomes.appended == 100)
            let second = try await temporary.store.ingest(delivery, from: "poll")
            #expect(second.outcomes.confirmed == 100)
        }
    }
}
