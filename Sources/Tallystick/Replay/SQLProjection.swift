import TallystickCore
import TallystickSQLite

/// A SQL projection, prepared on the connection that holds its tables.
final class SQLProjection: ProjectionDriver {
    private let file: ProjectionFile
    private let connection: Connection
    private let authorizer: Authorizer
    /// In which sections run.
    private var phase = Authorizer.Phase.store
    private var prepared: [[PreparedStatement]] = []
    private var corrections: [[PreparedStatement]] = []
    private var sectionsOfType: [String: [Int]] = [:]
    /// The same by the type's id, for events as appended.
    private var sectionsOfTypeID: [Int64: [Int]] = [:]
    private var correctionsOfType: [String: [Int]] = [:]

    private struct PreparedStatement {
        var statement: Statement
        var line: Int
        var parameters: [(index: Int32, value: Parameter)]
    }

    static func definition(of file: ProjectionFile) -> ReplayDefinition {
        ReplayDefinition(
            name: file.name,
            version: file.version,
            digest: file.digest,
            onCorrection: file.onCorrection
        )
    }

    init(_ file: ProjectionFile, in connection: Connection, _ authorizer: Authorizer) {
        self.file = file
        self.connection = connection
        self.authorizer = authorizer
    }

    /// Creates the projection's tables.
    func setUp() throws {
        let names = try ProjectionNames(file.name, in: connection)
        for statement in file.setup {
            do {
                try authorizer.during(names.phase(mayDefine: true)) {
                    try connection.prepareOnly(statement.sql).run()
                }
            } catch let error as SQLiteError {
                throw invalid(error, line: statement.line)
            }
        }
    }

    /// Prepares every statement, so that a mistake is found before the first event.
    func prepare() throws {
        phase = try ProjectionNames(file.name, in: connection).phase(mayDefine: false)
        prepared = try file.on.map { section in
            try section.statements.map { try prepare($0, ProjectionFile.parameters) }
        }
        let names = ProjectionFile.parameters.union(ProjectionFile.correctionParameters)
        corrections = try file.correct.map { section in
            try section.statements.map { try prepare($0, names) }
        }
    }

    private func prepare(
        _ source: ProjectionFile.SQLStatement,
        _ names: Set<String>
    ) throws -> PreparedStatement {
        let statement: Statement
        do {
            statement = try authorizer.during(phase) {
                try connection.prepareOnly(source.sql)
            }
        } catch let error as SQLiteError {
            throw invalid(error, line: source.line)
        }
        var parameters: [(index: Int32, value: Parameter)] = []
        for index in 1..<max(1, statement.parameterCount + 1) {
            guard let name = statement.parameterName(at: index), name.hasPrefix(":"),
                names.contains(String(name.dropFirst())),
                let value = Parameter(rawValue: String(name.dropFirst()))
            else {
                let known = names.sorted().map { ":" + $0 }.joined(separator: " ")
                throw StoreError(
                    .projectionInvalid,
                    during: "read the projection",
                    on: "line \(source.line)",
                    "the parameter \(statement.parameterName(at: index) ?? "?") is unknown",
                    hint: "There are \(known)"
                )
            }
            parameters.append((index, value))
        }
        return PreparedStatement(statement: statement, line: source.line, parameters: parameters)
    }

    private func invalid(_ error: SQLiteError, line: Int) -> StoreError {
        let reason: String
        do throws(SQLiteError) {
            reason = try ProjectionFailure.reason(error, authorizer, connection)
        } catch {
            return StoreError(error, during: "set the projection up", on: file.name)
        }
        return StoreError(
            .projectionInvalid,
            during: "read the projection",
            on: "line \(line)",
            reason,
            hint: "See 'tally replay --help' for what a projection may do"
        )
    }

    /// Runs the sections for an event; false when none is for its type.
    func apply(_ event: ReplayedEvent) throws -> Bool {
        if event.decision == nil,
            let sections = sectionsOfTypeID[event.row.int64(at: EventColumn.type)]
        {
            return try apply(event, prepared, sections)
        }
        let type = try event.type()
        if event.correction != nil {
            return try apply(
                event,
                corrections,
                Self.matching(type, file.correct, &correctionsOfType)
            )
        }
        let sections = Self.matching(type, file.on, &sectionsOfType)
        if event.decision == nil, sectionsOfTypeID.count < Self.rememberedTypes {
            sectionsOfTypeID[event.row.int64(at: EventColumn.type)] = sections
        }
        return try apply(event, prepared, sections)
    }

