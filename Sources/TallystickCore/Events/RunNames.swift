/// The names that a run has met, numbered in order of their first use. Batches announce the new ones.
///
/// Names are canonical JSON strings.
struct RunNames: Sendable {
    private var sources: NameTable
    private var types: NameTable
    private var streams: NameTable
    /// By type: the category, or -1 if the data decides.
    private var categoryOfType: [Int32] = []
    private var generation = 0

    /// - parameter count: the initial capacity for names of each kind.
    init(expecting count: Int) {
        sources = NameTable(expecting: count)
        types = NameTable(expecting: count)
        streams = NameTable(expecting: count)
    }

    /// Forgets all names: the next batch begins a new generation of numbers.
    mutating func startAfresh() {
        generation += 1
        sources.removeAll()
        types.removeAll()
        streams.removeAll()
        categoryOfType.removeAll()
    }

    /// Prepares an empty batch to announce names.
    mutating func begin(_ batch: inout EventBatch) {
        if streams.isFull || sources.isFull || types.isFull { startAfresh() }
        batch.generation = generation
        batch.newSources = NewNames(first: Int32(sources.count), names: [])
        batch.newTypes = NewNames(first: Int32(types.count), names: [])
        batch.newStreams = NewNames(first: Int32(streams.count), names: [])
    }

    /// The number of a source.
    mutating func source(_ name: [UInt8], in batch: inout EventBatch) -> Int32 {
        let (index, isNew) = name.withUnsafeBytes { sources.intern($0) }
        if isNew { batch.newSources.names.append(Self.keep(name, in: &batch.arena)) }
        return index
    }

    /// The number of a type; if it is new, its category has to be set.
    mutating func type(_ name: [UInt8], in batch: inout EventBatch) -> (index: Int32, isNew: Bool) {
        let (index, isNew) = name.withUnsafeBytes { types.intern($0) }
        if isNew { batch.newTypes.names.append(Self.keep(name, in: &batch.arena)) }
        return (index, isNew)
    }

    /// - parameter category: nil if the data decides.
    mutating func setCategory(_ category: Int32?, ofNewType index: Int32) {
        assert(index == categoryOfType.count, "types get numbers in order")
        categoryOfType.append(category ?? -1)
    }

    /// The category of a type; nil if the data decides.
    func category(ofType index: Int32) -> Int32? {
        let category = categoryOfType[Int(index)]
        return category < 0 ? nil : category
    }

    /// The number of a stream, and where its name is: in the batch, even if it is not new.
    mutating func stream(_ name: [UInt8], in batch: inout EventBatch) -> (Int32, ByteRange) {
        let range = Self.keep(name, in: &batch.arena)
        let (index, isNew) = name.withUnsafeBytes { streams.intern($0) }
        if isNew { batch.newStreams.names.append(range) }
        return (index, range)
    }

    private static func keep(_ name: [UInt8], in arena: inout [UInt8]) -> ByteRange {
        defer { arena.append(contentsOf: name) }
        return ByteRange(start: arena.count, count: name.count)
    }
}
