import CTallystickTestSupport

/// Reads that fail, of files that SQLite opens in this process.
///
/// There is one plan for the whole process: for one test at a time.
public enum FailingReads {
    /// Runs a body in which one read of the files whose paths begin with `path` fails.
    ///
    /// - parameters:
    ///   - reads: how many reads succeed before; nil for all of them.
    ///   - code: the result code of SQLite that the read returns.
    /// - returns: how many reads there were.
    public static func during(
        of path: String,
        after reads: Int?,
        code: Int32,
        _ body: () async throws -> Void
    ) async rethrows -> Int {
        tally_fail_read(path, reads.map(Int64.init) ?? -1, code)
        defer { tally_fail_read("", -1, 0) }
        try await body()
        return Int(tally_reads_seen())
    }
}
