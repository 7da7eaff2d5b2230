import Glibc
import Tallystick

/// Where results go: standard output, or a file that appears when it is complete.
final class OutputFile {
    private let path: String?
    /// Nil where the output is written to as it is: standard output, a pipe or a device.
    private let pending: PendingFile?
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var flushed = Clock.nanoseconds()

    private enum Limits {
        static let bufferBytes = 1 << 16
        /// A slow result is shown as it comes.
        static let nanosecondsBetweenFlushes: UInt64 = 200_000_000
    }

    /// - parameter path: nil or `-` for standard output.
    /// - throws: `StoreError` with `cannotCreate`.
    init(path: String?) throws(StoreError) {
        guard let path, path != "-" else {
            self.path = nil
            pending = nil
            descriptor = 1
            return
        }
        // Once more: the command may have made the file since.
        try OutputGuard.check(path)
        self.path = path
        if Self.isReplaceable(path) {
            let file = try PendingFile(for: path, permissions: 0o666, during: "write the output")
            pending = file
            descriptor = file.descriptor
            return
        }
        pending = nil
        descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError(
                .cannotCreate,
                during: "create the output",
                on: path,
                String(cString: strerror(errno)),
                hint: "Check the folder and its permissions"
            )
        }
    }

    /// Whether a new file takes the path: there is none, or a regular one.
    static func isReplaceable(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return true }
        return status.st_mode & S_IFMT == S_IFREG
    }

    func write(_ bytes: some Collection<UInt8>) throws(StoreError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Limits.bufferBytes
            || Clock.nanoseconds() - flushed > Limits.nanosecondsBetweenFlushes
        {
            try flush()
        }
    }

    func write(_ text: String) throws(StoreError) { try write(text.utf8) }

    /// Writes JSON; to a terminal with escapes for everything that a terminal would obey, which is the same JSON.
    func writeJSON(_ bytes: [UInt8]) throws(StoreError) {
        try write(isTerminal ? Terminal.escapedJSON(bytes) : bytes)
    }

    /// Whether a person sees at once what is written.
    private(set) lazy var isTerminal = isatty(descriptor) == 1

    func flush() throws(StoreError) {
        var offset = 0
        while offset < buffer.count {
            let written = buffer.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if written < 0 {
                let number = errno
                if number == EINTR { continue }
                if number == EAGAIN {
                    // A pipe that another program has made non-blocking is full.
                    waitUntilWritable()
                    continue
                }
                // A reader that has seen enough is no failure.
                if number == EPIPE { Glibc.exit(Exit.done) }
                throw failure(number)
            }
            offset += written
        }
        buffer.removeAll(keepingCapacity: true)
        flushed = Clock.nanoseconds()
    }

    private func waitUntilWritable() {
        var file = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // Interrupted or not, the next write tells.
        _ = poll(&file, 1, -1)
    }

    private func failure(_ number: Int32) -> StoreError {
        let isFull = number == ENOSPC || number == EDQUOT
        return StoreError(
            isFull ? .diskFull : .inputOutput,
            during: "write the output",
            on: path ?? "standard output",
            String(cString: strerror(number)),
            hint: (isFull ? "Free some space" : "Check the disk, or choose another output")
                + "; the store holds what was done"
        )
    }

    /// Makes the output complete: a file takes its name only now, and keeps it whatever happens next.
    func finish() throws(StoreError) {
        try flush()
        if let pending {
            try pending.publish(replacing: true)
        } else if path != nil {
            close(descriptor)
        }
    }

    /// Removes what was written so far.
    func abandon() {
        if let pending {
            pending.discard()
        } else if path != nil {
            close(descriptor)
        }
    }
}
