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
    /// Only this type; for effective events, the effective type.
    public var type: String?
    /// Only events of this category.
    public var category: String?
    /// Only events after this place.
    public var after: Place?
    /// Only events before this place.
    public var before: Place?
    /// Only events whose own time is later: RFC 3339. Events without a time are then left out.
    public var afterTime: String?
    /// Only events whose own time is earlier: RFC 3339. Events without a time are then left out.
    public var beforeTime: String?
    /// Newest first.
    public var backwards = false
    /// The maximum number of events.
    public var limit: Int64?
    /// Events as appended, regardless of later decisions. Otherwise effective events: as resolutions made them,
    /// without those that a resolution excludes.
    public var asRecorded = false
    /// Waits for further events at the end until the task is cancelled; the sequence then ends.
    public var follows = false

    /// All events, in order of their positions.
    public init() {}

    /// - throws: `invalidArgument` for invalid bounds.
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
    /// - parameter stream: the stream's name.
    /// - parameter place: only what comes after it; nil for the whole stream.
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
    /// Every event is verified against its checksum and proof before it is returned, and every decision on it against
    /// the audit trail. Events are read page by page, in transactions of at most about a second, as the loop requests
    /// them: a slow consumer holds no transaction open. A sequence that does not follow sees the store as it was when
    /// the first event was requested.
    public func events(_ reading: EventReading = EventReading()) -> EventSequence {
        EventSequence(path: path, options: options, reading: reading)
    }
}

/// A sequence of events: see ``EventStore/events(_:)``.
///
/// The loop throws `StoreError`: `integrity` names a record that differs from its proof; `interrupted` if the task is
/// cancelled before the end.
public struct EventSequence: AsyncSequence, Sendable {
    public typealias Element = StoredEvent
    public typealias Failure = StoreError

    let path: String
    let options: StoreOptions
    let reading: EventReading

    public func makeAsyncIterator() -> Iterator {
        Iterator(pager: EventPager(path, options, reading), follows: reading.follows)
    }

    /// Requests one page after another.
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

        /// Waits before the next poll; false if the task is cancelled.
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

/// Limits of reading events.
enum EventReadingLimits {
    /// Rows that one transaction scans.
    static let scannedRows: Int64 = 10_000
    /// Events of one page.
    static let pageEvents = 1_000
    /// Bytes of content after which a page ends.
    static let pageBytes = 4 << 20
    /// Time after which a page ends.
    static let pageMicroseconds: Int64 = 800_000
    /// How often a sequence that follows polls for more.
    static let poll = Duration.milliseconds(100)
}
