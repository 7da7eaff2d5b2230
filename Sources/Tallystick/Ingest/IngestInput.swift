import Glibc

/// Where events come from.
public enum IngestInput: Sendable {
    /// A file of CloudEvents: NDJSON, a JSON array, or one JSON object; told apart by its beginning.
    case file(String)
    case standardInput
    /// Bytes in memory, laid out as a file.
    case bytes([UInt8], named: String)

    /// A file of CloudEvents as NDJSON.
    public static func ndjson(_ path: String) -> IngestInput { .file(path) }

    /// What reports call the input.
    var name: String {
        switch self {
        case .file(let path): path
        case .standardInput: "-"
        case .bytes(_, let name): name
        }
    }
}

/// Reads an input chunk by chunk.
final class ChunkReader {
    private let input: IngestInput
    private var descriptor: Int32 = -1
    /// Of bytes in memory: how many were handed out.
    private var offset = 0

    /// - throws: `StoreError` when the file cannot be opened.
    init(_ input: IngestInput) throws(StoreError) {
        self.input = input
        switch input {
        case .file(let path):
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Self.failure("open the input", path, errno) }
        case .standardInput:
            descriptor = 0
        case .bytes:
            break
        }
    }

    deinit {
        if case .file = input { close(descriptor) }
    }

    /// Calls `body` with the next chunk; false at the end.
    func next(_ body: (UnsafeRawBufferPointer) -> Void) throws(StoreError) -> Bool {
        if case .bytes(let bytes, _) = input {
            guard offset < bytes.count else { return false }
            let chunk = offset..<min(bytes.count, offset + IngestLimits.readChunk)
            offset = chunk.upperBound
            bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[chunk])) }
            return true
        }
        var outcome = 0
        var number: Int32 = 0
        withUnsafeTemporaryAllocation(byteCount: IngestLimits.readChunk, alignment: 16) { buffer in
            repeat {
                outcome = read(descriptor, buffer.baseAddress, buffer.count)
                number = errno
            } while outcome < 0 && number == EINTR
            if outcome > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<outcome])) }
        }
        if outcome < 0 { throw Self.failure("read the input", input.name, number) }
        return outcome > 0
    }

    private static func failure(_ operation: String, _ path: String, _ number: Int32) -> StoreError
    {
        let reason = String(cString: strerror(number))
        let code: StoreError.Code =
            switch number {
            case ENOENT, ENOTDIR: .noInput
            case EACCES, EPERM: .notPermitted
            case EISDIR: .badInput
            default: .inputOutput
            }
        return StoreError(code, during: operation, on: path, reason, hint: "Check the path")
    }
}
