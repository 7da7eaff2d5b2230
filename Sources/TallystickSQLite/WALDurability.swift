import CTallystickSQLite

/// Ensures that a commit is never acknowledged if log pages before it may be missing on disk.
///
/// After a failed fsync the kernel considers the pages written: reads return them, no later fsync writes them, and
/// after a loss of power the log ends before them, with everything committed since. The process that saw the
/// failure stops, but the next one cannot know about it. So a writer trusts only frames that it wrote and synced
/// itself, or that are already in the database. It rewrites the frames of other processes, unchanged, before its
/// first commit after them; the sync of that commit then covers them too.
final class WALDurability {
    /// The part of the log that this process knows to be on disk.
    fileprivate struct Mark {
        var salt: UInt64
        var frames: UInt32
    }

    /// What all connections of one process to one database know together.
    ///
    /// A mark that is older than need be is safe: frames that were synced stay synced, and are written once more.
    final class Knowledge: Sendable {
        private let state = POSIXMutex<Mark?>(nil)

        fileprivate var mark: Mark? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private let knowledge: Knowledge
    private var begun: WALIndex?
    private var buffer: [UInt8] = []

    private enum Layout {
        static let headerBytes = 32
        static let headerChecksum = 24
        static let frameHeaderBytes = 24
        static let frameSalt = 8
        static let frameChecksum = 16
        /// Bytes that are read and written at a time: SQLite's files accept less than 128 KiB per call, and one
        /// frame may have a page of 64 KiB.
        static let chunkBytes = 1 << 16
    }

    init(_ knowledge: Knowledge) { self.knowledge = knowledge }

    /// Rewrites frames of other processes. The caller must hold the write lock and have written nothing yet.
    func prepare(_ connection: Connection) throws(SQLiteError) {
        let index = try WALIndex(of: connection)
        begun = index
        let mark = knowledge.mark
        if mark == nil {
            // The process that created the log may have died before syncing its name.
            do {
                try Folder.sync(containing: connection.path)
            } catch {
                throw SQLiteError(
                    code: .folderNotSynced,
                    message: error.description,
                    operation: "sync the folder"
                )
            }
        }
        let known = mark.map { $0.salt == index.salt ? $0.frames : 0 } ?? 0
        let first = max(known, min(index.backfilled, index.frames))
        if first < index.frames { try writeAgain(connection, index, after: first) }
        if mark == nil { knowledge.mark = Mark(salt: index.salt, frames: first) }
    }

    /// Records the extent of the log that our commit synced.
    ///
    /// - parameter frames: the number of frames in the log after the commit.
    func committed(_ connection: Connection, frames: UInt32) throws(SQLiteError) {
        guard let begun else { return }
        let index = try WALIndex(of: connection)
        // If another process has committed since, the next `begin` distinguishes its frames from ours.
        let isOurs = index.change == begun.change &+ 1 && index.frames == frames
        knowledge.mark =
            isOurs
            ? Mark(salt: index.salt, frames: frames)
            : Mark(salt: begun.salt, frames: begun.frames)
    }

    /// Discards this knowledge after a failed sync.
    func distrust() { knowledge.mark = nil }

    private func writeAgain(
        _ connection: Connection,
        _ index: WALIndex,
        after first: UInt32
    ) throws(SQLiteError) {
        let log = try connection.file(SQLITE_FCNTL_JOURNAL_POINTER)
        let frameBytes = Layout.frameHeaderBytes + index.pageBytes
        var sums: [UInt32]
        if first == 0 {
            try read(Layout.headerBytes, at: 0, from: log)
            sums = [bigEndian(at: Layout.headerChecksum), bigEndian(at: Layout.headerChecksum + 4)]
            try write(to: log, at: 0)
        } else {
            let last = Int64(Layout.headerBytes) + Int64(first - 1) * Int64(frameBytes)
            try read(Layout.frameHeaderBytes, at: last, from: log)
            sums = [bigEndian(at: Layout.frameChecksum), bigEndian(at: Layout.frameChecksum + 4)]
        }
        var next = first
        while next < index.frames {
            let count = min(max(1, Layout.chunkBytes / frameBytes), Int(index.frames - next))
            let offset = Int64(Layout.headerBytes) + Int64(next) * Int64(frameBytes)
            try read(count * frameBytes, at: offset, from: log)
            for frame in 0..<count {
                guard holds(frame * frameBytes, index, &sums) else {
                    throw broken(next + UInt32(frame) + 1, index)
                }
            }
            try write(to: log, at: offset)
            next += UInt32(count)
        }
        guard sums == index.checksum else { throw broken(index.frames, index) }
    }

    /// Whether a frame in the buffer continues the chain of checksums.
    private func holds(_ start: Int, _ index: WALIndex, _ sums: inout [UInt32]) -> Bool {
        buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress.map({ $0 + start }) else { return false }
            let swapped: Int32 = index.isSwapped ? 1 : 0
            // Only the first two fields of the header are included in the sum.
            tally_wal_checksum(base, UInt64(Layout.frameSalt), swapped, &sums)
            tally_wal_checksum(
                base + Layout.frameHeaderBytes,
                UInt64(index.pageBytes),
                swapped,
                &sums
            )
            return base.loadUnaligned(fromByteOffset: Layout.frameSalt, as: UInt64.self)
                == index.salt
        }
            && sums[0] == bigEndian(at: start + Layout.frameChecksum)
            && sums[1] == bigEndian(at: start + Layout.frameChecksum + 4)
    }

    private func bigEndian(at offset: Int) -> UInt32 {
        buffer.withUnsafeBytes {
            UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
    }

    private func read(
        _ count: Int,
        at offset: Int64,
        from file: Connection.FilePointer
    ) throws(SQLiteError) {
        if buffer.count != count { buffer = [UInt8](repeating: 0, count: count) }
        let code = buffer.withUnsafeMutableBytes { bytes in
            file.pointee.pMethods.pointee.xRead?(
                file,
                bytes.baseAddress,
                Int32(bytes.count),
                offset
            ) ?? SQLITE_MISUSE
        }
        guard code == SQLITE_OK else { throw failure(code, "read") }
    }

    private func write(
        to file: Connection.FilePointer,
        at offset: Int64
    ) throws(SQLiteError) {
        let code = buffer.withUnsafeBytes { bytes in
            file.pointee.pMethods.pointee.xWrite?(
                file,
                bytes.baseAddress,
                Int32(bytes.count),
                offset
            ) ?? SQLITE_MISUSE
        }
        guard code == SQLITE_OK else { throw failure(code, "written again") }
    }

    private func failure(_ code: Int32, _ verb: String) -> SQLiteError {
        SQLiteError(
            code: ResultCode(rawValue: code),
            message: "the write-ahead log cannot be \(verb): \(ResultCode(rawValue: code).text)",
            operation: "secure the log"
        )
    }

    private func broken(_ frame: UInt32, _ index: WALIndex) -> SQLiteError {
        SQLiteError(
            code: .dataLost,
            message:
                "frame \(frame) of \(index.frames) in the write-ahead log is not what was written: the disk lost it",
            operation: "secure the log"
        )
    }
}
