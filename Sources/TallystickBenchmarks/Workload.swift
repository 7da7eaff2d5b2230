import CTallystickBaseline
import TallystickCore
import TallystickMigrations
import TallystickTestKit

/// The events of a run: as bytes for the store, and as parsed rows for the C loops.
final class Workload {
    let bytes: [UInt8]
    let count: Int
    let schema: String
    private(set) var rows: [tally_row] = []
    private(set) var names: [tally_name] = []
    /// What rows point into; never changed once rows are made.
    private let memory: UnsafeMutablePointer<UInt8>

    init(events: Int, streams: Int) throws {
        count = events
        var generator = EventGenerator(seed: 42, streams: streams)
        bytes = generator.events(events)
        schema = Migrations.all.map(\.sql).joined()
        // Arenas hold contents, names and unescaped texts: at most a few times the input.
        memory = .allocate(capacity: bytes.count * 4)
        decode()
    }

    deinit { memory.deallocate() }

    private func decode() {
        var decoder = EventDecoder(EventDecoderSettings())
        var splitter = RecordSplitter()
        var batch = EventBatch()
        bytes.withUnsafeBytes { splitter.append($0) }
        splitter.finish()
        var used = 0
        var revisions: [Int32: Int64] = [:]
        decoder.begin(&batch)
        func flush() {
            let base = memory + used
            batch.arena.withUnsafeBufferPointer {
                base.update(from: $0.baseAddress ?? UnsafePointer(base), count: $0.count)
            }
            used += batch.arena.count
            for name in batch.newStreams.names {
                let text = tally_text(
                    bytes: pointer(base, Int(name.start) + 1),
                    count: Int64(name.count) - 2
                )
                names.append(tally_name(id: Int64(names.count + 1), name: text))
            }
            for event in batch.events { rows.append(row(event, base, &revisions)) }
            decoder.begin(&batch)
        }
        while let item = splitter.next() {
            guard case .record(let range, let place) = item else { continue }
            _ = splitter.withBytes(of: range) { decoder.decode($0, at: place, into: &batch) }
            if batch.count == 65_536 { flush() }
        }
        flush()
    }

    private func row(
        _ event: BatchEvent,
        _ base: UnsafeMutablePointer<UInt8>,
        _ revisions: inout [Int32: Int64]
    ) -> tally_row {
        func text(_ range: ByteRange) -> tally_text {
            range.isPresent
                ? tally_text(bytes: pointer(base, Int(range.start)), count: Int64(range.count))
                : tally_text(bytes: nil, count: 0)
        }
        let revision = revisions[event.stream, default: 0]
        revisions[event.stream] = revision + 1
        let algorithm = event.checksum.algorithm == .crc32 ? "crc32" : "sha256"
        var row = tally_row()
        row.source_id = Int64(event.source) + 1
        row.stream = Int64(event.stream)
        row.revision = revision
        row.type_id = Int64(event.type) + 1
        row.category_id = Int64(event.category) + 1
        row.origin_id = 1
        row.recorded_at = 1_790_000_000_000_000
        row.id = text(event.id)
        row.algorithm = Self.constant(algorithm)
        // Any bytes of the right length will do: the loop hashes nothing.
        row.checksum = tally_text(
            bytes: pointer(base, Int(event.id.start)),
            count: Int64(event.checksum.algorithm.byteCount)
        )
        row.subject = text(event.subject)
        row.time = text(event.time)
        row.content_type = text(event.dataContentType)
        row.attributes = text(event.attributes)
        row.delivery = text(event.deliveryAttributes)
        row.data = text(event.data)
        return row
    }

    private func pointer(_ base: UnsafeMutablePointer<UInt8>, _ offset: Int) -> UnsafePointer<CChar>
    {
        UnsafeRawPointer(base + offset).assumingMemoryBound(to: CChar.self)
    }

    private static func constant(_ name: String) -> tally_text {
        let text: StaticString = name == "crc32" ? "crc32" : "sha256"
        let bytes = UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
        return tally_text(bytes: bytes, count: Int64(text.utf8CodeUnitCount))
    }
}
