import Glibc

/// Splits a stream of bytes into records: NDJSON, one JSON object over several lines, or a JSON array.
///
/// Chunks may have any size; the records are the same. Memory is bounded by the largest event: of a longer record
/// only the beginning is kept, with the length and digest of the whole.
package struct RecordSplitter {
    /// The result of `next`.
    package enum Item {
        /// A record: `bytes(of:)` returns it until the next call of `append`.
        case record(Range<Int>, RecordPlace)
        /// A record over the limit.
        case oversized(Oversized)
        /// Bytes outside the structure of an array.
        case misplaced(Range<Int>, RecordPlace, message: String)
    }

    /// A record of more than `EventLimits.eventBytes`.
    package struct Oversized {
        /// The first bytes.
        package var head: [UInt8]
        /// Number of bytes of the whole record.
        package var length: Int64
        package var digest: SHA256Digest
        package var place: RecordPlace
    }

    private enum Layout { case unknown, lines, document, array }

    private var layout = Layout.unknown
    private var buffer: [UInt8] = []
    /// Where the next record begins in `buffer`, and how far it has been scanned.
    private var start = 0
    private var scanned = 0
    private var isFinished = false
    /// The records that `next` has returned, and other items.
    package private(set) var count: Int64 = 0
    /// Position of `buffer[start]`.
    private var line: Int64 = 1
    private var column: Int64 = 1
    private var byte: Int64 = 0
    // Nesting of the record being scanned, for documents and arrays.
    private var depth = 0
    private var inString = false
    private var afterBackslash = false
    private var arrayIsClosed = false
    /// Whether a comma was the last thing in the array.
    private var isAfterComma = false
    private var oversized: (hasher: SHA256Hasher, head: [UInt8], length: Int64, place: RecordPlace)?

    package init() {}

    /// Adds bytes.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            scanned -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Marks the end of the input.
    package mutating func finish() { isFinished = true }

    /// The bytes of a range that `next` returned.
    package func withBytes<Result>(
        of range: Range<Int>,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The next record; nil if more bytes are needed, or there are no more records.
    package mutating func next() -> Item? {
        while true {
            if layout == .unknown, !detect() { return nil }
            let item: Item?
            switch layout {
            case .array: item = nextElement()
            case .document: item = nextDocument()
            default: item = nextLine()
            }
            guard let item else { return nil }
            if case .record(let range, _) = item, range.isEmpty { continue }
            count += 1
            return item
        }
    }

    /// The place of `buffer[start]`, where the next record begins.
    private var here: RecordPlace {
        RecordPlace(line: line, column: column, byte: byte, record: count + 1)
    }

    /// The layout of the input: `ndjson`, `json` for objects over several lines, `json-array`; nil while it is unknown.
    package var format: String? {
        switch layout {
        case .unknown: nil
        case .lines: "ndjson"
        case .document: "json"
        case .array: "json-array"
        }
    }

    /// Determines the layout from the first line; false if more bytes are needed.
    private mutating func detect() -> Bool {
        guard let first = buffer.firstIndex(where: { !Self.isSpace($0) }) else {
            if isFinished { layout = .lines }
            return isFinished
        }
        if buffer[first] == 0x5B {
            advance(to: first + 1)
            layout = .array
            return true
        }
        let end = buffer[first...].firstIndex(of: 0x0A)
        guard
            let end = end
                ?? (isFinished || buffer.count > EventLimits.eventBytes ? buffer.count : nil)
        else { return false }
        // An object that continues on the next line ends its line after a bracket, a comma or a colon.
        let last = buffer[first..<end].last { !Self.isSpace($0) }
        let shouldContinue = last == 0x7B || last == 0x2C || last == 0x3A || last == 0x5B
        layout = shouldContinue && end < buffer.count ? .document : .lines
        if layout == .document { advance(to: first) }
        return true
    }

    private mutating func nextLine() -> Item? {
        let end = buffer.withUnsafeBytes { bytes -> Int? in
            guard scanned < bytes.count, let base = bytes.baseAddress else { return nil }
            return memchr(base + scanned, 0x0A, bytes.count - scanned).map {
                $0 - UnsafeMutableRawPointer(mutating: base)
            }
        }
        guard let end = end ?? (isFinished && start < buffer.count ? buffer.count : nil) else {
            return waitForMore()
        }
        if let item = finishOversized(at: end) { return item }
        let place = here
        var range = start..<end
        if range.last.map({ buffer[$0] == 0x0D }) == true { range = start..<end - 1 }
        if buffer[range].allSatisfy(Self.isSpace) { range = start..<start }
        let next = min(end + 1, buffer.count)
        start = next
        scanned = next
        byte = place.byte + Int64(next - (range.lowerBound))
        line += end < buffer.count ? 1 : 0
        column = 1
        guard range.count <= EventLimits.eventBytes else {
            return Self.oversizedItem(buffer[range], place)
        }
        return .record(range, place)
    }

    /// Objects one after another, each on any number of lines.
    private mutating func nextDocument() -> Item? {
        if oversized == nil, depth == 0, scanned == start { skipSpace() }
        guard let end = scanValue(stopsAtComma: false) else {
            guard isFinished, start < buffer.count else { return waitForMore() }
            return take(upTo: buffer.count)
        }
        return take(upTo: end)
    }

    private mutating func nextElement() -> Item? {
        if oversized == nil, depth == 0, scanned == start, !inString {
            skipSpace()
            if arrayIsClosed {
                guard start < buffer.count else { return nil }
                guard isFinished else { return nil }
                let place = here
                let range = start..<buffer.count
                advance(to: buffer.count)
                return .misplaced(
                    range,
                    place,
                    message: "there are bytes after the end of the array"
                )
            }
            if start < buffer.count, buffer[start] == 0x5D {
                let place = here
                advance(to: start + 1)
                arrayIsClosed = true
                guard isAfterComma else { return nextElement() }
                isAfterComma = false
                return .misplaced(start..<start, place, message: Self.missingValue)
            }
        }
        guard let end = scanValue(stopsAtComma: true) else {
            guard isFinished, start < buffer.count else {
                return isFinished ? missingBracket() : waitForMore()
            }
            return take(upTo: buffer.count)
        }
        let item = take(upTo: end)
        if start < buffer.count {
            arrayIsClosed = buffer[start] == 0x5D
            isAfterComma = buffer[start] == 0x2C
            advance(to: start + 1)
        }
        return item
    }

    private mutating func missingBracket() -> Item? {
        guard !arrayIsClosed else { return nil }
        arrayIsClosed = true
        let place = here
        return .misplaced(
            start..<start,
            place,
            message: "the input ends before the array is closed"
        )
    }

    /// Searches for the end of the value that begins at `start`.
    private mutating func scanValue(stopsAtComma: Bool) -> Int? {
        var index = scanned
        defer { scanned = index }
        while index < buffer.count {
            let byte = buffer[index]
            if inString {
                if afterBackslash {
                    afterBackslash = false
                } else if byte == 0x5C {
                    afterBackslash = true
                } else if byte == 0x22 {
                    inString = false
                }
            } else {
                switch byte {
                case 0x22: inString = true
                case 0x7B, 0x5B: depth += 1
                case 0x7D, 0x5D:
                    if depth == 0, stopsAtComma { return index }
                    depth = max(0, depth - 1)
                    if depth == 0, !stopsAtComma { return index + 1 }
                case 0x2C where stopsAtComma && depth == 0: return index
                default: break
                }
            }
            index += 1
        }
        return nil
    }

    private mutating func take(upTo end: Int) -> Item? {
        (depth, inString, afterBackslash) = (0, false, false)
        if let item = finishOversized(at: end) { return item }
        let place = here
        var last = end
        while last > start, Self.isSpace(buffer[last - 1]) { last -= 1 }
        let range = start..<last
        advance(to: end)
        guard range.count <= EventLimits.eventBytes else {
            return Self.oversizedItem(buffer[range], place)
        }
        // Two commas in a row leave an empty record, which is not JSON.
        if range.isEmpty {
            return .misplaced(range, place, message: Self.missingValue)
        }
        return .record(range, place)
    }

    private static let missingValue = "a value is missing in the array"

    private mutating func skipSpace() {
        var index = start
        while index < buffer.count, Self.isSpace(buffer[index]) { index += 1 }
        advance(to: index)
    }

    /// Advances the beginning and its position.
    private mutating func advance(to end: Int) {
        for index in start..<end {
            if buffer[index] == 0x0A {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        byte += Int64(end - start)
        start = end
        scanned = max(scanned, end)
        if scanned > end, depth == 0, !inString { scanned = end }
    }

    /// Drops the scanned part of a record that is already too long.
    private mutating func waitForMore() -> Item? {
        if layout == .lines { scanned = buffer.count }
        guard buffer.count - start > EventLimits.eventBytes || oversized != nil else { return nil }
        var state =
            oversized
            ?? (
                SHA256Hasher(), Array(buffer[start..<start + EventLimits.eventBytes]), 0,
                here
            )
        let rest = start..<scanned
        buffer.withUnsafeBytes { state.0.update(UnsafeRawBufferPointer(rebasing: $0[rest])) }
        state.2 += Int64(rest.count)
        oversized = state
        let (savedDepth, savedString, savedBackslash) = (depth, inString, afterBackslash)
        depth = 1
        advance(to: rest.upperBound)
        (depth, inString, afterBackslash) = (savedDepth, savedString, savedBackslash)
        return nil
    }

    private mutating func finishOversized(at end: Int) -> Item? {
        guard var state = oversized else { return nil }
        oversized = nil
        buffer.withUnsafeBytes {
            state.hasher.update(UnsafeRawBufferPointer(rebasing: $0[start..<end]))
        }
        state.length += Int64(end - start)
        advance(to: layout == .lines ? min(end + 1, buffer.count) : end)
        scanned = start
        return .oversized(
            Oversized(
                head: state.head,
                length: state.length,
                digest: state.hasher.digest(),
                place: state.place
            )
        )
    }

    private static func oversizedItem(_ bytes: ArraySlice<UInt8>, _ place: RecordPlace) -> Item {
        .oversized(
            Oversized(
                head: Array(bytes.prefix(EventLimits.eventBytes)),
                length: Int64(bytes.count),
                digest: bytes.withUnsafeBytes { SHA256Digest(hashing: $0) },
                place: place
            )
        )
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}
