import Glibc

/// A folder of its own for a test, removed with everything in it when the value goes. Before, its files are searched
/// for keys (``SecretWatch``).
public final class TemporaryFolder: Sendable {
    /// Its absolute path.
    public let path: String

    /// - throws: `TemporaryFolderError` when the operating system refuses to create it.
    public init(
        named name: String = "tallystick",
        in parent: String = "/tmp"
    ) throws(TemporaryFolderError) {
        var template = Array("\(parent)/\(name)-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            return mkdtemp(base) != nil
        }
        guard made else { throw TemporaryFolderError(errorNumber: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        SecretWatch.shared.inspect(folder: path)
        Self.remove(path)
    }

    /// The path of a file or folder of that name inside.
    public func file(_ name: String) -> String { path + "/" + name }

    /// The names in a folder; none when it is not a folder.
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    private static func remove(_ path: String) {
        for name in names(in: path) {
            let child = path + "/" + name
            var status = stat()
            if lstat(child, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                remove(child)
            } else {
                unlink(child)
            }
        }
        rmdir(path)
    }
}

/// The operating system refused to create a folder.
public struct TemporaryFolderError: Error {
    /// `errno` of the call that was refused.
    public let errorNumber: Int32
}
