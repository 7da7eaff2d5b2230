/// A range of bytes in a batch's arena, or nothing.
@frozen
public struct ByteRange: Sendable, Equatable {
    public var start: Int32
    public var count: Int32

    @inlinable public init(start: Int, count: Int) {
        self.start = Int32(truncatingIfNeeded: start)
        self.count = Int32(truncatingIfNeeded: count)
    }

    public static let none = ByteRange(start: -1, count: 0)
    @inlinable public var isPresent: Bool { start >= 0 }
}

/// Where a record stands in its input.
public struct RecordPlace: Sendable, Equatable {
    /// 1-based.
    public var line: Int64
    /// 1-based, in bytes.
    public var column: Int64
    /// 0-based, from the start of the input.
    public var byte: Int64

    public init(line: Int64, column: Int64, byte: Int64) {
        self.line = line
        self.column = column
        self.byte = byte
    }
}

/// One decoded event: numbers, and ranges of its batch's arena.
public struct BatchEvent: Sendable {
    /// Indices of names, as the decoder's tables count them.
    public var source: Int32 = 0
    public var type: Int32 = 0
    public var stream: Int32 = 0
    /// Index into the classification's categories.
    public var category: Int32 = 0
    /// An earlier event of this batch with the same source and id; else -1.
    public var duplicateOf: Int32 = -1
    /// UTF-8 as it is, escapes resolved.
    public var id = ByteRange.none
    public var subject = ByteRange.none
    public var time = ByteRange.none
    public var dataContentType = ByteRange.none
    /// Canonical JSON objects.
    public var attributes = ByteRange.none
    public var deliveryAttributes = ByteRange.none
    /// Canonical JSON, or bytes where `dataIsBinary`.
    public var data = ByteRange.none
    public var dataIsBinary = false
    /// The stream's name as a canonical JSON string.
    public var streamName = ByteRange.none
    /// The event's canonical form.
    public var content = ByteRange.none
    public var contentDigest = SHA256Digest.zero
    /// What the event's category asks for, as far as the decoder has the key.
    public var checksum = Checksum(sha256: .zero)
    public var place = RecordPlace(line: 0, column: 0, byte: 0)
}

/// Input that is not an event.
public struct RejectedInput: Sendable {
    /// A checksum declared by the sender, and what it should have been.
    public struct ChecksumMismatch: Sendable {
        public var algorithm: String
        public var expected: String
        public var actual: String
        public var source: String
        public var eventID: String
        /// The category that the event would have.
        public var category: String
    }

    /// Stable name of the reason.
    public var code: String
    public var message: String
    /// Where the reason is.
    public var place: RecordPlace
    /// The input, or its first 16 MiB.
    public var bytes: ByteRange
    /// Of the whole input.
    public var length: Int64
    public var digest: SHA256Digest
    public var mismatch: ChecksumMismatch?
}

/// A name that a batch uses for the first time: a canonical JSON string.
public struct NewNames: Sendable {
    /// Index of the first one.
    public var first: Int32 = 0
    public var names: [ByteRange] = []
}

/// A run of decoded inputs, laid out for one pass by a writer: no object an event.
public struct EventBatch: Sendable {
    public internal(set) var arena: [UInt8] = []
    public internal(set) var events: [BatchEvent] = []
    public internal(set) var rejected: [RejectedInput] = []
    /// Names that no earlier batch of this generation had.
    public internal(set) var newSources = NewNames()
    public internal(set) var newTypes = NewNames()
    public internal(set) var newStreams = NewNames()
    /// How many names the batch announces.
    var announcedNames: Int {
        newSources.names.count + newTypes.names.count + newStreams.names.count
    }
    /// The key of the events' HMACs.
    public internal(set) var keyID: String?
    /// Changes when the decoder forgets its names; indices then begin at 0 again.
    public internal(set) var generation = 0

    public init() {}

    /// Inputs, rejected ones included.
    public var count: Int { events.count + rejected.count }

    mutating func removeAll() {
        arena.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        rejected.removeAll(keepingCapacity: true)
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a range that is present.
    @inlinable
    public func slice(_ range: ByteRange) -> UnsafeRawBufferPointer {
        guard range.isPresent else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(
            rebasing: self[Int(range.start)..<Int(range.start) + Int(range.count)]
        )
    }
}
