/// A projection as a SQL file: what it is called, the tables it sets up, and what it does on each event.
///
/// ```
/// file    = header { section }
/// header  = "-- tally:projection" NAME  "-- tally:version" N  [ "-- tally:on-correction" ("rebuild"|"apply") ]
/// section = "-- tally:setup" ddl+ | "-- tally:on" pattern {"," pattern} dml+ | "-- tally:correct" pattern {"," pattern} dml+
/// pattern = TYPE | PREFIX ".*" | "*"
/// ```
public struct ProjectionFile: Sendable {
    public enum OnCorrection: String, Sendable { case rebuild, apply }

    /// One SQL statement and where it begins.
    public struct SQLStatement: Sendable, Equatable {
        public var sql: String
        /// 1-based.
        public var line: Int
    }

    /// Statements for events whose type matches.
    public struct Section: Sendable {
        public var patterns: [EventPattern]
        public var statements: [SQLStatement]
    }

    public var name: String
    public var version: Int64
    public var onCorrection: OnCorrection
    public var setup: [SQLStatement]
    public var on: [Section]
    public var correct: [Section]
    /// SHA-256 of the file.
    public var digest: SHA256Digest

    /// Parameters of statements, without the colon.
    public static let parameters: Set<String> = [
        "position", "source", "id", "type", "stream", "revision", "category", "origin", "subject", "time",
        "recorded_at", "data",
    ]
    /// Further parameters in `correct` sections.
    public static let correctionParameters: Set<String> = ["previous_data", "resolution_id", "decision"]

    /// Reads a file.
    ///
    /// - throws: `ProjectionFileError` with the line.
    public init(_ bytes: [UInt8]) throws(ProjectionFileError) {
        digest = SHA256Digest(hashing: bytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProjectionFileError("the file is not UTF-8", line: 1)
        }
        var parser = ProjectionFileParser()
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            try parser.read(line, number)
        }
        try parser.finish(number)
        guard let name = parser.name else {
            throw ProjectionFileError("'-- tally:projection NAME' is missing", line: 1)
        }
        guard let version = parser.version else {
            throw ProjectionFileError("'-- tally:version N' is missing", line: 1)
        }
        guard !parser.on.isEmpty else {
            throw ProjectionFileError("there is no '-- tally:on' section", line: number)
        }
        self.name = name
        self.version = version
        onCorrection = parser.onCorrection ?? .rebuild
        setup = parser.setup
        on = parser.on
        correct = parser.correct
    }

    /// Whether a name can be that of a projection: `[a-z_][a-z0-9_]*`, at most 64 bytes.
    public static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 64, !(0x30...0x39).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
        }
    }
}

/// Which types of events a section is for.
public enum EventPattern: Sendable, Equatable {
    case any
    case prefix(String)
    case type(String)

    public func matches(_ type: String) -> Bool {
        switch self {
        case .any: true
        case .prefix(let prefix): Array(type.utf8).starts(with: prefix.utf8)
        case .type(let exact): exact.utf8.elementsEqual(type.utf8)
        }
    }
}

/// What is wrong with a projection file, and where.
public struct ProjectionFileError: Error, Sendable, Equatable {
    public var message: String
    /// 1-based.
    public var line: Int

    init(_ message: String, line: Int) {
        self.message = message
        self.line = line
    }
}

private struct ProjectionFileParser {
    private enum Place { case header, setup, on, correct }

    var name: String?
    var version: Int64?
    var onCorrection: ProjectionFile.OnCorrection?
    var setup: [ProjectionFile.SQLStatement] = []
    var on: [ProjectionFile.Section] = []
    var correct: [ProjectionFile.Section] = []
    private var place = Place.header
    private var hasSetup = false
    private var sectionLine = 0
    private var splitter = SQLSplitter()

    mutating func read(_ line: Substring, _ number: Int) throws(ProjectionFileError) {
        let line = line.last == "\r" ? line.dropLast() : line
        let marker = "-- tally:"
        if line.hasPrefix(marker), !splitter.isInsideText {
            guard !splitter.isInsideStatement else {
                throw ProjectionFileError("a marker stands inside a statement; end it with ';' first", line: number)
            }
            try mark(line.dropFirst(marker.count), number)
            return
        }
        if !splitter.isInsideText, line.drop(while: { $0 == " " || $0 == "\t" }).hasPrefix(marker) {
            throw ProjectionFileError("a marker must begin in column 1", line: number)
        }
        for statement in splitter.read(line, number) { try add(statement) }
        if place == .header, splitter.isInsideStatement {
            throw ProjectionFileError("a statement stands before the first section", line: number)
        }
    }

    mutating func finish(_ number: Int) throws(ProjectionFileError) {
        guard !splitter.isInsideText, !splitter.isInsideStatement else {
            throw ProjectionFileError("the last statement has no ';'", line: splitter.line)
        }
        try endSection()
    }

