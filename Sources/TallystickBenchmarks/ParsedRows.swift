import CTallystickBaseline
import TallystickCore

/// The workload as parsed rows for the C loops, one transaction's worth at a time.
///
/// Parsing and laying out the rows is not part of the measurement.
final class ParsedRows {
    private let workload: Workload
    private var decoder = EventDecoder(EventDecoderSettings())
    private var splitter = RecordSplitter()
    private var batch = EventBatch()
    /// By the number in a stream's subject: its next revision; 0 for a stream not seen yet.
    private var nextRevision: [Int64]

    init(_ workload: Workload) {
        self.workload = workload
        nextRevision = [Int64](repeating: 0, count: workload.streams)
    }

    /// Calls `body` with batch after batch; it must not keep the rows. Returning false ends the reading.
    func forEach(_ body: (UnsafeBufferPointer<tally_row>) throws -> Bool) throws {
        decoder.begin(&batch)
        var shouldContinue = true
        try InputFile(workload.path).forEachChunk { chunk in
            splitter.append(chunk)
            shouldContinue = try cut(body)
            return shouldContinue
        }
        guard shouldContinue else { return }
        splitter.finish()
        if try cut(body), batch.count > 0 { _ = try handOver(body) }
    }

    private func cut(_ body: (UnsafeBufferPointer<tally_row>) throws -> Bool) throws -> Bool {
        while let item = splitter.next() {
            guard case .record(let range, let place) = item else { continue }
            _ = splitter.withBytes(of: range) { decoder.decode($0, at: place, into: &batch) }
            if batch.count == BatchSize.ingest, try !handOver(body) { return false }
        }
        return true
    }

    private func handOver(_ body: (UnsafeBufferPointer<tally_row>) throws -> Bool) throws -> Bool {
        let shouldContinue = try batch.arena.withUnsafeBytes { arena in
            let rows = batch.events.map { row($0, arena) }
            return try rows.withUnsafeBufferPointer(body)
        }
        decoder.begin(&batch)
        return shouldContinue
    }

    private func row(_ event: BatchEvent, _ arena: UnsafeRawBufferPointer) -> tally_row {
        func text(_ range: ByteRange) -> tally_text {
            guard range.isPresent else { return tally_text(bytes: nil, count: 0) }
            return Self.text(arena.slice(range))
        }
        let stream = Self.number(after: "host-", in: arena.slice(event.subject))
        let isCritical = event.checksum.algorithm != .crc32
        var row = tally_row()
        row.source_id = Int64(event.source) + 1
        row.stream_id = Int64(stream) + 1
        row.revision = nextRevision[stream]
        nextRevision[stream] += 1
        row.type_id = Int64(event.type) + 1
        row.category_id = Int64(event.category) + 1
        row.origin_id = 1
        row.recorded_at = 1_790_000_000_000_000
        row.id = text(event.id)
        row.algorithm = Self.constant(isCritical ? "sha256" : "crc32")
        // Any bytes of the right length will do: the loop does not hash.
        let length = isCritical ? SHA256Digest.byteCount : CRC32.byteCount
        row.checksum = Self.text(
            UnsafeRawBufferPointer(rebasing: arena.slice(event.content)[..<length])
        )
        row.subject = text(event.subject)
        row.time = text(event.time)
        row.content_type = text(event.dataContentType)
        row.attributes = text(event.attributes)
        row.delivery = text(event.deliveryAttributes)
        row.data = text(event.data)
        if row.revision == 0 {
            // Without its quotation marks.
            row.new_stream = Self.text(
                UnsafeRawBufferPointer(
                    rebasing: arena.slice(event.streamName).dropFirst().dropLast()
                )
            )
        }
        return row
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> tally_text {
        tally_text(
            bytes: bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
            count: Int64(bytes.count)
        )
    }

    private static func constant(_ text: StaticString) -> tally_text {
        self.text(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func number(after prefix: StaticString, in bytes: UnsafeRawBufferPointer) -> Int
    {
        bytes.dropFirst(prefix.utf8CodeUnitCount).reduce(0) { $0 * 10 + Int($1) - 0x30 }
    }
}

/// The C loop that inserts rows.
enum InsertLoop {
    /// Seconds that the loop takes for the first `events` rows, including closing.
    static func seconds(
        _ workload: Workload,
        at path: String,
        events: Int,
        batch: Int
    ) throws -> Double {
        var loop: OpaquePointer?
        var code = tally_loop_open(
            path,
            Workload.schema,
            Workload.pageBytes,
            Int32(BatchSize.logPages),
            &loop
        )
        var time = Duration.zero
        var inserted = 0
        if code == 0 {
            try ParsedRows(workload).forEach { rows in
                let count = min(rows.count, events - inserted)
                let started = ContinuousClock.now
                code = tally_loop_insert(loop, rows.baseAddress, Int64(count), Int64(batch))
                time += ContinuousClock.now - started
                inserted += count
                return code == 0 && inserted < events
            }
        }
        let started = ContinuousClock.now
        let closed = tally_loop_close(loop)
        time += ContinuousClock.now - started
        if code == 0 { code = closed }
        guard code == 0 else { throw failed("the C loop", code) }
        return time / .seconds(1)
    }
}
