import TallystickCore
import TallystickSQLite

extension StoreOwner {
    /// Begins a run of ingest; to be ended by `end`.
    func beginIngest(
        origin: String,
        inputs: [String],
        _ options: IngestOptions,
        configuration: IngestConfiguration
    ) throws(StoreError) -> Kept<BatchWriter> {
        try begin("ingest") { writer, helper in
            try BatchWriter(
                writer,
                origin: origin,
                actor: options.actor,
                configuration: configuration,
                helper: helper,
                run: IngestRun(writer, origin: origin, inputs: inputs, options)
            )
        }
    }

    /// Ends a run; one that did not come to the end of its inputs says so, as far as the store can still be written.
    ///
    /// - returns: what the run stated about the completeness of its origin.
    @discardableResult
    func endIngest(_ run: Kept<BatchWriter>, failed: Bool) -> OriginCoverage? {
        defer { end(run) }
        guard let writer = try? value(of: run, "ingest") else { return nil }
        // A run without such a row counts as one that was killed.
        try? writer.end(failed ? .failed : .interrupted, during: "end the ingest")
        return writer.coverage
    }

    /// Writes the batch that comes next, and others that wait after it where one transaction has time for them.
    ///
    /// They are taken here, so that nobody else keeps them while they are written: each takes much memory.
    ///
    /// - returns: for each of which input it is, and what it became.
    func writeNext(
        of steps: BlockingQueue<IngestReader.Step>,
        run: Kept<BatchWriter>
    ) throws(StoreError) -> [(part: IngestReader.Part, result: BatchWriter.BatchResult)] {
        let writer = try value(of: run, "ingest")
        var failure: StoreError?
        var parts: [IngestReader.Part] = []
        let results = try writer.write(during: "ingest") { isWanted in
            let step = steps.nextIfAny { step in
                guard case .batch(let batch) = step else { return parts.isEmpty }
                return isWanted(batch)
            }
            switch step {
            case nil: return nil
            case .failed(let error):
                failure = error
                return nil
            case .batch(let batch):
                if let part = batch.part { parts.append(part) }
                return batch
            }
        }
        if let failure { throw failure }
        return Array(zip(parts, results))
    }

    func append(
        _ events: [Event],
        to stream: String,
        expecting expectation: AppendExpectation,
        configuration: IngestConfiguration
    ) throws(StoreError) -> [AppendedEvent] {
        let appender = try only("append") { writer, helper in
            try Appender(writer, configuration: configuration, helper: helper)
        }
        return try withWriter("append") { _ in
            try appender.append(events, to: stream, expecting: expectation)
        }
    }

    func releaseQuarantined(
        _ id: Int64,
        actor: String,
        reason: String,
        mapping: EventMapping?,
        configuration: IngestConfiguration
    ) throws(StoreError) -> IngestOutcome {
        try withWriter("release from quarantine") { writer in
            try QuarantineRelease(writer, configuration, helper).release(
                id,
                actor: actor,
                reason: reason,
                mapping: mapping
            )
        }
    }
}
