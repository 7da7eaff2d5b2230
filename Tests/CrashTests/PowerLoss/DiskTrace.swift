import Foundation

/// The operations of processes on the files below one folder, in a single order: the records of `disk-trace.c`.
struct DiskTrace {
    /// One call that succeeded, or a sync that failed. Paths are relative to the folder.
    enum Operation: Equatable {
        /// The path is nil for a file without a name.
        case opened(path: String?, inode: UInt64, isCreated: Bool, isTruncated: Bool)
        case written(inode: UInt64, offset: Int, bytes: [UInt8])
        case truncated(inode: UInt64, size: Int)
        case synced(inode: UInt64)
        case folderSynced(path: String)
        case syncFailed(inode: UInt64)
        case renamed(from: String, to: String)
        case linked(inode: UInt64, to: String)
        case unlinked(path: String)
        /// Creating and removing folders, which the model omits: a state has the folders that its files need.
        case foldersChanged
        /// A write to standard output.
        case printed(String)
    }

    /// A record that the recorder does not write, or a call that the model does not know.
    struct Failure: Error {
        var message: String
    }

    private(set) var operations: [Operation] = []
    /// Bytes of records before each operation, used to find the operations before a step ended.
    private(set) var offsets: [Int] = []
    /// The process that performed each operation.
    private(set) var processes: Set<UInt32> = []

    init() {}

    init(file path: String) throws {
        try self.init(records: [UInt8](Data(contentsOf: URL(filePath: path))))
    }

    init(records: [UInt8]) throws {
        var reader = RecordReader(bytes: records)
        while reader.offset < records.count {
            offsets.append(reader.offset)
            let (process, operation) = try reader.next()
            processes.insert(process)
            operations.append(operation)
        }
    }

    /// The number of operations in the first bytes of the records.
    func count(inBytes bytes: Int) -> Int { offsets.partitioningIndex { $0 >= bytes } }
}

extension [Int] {
    /// The first index whose element has a property that all later ones have too.
    func partitioningIndex(where belongs: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Reads the records of `disk-trace.c`.
private struct RecordReader {
    let bytes: [UInt8]
    var offset = 0

    mutating func next() throws -> (process: UInt32, operation: DiskTrace.Operation) {
        let length = Int(try integer(UInt32.self))
        let end = offset + length
        guard end <= bytes.count else { throw DiskTrace.Failure(message: "a record is cut short") }
        let kind = try integer(UInt8.self)
        let process = try integer(UInt32.self)
        let inode = try integer(UInt64.self)
        let number = Int(try integer(Int64.self))
        let lengths = try (0..<3).map { _ in Int(try integer(UInt32.self)) }
        let path = text(lengths[0])
        let other = text(lengths[1])
        let data = Array(bytes[offset..<offset + lengths[2]])
        offset = end
        let operation = try Self.operation(kind, inode, number, path, other, data)
        return (process, operation)
    }

    private static func operation(
        _ kind: UInt8,
        _ inode: UInt64,
        _ number: Int,
        _ path: String,
        _ other: String,
        _ data: [UInt8]
    ) throws -> DiskTrace.Operation {
        switch kind {
        case 1:
            return .opened(
                path: number & 4 == 0 ? path : nil,
                inode: inode,
                isCreated: number & 1 != 0,
                isTruncated: number & 2 != 0
            )
        case 2: return .written(inode: inode, offset: number, bytes: data)
        case 3: return .truncated(inode: inode, size: number)
        case 4: return .synced(inode: inode)
        case 5: return .folderSynced(path: path)
        case 6: return .renamed(from: path, to: other)
        case 7: return .linked(inode: inode, to: other)
        case 8: return .unlinked(path: path)
        case 9, 10: return .foldersChanged
        case 11: return .syncFailed(inode: inode)
        case 12: return .printed(String(decoding: data, as: UTF8.self))
        default: throw DiskTrace.Failure(message: "kind \(kind) of '\(path)' and '\(other)'")
        }
    }

    private mutating func integer<Number: FixedWidthInteger>(_: Number.Type) throws -> Number {
        let size = MemoryLayout<Number>.size
        guard offset + size <= bytes.count else {
            throw DiskTrace.Failure(message: "a record is cut short")
        }
        defer { offset += size }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
    }

    private mutating func text(_ length: Int) -> String {
        defer { offset += length }
        return String(decoding: bytes[offset..<offset + length], as: UTF8.self)
    }
}
