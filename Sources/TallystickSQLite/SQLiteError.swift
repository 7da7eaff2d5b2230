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
    /// The value of `errno`, where the operating system refused to open, read or write a file; else 0.
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

    /// Whether a statement names what the schema does not have, or not like this any more.
    ///
    /// SQLite has no code for it, only its sentence.
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
