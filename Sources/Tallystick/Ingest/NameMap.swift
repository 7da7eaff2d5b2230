import TallystickCore
import TallystickSQLite

/// What a run of batches knows of one dictionary: for each name of the decoder its text and its id.
struct NameMap {
    private let rows: DictionaryRows
    private var arena: [UInt8] = []
    private var ranges: [ByteRange] = []
    /// 0 where the id is not known.
    private(set) var ids: [Int64] = []

    init(_ dictionary: NameDictionary, in connection: Connection) throws(SQLiteError) {
        rows = try DictionaryRows(dictionary, in: connection)
    }

    var count: Int { ids.count }

    mutating func removeAll() {
        arena.removeAll(keepingCapacity: true)
        ranges.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
    }

    /// Forgets ids, which may have been those of a transaction that was rolled back.
    mutating func forgetIDs() {
        for index in ids.indices { ids[index] = 0 }
    }

    /// Takes over the names that a batch uses for the first time.
    mutating func accept(_ names: NewNames, _ bytes: UnsafeRawBufferPointer) {
        guard Int(names.first) == ids.count else { return }
        for range in names.names {
            ranges.append(ByteRange(start: arena.count, count: Int(range.count)))
            arena.append(contentsOf: bytes.slice(range))
            ids.append(0)
        }
    }

    /// The name as UTF-8.
    func name(_ index: Int) -> [UInt8] {
        arena.withUnsafeBytes { CanonicalJSON.text(ofString: $0.slice(ranges[index])) }
    }

    /// The id of a name that the store has; nil for one that it has not.
    mutating func find(_ index: Int) throws(SQLiteError) -> Int64? {
        if ids[index] != 0 { return ids[index] }
        let name = name(index)
        guard
            let id = try name.withUnsafeBytesTyped({ bytes throws(SQLiteError) in
                try rows.id(of: bytes)
            })
        else { return nil }
        ids[index] = id
        return id
    }

    /// The ids of all names; 0 for those that the store has not.
    mutating func knownIDs() throws(SQLiteError) -> [Int64] {
        for index in ids.indices where ids[index] == 0 { _ = try find(index) }
        return ids
    }

    /// The ids of names, added to the dictionary where they are new.
    ///
    /// New names are added in order of their text, so that the table's index grows page by page.
    mutating func resolve(_ indices: [Int32], onNew: (Int) -> Void = { _ in }) throws(SQLiteError) {
        var unknown: [Int] = []
        for index in indices where ids[Int(index)] == 0 {
            unknown.append(Int(index))
            // Marks it as seen, so that it is looked for once.
            ids[Int(index)] = -1
        }
        guard !unknown.isEmpty else { return }
        for index in unknown { ids[index] = 0 }
        arena.withUnsafeBytes { bytes in
            unknown.sort { bytes.slice(ranges[$0]).order(to: bytes.slice(ranges[$1])) < 0 }
        }
        // An empty dictionary knows no name.
        let last = try rows.lastID()
        var next = last + 1
        for index in unknown {
            if last > 0, try find(index) != nil { continue }
            try name(index).withUnsafeBytesTyped { bytes throws(SQLiteError) in
                try rows.add(bytes, id: next)
            }
            ids[index] = next
            onNew(index)
            next += 1
        }
    }
}
