import TallystickCore

/// The reading half of an ingest: cuts, decodes and hashes inputs into batches, ahead of the writer.
final class IngestReader {
    /// Where a batch comes from.
    struct Part: Sendable {
        /// The number of the input.
        var input: Int
        /// Bytes of the input read so far.
        var bytes: Int64
        var records: Int
        /// Set in the last part of an input.
        var end: InputEnd?
    }

    /// What is known of an input once it is read.
    struct InputEnd: Sendable {
        var records: Int64
        var digest: SHA256Digest
        /// Nil for an input without a record.
        var format: String?
        /// Whether no other input follows.
        var isLast: Bool
    }

    /// What the reader hands over, in order.
    enum Step: Sendable {
        /// A batch of one input; the last one of it has its `end`.
        case batch(PreparedBatch)
        case failed(StoreError)
    }

    private var decoder: EventDecoder
    private let steps: BlockingQueue<Step>
    private let pace: BatchPace
    private var batch = EventBatch()
    private var bytesInBatch = 0
    private var refusal: StoreError?
    private let settings: CurrentSettings
    private let mapping: EventMapping?
    private let origin: String
    private var configuration: IngestConfiguration

    /// - parameter settings: asked before each batch, so that a change counts from the next one on.
    init(
        _ settings: CurrentSettings,
        from origin: String,
        mapping: EventMapping?,
        _ pace: BatchPace,
        into steps: BlockingQueue<Step>
    ) {
        self.settings = settings
        self.origin = origin
        self.mapping = mapping
        self.steps = steps
        self.pace = pace
        configuration = settings.configuration
        decoder = EventDecoder(configuration.decoderSettings(mapping: mapping, origin: origin))
    }

    private func begin() {
        let current = settings.configuration
        if current.version != configuration.version {
            configuration = current
            decoder.use(current.decoderSettings(mapping: mapping, origin: origin))
        }
        decoder.begin(&batch)
        bytesInBatch = 0
    }

    /// Reads all inputs; ends early when the queue is finished by its other side.
    func run(_ inputs: [IngestInput]) {
        defer { steps.finish() }
        for (index, input) in inputs.enumerated() {
            do throws(StoreError) {
                guard try read(input, index, isLast: index == inputs.count - 1) else { return }
            } catch {
                steps.put(.failed(error))
                return
            }
        }
    }

    private func read(
        _ input: IngestInput,
        _ index: Int,
        isLast: Bool
    ) throws(StoreError) -> Bool {
        let chunks = try ChunkReader(input)
        var splitter = RecordSplitter()
        var hasher = SHA256Hasher()
        var bytes: Int64 = 0
        begin()
        var shouldContinue = true
        while shouldContinue {
            shouldContinue = try chunks.next { chunk in
                bytes += Int64(chunk.count)
                hasher.update(chunk)
                splitter.append(chunk)
            }
            if !shouldContinue { splitter.finish() }
            while let item = splitter.next() {
                decode(item, splitter, input.name)
                if let refusal { throw refusal }
                if batch.count >= pace.records || bytesInBatch >= pace.bytes,
                    !handOver(index, bytes, input.name)
                {
                    return false
                }
            }
            // Whoever writes to standard input slowly should not wait for a full batch.
            if case .standardInput = input, shouldContinue, batch.count > 0,
                !handOver(index, bytes, input.name)
            {
                return false
            }
        }
        let end = InputEnd(
            records: splitter.count,
            digest: hasher.digest(),
            format: splitter.count == 0 ? nil : splitter.format,
            isLast: isLast
        )
        return handOver(index, bytes, input.name, end)
    }

    private func handOver(
        _ input: Int,
        _ bytes: Int64,
        _ path: String,
        _ end: InputEnd? = nil
    ) -> Bool {
        let part = Part(input: input, bytes: bytes, records: batch.count, end: end)
        let prepared = PreparedBatch(batch, configuration, path: path, part: part)
        let isWanted = steps.put(.batch(prepared))
        begin()
        return isWanted
    }

    private func decode(_ item: RecordSplitter.Item, _ splitter: RecordSplitter, _ path: String) {
        switch item {
        case .record(let range, let place):
            bytesInBatch += range.count
            let isRight = splitter.withBytes(of: range) {
                decoder.decode($0, at: place, into: &batch)
            }
            if !isRight {
                refusal = StoreError(
                    .sourceIsOrigin,
                    during: "ingest",
                    on: "\(path), line \(place.line)",
                    "the event's source is the name of a delivery path; a source names the producer",
                    hint:
                        "Name the producer, for example with --map source='my-service' beside rules for id and type. Batches before this one are recorded, and recognised when they come again"
                )
            }
        case .oversized(let record):
            bytesInBatch += record.head.count
            record.head.withUnsafeBytes { head in
                decoder.reject(
                    head,
                    code: "too_large",
                    message:
                        "the record has \(record.length) bytes; the limit is \(EventLimits.eventBytes)",
                    length: record.length,
                    digest: record.digest,
                    at: record.place,
                    into: &batch
                )
            }
        case .misplaced(let range, let place, let message):
            splitter.withBytes(of: range) { bytes in
                decoder.reject(
                    bytes,
                    code: "json_syntax",
                    message: message,
                    length: Int64(bytes.count),
                    digest: SHA256Digest(hashing: bytes),
                    at: place,
                    into: &batch
                )
            }
        }
    }
}
