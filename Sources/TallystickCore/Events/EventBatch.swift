/// A range of bytes in a batch's arena, or nothing.
@usableFromInline
package struct ByteRange: Sendable, Equatable {
    @usableFromInline package var start: Int32
    @usableFromInline package var count: Int32

    @inlinable package init(start: Int, count: Int) {
        self.start = Int32(truncatingIfNeeded: start)
        self.count = Int32(truncatingIfNeeded: count)
    }

    package static let none = ByteRange(start: -1, count: 0)
    @inlinable package var isPresent: Bool { start >= 0 }
}

/// The position of a record in its input.
package struct RecordPlace: Sendable, Equatable {
    /// 1-based.
    package var line: Int64
    /// 1-based, in bytes.
    package var column: Int64
    /// 0-based, from the start of the input.
    package var byte: Int64
    /// Its 1-based number among the records of the input; 0 if it was not counted.
    package var record: Int64

    package init(line: Int64, column: Int64, byte: Int64, record: Int64 = 0) {
        self.line = line
        self.column = column
        self.byte = byte
        self.record = record
    }
}

/// One decoded event: numbers, and ranges of its batch's arena.
package struct BatchEvent: Sendable {
    /// Indices of names in the decoder's tables.
    package var source: Int32 = 0
    package var type: Int32 = 0
    package var stream: Int32 = 0
    /// Index into the classification's categories.
    package var category: Int32 = 0
    /// An earlier event of this batch with the same source and id; else -1.
    package var duplicateOf: Int32 = -1
    /// UTF-8 without escapes.
    package var id = ByteRange.none
    package var subject = ByteRange.none
    package var time = ByteRange.none
    package var dataContentType = ByteRange.none
    /// Canonical JSON objects.
    package var attributes = ByteRange.none
    package var deliveryAttributes = ByteRange.none
    /// Canonical JSON, or bytes where `dataIsBinary`.
    package var data = ByteRange.none
    package var dataIsBinary = false
    /// The stream's name as a canonical JSON string.
    package var streamName = ByteRange.none
    /// The event's canonical form.
    package var content = ByteRange.none
    package var contentDigest = SHA256Digest.zero
    /// The checksum that the event's category demands, as far as the decoder has the key.
    package var checksum = Checksum(sha256: .zero)
    package var place = RecordPlace(line: 0, column: 0, byte: 0)
}

/// Input that is not an event.
package struct RejectedInput: Sendable {
    /// A checksum declared by the sender, and the correct one.
    package struct ChecksumMismatch: Sendable {
        package var algorithm: String
        package var expected: String
        package var actual: String
        package var source: String
        package var eventID: String
        /// The category that the event would have.
        package var category: String
    }

    /// Stable name of the reason.
    package var code: String
    package var message: String
    /// Where the reason is.
    package var place: RecordPlace
    /// The input, or its first 16 MiB.
    package var bytes: ByteRange
    /// Of the whole input.
    package var length: Int64
    package var digest: SHA256Digest
    package var mismatch: ChecksumMismatch?
}

/// A name that a batch uses for the first time: a canonical JSON string.
package struct NewNames: Sendable {
    /// Index of the first one.
    package var first: Int32 = 0
    package var names: [ByteRange] = []
}

/// A run of decoded inputs, laid out for one pass by a writer: no object per event.
package struct EventBatch: Sendable {
    package internal(set) var arena: [UInt8] = []
    package internal(set) var events: [BatchEvent] = []
    package internal(set) var rejected: [RejectedInput] = []
    /// Names that no earlier batch of this generation had.
    package internal(set) var newSources = NewNames()
    package internal(set) var newTypes = NewNames()
    package internal(set) var newStreams = NewNames()
    /// The number of names that the batch announces.
    var announcedNames: Int {
        newSources.names.count + newTypes.names.count + newStreams.names.count
    }
    /// The key of the events' HMACs.
    package internal(set) var keyID: String?
    /// Changes when the decoder forgets its names; indices then start at 0 again.
    package internal(set) var generation = 0

    package init() {}

    /// Number of inputs, including rejected ones.
    package var count: Int { events.count + rejected.count }

    mutating func removeAll() {
        arena.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        rejected.removeAll(keepingCapacity: true)
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a range that is present.
    @inlinable
    package func slice(_ range: ByteRange) -> UnsafeRawBufferPointer {
        guard range.isPresent else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(
            rebasing: self[Int(range.start)..<Int(range.start) + Int(range.count)]
        )
    }
}
