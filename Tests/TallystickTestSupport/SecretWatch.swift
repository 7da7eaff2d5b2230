import CTallystickTestSupport
import Glibc
import Synchronization
import TallystickCore
import TallystickTestKit

/// Looks for keys where none may be: in what commands print, in their arguments, and in every file of a temporary
/// folder but the files of keys.
///
/// Knows the keys of ``CanaryKeys``, and those in the files of keys that it meets.
public final class SecretWatch: Sendable {
    /// The one that commands and folders of tests report to. A process in which it found something fails when it
    /// ends, whatever its tests say.
    public static let shared: SecretWatch = {
        atexit {
            let found = SecretWatch.shared.found
            guard !found.isEmpty else { return }
            let message = Array(
                ("A key was found where none may be:\n" + found.joined(separator: "\n") + "\n").utf8
            )
            _ = write(2, message, message.count)
            _exit(86)
        }
        return SecretWatch()
    }()

    /// Bytes of a file that are searched; what comes after is not.
    public static let searchedBytes = 64 << 20

    private let places = Mutex<[String]>([])

    /// A watch of its own, which has found nothing.
    public init() {}

    /// Where keys were found.
    public var found: [String] { places.withLock { $0 } }

    private func report(_ place: String) { places.withLock { $0.append(place) } }

    // MARK: Forms

    /// The forms in which a key could show: as it is, in hexadecimal, base64, base64url, and as a list of numbers.
    public static func forms(of secret: [UInt8]) -> [[UInt8]] {
        var base64: [UInt8] = []
        // Only whole groups: what follows in a longer text changes the rest.
        Base64.encode(Array(secret.prefix(secret.count / 3 * 3)), to: &base64)
        let url = base64.map { $0 == 0x2B ? 0x2D : $0 == 0x2F ? 0x5F : $0 }
        let hex = Hex.string(secret)
        var forms = [
            secret, base64, Array(hex.utf8), Array(hex.uppercased().utf8),
            Array(secret.map(String.init).joined(separator: ", ").utf8),
        ]
        if url != base64 { forms.append(url) }
        return forms
    }

    private static let canaries = forms(of: CanaryKeys.mark)

    /// Whether bytes show a canary, or one of some keys.
    public static func show(_ bytes: [UInt8], _ secrets: [[UInt8]] = []) -> Bool {
        bytes.withUnsafeBytes { holds($0, allForms(secrets)) }
    }

    private static func allForms(_ secrets: [[UInt8]]) -> [[UInt8]] {
        canaries + secrets.flatMap { Self.forms(of: $0) }
    }

