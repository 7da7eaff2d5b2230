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
        path = Self.prefix(target, projection) + String(getpid())
        lock = try NewFile.create(
            path,
            during: "rebuild the projection",
            hint: "Check the folder"
        )
        // Nobody else has the file yet.
        flock(lock, LOCK_EX | LOCK_NB)
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
            guard name.hasPrefix(start), Int32(name.dropFirst(start.count)) != nil else { continue }
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

    private static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
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
