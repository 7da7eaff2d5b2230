import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Names of rows")
struct NameCacheTests {
    @Test("Only ids of the dictionary have names, whatever a row that was changed says")
    func ids() async throws {
        let test = try await TestStore()
        try await test.ingest(
            eventLine("1"),
            from: "a"
        )
        let connection = try Connection(path: test.path, mode: .readOnly)
        let names = try NameCache(.sources, in: connection)
        #expect(try names.load(1))
        #expect(Array(names.name(1)) == Array("\"/s\"".utf8))
        for id in [0, -1, -2, 2, 4096, 4097, .min, .max] as [Int64] {
            #expect(try !names.load(id), "\(id)")
            #expect(try !names.load(id), "\(id) again")
        }
        #expect(try names.load(1))
    }
}
