/// Why an input is not an event.
public struct EventRejection: Error, Sendable, Equatable {
    /// Stable name of the reason.
    public var code: String
    /// The reason, in one sentence.
    public var message: String
    /// Where in the record, in bytes from its start.
    public var offset: Int
    package var mismatch: RejectedInput.ChecksumMismatch?

    init(_ code: String, at offset: Int = 0, _ message: String) {
        self.code = code
        self.message = message
        self.offset = offset
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.message == right.message && left.offset == right.offset
    }
}
