public import TallystickCore

/// What went wrong in a store, for programs and for people.
///
/// `code` is stable and made for programs; `message`, `subject` and `hint` are for people and may change.
/// Payloads of events never appear in an error.
public struct StoreError: Error, Sendable, Equatable {
    /// A stable name for a kind of failure. New codes may appear in any release: handle the ones you know, and
    /// treat all others as failures.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        public let rawValue: String
        /// The code with that name, whether or not this release knows it.
        public init(rawValue: String) { self.rawValue = rawValue }
        public var description: String { rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// The operation that failed, as a verb phrase: "open the store", "append".
    public let operation: String
    /// The affected object: a path, a stream, a record; empty if the message already says it.
    public let subject: String
    /// What happened and why, in one sentence.
    public let message: String
    /// What to do about it; empty if there is no advice.
    public let hint: String
    /// Whether the same call can succeed later without manual intervention.
    public let isRetryable: Bool
    /// The position of the affected event, if there is one.
    public let position: Position?

    /// Creates an error; for the meaning of each part, see the properties.
    public init(
        _ code: Code,
        during operation: String,
        on subject: String = "",
        _ message: String,
        hint: String = "",
        isRetryable: Bool = false,
        position: Int64? = nil
    ) {
        self.code = code
        self.operation = operation
        self.subject = subject
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
        self.position = position.map { Position($0) }
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        var text = operation
        if !subject.isEmpty { text += " (\(subject))" }
        text += ": \(message)"
        if !hint.isEmpty { text += ". \(hint)" }
        return text
    }
}

extension StoreError.Code {
    // The store as a file.
    /// There is no file at the path.
    public static let noStore = Self(rawValue: "no_store")
    /// The file exists, but is not a Tallystick store.
    public static let notAStore = Self(rawValue: "not_a_store")
    /// A file already exists where a store was to be created.
    public static let storeExists = Self(rawValue: "store_exists")
    /// The file or folder cannot be created.
    public static let cannotCreate = Self(rawValue: "cannot_create")
    /// The store was written by a newer release.
    public static let schemaNewer = Self(rawValue: "schema_newer")
    /// The store has an older schema, and the call needs to write to it.
    public static let schemaOlder = Self(rawValue: "schema_older")
    /// The operating system refuses access, or the file is read-only.
    public static let notPermitted = Self(rawValue: "not_permitted")
    /// The operation needs a key that was not given, or that no longer makes checksums.
    public static let keyMissing = Self(rawValue: "key_missing")
    /// A key file is accessible to others, or changed while it was read.
    public static let keyRefused = Self(rawValue: "key_refused")
    /// Another writer holds the store, or another process has taken over the work.
    public static let busy = Self(rawValue: "busy")
    /// No space left on the device.
    public static let diskFull = Self(rawValue: "disk_full")
    /// The operating system failed to read or write, or refused another open file or thread.
    public static let inputOutput = Self(rawValue: "input_output")
    /// Memory ran out. Nothing of the call is stored, and it can be repeated.
    public static let outOfMemory = Self(rawValue: "out_of_memory")
    /// The handle was closed.
    public static let closed = Self(rawValue: "closed")
    /// A commit failed in a way that leaves its outcome unknown. Open the store again and repeat the call: stored
    /// events are recognised.
    public static let outcomeUnknown = Self(rawValue: "outcome_unknown")

    // Integrity.
    /// The database file is damaged.
    public static let corrupt = Self(rawValue: "corrupt")
    /// A table, view, index or trigger differs from what the migrations create.
    public static let schemaAltered = Self(rawValue: "schema_altered")
    /// A stored record differs from its proof.
    public static let integrity = Self(rawValue: "integrity")
    /// A checkpoint belongs to another store, or to a history that this store does not have.
    public static let historyDiffers = Self(rawValue: "history_differs")

    // Input.
    /// There is no input file at the path.
    public static let noInput = Self(rawValue: "no_input")
    /// An argument is outside the range that the call accepts.
    public static let invalidArgument = Self(rawValue: "invalid_argument")
    /// An input contains no readable record.
    public static let badInput = Self(rawValue: "bad_input")
    /// The events' source equals the name of the delivery path.
    public static let sourceIsOrigin = Self(rawValue: "source_is_origin")
    /// The named object does not exist in the store.
    public static let notFound = Self(rawValue: "not_found")

    // Appending.
    /// The stream is not at the expected revision.
    public static let expectationFailed = Self(rawValue: "expectation_failed")
    /// The store already holds different content under the same source and id.
    public static let contentDiffers = Self(rawValue: "content_differs")

    // Replaying.
    /// A projection file or type is not valid.
    public static let projectionInvalid = Self(rawValue: "projection_invalid")
    /// A projection's definition changed without a higher version.
    public static let projectionChanged = Self(rawValue: "projection_changed")
    /// A projection could not apply an event.
    public static let poisonEvent = Self(rawValue: "poison_event")
    /// A sink outside SQLite did not accept a batch.
    public static let sinkFailed = Self(rawValue: "sink_failed")
    /// A conflict is open on an event whose category makes replay wait for it.
    public static let held = Self(rawValue: "held")
    /// The work was stopped before it was finished; completed work is kept.
    public static let interrupted = Self(rawValue: "interrupted")

    // Querying.
    /// A statement attempts something that it is not allowed to do.
    public static let queryDenied = Self(rawValue: "query_denied")
    /// A statement is not valid SQL, or failed while it ran.
    public static let queryFailed = Self(rawValue: "query_failed")
    /// A limit on time, rows or memory was reached.
    public static let limitReached = Self(rawValue: "limit_reached")

    // Deciding.
    /// The conflict is no longer open, or its candidates changed while it was being decided.
    public static let alreadyDecided = Self(rawValue: "already_decided")
    /// The conflict is open.
    public static let notDecided = Self(rawValue: "not_decided")

    /// A state that the code considers impossible; a bug in Tallystick.
    public static let bug = Self(rawValue: "bug")
}
