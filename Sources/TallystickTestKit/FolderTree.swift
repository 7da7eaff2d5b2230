import Glibc

/// Folders for tests: created under a name that nothing else has, and removed with everything in them.
package enum FolderTree {
    /// Creates a folder; its absolute path.
    package static func create(
        named name: String,
        in parent: String
    ) throws(TemporaryFolderError) -> String {
        var template = Array("\(parent)/\(name)-XXXXXX".utf8CString)
        let isCreated = template.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            return mkdtemp(base) != nil
        }
        guard isCreated else { throw TemporaryFolderError(errorNumber: errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The names in a folder; empty when the path does not lead to a folder.
    package static func names(in path: String) -> [String] {
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

    /// Removes a folder and everything in it; symbolic links are removed, not followed.
    package static func remove(_ path: String) {
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
