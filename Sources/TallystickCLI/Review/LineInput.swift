import Glibc

/// Reads lines that a person types, and stops waiting when the process is asked to end.
final class LineInput {
    private var buffer: [UInt8] = []
    private var isAtEnd = false
    /// How long one wait lasts before the process is asked whether it should end.
    private static let pollMilliseconds: Int32 = 100

    /// The next line without its line feed; nil at the end of the input, and when the process is asked to end.
    func next() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                defer { buffer.removeSubrange(...end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            if isAtEnd || StopRequest.isMade {
                guard !buffer.isEmpty, !StopRequest.isMade else { return nil }
                defer { buffer = [] }
                return String(decoding: buffer, as: UTF8.self)
            }
            read()
        }
    }

    private func read() {
        var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        guard poll(&input, 1, Self.pollMilliseconds) > 0 else { return }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(0, &chunk, chunk.count)
        if count > 0 {
            buffer += chunk[..<count]
        } else if count == 0 || errno != EINTR {
            isAtEnd = true
        }
    }
}
