import Glibc
import Tallystick
import TallystickCore

/// A process of its own for what tests cannot do in theirs: be killed, meet a failing disk, start small.
///
/// `append STORE WRITER STREAMS` appends events WRITER-0, WRITER-1, … to shared streams until it is killed, from the
/// beginning each time, and writes a line `ID STREAM REVISION POSITION` for each append that was acknowledged.
/// `commit STORE WRITER COUNT FRAMES` appends so many and closes the store, whose log is written back after so many
/// frames. `claim` is a process that breaks the rule of the other: it writes the line before the event is stored.
/// `fail STORE` appends two events and writes what each became: the test makes the disk fail.
/// `measure FILE COMMAND…` runs a command, and writes to the file the most memory that it had, in KiB.
@main
enum CrashWorker {
    static func main() async {
        let words = CommandLine.arguments
        switch words.dropFirst().first {
        case "append" where words.count == 5:
            await appendForEver(words[2], words[3], Int(words[4]) ?? 1)
        case "commit" where words.count == 6:
            exit(
                await commit(
                    words[2],
                    words[3],
                    count: Int(words[4]) ?? 1,
                    frames: Int32(words[5]) ?? 1000
                )
            )
        case "claim" where words.count == 5:
            await claimForEver(words[2], words[3], Int(words[4]) ?? 1)
        case "fail" where words.count == 3: await appendTwice(words[2])
        case "measure" where words.count > 3: measure(Array(words[3...]), file: words[2])
        default:
            say(
                "usage: append STORE WRITER STREAMS | commit STORE WRITER COUNT FRAMES | fail STORE | measure FILE COMMAND…"
            )
        }
    }

    private static func open(
        _ path: String,
        checkpointFrames: Int32? = nil
    ) async throws(StoreError) -> EventStore {
        var options = StoreOptions()
        if let checkpointFrames { options.writerLimits.checkpointFrames = checkpointFrames }
        options.busyTimeout = .seconds(60)
        return try await EventStore.open(at: path, options: options)
    }

    private static func claimForEver(_ path: String, _ writer: String, _ streams: Int) async {
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
                say("\(event.id) \(stream) - -")
                try await store.append([event], to: stream)
                number += 1
            }
        } catch {
            say("failed: \(error.code) \(error.message)")
        }
    }

    private static func appendForEver(_ path: String, _ writer: String, _ streams: Int) async {
        do throws(StoreError) {
            let store = try await open(path)
            var number = 0
            while true {
                try await append(number, of: writer, to: store, streams)
                number += 1
            }
        } catch {
            say("failed: \(error.code) \(error.message)")
        }
    }

    /// Appends events 0, 1, … of a writer, and acknowledges each.
    ///
    /// - parameter frames: pages in the write-ahead log after which it is written back.
    /// - returns: the exit code.
    static func commit(_ path: String, _ writer: String, count: Int, frames: Int32) async -> Int32 {
        do throws(StoreError) {
            let store = try await open(path, checkpointFrames: frames)
            for number in 0..<count { try await append(number, of: writer, to: store, 3) }
            await store.close()
            return 0
        } catch {
            say("failed: \(error.code) \(error.message)")
            return 1
        }
    }

    private static func append(
        _ number: Int,
        of writer: String,
        to store: EventStore,
        _ streams: Int
    ) async throws(StoreError) {
        let event = Event(
            id: "\(writer)-\(number)",
            source: "/\(writer)",
            type: "work",
            data: .json("{\"n\":\(number)}")
        )
        let stream = "shared-\(number % max(1, streams))"
        for place in try await store.append([event], to: stream) {
            say("\(event.id) \(stream) \(place.revision.rawValue) \(place.position.rawValue)")
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

    private static func measure(_ command: [String], file: String) {
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        words.append(nil)
        var (child, status, usage) = (pid_t(), Int32(), rusage())
        guard posix_spawnp(&child, command[0], nil, nil, words, environ) == 0,
            wait4(child, &status, 0, &usage) == child
        else { exit(127) }
        if let output = fopen(file, "w") {
            fputs("\(usage.ru_maxrss)\n", output)
            fclose(output)
        }
        let signal = status & 0x7F
        if signal != 0 { kill(getpid(), signal) }
        exit((status >> 8) & 0xFF)
    }

    /// One line, at once and in one piece.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A test that no longer reads has what it needs.
        _ = write(1, bytes, bytes.count)
    }
}
