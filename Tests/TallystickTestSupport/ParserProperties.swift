import TallystickCore

/// What always holds of everything that reads bytes of strangers, whatever the bytes: for fuzzing.
public enum ParserProperties {
    /// A sentence about the first property that is broken; nil when all hold. A trap is found by not returning.
    public static func brokenProperty(_ bytes: [UInt8]) -> String? {
        canonicalForm(bytes) ?? events(bytes) ?? records(bytes) ?? otherFiles(bytes)
    }

    /// The canonical form of a canonical form is itself, and both parsers accept the same documents.
    private static func canonicalForm(_ bytes: [UInt8]) -> String? {
        let canonical = try? CanonicalJSON.canonicalize(bytes)
        let document = try? JSONDocument(bytes)
        guard let canonical else {
            return document == nil ? nil : "only one parser accepts the text"
        }
        guard let document else { return "only one parser refuses the text" }
        guard document.root.canonical == canonical else { return "the canonical forms differ" }
        guard (try? CanonicalJSON.canonicalize(canonical)) == canonical else {
            return "the canonical form is not its own canonical form"
        }
        return nil
    }

    /// An event that was read is the same when it is written and read again.
    private static func events(_ bytes: [UInt8]) -> String? {
        guard case .success(let event) = bytes.withUnsafeBytes({ Event.decoded(from: $0) }) else {
            return nil
        }
        var written: [UInt8] = []
        event.writeJSON(to: &written)
        guard case .success(let again) = written.withUnsafeBytes({ Event.decoded(from: $0) }) else {
            return "an event that was written cannot be read"
        }
        return again == event ? nil : "an event changes when it is written and read"
    }

    /// Records are the same in whatever pieces the bytes arrive, and decoding them traps on none.
    private static func records(_ bytes: [UInt8]) -> String? {
        let whole = split(bytes, pieces: bytes.count + 1)
        let size = 1 + Int(bytes.first ?? 0) % 13
        guard whole == split(bytes, pieces: size) else {
            return "records depend on how bytes arrive"
        }
        for mapping in [nil, EventMapping.monitoring] {
            var decoder = EventDecoder(EventDecoderSettings(mapping: mapping))
            var batch = EventBatch()
            decoder.begin(&batch)
            for record in whole {
                _ = record.withUnsafeBytes {
                    decoder.decode($0, at: RecordPlace(line: 1, column: 1, byte: 0), into: &batch)
                }
            }
            guard batch.events.count + batch.rejected.count == whole.count else {
                return "a record became neither an event nor a rejection"
            }
        }
        return nil
    }

    private static func split(_ bytes: [UInt8], pieces size: Int) -> [[UInt8]] {
        var splitter = RecordSplitter()
        var records: [[UInt8]] = []
        func take() {
            while let item = splitter.next() {
                switch item {
                case .record(let range, _), .misplaced(let range, _, _):
                    records.append(splitter.withBytes(of: range) { [UInt8]($0) })
                case .oversized(let oversized): records.append(oversized.head)
                }
            }
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            [UInt8](rest.prefix(size)).withUnsafeBytes { splitter.append($0) }
            rest = rest.dropFirst(size)
            take()
        }
        splitter.finish()
        take()
        return records
    }

    /// Projection and settings files, maps and times are accepted or refused.
    private static func otherFiles(_ bytes: [UInt8]) -> String? {
        _ = try? ProjectionFile(bytes)
        if let settings = try? StoreSettings(json: bytes) {
            guard let again = try? StoreSettings(json: settings.canonical),
                again.canonical == settings.canonical
            else { return "settings change when they are written and read" }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? EventMapping(text)
        _ = RFC3339Instant(text)
        return nil
    }
}

/// Changes bytes a little, as an accident or an attacker does; the same for the same seed.
public struct Mutator {
    private var random: SeededGenerator
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", "\"", "\\", ",", ":", "\n", "\r\n", "\\u0000", "\\ud800",
            "1e999999999", "-0", "null",
            "{\"specversion\":\"1.0\",", "\"id\":\"\",", "\"data_base64\":\"AA==\"",
            "-- tally:on *\n", "9007199254740993",
        ].map { Array($0.utf8) } + [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF], [0],
        ]

    /// Draws the same changes for the same seed.
    public init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// One to eight changes: bytes flipped, cut out, repeated, or inserted.
    public mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0...Int(random.next() % 8) {
            let place = result.isEmpty ? 0 : Int(random.next() % UInt64(result.count))
            switch random.next() % 5 {
            case 0 where !result.isEmpty: result[place] ^= UInt8(1) << UInt8(random.next() % 8)
            case 1: result.removeSubrange(place..<min(result.count, place + Int(random.next() % 9)))
            case 2: result.insert(contentsOf: result[place...].prefix(40), at: place)
            case 3: result.removeSubrange(min(result.count, place + 1)...)
            default:
                let piece = Self.pieces[Int(random.next() % UInt64(Self.pieces.count))]
                result.insert(contentsOf: piece, at: place)
            }
        }
        return result
    }
}
