import TallystickSQLite

/// Why a projection's statement failed.
enum ProjectionFailure {
    /// The reason, where it lies in the statement or the event.
    ///
    /// - throws: the error, where it does not: the file failed, or the run is to end.
    static func reason(
        _ error: SQLiteError,
        _ authorizer: Authorizer,
        _ connection: Connection
    ) throws(SQLiteError) -> String {
        switch error.kind {
        case .statement, .constraint, .denied: break
        case .tooBig: return "a value has more than \(ProjectionLimits.valueBytes) bytes"
        case .interrupted:
            guard connection.isTimeUsedUp else { throw error }
            let seconds = ProjectionLimits.applyNanoseconds / 1_000_000_000
            return "the time for one event is used up (\(seconds) seconds)"
        case .busy, .outOfMemory, .inputOutput, .diskFull, .cannotOpen, .notPermitted, .moved,
            .corrupt,
            .notADatabase, .misuse, .none:
            throw error
        }
        return authorizer.denial ?? error.message
    }
}

/// Limits of what a projection does with one event, and of its setup.
enum ProjectionLimits {
    /// How long it may take: the write lock is held meanwhile.
    static let applyNanoseconds: UInt64 = 10_000_000_000
    /// How long a statement may go on that runs when the replay is to stop.
    static let stopNanoseconds: UInt64 = 1_000_000_000
    /// Bytes of one value: more than any event has.
    static let valueBytes: Int32 = 64 << 20
}
