/// Splits a projection file into header, sections and statements.
struct ProjectionParser {
    private enum SectionKind: Equatable {
        case setup, on, correct
    }

    private struct OpenSection {
        let kind: SectionKind
        let patterns: [EventPattern]
        let offset: Int
        var statements: [ProjectionFile.SQLStatement] = []
    }

    private struct OpenStatement {
        let start: Int
        var end: Int
        /// Its first words in lower case, as far as they come before any other token.
        var words: [String] = []
        var wordsAreComplete = false
        var parameters: [ProjectionFile.Parameter] = []
    }

    private(set) var setup: [ProjectionFile.SQLStatement] = []
    private(set) var on: [ProjectionFile.Section] = []
    private(set) var correct: [ProjectionFile.Section] = []

    private static let marker = Array("-- tally:".utf8)
    private let bytes: UnsafeRawBufferPointer
    private var scanner: SQLScanner
    private(set) var header: ProjectionHeader
    private var hasSetup = false
    private var section: OpenSection?
    private var statement: OpenStatement?
    private var statementCount = 0
    private var firstCorrection: Int?

    init(_ bytes: UnsafeRawBufferPointer) throws(ProjectionFileError) {
        guard bytes.count <= ProjectionFile.maximumByteCount else {
            throw ProjectionFileError(
                .tooLarge,
                at: 0,
                in: bytes,
                "the file has \(bytes.count) bytes; the limit is \(ProjectionFile.maximumByteCount)"
            )
        }
        try Self.checkEncoding(bytes)
        self.bytes = bytes
        scanner = SQLScanner(bytes: bytes)
        header = ProjectionHeader(of: bytes)
    }

    mutating func parse() throws(ProjectionFileError) {
        while let (token, range) = try scanner.next() {
            switch token {
            case .lineComment:
                if isMarker(range) { try readMarker(range) }
            case .blockComment:
                break
            case .semicolon:
                try endStatement()
            case .foreignParameter:
                throw error(
                    .parameter,
                    at: range.lowerBound,
                    "'\(text(range))' is not a parameter of a projection; write one as :name, such as "
                        + "\(Self.list(Self.parameters(of: section?.kind)))"
                )
            case .parameter(let nameRange):
                try beginStatement(at: range)
                try addParameter(nameRange)
            case .word:
                try beginStatement(at: range)
                addWord(range)
            case .other:
                try beginStatement(at: range)
                statement?.wordsAreComplete = true
            }
        }
        try endStatement()
        try endSection()
        try checkSections()
    }

    /// Checks that need the whole file.
    private func checkSections() throws(ProjectionFileError) {
        _ = try header.requiredName(at: 0)
        _ = try header.requiredVersion(at: bytes.count)
        if let firstCorrection, header.onCorrection != .apply {
            throw error(
                .section,
                at: firstCorrection,
                "a 'correct' section is run only where the header says '-- tally:on-correction apply'"
            )
        }
        guard !on.isEmpty else {
            throw error(
                .section,
                at: bytes.count,
                "the file has no '-- tally:on' section, so nothing would ever be run"
            )
        }
    }

    // MARK: Statements

    private mutating func beginStatement(at range: Range<Int>) throws(ProjectionFileError) {
        if statement != nil {
            statement?.end = range.upperBound
            return
        }
        _ = try header.requiredName(at: range.lowerBound)
        guard section != nil else {
            throw error(
                .statement,
                at: range.lowerBound,
                "a statement must stand in a section: '-- tally:setup', '-- tally:on TYPE' or "
                    + "'-- tally:correct TYPE'"
            )
        }
        statement = OpenStatement(start: range.lowerBound, end: range.upperBound)
    }

    private mutating func addWord(_ range: Range<Int>) {
        guard var statement, !statement.wordsAreComplete else { return }
        statement.words.append(text(range).lowercased())
        statement.wordsAreComplete = statement.words.count == 3
        self.statement = statement
    }

    private mutating func addParameter(_ range: Range<Int>) throws(ProjectionFileError) {
        statement?.wordsAreComplete = true
        let name = text(range)
        let known = Self.parameters(of: section?.kind)
        guard !known.isEmpty else {
            throw error(
                .parameter,
                at: range.lowerBound - 1,
                "statements of a setup section take no parameters"
            )
        }
        guard let parameter = ProjectionFile.Parameter(rawValue: name), known.contains(parameter)
        else {
            let isOfCorrections = ProjectionFile.Parameter(rawValue: name) != nil
            throw error(
                .parameter,
                at: range.lowerBound - 1,
                isOfCorrections
                    ? "only 'correct' sections have the parameter ':\(name)'"
                    : "unknown parameter ':\(name)'; expected one of \(Self.list(known))"
            )
        }
        guard var statement, !statement.parameters.contains(parameter) else { return }
        statement.parameters.append(parameter)
        self.statement = statement
    }

    private mutating func endStatement() throws(ProjectionFileError) {
        guard let statement else { return }
        self.statement = nil
        try checkKind(statement)
        statementCount += 1
        guard statementCount <= ProjectionFile.maximumStatementCount else {
            throw error(
                .tooLarge,
                at: statement.start,
                "the file has more than \(ProjectionFile.maximumStatementCount) statements"
            )
        }
        let place = TextPlace(of: statement.start, in: bytes)
        let sql = text(statement.start..<statement.end)
        section?.statements.append(
            ProjectionFile.SQLStatement(
                sql: sql,
                line: place.line,
                column: place.column,
                parameters: statement.parameters
            )
        )
    }