    /// Types whose sections are remembered.
    private static let rememberedTypes = 10_000

    private static func matching(
        _ type: String,
        _ sections: [ProjectionFile.Section],
        _ cache: inout [String: [Int]]
    ) -> [Int] {
        if let known = cache[type] { return known }
        let found = sections.indices.filter { index in
            sections[index].patterns.contains { $0.matches(type) }
        }
        if cache.count < rememberedTypes { cache[type] = found }
        return found
    }

    private func apply(
        _ event: ReplayedEvent,
        _ statements: [[PreparedStatement]],
        _ sections: [Int]
    ) throws -> Bool {
        for section in sections {
            for prepared in statements[section] {
                do throws(SQLiteError) {
                    for (index, value) in prepared.parameters {
                        try bind(value, at: index, of: prepared.statement, event)
                    }
                    try authorizer.during(phase) { () throws(SQLiteError) in
                        try prepared.statement.run()
                    }
                } catch {
                    let reason = try ProjectionFailure.reason(error, authorizer, connection)
                    throw PoisonEvent(reason: "line \(prepared.line): \(reason)")
                }
            }
        }
        return !sections.isEmpty
    }

    /// What a parameter stands for, by its name.
    private enum Parameter: String {
        case position, source, id, type, stream, revision, category, origin, subject, time, data
        case recordedAt = "recorded_at"
        case previousData = "previous_data"
        case resolutionID = "resolution_id"
        case decision
    }

    private func bind(
        _ parameter: Parameter,
        at index: Int32,
        of statement: Statement,
        _ event: ReplayedEvent
    ) throws(SQLiteError) {
        switch parameter {
        case .position: try statement.bind(event.position, at: index)
        case .source: try statement.bindText(event.names.name(.sources, of: event.row), at: index)
        case .id:
            try statement.bindText(event.row.bytes(at: EventColumn.id), at: index, copy: true)
        case .type:
            let type = try event.type()
            try statement.bindText(type, at: index)
        case .stream: try statement.bindText(event.names.name(.streams, of: event.row), at: index)
        case .revision: try statement.bind(event.row.int64(at: EventColumn.revision), at: index)
        case .category:
            try statement.bindText(event.names.name(.categories, of: event.row), at: index)
        case .origin: try statement.bindText(event.names.name(.origins, of: event.row), at: index)
        case .recordedAt:
            let time = RFC3339.string(microseconds: event.row.int64(at: EventColumn.recordedAt))
            try statement.bindText(time, at: index)
        case .subject:
            if let fields = event.replacement {
                try statement.bindOptional(fields.subject, at: index)
            } else {
                try bind(EventColumn.subject, at: index, of: statement, event.row)
            }
        case .time:
            if let fields = event.replacement {
                try statement.bindOptional(fields.time, at: index)
            } else {
                try bind(EventColumn.time, at: index, of: statement, event.row)
            }
        case .data:
            if let fields = event.replacement {
                try statement.bind(fields.data, at: index)
            } else if event.row.columnType(at: EventColumn.data) == .blob {
                try statement.bindBlob(
                    event.row.bytes(at: EventColumn.data),
                    at: index,
                    copy: false
                )
            } else {
                try bind(EventColumn.data, at: index, of: statement, event.row)
            }
        case .previousData: try statement.bind(event.correction?.previousData ?? .null, at: index)
        case .resolutionID: try statement.bindOptional(event.correction?.resolutionID, at: index)
        case .decision: try statement.bindOptional(event.correction?.decision, at: index)
        }
    }

    private func bind(
        _ column: Int32,
        at index: Int32,
        of statement: Statement,
        _ row: EventRow
    ) throws(SQLiteError) {
        // The row stays where it is until the statement was run.
        try statement.bindOptionalText(row.bytesIfPresent(at: column), at: index)
    }
}
