import Glibc
import TallystickCore
import TallystickSQLite

/// The result of one check.
package struct Diagnosis: Sendable {
    /// Whether there is something to do: nothing, something to know, or a problem.
    package enum Level: String, Sendable { case good, note, problem }

    /// The subject of the check: `schema`, `disk` and so on.
    package var subject: String
    /// How serious it is.
    package var level: Level
    /// The result, in one sentence.
    package var finding: String
}

extension EventStore {
    /// Checks everything around a store that can go wrong: schema, SQLite, log, disk, permissions, readers, integrity
    /// of the file.
    ///
    /// - throws: `StoreError` only if the file is not a store that can be opened.
    package static func diagnose(
        at path: String,
        options: StoreOptions = StoreOptions()
    ) async throws(StoreError) -> [Diagnosis] {
        try await attempt("diagnose the store", path) {
            try await runOnThread { try Doctor(path, options).examine() }
        }
    }
}

private struct Doctor {
    private let path: String
    private let connection: Connection
    private let options: StoreOptions

    init(_ path: String, _ options: StoreOptions) throws {
        self.path = path
        self.options = options
        connection = try StoreFile.openForReading(path, options)
    }

    func examine() throws -> [Diagnosis] {
        [
            try schema(), sqlite(), log(), disk(), permissions(), folder(), names(),
            try reader(), try integrity(), try tiles(), try decisions(),
        ]
    }

    private func schema() throws -> Diagnosis {
        let version = try StoreSchema.version(of: connection)
        return Diagnosis(
            subject: "schema",
            level: version == StoreSchema.newest ? .good : .note,
            finding: version == StoreSchema.newest
                ? "schema \(version), as its migrations create it"
                : "schema \(version); 'tally upgrade' brings it to \(StoreSchema.newest)"
        )
    }

    private func sqlite() -> Diagnosis {
        let version = SQLiteLibrary.version
        guard SQLiteLibrary.number < 3_051_003 else {
            return Diagnosis(subject: "sqlite", level: .good, finding: version)
        }
        return Diagnosis(
            subject: "sqlite",
            level: .note,
            finding:
                "\(version) has the WAL-reset defect (fixed in 3.51.3); Tallystick avoids it: checkpoints run "
                + "while it holds the write lock. Other programs should open the store read-only"
        )
    }

    /// What a file's status says; a problem where it cannot be read. A file that is not there has none.
    private func look(
        _ subject: String,
        at path: String,
        followsLink: Bool = false,
        _ body: (stat?) -> Diagnosis
    ) -> Diagnosis {
        var status = stat()
        let result = followsLink ? stat(path, &status) : lstat(path, &status)
        let number = errno
        guard result != 0 else { return body(status) }
        guard number != ENOENT else { return body(nil) }
        return unseen(subject, number)
    }

    private func unseen(_ subject: String, _ number: Int32) -> Diagnosis {
        Diagnosis(
            subject: subject,
            level: .problem,
            finding: "it cannot be looked at: \(String(cString: strerror(number)))"
        )
    }

    private func log() -> Diagnosis {
        look("log", at: path + "-wal") { status in
            let bytes = Int64(status?.st_size ?? 0)
            let isLarge = bytes > 4 * Int64(StoreLimits.walBytes)
            return Diagnosis(
                subject: "log",
                level: isLarge ? .problem : .good,
                finding: "the write-ahead log has \(bytes) bytes"
                    + (isLarge ? "; a reader keeps it from being written back" : "")
            )
        }
    }

    private func disk() -> Diagnosis {
        var disk = statvfs()
        guard statvfs(path, &disk) == 0 else { return unseen("disk", errno) }
        return look("disk", at: path) { status in
            let bytes = Int64(status?.st_size ?? 0)
            let free = Int64(disk.f_bavail) * Int64(disk.f_frsize)
            let isShort = free < max(1 << 30, bytes / 10)
            return Diagnosis(
                subject: "disk",
                level: isShort ? .problem : .good,
                finding: "\(free >> 20) MiB free, the store has \(bytes >> 20) MiB"
            )
        }
    }

    private func permissions() -> Diagnosis {
        look("permissions", at: path) { status in
            guard let status else { return unseen("permissions", ENOENT) }
            let mode = status.st_mode & 0o777
            let isOpen = mode & 0o077 != 0
            let isForeign = status.st_uid != geteuid()
            return Diagnosis(
                subject: "permissions",
                level: isOpen || isForeign ? .problem : .good,
                finding: "mode \(String(mode, radix: 8)), owner \(status.st_uid)"
                    + (isOpen ? "; others may read or write it: chmod 600" : "")
                    + (isForeign ? "; it belongs to another user" : "")
            )
        }
    }

