public import TallystickCore

/// Which events to read, and in which order.
public struct EventReading: Sendable, Equatable {
    /// A place in the store, or in a stream.
    public enum Place: Sendable, Equatable {
        case position(Position)
        /// Only together with a stream.
        case revision(Revision)
    }

    /// Only this stream, in order of its revisions.
    public var stream: String?
    /// Only this type; of effective events, the type that counts.
    public var type: String?
    /// Only events of this category.
    public var category: String?
    /// Only what comes after this place.
    public var after: Place?
    /// Only what comes before this place.
    public var before: Place?
    /// Only events whose own time is later: RFC 3339. Events without a time are then left out.
    public var afterTime: String?
    /// Only events whose own time is earlier: RFC 3339. Events without a time are then left out.
    public var beforeTime: String?
    /// Newest first.
    public var backwards = false
    /// At most so many events.
    public var limit: Int64?
    /// Events as appended, whatever was decided since. Otherwise effective ones: as resolutions say, and
    /// none that a resolution excludes.
    public var asRecorded = false
    /// Waits for further events at the end, until the task is cancelled; the sequence then ends.
    public var follows = false

    /// All events, in order of their positions.
    public init() {}

    /// - throws: `invalidArgument` for bounds that cannot be meant.
    func check() throws(StoreError) {
        func invalid(_ message: String) -> StoreError {
            StoreError(.invalidArgument, during: "read events", message)
        }
        for case .revision? in [after, before] where stream == nil {
            throw invalid("a revision is a place in a stream, and no stream is given")
        }
        for case let text? in [afterTime, beforeTime] where RFC3339Instant(text) == nil {
            throw invalid("'\(text)' is not an RFC 3339 time")
        }
        if follows && backwards { throw invalid("only a reading forwards can follow") }
        if let limit, limit < 0 { throw invalid("the limit is negative") }
    }
}

extension EventStore {
    /// The events of a stream, in order of revision.
    ///
    /// ```swift
    /// for try await event in store.events(in: "order-42", after: .revision(3)) { print(event.type) }
    /// ```
    ///
    /// - parameter reading: further conditions; its `stream` and `after` give way to the arguments.
    public func events(
        in stream: String,
        after place: EventReading.Place? = nil,
        _ reading: EventReading = EventReading()
    ) -> EventSequence {
        var reading = reading
        reading.stream = stream
        if let place { reading.after = place }
        return events(reading)
    }

    /// Events by stream, type, category, position and time, in either direction.
    ///
    /// Every event is compared with its checksum and proof before it is handed on, and every decision over it with
    /// the audit trail's. Events are read page by page, in transactions of at most about a second, as the loop asks for
    /// them: a slow consumer holds nothing open. A reading that does not follow sees the store as it was
    /// when the first event was asked for.
    public func events(_ reading: EventReading = EventReading()) -> EventSequence {
        EventSequence(path: path, options: options, reading: reading)
    }
}

/// Events as they are read: see ``EventStore/events(_:)``.
///
/// The loop throws `StoreError`: `integrity` names a record that differs from its proof; `interrupted` when the
/// task is cancelled before the end.
public struct EventSequence: AsyncSequence, Sendable {
    public typealias Element = StoredEvent
    public typealias Failure = StoreError

    let path: String
    let options: StoreOptions
    let reading: EventReading

    public func makeAsyncIterator() -> Iterator {
        Iterator(pager: EventPager(path, options, reading), follows: reading.follows)
    }

    /// Asks for one page after the other.
    public struct Iterator: AsyncIteratorProtocol {
        public typealias Element = StoredEvent
        public typealias Failure = StoreError

        let pager: EventPager
        let follows: Bool
        private var page: [StoredEvent] = []
        private var index = 0
        private var isAtEnd = false

        init(pager: EventPager, follows: Bool) {
            self.pager = pager
            self.follows = follows
        }

        public mutating func next() async throws(StoreError) -> StoredEvent? {
            try await next(isolation: nil)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> StoredEvent? {
            while index == page.count {
                guard !isAtEnd else { return nil }
                let read = try await pager.next()
                (page, index) = (read.events, 0)
                switch read.end {
                case .more: break
                case .done: isAtEnd = true
                case .caughtUp:
                    guard follows else {
                        isAtEnd = true
                        break
                    }
                    if page.isEmpty, await !Self.pause() { isAtEnd = true }
                }
            }
            defer { index += 1 }
            return page[index]
        }

        /// Waits before the next look; false when the task is cancelled.
        private static func pause() async -> Bool {
            do {
                try await Task.sleep(for: EventReadingLimits.poll)
                return true
            } catch {
                return false
            }
        }
    }
}

/// Limits of a reading.
enum EventReadingLimits {
    /// Rows that one transaction looks at.
    static let scannedRows: Int64 = 10_000
    /// Events of one page.
    static let pageEvents = 1_000
    /// Bytes of content after which a page ends.
    static let pageBytes = 4 << 20
    /// After so long a page ends.
    static let pageMicroseconds: Int64 = 800_000
    /// How often a reading that follows looks for more.
    static let poll = Duration.milliseconds(100)
}
