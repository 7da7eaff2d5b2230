import Tallystick
import TallystickTestSupport
import Testing

@Suite("Threads")
struct ThreadTests {
    private static func isRefused(_ call: () async throws -> Void) async -> Bool {
        do {
            try await call()
            return false
        } catch {
            let error = error as? StoreError
            return error?.code == .inputOutput && error?.isRetryable == true
        }
    }

    @Test(
        "Where the operating system refuses a thread, a call fails that can be repeated, and nothing is lost"
    )
    func refused() async {
        await #expect(processExitsWith: .success) {
            let test = try await TestStore()
            try await test.ingest(eventLine("1", data: 1), from: "websocket")
            await Stacks.withoutThreads {
                #expect(await Self.isRefused { _ = try await EventStore.open(at: test.path) })
                #expect(await Self.isRefused { _ = try await test.store.verify() })
                #expect(
                    await Self.isRefused {
                        try await test.ingest(eventLine("2", data: 1), from: "websocket")
                    }
                )
            }
            let report = try await test.ingest(eventLine("2", data: 1), from: "websocket")
            #expect(report.outcomes.appended == 1)
            #expect(try await test.store.verify().isIntact)
            await test.store.close()
        }
    }
}
