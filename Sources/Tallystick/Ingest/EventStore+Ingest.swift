public import TallystickCore

/// How a run of ingest reads its inputs.
public struct IngestOptions: Sendable {
    /// Adapts JSON objects that are not CloudEvents.
    public var mapping: EventMapping?
    /// Who runs it, for the audit trail.
    public var actor = "local"
    /// States, at the end of the run, up to when the origin is complete.
    public var completeness: IngestCompleteness?
    /// Called after each batch with the report so far.
    public var onProgress: (@Sendable (IngestReport) -> Void)?

    /// The defaults: CloudEvents, actor `local`, no progress.
    public init() {}
}

extension EventStore {
    /// Records events from inputs, in order, as deliveries by one origin.
    ///
    /// Every input gets an outcome. Running the same ingest again stores nothing new, so an interrupted
    /// run is resumed by running it again. Each batch is on disk when it is reported. A cancelled task
    /// stops after the batch that is being written, and returns what was done, with `isInterrupted`.
    ///
    /// - throws: `StoreError`: `sourceIsOrigin` when events carry the delivery path as their source,
    ///   `noInput`, `busy`, `diskFull` and others; batches reported before stay stored.
    @discardableResult
    public func ingest(
        _ inputs: IngestInput...,
        from origin: String,
        options: IngestOptions = IngestOptions()
    ) async throws(StoreError) -> IngestReport {
        try await ingest(inputs, from: origin, options: options)
    }

    /// Records events from inputs; see the variadic form.
    @discardableResult
    public func ingest(
        _ inputs: [IngestInput],
        from origin: String,
        options: IngestOptions = IngestOptions()
    ) async throws(StoreError) -> IngestReport {
        try AuditText.validate(name: origin, of: "origin", during: "ingest")
        try AuditText.validate(actor: options.actor, during: "ingest")
        let run = try await owner.beginIngest(
            origin: origin,
            inputs: inputs.map(\.name),
            options,
            configuration: settings.configuration
        )
        let pace = BatchPace()
        // One batch is read while another is written: memory holds two.
        let steps = BlockingQueue<IngestReader.Step>(bound: 0)
        var report = IngestReport(origin: origin)
        report.inputs = inputs.map { IngestReport.Input(path: $0.name, bytes: 0, events: 0) }
        do {
            try startReading(inputs, from: origin, options, pace, into: steps)
            try await withTaskCancellationHandler {
                try await write(steps, run: run, options, pace, &report)
            } onCancel: {
                // Nobody waits for an input that does not come.
                steps.finish()
            }
        } catch {
            steps.finish()
            await owner.endIngest(run, failed: true)
            throw StoreError(error, during: "ingest")
        }
        steps.finish()
        report.coverage = await owner.endIngest(run, failed: false)
        return report
    }

    private func startReading(
        _ inputs: [IngestInput],
        from origin: String,
        _ options: IngestOptions,
        _ pace: BatchPace,
        into steps: BlockingQueue<IngestReader.Step>
    ) throws {
        let settings = settings
        try startThread {
            IngestReader(settings, from: origin, mapping: options.mapping, pace, into: steps)
                .run(inputs)
        }
    }

    private func write(
        _ steps: BlockingQueue<IngestReader.Step>,
        run: Kept<BatchWriter>,
        _ options: IngestOptions,
        _ pace: BatchPace,
        _ report: inout IngestReport
    ) async throws {
        while try await runOnThread({ steps.waitForAny() }), !Task.isCancelled {
            let start = ContinuousClock.now
            let written = try await owner.writeNext(of: steps, run: run)
            StoreMetrics.ingested(
                written.reduce(OutcomeCounts()) { $0 + $1.result.outcomes },
                from: report.origin,
                in: .now - start
            )
            for (part, result) in written {
                report.add(result, input: part.input)
                report.inputs[part.input].bytes = part.bytes
                report.inputs[part.input].events += Int64(part.records)
                options.onProgress?(report)
                if part.records > 0 {
                    pace.note(records: part.records, microseconds: result.microseconds)
                }
            }
        }
        report.isInterrupted = Task.isCancelled
    }
}

extension IngestReport {
    mutating func add(_ result: BatchWriter.BatchResult, input: Int) {
        outcomes += result.outcomes
        conflictsOpened += result.conflictsOpened
        if let appended = result.positions {
            let first = positions?.lowerBound ?? Position(appended.lowerBound)
            positions = first...Position(appended.upperBound)
        }
        for var item in result.quarantine {
            item.path = inputs[input].path
            if quarantine.count < IngestLimits.reportedQuarantine { quarantine.append(item) }
        }
        quarantineTruncated = outcomes.quarantined > quarantine.count
    }
}
