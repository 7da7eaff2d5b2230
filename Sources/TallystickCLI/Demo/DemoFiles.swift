import CTallystickCLI
import Glibc
import Tallystick

/// The files that the demo reads.
struct DemoFiles {
    let projection: String
    let inputs: [(origin: String, path: String)]
    let settings: String

    /// Those of a folder like the project's fixtures.
    ///
    /// - throws: `StoreError` with `noInput` where one is missing.
    init(in folder: String) throws(StoreError) {
        projection = "\(folder)/projections/error_counts.sql"
        inputs = ["websocket", "realtime"].map { ($0, "\(folder)/events/\($0).ndjson") }
        settings = "\(folder)/settings.json"
        for path in [projection, settings] + inputs.map(\.path) { _ = try SmallFile.read(path) }
    }

    /// Those that the program carries, written to the demo's own folder.
    init(carriedInto folder: DemoFolder) throws(StoreError) {
        var files: UnsafePointer<tally_carried_file>?
        let count = tally_demo_files(&files)
        for file in UnsafeBufferPointer(start: files, count: count) {
            try folder.write(
                UnsafeRawBufferPointer(start: file.bytes, count: file.count),
                to: String(cString: file.name)
            )
        }
        projection = "\(folder.path)/error_counts.sql"
        inputs = ["websocket", "realtime"].map { ($0, "\(folder.path)/\($0).ndjson") }
        settings = "\(folder.path)/settings.json"
    }
}
