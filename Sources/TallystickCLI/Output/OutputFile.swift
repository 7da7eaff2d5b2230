import Glibc
import Tallystick

/// Where results go: standard output, or a file that appears when it is complete.
final class OutputFile {
    private let path: String?
    /// Nil where the output is written to as it is: standard output, a pipe or a device.
    private let pending: PendingFile?
    private let descriptor: Int32
    /// Whether it is a pipe or a FIFO, whose reader may keep the writer waiting.
    private let isPipe: Bool
    private var buffer: [UInt8] = []
    private var flushed = MonotonicClock.nanoseconds()

    private enum Limits {
        static let bufferBytes = 1 << 16
        /// A slow result is shown as it comes.
        static let nanosecondsBetweenFlushes: UInt64 = 200_000_000
        /// What a pipe that has room takes without waiting (PIPE_BUF).
        static let pipeBytes = 4096
        /// How long is waited before looking whether the command is to end.
        static let pollMilliseconds: Int32 = 100
    }

    /// - parameter path: nil or `-` for standard output.
    /// - throws: `StoreError` with `cannotCreate`; `interrupted` where the command is stopped while it waits for a
    ///   reader.
    init(path: String?) throws(StoreError) {
        guard let path, path != "-" else {
            self.path = nil
            pending = nil
            descriptor = 1
            isPipe = Self.isPipe(1)
            return
        }
        // Once more: the command may have made the file since.
        try OutputGuard.check(path)
        self.path = path
        if Self.isReplaceable(path) {
            let file = try PendingFile(for: path, permissions: 0o666, during: "write the output")
            pending = file
            descriptor = file.descriptor
            isPipe = false
            return
        }
        pending = nil
        descriptor = try Self.openExisting(path)
        isPipe = Self.isPipe(descriptor)
    }

    private static func isPipe(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Opens a device, or a FIFO once it has a reader.
    private static func openExisting(_ path: String) throws(StoreError) -> Int32 {
        while true {
            let opened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            if opened >= 0 { return opened }
            let number = errno
            var status = stat()
            let isFIFO = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
            guard number == ENXIO && isFIFO || number == EINTR else {
                throw StoreError(
                    .cannotCreate,
                    during: "create the output",
                    on: path,
                    String(cString: strerror(number)),
                    hint: "Check the folder and its permissions"
                )
            }
            // Nothing tells of a reader; it is asked for again.
            if !StopRequest.isMade { poll(nil, 0, Limits.pollMilliseconds) }
            guard !StopRequest.isMade else { throw stopped(path) }
        }
    }

    private static func stopped(_ path: String) -> StoreError {
        StoreError(
            .interrupted,
            during: "write the output",
            on: path,
            "it was stopped while nobody read the output"
        )
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
            || MonotonicClock.nanoseconds() - flushed > Limits.nanosecondsBetweenFlushes
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
        // Whatever happens, no byte is written twice.
        defer { buffer.removeFirst(offset) }
        while offset < buffer.count {
            if isPipe { try waitUntilWritable() }
            let end = isPipe ? min(offset + Limits.pipeBytes, buffer.count) : buffer.count
            let written = buffer.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, end - offset)
            }
            if written < 0 {
                let number = errno
                if number == EINTR { continue }
                if number == EAGAIN {
                    // Another writer was faster, or the terminal was made non-blocking and takes no more.
                    try waitUntilWritable()
                    continue
                }
                // A reader that has seen enough is no failure.
                if number == EPIPE { Glibc.exit(Exit.done) }
                throw failure(number)
            }
            offset += written
        }
        flushed = MonotonicClock.nanoseconds()
    }

    /// Waits until something can be written, or the command is to end.
    ///
    /// - throws: `StoreError` with `interrupted`.
    private func waitUntilWritable() throws(StoreError) {
        var file = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // What is wrong with the file, the next write tells.
        while poll(&file, 1, Limits.pollMilliseconds) == 0 {
            if StopRequest.isMade { throw Self.stopped(path ?? "standard output") }
        }
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
