import Glibc

/// A failed call of the operating system.
public struct SystemCallError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name: "fsync", "open".
    public let call: String
    public let path: String
    /// The value of `errno`.
    public let number: Int32

    public init(call: String, path: String, number: Int32) {
        self.call = call
        self.path = path
        self.number = number
    }

    /// The operating system's message for the number.
    public var reason: String { String(cString: strerror(number)) }
    public var description: String { "\(call): \(reason) (\(path))" }
}

/// Folders, as the places where file names are stored.
public enum Folder {
    /// Makes the names of files in the folder of a path survive a loss of power: an fsync of a file does not cover
    /// its name (fsync(2)).
    ///
    /// Does nothing on file systems that cannot sync folders.
    public static func sync(containing path: String) throws(SystemCallError) {
        let folder = name(containing: path)
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SystemCallError(call: "open", path: folder, number: errno)
        }
        defer { close(descriptor) }
        while fsync(descriptor) != 0 {
            if errno == EINTR { continue }
            // The error of a file system that does not support the operation.
            if errno == EINVAL || errno == ENOTSUP { return }
            throw SystemCallError(call: "fsync", path: folder, number: errno)
        }
    }

    /// The folder of a path: "." for a plain name.
    public static func name(containing path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        let folder = String(path[..<slash])
        return folder.isEmpty ? "/" : folder
    }
}
