public import TallystickTestKit

/// A folder for one test, removed with everything in it when the value is released. Before that, its files are searched
/// for keys (``SecretWatch``).
public final class TemporaryFolder: Sendable {
    /// Its absolute path.
    public let path: String

    /// - throws: `TemporaryFolderError` when the operating system refuses to create it.
    public init(
        named name: String = "tallystick",
        in parent: String = "/tmp"
    ) throws(TemporaryFolderError) {
        path = try FolderTree.create(named: name, in: parent)
    }

    deinit {
        SecretWatch.shared.inspect(folder: path)
        FolderTree.remove(path)
    }

    /// The path of a file or folder of that name inside.
    public func file(_ name: String) -> String { path + "/" + name }
}
