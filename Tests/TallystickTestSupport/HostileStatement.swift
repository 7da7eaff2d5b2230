import Glibc

/// A statement that tries to do more to a store than to read it, from a list on disk.
///
/// A line of the list is an exit code and a statement; `## ` begins a technique, `# ` a comment. `{{text|N}}` stands
/// for text N times, and `\n`, `\t`, `\\` and `\u{…}` for what they are in Swift.
public struct HostileStatement: Sendable, CustomStringConvertible {
    /// What it tries.
    public let technique: String
    /// What `tally query` must exit with.
    public let exitCode: Int32
    /// The statement, written out.
    public let text: String
    /// Where it is in the list.
    public let line: Int

    /// The line, and the statement's beginning.
    public var description: String { "line \(line): \(text.prefix(120))" }

    /// The statements of a list.
    public static func all(in list: String) -> [HostileStatement] {
        var technique = ""
        var statements: [HostileStatement] = []
        let lines = list.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("## ") { technique = String(line.dropFirst(3)) }
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let code = Int32(parts[0]) else { continue }
            let text = escapesResolved(repetitionsResolved(parts[1]))
            statements.append(
                HostileStatement(
                    technique: technique,
                    exitCode: code,
                    text: text,
                    line: index + 1
                )
            )
        }
        return statements
    }

    private static func repetitionsResolved(_ text: Substring) -> String {
        var result = ""
        var rest = text
        while let start = rest.firstRange(of: "{{"), let end = rest.firstRange(of: "}}") {
            let inside = rest[start.upperBound..<end.lowerBound]
            result += rest[..<start.lowerBound]
            if let bar = inside.lastIndex(of: "|"),
                let count = Int(inside[inside.index(after: bar)...])
            {
                result += String(repeating: String(inside[..<bar]), count: count)
            }
            rest = rest[end.upperBound...]
        }
        return result + rest
    }

    private static func escapesResolved(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let slash = rest.firstIndex(of: "\\") {
            result += rest[..<slash]
            rest = rest[slash...].dropFirst()
            switch rest.first {
            case "n": result += "\n"
            case "t": result += "\t"
            case "u":
                let digits = rest.dropFirst(2).prefix { $0 != "}" }
                if let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) {
                    result.unicodeScalars.append(scalar)
                }
                rest = rest.dropFirst(2 + digits.count)
            default: result += rest.prefix(1)
            }
            rest = rest.dropFirst()
        }
        return result + rest
    }
}

/// What a folder holds, byte for byte, but for the files that SQLite's connections share memory by.
///
/// To be taken only while no connection of the process is open: closing a file drops SQLite's locks on it.
public struct FolderContents: Equatable, Sendable {
    /// Names of the files, and their bytes.
    public private(set) var files: [String: [UInt8]] = [:]

    /// Reads all files of a folder.
    public init(of folder: String) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." || name.hasSuffix("-shm") { continue }
            files[name] = Self.bytes(of: folder + "/" + name)
        }
    }

    private static func bytes(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}
