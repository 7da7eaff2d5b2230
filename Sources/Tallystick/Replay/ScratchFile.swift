import Glibc
import TallystickSQLite

/// A file beside a projection's that is gone when the value is.
///
/// It is locked while the value lives, so that what a killed process left can be told from what another one uses.
final class ScratchFile {
    let path: String
    private let lock: Int32

    /// - throws: `StoreError` with `cannotCreate`.
    init(for target: String, projection: String) throws(StoreError) {
        Self.removeAbandoned(for: target, projection: projection)
        var made: (path: String, lock: Int32)?
        for _ in 0..<Self.attempts where made == nil {
            made = try Self.make(Self.prefix(target, projection) + Self.randomName())
        }
        guard let made else {
            throw StoreError(
                .cannotCreate,
                during: Self.operation,
                on: target,
                "other processes remove its scratch files",
                hint: "Let no other program work in the folder"
            )
        }
        (path, lock) = made
    }

    private static let operation = "rebuild the projection"
    /// How often a file is made again that another process took for a leftover before it was locked.
    private static let attempts = 10
    /// Digits of the part of a name that is random.
    private static let randomDigits = 16

    /// Makes and locks a file; nil where it was taken for a leftover meanwhile.
    private static func make(_ path: String) throws(StoreError) -> (path: String, lock: Int32)? {
        let descriptor = try NewFile.create(path, during: operation)
        // A file system without locks has nobody who would take the file for a leftover either.
        let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
        var (own, there) = (stat(), stat())
        guard !isTaken, fstat(descriptor, &own) == 0,
            lstat(path, &there) == 0, own.st_ino == there.st_ino, own.st_dev == there.st_dev
        else {
            close(descriptor)
            return nil
        }
        return (path, descriptor)
    }

    /// Names made of process ids are used again, and would meet what a killed process left.
    private static func randomName() -> String {
        var random = SystemRandomNumberGenerator()
        let name = String(random.next() as UInt64, radix: 16)
        return String(repeating: "0", count: randomDigits - name.count) + name
    }

    /// Whether a file's name ends as those of scratch files do, or as those of release 0.1: with a process id.
    private static func isScratchName(_ ending: Substring) -> Bool {
        Int32(ending) != nil
            || ending.utf8.count == randomDigits
                && ending.utf8.allSatisfy {
                    ($0 &- 0x30) <= 9 || ($0 &- 0x61) < 6
                }
    }

    deinit {
        Self.remove(path)
        close(lock)
    }

    var quotedPath: String {
        path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    }

    /// Removes files that killed rebuilds of a projection left beside its file.
    static func removeAbandoned(for target: String, projection: String) {
        let prefix = prefix(target, projection)
        let slash = prefix.lastIndex(of: "/")
        let folder = slash.map { String(prefix[...$0]) } ?? "./"
        let start = slash.map { String(prefix[prefix.index(after: $0)...]) } ?? prefix
        for name in FileNames.list(in: folder) {
            guard name.hasPrefix(start), isScratchName(name.dropFirst(start.count)) else {
                continue
            }
            let path = folder + name
            let descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { remove(path) }
            close(descriptor)
        }
    }

    private static func prefix(_ target: String, _ projection: String) -> String {
        "\(target)-rebuild-\(projection)-"
    }

    /// The file itself goes last: by it the next rebuild knows what a killed process left.
    private static func remove(_ path: String) {
        for ending in StorePathCheck.companions + [""] { unlink(path + ending) }
    }
}

/// The names in a folder.
private enum FileNames {
    /// Empty where the folder cannot be read.
    static func list(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return names
    }
}
