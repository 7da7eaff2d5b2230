public import TallystickCore

extension EventStore {
    /// Appends events to a stream, all of them or none.
    ///
    /// Idempotent: when the stream has every one of the events with the same content already, nothing is
    /// written and the original places are returned, whatever was expected.
    ///
    /// - returns: where each event stands, in the order given.
    /// - throws: `StoreError`: `expectationFailed`; `contentDiffers` when the store has other content
    ///   under an event's source and id; `badInput` for an event that is not valid.
    @discardableResult
    public func append(
        _ events: [Event],
        to stream: String,
        expecting expectation: AppendExpectation = .any
    ) async throws(StoreError) -> [AppendedEvent] {
        try await owner.append(
            events,
            to: stream,
            expecting: expectation,
            configuration: settings.configuration
        )
    }

    /// Appends events given as CloudEvents (JSON): NDJSON, an array, or one object. Otherwise as the form that
    /// takes values.
    @discardableResult
    public func append(
        json: [UInt8],
        to stream: String,
        expecting expectation: AppendExpectation = .any
    ) async throws(StoreError) -> [AppendedEvent] {
        var splitter = RecordSplitter()
        json.withUnsafeBytes { splitter.append($0) }
        splitter.finish()
        var events: [Event] = []
        while let item = splitter.next() {
            guard case .record(let range, let place) = item else {
                throw StoreError(
                    .badInput,
                    during: "append",
                    "the input is too large, or not whole"
                )
            }
            let decoded = splitter.withBytes(of: range) { Event.decoded(from: $0) }
            do {
                events.append(try decoded.get())
            } catch {
                throw StoreError(
                    .badInput,
                    during: "append",
                    on: "line \(place.line)",
                    "\(error.message) (\(error.code))"
                )
            }
        }
        guard !events.isEmpty else {
            throw StoreError(.badInput, during: "append", "the input contains no event")
        }
        return try await append(events, to: stream, expecting: expectation)
    }
}
