import Glibc
import Tallystick
import TallystickCore
import TallystickMigrations
import TallystickTestSupport

/// The events of a run, as a file. Never held in memory as a whole.
final class Workload {
    /// The store's schema, for the C loops.
    static let schema = Migrations.all.map(\.sql).joined()
    static let pageBytes: Int32 = 4096

    let path: String
    let count: Int
    let streams: Int
    private(set) var byteCount = 0
    /// From a sample: events whose category is critical, which have SHA-256 as their checksum.
    private(set) var criticalPercent = 0

    init(events: Int, streams: Int, at path: String) throws {
        self.path = path
        count = events
        self.streams = streams
        let output = try OutputFile(path)
        var generator = EventGenerator(seed: 42, streams: streams)
        var bytes: [UInt8] = []
        for index in 0..<events {
            generator.appendEvent(to: &bytes)
            if bytes.count >= OutputFile.chunk || index == events - 1 {
                byteCount += bytes.count
                try output.write(&bytes)
            }
        }
        try output.finish()
        var critical = 0
        try ParsedRows(self).forEach { rows in
            critical = rows.count { $0.checksum.count == SHA256Digest.byteCount } * 100 / rows.count
            return false
        }
        criticalPercent = critical
    }

    /// The first events, in the form used by a program, each with the stream into which ingest would put it.
    func firstEvents(_ count: Int) throws -> [(event: Event, stream: String)] {
        var lines: [UInt8] = []
        var found = 0
        try InputFile(path).forEachChunk { chunk in
            for byte in chunk where found < count {
                lines.append(byte)
                if byte == 0x0A { found += 1 }
            }
            return found < count
        }
        return try lines.split(separator: 0x0A).map { line in
            let root = try JSONDocument(Array(line)).root
            func text(_ name: String) throws -> String {
                guard let text = root[name]?.string else { throw failed("an event has no \(name)") }
                return text
            }
            let event = Event(
                id: try text("id"),
                source: try text("source"),
                type: try text("type"),
                subject: try text("subject"),
                time: try text("time"),
                dataContentType: try text("datacontenttype"),
                data: root["data"].map { .json($0.canonical) }
            )
            return (event, "\(event.source)#\(event.subject ?? "")")
        }
    }

    /// Writes the same events in another order, with every `changedEvery`th one changed in its data.
    func shuffle(to other: String, changedEvery: Int? = nil) throws {
        let starts = try lineStarts()
        var random = SeededGenerator(seed: 7)
        let order = (0..<count).shuffled(using: &random)
        guard let input = fopen(path, "r") else { throw failed("the workload cannot be opened") }
        defer { fclose(input) }
        let output = try OutputFile(other)
        var bytes: [UInt8] = []
        for (place, index) in order.enumerated() {
            var line = [UInt8](repeating: 0, count: Int(starts[index + 1] - starts[index]))
            guard fseek(input, Int(starts[index]), SEEK_SET) == 0,
                fread(&line, 1, line.count, input) == line.count
            else { throw failed("the workload cannot be read") }
            if let changedEvery, place % changedEvery == 0 { Self.change(&line) }
            bytes += line
            if bytes.count >= OutputFile.chunk || place == count - 1 { try output.write(&bytes) }
        }
        try output.finish()
    }

    /// Another value of the data's last member, a region.
    private static func change(_ line: inout [UInt8]) {
        let region = line.count - 6
        line[region] = UInt8(ascii: "x")
    }

    private func lineStarts() throws -> [Int64] {
        var starts: [Int64] = [0]
        starts.reserveCapacity(count + 1)
        var offset: Int64 = 0
        try InputFile(path).forEachChunk { chunk in
            for byte in chunk {
                offset += 1
                if byte == 0x0A { starts.append(offset) }
            }
            return true
        }
        return starts
    }
}

/// A file that is written in pieces.
final class OutputFile {
    static let chunk = 1 << 20
    private let file: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        guard let file = fopen(path, "w") else { throw failed("\(path) cannot be written") }
        self.file = file
    }

    /// Writes the bytes and empties the buffer.
    func write(_ bytes: inout [UInt8]) throws {
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw failed("the workload cannot be written; is there room on the disk?")
        }
        bytes.removeAll(keepingCapacity: true)
    }

    func finish() throws {
        guard fclose(file) == 0 else {
            throw failed("the workload cannot be written; is there room on the disk?")
        }
    }
}

/// A file that is read in pieces.
struct InputFile {
    private let path: String

    init(_ path: String) { self.path = path }

    /// - parameter body: returns false to end the reading.
    func forEachChunk(_ body: (UnsafeRawBufferPointer) throws -> Bool) throws {
        guard let file = fopen(path, "r") else { throw failed("\(path) cannot be opened") }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: OutputFile.chunk)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { return }
            guard
                try buffer.withUnsafeBytes({
                    try body(UnsafeRawBufferPointer(rebasing: $0[..<count]))
                })
            else { return }
        }
    }
}