    /// Reports early, in terms of the file, what SQLite's authorizer would refuse.
    private func checkKind(_ statement: OpenStatement) throws(ProjectionFileError) {
        let words = statement.words
        if section?.kind == .setup {
            var kinds = words.dropFirst()
            if kinds.first == "unique" { kinds = kinds.dropFirst() }
            guard words.first == "create", ["table", "index", "view"].contains(kinds.first) else {
                throw error(
                    .statement,
                    at: statement.start,
                    "a setup section takes CREATE TABLE, CREATE INDEX and CREATE VIEW only, and "
                        + "nothing temporary or virtual"
                )
            }
            return
        }
        guard ["insert", "replace", "update", "delete", "with"].contains(words.first) else {
            throw error(
                .statement,
                at: statement.start,
                "this section takes INSERT, REPLACE, UPDATE and DELETE only, also after WITH"
            )
        }
    }

    // MARK: Markers

    /// Whether a comment is a marker, or resembles one so much that it must be a mistake.
    private func isMarker(_ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound, [0x2D, 0x20, 0x09].contains(bytes[index]) { index += 1 }
        let word = Array("tally:".utf8)
        guard index + word.count <= range.upperBound else { return false }
        return zip(bytes[index..<index + word.count], word).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }

    private mutating func readMarker(_ range: Range<Int>) throws(ProjectionFileError) {
        let start = range.lowerBound
        guard bytes[range].starts(with: Self.marker) else {
            throw error(.marker, at: start, "a marker is written '-- tally:', in lower case")
        }
        if statement != nil {
            throw error(
                .markerPlace,
                at: start,
                "this marker stands inside a statement; end the statement before it with ';'"
            )
        }
        guard start == 0 || bytes[start - 1] == 0x0A else {
            throw error(.markerPlace, at: start, "a marker must begin in column 1")
        }
        let line = EventPattern.trimmed(text(start + Self.marker.count..<range.upperBound))
        let word = line.prefix { $0 != " " && $0 != "\t" }
        let arguments = EventPattern.trimmed(line.dropFirst(word.count))
        switch word {
        case "projection": try header.readName(arguments, start)
        case "version", "on-correction":
            if section != nil {
                throw error(.header, at: start, "this line belongs before the first section")
            }
            if word == "version" {
                try header.readVersion(arguments, start)
            } else {
                try header.readOnCorrection(arguments, start)
            }
        case "setup": try beginSetup(arguments, start)
        case "on": try beginSection(.on, arguments, start)
        case "correct": try beginSection(.correct, arguments, start)
        default:
            throw error(
                .marker,
                at: start,
                "unknown word 'tally:\(word)'; known are projection, version, on-correction, setup, "
                    + "on and correct"
            )
        }
    }

    private mutating func beginSetup(
        _ arguments: Substring,
        _ start: Int
    ) throws(ProjectionFileError) {
        guard arguments.isEmpty else {
            throw error(.marker, at: start, "nothing may follow 'tally:setup' on its line")
        }
        try begin(OpenSection(kind: .setup, patterns: [], offset: start))
        guard !hasSetup else {
            throw error(.section, at: start, "the file has a setup section already")
        }
        hasSetup = true
    }

    private mutating func beginSection(
        _ kind: SectionKind,
        _ arguments: Substring,
        _ start: Int
    ) throws(ProjectionFileError) {
        var patterns: [EventPattern] = []
        for part in arguments.split(separator: ",", omittingEmptySubsequences: false) {
            guard let pattern = EventPattern(EventPattern.trimmed(part)) else {
                throw error(
                    .pattern,
                    at: start,
                    "'\(EventPattern.trimmed(part))' is not a pattern; write event types, PREFIX.* or *, with "
                        + "commas between them"
                )
            }
            patterns.append(pattern)
        }
        if kind == .correct, firstCorrection == nil { firstCorrection = start }
        try begin(OpenSection(kind: kind, patterns: patterns, offset: start))
    }

    private mutating func begin(_ section: OpenSection) throws(ProjectionFileError) {
        _ = try header.requiredName(at: section.offset)
        _ = try header.requiredVersion(at: section.offset)
        try endSection()
        self.section = section
    }

    private mutating func endSection() throws(ProjectionFileError) {
        guard let section else { return }
        guard !section.statements.isEmpty else {
            throw error(.section, at: section.offset, "this section is empty")
        }
        let place = TextPlace(of: section.offset, in: bytes)
        let ended = ProjectionFile.Section(
            patterns: section.patterns,
            statements: section.statements,
            line: place.line
        )
        switch section.kind {
        case .setup: setup = section.statements
        case .on: on.append(ended)
        case .correct: correct.append(ended)
        }
    }

    // MARK: Helpers

    private static func parameters(of kind: SectionKind?) -> [ProjectionFile.Parameter] {
        switch kind {
        case .setup, nil: []
        case .on: ProjectionFile.Parameter.allCases.filter { !$0.isOfCorrections }
        case .correct: ProjectionFile.Parameter.allCases
        }
    }

    private static func list(_ parameters: [ProjectionFile.Parameter]) -> String {
        (parameters.isEmpty ? [.id, .data] : parameters).map { ":\($0.rawValue)" }
            .joined(separator: " ")
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private func error(
        _ code: ProjectionFileError.Code,
        at offset: Int,
        _ message: String
    ) -> ProjectionFileError {
        ProjectionFileError(code, at: offset, in: bytes, message)
    }

    private static func checkEncoding(_ bytes: UnsafeRawBufferPointer) throws(ProjectionFileError) {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw ProjectionFileError(
                .encoding,
                at: 0,
                in: bytes,
                "the file begins with a byte order mark; save it as UTF-8 without one"
            )
        }
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): offset += scalar.count
            case .emptyInput: return
            case .error:
                throw ProjectionFileError(
                    .encoding,
                    at: offset,
                    in: bytes,
                    "the file is not valid UTF-8"
                )
            }
        }
    }
}
