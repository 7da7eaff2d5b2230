import TallystickCore
import TallystickSQLite

/// Names of one dictionary as canonical JSON strings, for readers of many rows. Memory is bounded.
struct NameCache {
    private static let arenaLimit = 32 << 20
    private static let textLimit = 1 << 16

    private let rows: DictionaryRows
    /// By the low bits of an id: the id that is there, or -1.
    private var tags: [Int64]
    private var ranges: [ByteRange]
    private let mask: Int
    private var arena: [UInt8] = []
    private var texts: [Int64: String] = [:]
    /// The ids that were ever loaded.
    private(set) var used = IDSet()

    init(_ dictionary: Dictionary, in connection: Connection) throws(SQLiteError) {
        rows = try DictionaryRows(dictionary, in: connection)
        let slots = dictionary == .streams ? 1 << 18 : 1 << 12
        mask = slots - 1
        tags = [Int64](repeating: -1, count: slots)
        ranges = [ByteRange](repeating: .none, count: slots)
    }

    /// Makes a name available to `withName`; false when the dictionary has no such id.
    @inline(__always)
    mutating func load(_ id: Int64) throws(SQLiteError) -> Bool {
        if tags[Int(truncatingIfNeeded: id) & mask] == id { return true }
        return try fetch(id)
    }

    private mutating func fetch(_ id: Int64) throws(SQLiteError) -> Bool {
        guard let name = try rows.name(of: id) else { return false }
        used.insert(id)
        if arena.count > Self.arenaLimit {
            arena.removeAll(keepingCapacity: true)
            for index in tags.indices { tags[index] = -1 }
        }
        let slot = Int(truncatingIfNeeded: id) & mask
        let start = arena.count
        name.withUnsafeBytes { CanonicalJSON.writeString($0, to: &arena) }
        tags[slot] = id
        ranges[slot] = ByteRange(start: start, count: arena.count - start)
        return true
    }

    /// A loaded name's place in `withArena`.
    @inline(__always)
    func range(_ id: Int64) -> ByteRange {
        ranges[Int(truncatingIfNeeded: id) & mask]
    }

    @inline(__always)
    func withName<Result>(_ id: Int64, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        arena.withUnsafeBytes { body($0.slice(range(id))) }
    }

    /// A name as text; empty when the dictionary has no such id.
    mutating func text(_ id: Int64) throws(SQLiteError) -> String {
        if let text = texts[id] { return text }
        let text = try rows.name(of: id).map { String(decoding: $0, as: UTF8.self) } ?? ""
        if texts.count >= Self.textLimit { texts.removeAll(keepingCapacity: true) }
        texts[id] = text
        return text
    }
}

/// A set of ids of a dictionary, which are given from 1 on without gaps.
struct IDSet {
    /// Ids from here on are not kept: no dictionary grows that large.
    static let limit: Int64 = 1 << 28

    private var words: [UInt64] = []

    mutating func insert(_ id: Int64) {
        guard (0..<Self.limit).contains(id) else { return }
        let word = Int(id / 64)
        if word >= words.count {
            words.append(contentsOf: repeatElement(0, count: max(64, 2 * word) - words.count))
        }
        words[word] |= 1 << UInt64(id % 64)
    }

    func contains(_ id: Int64) -> Bool {
        guard id >= 0, id / 64 < words.count else { return false }
        return words[Int(id / 64)] & 1 << UInt64(id % 64) != 0
    }

    mutating func formUnion(_ other: IDSet) {
        if other.words.count > words.count {
            words.append(contentsOf: repeatElement(0, count: other.words.count - words.count))
        }
        for index in other.words.indices { words[index] |= other.words[index] }
    }
}
