import CSQLite
import Foundation
import GRDB
import Tallystick

let folder = FileManager.default.temporaryDirectory.appending(
    path: "package-user-\(UUID().uuidString)"
)
try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(at: folder) }
let path = folder.appending(path: "orders.db").path

// Tallystick writes.
let store = try await EventStore.create(at: path)
let lines = (1...100).map {
    #"{"specversion":"1.0","id":"\#($0)","source":"/shop","type":"order.placed","data":{"n":\#($0)}}"#
}
let report = try await store.ingest(
    .bytes(Array(lines.joined(separator: "\n").utf8), named: "lines"),
    from: "webhook"
)
precondition(report.outcomes.appended == 100)
let verified = try await store.verify()
precondition(verified.isIntact)

// GRDB reads the same file.
var configuration = Configuration()
configuration.readonly = true
let queue = try DatabaseQueue(path: path, configuration: configuration)
let count = try queue.read {
    try Int.fetchOne($0, sql: "SELECT count(*) FROM event_log WHERE stream = '/shop'")
}
precondition(count == 100)

// So does SQLite's own interface.
var database: OpaquePointer?
precondition(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK)
var statement: OpaquePointer?
precondition(
    sqlite3_prepare_v2(database, "SELECT max(position) FROM events", -1, &statement, nil)
        == SQLITE_OK
)
precondition(sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int64(statement, 0) == 100)
sqlite3_finalize(statement)
sqlite3_close(database)

await store.close()
print("Tallystick, GRDB and CSQLite work in one program")
