import CTallystickSQLite

/// A failure reported by SQLite, with the operation that failed.
public struct SQLiteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The extended result code.
    public let code: ResultCode
    /// SQLite's message.
    public let message: String
    /// The call that failed: "open", "prepare", "bind", "step", "commit", "rollback", …
    public let operation: String
    /// The statement's text; empty if there is none.
    public let sql: String
    /// The offset of the error in `sql`, in bytes; nil if SQLite does not report one.
    public let offset: Int?
    /// The value of `errno` if the operating system refused to open, read or write a file; else 0.
    public let systemNumber: Int32

    public init(
        code: ResultCode,
        message: String,
        operation: String,
        sql: String = "",
        offset: Int? = nil,
        systemNumber: Int32 = 0
    ) {
        self.code = code
        self.message = message
        self.operation = operation
        self.sql = sql
        self.offset = offset
        self.systemNumber = systemNumber
    }

    public var kind: FailureKind { code.kind }
    public var isBusy: Bool { kind == .busy }
    public var isCorrupt: Bool { kind == .corrupt }
    public var isFull: Bool { kind == .diskFull }
    public var isInputOutput: Bool { kind == .inputOutput }
    public var isInterrupted: Bool { kind == .interrupted }
    public var isDenied: Bool { kind == .denied }
    public var isConstraint: Bool { kind == .constraint }
    public var cannotOpen: Bool { kind == .cannotOpen }

    /// Whether a statement names something that the schema does not contain, or no longer contains in that form.
    ///
    /// SQLite has no code for this, only a message.
    public var contradictsSchema: Bool {
        guard kind == .statement else { return false }
        let isMissing = ["table", "column", "index", "view"].contains {
            message.hasPrefix("no such \($0): ")
        }
        let isOther =
            message.hasPrefix("table ")
            && (message.contains(" has no column named ") || message.contains(" columns but "))
        return isMissing || isOther
            || ["view", "index", "trigger"].contains { message.hasPrefix("error in \($0) ") }
    }

    public var description: String {
        "\(operation): \(message) (\(code.text), code \(code.rawValue))"
    }
}