    private static func holds(_ bytes: UnsafeRawBufferPointer, _ forms: [[UInt8]]) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return forms.contains { tally_holds(base, bytes.count, $0, $0.count) != 0 }
    }

    // MARK: Files of keys

    private static let ringStart = Array("{\"tallystick_keys\"".utf8)
    private static let signerStart = Array("PRIVATE+KEY+".utf8)

    /// The keys in a file of keys, whole or damaged; nil for a file of another kind.
    static func secrets(inKeyFile bytes: [UInt8]) -> [[UInt8]]? {
        let text = String(decoding: bytes, as: UTF8.self)
        if bytes.starts(with: signerStart) {
            // PRIVATE+KEY+name+hash+key: base64 has plus signs of its own.
            let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
            guard parts.count == 5 else { return [] }
            // The first byte names the algorithm.
            return keys(among: [parts[4].filter { $0 != "\n" }]) { $0.dropFirst() }
        }
        guard bytes.starts(with: ringStart) else { return nil }
        return keys(among: text.split(separator: "\"").map(String.init)) { $0[...] }
    }

    /// What is long enough for a key: fewer bytes would be found in many a file by chance, and none in all of them.
    private static func keys(
        among texts: [String],
        _ key: ([UInt8]) -> ArraySlice<UInt8>
    ) -> [[UInt8]] {
        texts.compactMap { Base64.decode(Array($0.utf8)).map { Array(key($0)) } }
            .filter { $0.count >= KeyRing.minimumSecretBytes }
    }

    // MARK: Searches

    /// Looks at a command's words: none may be a key.
    ///
    /// - returns: the keys in the files that the words name as such.
    func inspect(words: [String], in folder: String) -> [[UInt8]] {
        if Self.show(Array(words.joined(separator: " ").utf8)) {
            report("the arguments of \(words.first ?? "")")
        }
        let pairs = zip([""] + words, words)
        let files = pairs.compactMap { option, word -> String? in
            if option == "--key-file" || option == "--signing" { return word }
            let parts = word.split(separator: "=", maxSplits: 1)
            return parts.first == "TALLY_KEY_FILE" ? parts.last.map(String.init) : nil
        }
        return files.flatMap { file in
            Self.keys(in: file.hasPrefix("/") ? file : folder + "/" + file) ?? []
        }
    }

    /// Looks at what a command printed.
    func inspect(_ output: String, of words: [String], _ secrets: [[UInt8]]) {
        guard Self.show(Array(output.utf8), secrets) else { return }
        report("the output of \(words.joined(separator: " "))")
    }

    /// Looks at every file in a folder, those of keys aside.
    public func inspect(folder: String) {
        var secrets: [[UInt8]] = []
        var others: [String] = []
        for path in Self.files(in: folder) {
            if let keys = Self.keys(in: path) {
                secrets += keys
            } else {
                others.append(path)
            }
        }
        // A canary is found by its mark.
        secrets.removeAll { $0.starts(with: CanaryKeys.mark) }
        let forms = Self.allForms(secrets)
        for path in others where Self.file(path, holds: forms) { report(path) }
    }

    /// The keys in a file; nil when it is not a file of keys.
    private static func keys(in path: String) -> [[UInt8]]? {
        // Most files are told by their first bytes.
        let start = read(path, limit: ringStart.count)
        guard secrets(inKeyFile: start) != nil else { return nil }
        return secrets(inKeyFile: read(path, limit: KeyRing.maximumFileBytes))
    }

    /// What a regular file holds, up to a limit; nothing of other kinds, which may block.
    private static func read(_ path: String, limit: Int) -> [UInt8] {
        guard let descriptor = openRegular(path) else { return [] }
        defer { close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = fill(UnsafeMutableRawBufferPointer(buffer), from: descriptor)
        }
    }

    private static let pieceBytes = 1 << 18

    /// Whether a regular file holds one of some runs of bytes. It is read in pieces: many tests end at once.
    private static func file(_ path: String, holds forms: [[UInt8]]) -> Bool {
        guard let descriptor = openRegular(path) else { return false }
        defer { close(descriptor) }
        // What could be the beginning of a run is looked at once more, with the next piece.
        let kept = (forms.map(\.count).max() ?? 1) - 1
        return withUnsafeTemporaryAllocation(byteCount: pieceBytes + kept, alignment: 1) { piece in
            var (searched, start) = (0, 0)
            while searched < searchedBytes {
                let rest = UnsafeMutableRawBufferPointer(rebasing: piece[start...])
                let count = fill(rest, from: descriptor)
                let end = start + count
                if holds(UnsafeRawBufferPointer(rebasing: piece[..<end]), forms) { return true }
                if count < rest.count { return false }
                searched += count
                piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[(end - kept)..<end]))
                start = kept
            }
            return false
        }
    }

    private static func openRegular(_ path: String) -> Int32? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Reads until a buffer is full or the file ends; the bytes read.
    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Int
    {
        var count = 0
        while count < buffer.count, let base = buffer.baseAddress {
            let read = Glibc.read(descriptor, base + count, buffer.count - count)
            if read <= 0 { break }
            count += read
        }
        return count
    }

    private static func files(in folder: String) -> [String] {
        FolderTree.names(in: folder).flatMap { name -> [String] in
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else { return [] }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: return files(in: path)
            case S_IFREG: return [path]
            default: return []
            }
        }
    }
}
