import Glibc
import Tallystick
import TallystickCore

/// The process that tests kill: it appends one event after the other, and says so only when an append was
/// acknowledged.
///
/// `append STORE WRITER STREAMS` appends events WRITER-0, WRITER-1, … to shared streams until it is killed, from the
/// beginning each time, and writes a line `ID STREAM REVISION POSITION` for each. `fail STORE` appends two events
/// and writes what each became: the test makes the disk fail.
@main
enum CrashWorker {
    static func main() async {
        let words = CommandLine.arguments
        switch words.dropFirst().first {
        case "append" where words.count == 5:
            await appendForEver(words[2], words[3], Int(words[4]) ?? 1)
        case "fail" where words.count == 3: await appendTwice(words[2])
        default: say("usage: append STORE WRITER STREAMS | fail STORE")
        }
    }

    private static func open(_ path: String) async throws(StoreError) -> EventStore {
        var options = StoreOptions()
        options.busyTimeout = .seconds(60)
        return try await EventStore.open(at: path, options: options)
    }

    private static func appendForEver(_ path: String, _ writer: String, _ streams: Int) async {
        do throws(StoreError) {
            let store = try await open(path)
            var number = 0
            while true {
                let event = Event(
                    id: "\(writer)-\(number)",
                    source: "/\(writer)",
                    type: "work",
                    data: .json("{\"n\":\(number)}")
                )
                let stream = "shared-\(number % max(1, streams))"
                for place in try await store.append([event], to: stream) {
                    say(
                        "\(event.id) \(stream) \(place.revision.rawValue) \(place.position.rawValue)"
                    )
                }
                number += 1
            }
        } catch {
            say("failed: \(error.code) \(error.message)")
        }
    }

    private static func appendTwice(_ path: String) async {
        do throws(StoreError) {
            let store = try await open(path)
            for id in ["first", "second"] {
                let event = Event(id: id, source: "/fail", type: "work", data: .json("1"))
                do throws(StoreError) {
                    try await store.append([event], to: "fail")
                    say("\(id) stored")
                } catch {
                    say("\(id) \(error.code)")
                }
            }
            await store.close()
        } catch {
            say("open \(error.code)")
        }
    }

    /// One line, at once and in one piece.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A test that no longer reads has what it needs.
        _ = write(1, bytes, bytes.count)
    }
}
