import Glibc

/// Public test vectors of standards, which live outside of the package.
///
/// The environment variable `TALLY_VECTORS` names their folder; the default is `shared/vectors` beside
/// the package's own folder. Tests that need them say so when they are absent.
public enum PublicVectors {
    /// What a test says when it is skipped.
    public static let absence =
        "public test vectors not found: set TALLY_VECTORS to the folder that holds them"

    /// The folder with the vectors.
    public static var folder: String {
        if let value = getenv("TALLY_VECTORS"), value.pointee != 0 { return String(cString: value) }
        // This file is at Tests/TallystickTestSupport/ in the package.
        let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return package.joined(separator: "/") + "/../shared/vectors"
    }

    /// Whether the folder exists.
    public static var arePresent: Bool { access(folder, R_OK) == 0 }

    /// A file's bytes; nil when it cannot be read.
    public static func bytes(_ path: String) -> [UInt8]? {
        guard let file = fopen(folder + "/" + path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return ferror(file) == 0 ? bytes : nil }
            bytes += buffer[..<count]
        }
    }

    /// Paths of all files in a folder and the folders in it, sorted, relative to ``folder``.
    public static func files(under path: String) -> [String] {
        guard let directory = opendir(folder + "/" + path) else { return [] }
        defer { closedir(directory) }
        var files: [String] = []
        while let entry = readdir(directory) {
            let isFolder = entry.pointee.d_type == UInt8(DT_DIR)
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            files += isFolder ? self.files(under: path + "/" + name) : [path + "/" + name]
        }
        return files.sorted()
    }
}
