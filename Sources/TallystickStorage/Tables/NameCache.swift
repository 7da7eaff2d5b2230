import Glibc
import TallystickCore
package import TallystickSQLite

/// Names of one dictionary as canonical JSON strings, for readers of many rows. Memory is bounded.
package final class NameCache {
    private static let arenaLimit = 16 << 20
    private static let textLimit = 1 << 16

    /// Ids that are read together if the whole dictionary fits.
    private static let blockSize: Int64 = 256

    private let rows: DictionaryRows
    /// Indexed by the low bits of an id. Plain memory, like the arena: each access to a property of an object that
    /// may change is checked for exclusivity, which costs more than the look-up.
    private let slots: UnsafeMutableBufferPointer<Slot>
    private let mask: Int
    private let arena = UnsafeMutablePointer<ByteBuffer>.allocate(capacity: 1)
    private var texts: [Int64: String] = [:]
    /// Whether the dictionary fits, so that reading neighbours is worth while; nil before the first name.
    private var fits: Bool?

    private struct Slot {
        /// The id in this slot; its complement if it was read along with another one and never requested; or 0.
        var id: Int64 = 0
        var range = ByteRange.none
    }

    /// The ids that were ever requested.
    package private(set) var used = IDSet()

    package init(_ dictionary: NameDictionary, in connection: Connection) throws(SQLiteError) {
        rows = try DictionaryRows(dictionary, in: connection)
        let count = dictionary == .streams ? 1 << 18 : 1 << 12
        mask = count - 1
        // Zeroed memory that is not touched before it is used: most stores have few names, and are opened often.
        guard let memory = calloc(count, MemoryLayout<Slot>.stride) else {
            throw SQLiteError(code: .noMemory, message: "out of memory", operation: "read names")
        }
        slots = UnsafeMutableBufferPointer(
            start: memory.bindMemory(to: Slot.self, capacity: count),
            count: count
        )
        arena.initialize(to: ByteBuffer())
    }

    deinit {
        free(slots.baseAddress)
        arena.deinitialize(count: 1)
        arena.deallocate()
    }

    /// Makes a name available to `name`; false if the dictionary has no such id.
    @inline(__always)
    package func load(_ id: Int64) throws(SQLiteError) -> Bool {
        if id > 0, slots[Int(truncatingIfNeeded: id) & mask].id == id { return true }
        return try fetch(id)
    }

    private func fetch(_ id: Int64) throws(SQLiteError) -> Bool {
        // Ids start at 1; an empty slot has 0.
        guard id > 0 else { return false }
        let slot = Int(truncatingIfNeeded: id) & mask
        if slots[slot].id != ~id { try read(id) }
        guard slots[slot].id == ~id else { return false }
        slots[slot].id = id
        used.insert(id)
        return true
    }

    private func read(_ id: Int64) throws(SQLiteError) {
        if arena.pointee.count > Self.arenaLimit {
            arena.pointee.removeAll()
            for index in slots.indices { slots[index].id = 0 }
        }
        if fits == nil { fits = try rows.lastID() <= Int64(slots.count) }
        let block = fits == true ? id & ~(Self.blockSize - 1)...id | (Self.blockSize - 1) : id...id
        try rows.forEachName(in: block) { id, name in keep(name, id) }
    }

    private func keep(_ name: UnsafeRawBufferPointer, _ id: Int64) {
        let slot = Int(truncatingIfNeeded: id) & mask
        guard id > 0, slots[slot].id != id, slots[slot].id != ~id else { return }
        let start = arena.pointee.count
        CanonicalJSON.writeString(name, to: &arena.pointee)
        slots[slot] = Slot(
            id: ~id,
            range: ByteRange(start: start, count: arena.pointee.count - start)
        )
    }

    /// A loaded name, valid until another one is loaded.
    @inline(__always)
    package func name(_ id: Int64) -> UnsafeRawBufferPointer {
        arena.pointee.bytes.slice(slots[Int(truncatingIfNeeded: id) & mask].range)
    }

    /// Asks the processor to fetch the memory that `load` reads.
    @inline(__always)
    package func prefetchSlot(_ id: Int64) {
        guard let slots = slots.baseAddress else { return }
        prefetch(slots + (Int(truncatingIfNeeded: id) & mask))
    }

    /// Asks the processor to fetch a name, if it is loaded.
    @inline(__always)
    package func prefetchName(_ id: Int64) {
        let slot = slots[Int(truncatingIfNeeded: id) & mask]
        guard slot.id == id, let memory = arena.pointee.bytes.baseAddress else { return }
        prefetch(memory + Int(slot.range.start))
        // Many names extend into the next line of the processor's cache; the rest of longer ones follows by
        // itself.
        prefetch(memory + Int(slot.range.start) + Int(slot.range.count))
    }

    /// A name as text; empty if the dictionary has no such id.
    package func text(_ id: Int64) throws(SQLiteError) -> String {
        if let text = texts[id] { return text }
        let text = try rows.name(of: id).map { String(decoding: $0, as: UTF8.self) } ?? ""
        if texts.count >= Self.textLimit { texts.removeAll(keepingCapacity: true) }
        texts[id] = text
        return text
    }
}

/// A set of ids of a dictionary, which are contiguous from 1.
package struct IDSet {
    /// Ids from here onwards are not kept: no dictionary grows that large.
    package static let limit: Int64 = 1 << 28

    private var words: [UInt64] = []

    package init() {}

    package mutating func insert(_ id: Int64) {
        guard (0..<Self.limit).contains(id) else { return }
        let word = Int(id / 64)
        if word >= words.count {
            words.append(contentsOf: repeatElement(0, count: max(64, 2 * word) - words.count))
        }
        words[word] |= 1 << UInt64(id % 64)
    }

    package func contains(_ id: Int64) -> Bool {
        guard id >= 0, id / 64 < words.count else { return false }
        return words[Int(id / 64)] & 1 << UInt64(id % 64) != 0
    }

    package mutating func formUnion(_ other: IDSet) {
        if other.words.count > words.count {
            words.append(contentsOf: repeatElement(0, count: other.words.count - words.count))
        }
        for index in other.words.indices { words[index] |= other.words[index] }
    }
}
