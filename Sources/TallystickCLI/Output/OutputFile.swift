import Glibc
import Tallystick

/// Where results go: standard output, or a file that appears when it is complete.
final class OutputFile {
    private let path: String?
    private let temporary: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// - throws: `StoreError` with `cannotCreate`.
    init(path: String?) throws(StoreError) {
        self.path = path
        temporary = (path ?? "") + ".partial-\(getpid())"
        guard path != nil else {
            descriptor = 1
            return
        }
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw StoreError(
                .cannotCreate, during: "create the output", on: path ?? "",
                String(cString: strerror(errno)), hint: "Check the folder")
        }
    }

    func write(_ bytes: some Collection<UInt8>) throws(StoreError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 16 { try flush() }
    }

    func write(_ text: String) throws(StoreError) { try write(text.utf8) }

    func flush() throws(StoreError) {
        var offset = 0
        while offset < buffer.count {
            let written = buffer.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if written < 0 {
                if errno == EINTR { continue }
                // A reader that has seen enough is no failure.
                if errno == EPIPE { Glibc.exit(Exit.done) }
                throw StoreError(
                    .inputOutput, during: "write the output", on: path ?? "standard output",
                    String(cString: strerror(errno)))
            }
            offset += written
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Makes the output complete: a file takes its name only now.
    func finish() throws(StoreError) {
        try flush()
        guard let path else { return }
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
            throw StoreError(
                .inputOutput, during: "write the output", on: path, String(cString: strerror(errno)))
        }
    }

    /// Removes what was written so far.
    func abandon() {
        guard path != nil else { return }
        close(descriptor)
        unlink(temporary)
    }
}
