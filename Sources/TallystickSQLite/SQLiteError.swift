import CTallystickSQLite

/// A failure that SQLite reported, with what was being done.
public struct SQLiteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The extended result code.
    public let code: ResultCode
    /// SQLite's message.
    public let message: String
    /// The call that failed: "open", "prepare", "bind", "step", "commit", "rollback", …
    public let operation: String
    /// The statement's text, empty where there is none.
    public let sql: String
    /// Where in `sql` the error is, in bytes; nil where SQLite does not say.
    public let offset: Int?

    public init(
        code: ResultCode,
        message: String,
        operation: String,
        sql: String = "",
        offset: Int? = nil
    ) {
        self.code = code
        self.message = message
        self.operation = operation
        self.sql = sql
        self.offset = offset
    }

    public var isBusy: Bool { .busy ~= code || .locked ~= code }
    public var isCorrupt: Bool { .corrupt ~= code }
    public var isFull: Bool { .full ~= code }
    public var isReadOnly: Bool { .readOnly ~= code }
    public var isInputOutput: Bool { .inputOutput ~= code }
    public var isInterrupted: Bool { .interrupt ~= code }
    public var isDenied: Bool { .denied ~= code }
    public var isConstraint: Bool { .constraint ~= code }
    public var isNotADatabase: Bool { .notADatabase ~= code }
    public var cannotOpen: Bool { .cannotOpen ~= code }

    public var description: String {
        "\(operation): \(message) (\(code.text), code \(code.rawValue))"
    }
}