    /// Anybody who may write to the folder may replace the store's file.
    private func folder() -> Diagnosis {
        let folder =
            path.contains("/") ? path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex) : "."
        let name = folder.isEmpty ? "/" : String(folder)
        return look("folder", at: name, followsLink: true) { status in
            guard let status else { return unseen("folder", ENOENT) }
            let isSticky = status.st_mode & S_ISVTX != 0
            let isShared = status.st_mode & 0o022 != 0 && !isSticky
            let isForeign = status.st_uid != geteuid() && status.st_uid != 0
            return Diagnosis(
                subject: "folder",
                level: isShared || isForeign ? .problem : .good,
                finding: "mode \(String(status.st_mode & 0o7777, radix: 8)), owner \(status.st_uid)"
                    + (isShared ? "; others may replace the store in it: chmod go-w" : "")
                    + (isForeign ? "; it belongs to another user" : "")
            )
        }
    }

    /// A second name (hard link) has its own write-ahead log.
    private func names() -> Diagnosis {
        look("names", at: path) { status in
            guard let status else { return unseen("names", ENOENT) }
            let count = status.st_nlink
            return Diagnosis(
                subject: "names",
                level: count == 1 ? .good : .problem,
                finding: count == 1
                    ? "the file has one name"
                    : "the file has \(count) names (hard links): writing under one damages it for the other"
            )
        }
    }

    /// A reader that holds an old snapshot keeps the log from being written back completely.
    private func reader() throws -> Diagnosis {
        guard access(path, W_OK) == 0 else {
            let number = errno
            guard [EACCES, EPERM, EROFS].contains(number) else { return unseen("readers", number) }
            return Diagnosis(
                subject: "readers",
                level: .note,
                finding: "not looked at: the store is read-only"
            )
        }
        let progress: Checkpointer.Progress?
        do {
            progress = try checkpoint()
        } catch let error as SQLiteError {
            if error.isFull || error.isInputOutput {
                return Diagnosis(
                    subject: "readers",
                    level: .problem,
                    finding: "the log cannot be written back: \(error.message)"
                )
            }
            guard error.isBusy else { throw error }
            return Diagnosis(
                subject: "readers",
                level: .note,
                finding: "not checked: another process is writing"
            )
        }
        guard let progress, !progress.isComplete else {
            return Diagnosis(
                subject: "readers",
                level: .good,
                finding: "no reader keeps the log from being written back"
            )
        }
        return Diagnosis(
            subject: "readers",
            level: .note,
            finding:
                "a reader keeps \(progress.frames - progress.written) of \(progress.frames) pages of the log from being written back"
        )
    }

    /// Writes the log back as far as readers allow; nil if there is no log.
    private func checkpoint() throws -> Checkpointer.Progress? {
        let mode = try connection.prepare("PRAGMA journal_mode").first { $0.text(at: 0) }
        guard mode == "wal" else { return nil }
        // Not like a writer of the store: a store of an older schema is checked, too.
        func connect() throws -> Connection {
            let opened = try Connection(
                path: path,
                mode: .readWrite,
                busyTimeoutMilliseconds: Duration.seconds(1).wholeMilliseconds,
                firesTriggers: false
            )
            try opened.protectLog()
            return opened
        }
        return try Checkpointer(try connect(), lockConnection: try connect()).run()
    }

    private func integrity() throws -> Diagnosis {
        let rows = try connection.prepare("PRAGMA quick_check(5)")
        var lines: [String] = []
        while try rows.step() { lines.append(rows.text(at: 0)) }
        try throwUnread(lines)
        return Diagnosis(
            subject: "file",
            level: lines == ["ok"] ? .good : .problem,
            finding: lines == ["ok"]
                ? "SQLite's quick check found nothing" : lines.joined(separator: "; ")
        )
    }

    /// SQLite's check reports a page that it cannot read among the damage (btree.c, `checkTreePage`).
    ///
    /// - throws: `SQLiteError` if reading failed, which says nothing about the page's content.
    private func throwUnread(_ lines: [String]) throws(SQLiteError) {
        for line in lines.flatMap({ $0.split(separator: "\n") }) {
            let number = line.firstRange(of: "error code=").flatMap {
                Int32(line[$0.upperBound...].prefix(while: \.isNumber))
            }
            // Pages outside the file are reported in other words: only a read can fail like this.
            let code =
                line.contains("failed to get page") ? .inputOutput : number.map(ResultCode.init)
            guard let code, ![.corrupt, .none].contains(code.kind) else { continue }
            throw SQLiteError(code: code, message: String(line), operation: "check")
        }
    }

    private func tiles() throws -> Diagnosis {
        let merkle = try MerkleRows(in: connection)
        for name in MerkleLogName.allCases where try merkle.log(name) == nil {
            return Diagnosis(
                subject: "trees",
                level: .problem,
                finding: "tiles of log \(name.rawValue) do not fit its rows; run 'tally verify'"
            )
        }
        return Diagnosis(
            subject: "trees",
            level: .good,
            finding: "tiles fit the three logs; 'tally verify' checks every leaf"
        )
    }

    /// A decision that the trail records and that is missing makes every read of its event fail.
    private func decisions() throws -> Diagnosis {
        let last = try MerkleRows(in: connection).size(of: .audit)
        let lost = try RecordedDecision.LostRows(in: connection).read(after: 0, through: last)
        guard let first = lost.first else {
            return Diagnosis(
                subject: "decisions",
                level: .good,
                finding: "each decision in the audit trail has its row"
            )
        }
        return Diagnosis(
            subject: "decisions",
            level: .problem,
            finding:
                "\(lost.count) decisions of the audit trail have lost their rows, the first is audit_trail "
                + "\(first.sequence); run 'tally verify'"
        )
    }
}