    private mutating func mark(_ text: Substring, _ number: Int) throws(ProjectionFileError) {
        let parts = text.split(separator: " ", maxSplits: 1)
        let word = parts.first.map(String.init) ?? ""
        let value = parts.count > 1 ? Self.trim(parts[1]) : ""
        switch word {
        case "projection", "version", "on-correction":
            guard place == .header else {
                throw ProjectionFileError("'tally:\(word)' belongs before the first section", line: number)
            }
            try header(word, value, number)
        case "setup":
            try endSection()
            guard !hasSetup else { throw ProjectionFileError("there are two setup sections", line: number) }
            hasSetup = true
            (place, sectionLine) = (.setup, number)
        case "on", "correct":
            try endSection()
            let section = ProjectionFile.Section(patterns: try patterns(value, number), statements: [])
            if word == "on" { on.append(section) } else { correct.append(section) }
            (place, sectionLine) = (word == "on" ? .on : .correct, number)
        default:
            throw ProjectionFileError(
                "'tally:\(word)' is unknown; there are projection, version, on-correction, setup, on and correct",
                line: number)
        }
    }

    private mutating func header(
        _ word: String,
        _ value: String,
        _ number: Int
    ) throws(ProjectionFileError) {
        switch word {
        case "projection":
            guard name == nil, ProjectionFile.isName(value) else {
                throw ProjectionFileError(
                    "a projection has one name of lower-case letters, digits and '_', at most 64 bytes", line: number)
            }
            name = value
        case "version":
            guard version == nil, let parsed = Int64(value), parsed > 0 else {
                throw ProjectionFileError("a version is one positive whole number", line: number)
            }
            version = parsed
        default:
            guard onCorrection == nil, let parsed = ProjectionFile.OnCorrection(rawValue: value) else {
                throw ProjectionFileError("on-correction is 'rebuild' or 'apply'", line: number)
            }
            onCorrection = parsed
        }
    }

    private func patterns(_ text: String, _ number: Int) throws(ProjectionFileError) -> [EventPattern] {
        var patterns: [EventPattern] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pattern = Self.trim(part)
            if pattern.isEmpty { throw ProjectionFileError("a pattern is empty", line: number) }
            if pattern == "*" {
                patterns.append(.any)
            } else if pattern.hasSuffix(".*") {
                patterns.append(.prefix(String(pattern.dropLast())))
            } else if pattern.contains("*") {
                throw ProjectionFileError("'\(pattern)': '*' stands alone or after the last '.'", line: number)
            } else {
                patterns.append(.type(pattern))
            }
        }
        return patterns
    }

    private mutating func endSection() throws(ProjectionFileError) {
        let isEmpty =
            switch place {
            case .header: false
            case .setup: setup.isEmpty
            case .on: on.last?.statements.isEmpty ?? false
            case .correct: correct.last?.statements.isEmpty ?? false
            }
        if isEmpty { throw ProjectionFileError("a section has no statement", line: sectionLine) }
    }

    private mutating func add(_ statement: ProjectionFile.SQLStatement) throws(ProjectionFileError) {
        switch place {
        case .header:
            throw ProjectionFileError("a statement stands before the first section", line: statement.line)
        case .setup: setup.append(statement)
        case .on: on[on.count - 1].statements.append(statement)
        case .correct: correct[correct.count - 1].statements.append(statement)
        }
    }

    private static func trim(_ text: some StringProtocol) -> String {
        var text = Substring(text)
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}

/// Cuts SQL into statements at semicolons outside of strings, identifiers and comments.
private struct SQLSplitter {
    private enum Inside { case nothing, quoted(Character), lineComment, blockComment }

    private var inside = Inside.nothing
    private var current = ""
    private(set) var line = 0

    /// Whether a string, a quoted identifier or a block comment goes on over the line's end.
    var isInsideText: Bool {
        switch inside {
        case .quoted, .blockComment: true
        default: false
        }
    }
    /// Whether a statement has begun.
    var isInsideStatement: Bool { line > 0 }

    mutating func read(_ text: Substring, _ number: Int) -> [ProjectionFile.SQLStatement] {
        var statements: [ProjectionFile.SQLStatement] = []
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            let next = text.index(after: index)
            let following = next < text.endIndex ? text[next] : nil
            switch inside {
            case .quoted(let end):
                if character == end { inside = .nothing }
            case .blockComment:
                if character == "*", following == "/" {
                    current.append("*")
                    index = next
                    current.append("/")
                    index = text.index(after: index)
                    inside = .nothing
                    continue
                }
            case .lineComment: break
            case .nothing:
                if character == "-", following == "-" {
                    inside = .lineComment
                } else if character == "/", following == "*" {
                    inside = .blockComment
                } else if character == "'" || character == "\"" || character == "`" {
                    inside = .quoted(character)
                    begin(number)
                } else if character == "[" {
                    inside = .quoted("]")
                    begin(number)
                } else if character == ";" {
                    if line > 0 { statements.append(.init(sql: current, line: line)) }
                    (current, line) = ("", 0)
                    index = next
                    continue
                } else if character != " ", character != "\t" {
                    begin(number)
                }
            }
            current.append(character)
            index = next
        }
        if case .lineComment = inside { inside = .nothing }
        current.append("\n")
        return statements
    }

    private mutating func begin(_ number: Int) {
        if line == 0 { line = number }
    }
}
