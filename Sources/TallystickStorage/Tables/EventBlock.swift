import Glibc
package import TallystickCore
package import TallystickSQLite

/// Verified rows of `events`, copied out of their statement, so that one thread can read and verify rows while
/// another uses earlier ones.
///
/// Unchecked Sendable: one thread fills a block and then gives it away; after that it is only read.
package final class EventBlock: @unchecked Sendable {
    /// Values computed from a row.
    package struct Proof {
        package var content: SHA256Digest
        /// The root of the largest complete subtree that ends with the event's leaf.
        package var subtree: SHA256Digest
    }

    fileprivate struct Cell {
        var type: ColumnType
        /// Bytes of a text or blob.
        var count: Int32 = 0
        /// An integer, or the offset of the bytes.
        var value: Int64 = 0
    }

    /// State written for each cell. It is kept outside the object, because each access to a property of an object
    /// is checked for exclusivity, which costs more than the cell.
    fileprivate struct Cells: ~Copyable {
        var all = UnsafeMutableBufferPointer<Cell>.allocate(capacity: EventBlock.cellsOfRow)
        /// The bytes that cells point into.
        var memory = ByteBuffer()

        deinit { all.deallocate() }

        mutating func reserveRow(_ row: Int) {
            let count = row * EventBlock.cellsOfRow
            guard count + EventBlock.cellsOfRow > all.count else { return }
            let larger = UnsafeMutableBufferPointer<Cell>.allocate(capacity: 2 * all.count)
            _ = larger.update(fromContentsOf: UnsafeMutableBufferPointer(rebasing: all[..<count]))
            all.deallocate()
            all = larger
        }

        @inline(__always)
        mutating func add(_ bytes: UnsafeRawBufferPointer, _ type: ColumnType) -> Cell {
            let start = memory.count
            memory.append(contentsOf: bytes)
            return Cell(
                type: type,
                count: Int32(truncatingIfNeeded: bytes.count),
                value: Int64(start)
            )
        }
    }

    /// After the columns of `EventColumn`.
    fileprivate static let streamColumn = EventColumn.count
    private static let cellsOfRow = Int(EventColumn.count) + 1

    /// Rows that are copied before the first of them is verified, so that the data they need can be fetched
    /// meanwhile.
    package static let rowsAtOnce = 32

    private let cells = UnsafeMutablePointer<Cells>.allocate(capacity: 1)
    package private(set) var proofs: [Proof] = []
    /// Copied rows, verified or not.
    package private(set) var copied = 0
    /// Why the event after the last one cannot be passed on.
    package var failure: (any Error)?

    package init() { cells.initialize(to: Cells()) }

    deinit {
        cells.deinitialize(count: 1)
        cells.deallocate()
    }

    /// Verified rows.
    package var count: Int { proofs.count }
    /// Whether it has reached its maximum size in bytes.
    package var isFull: Bool { cells.pointee.memory.count >= ReadAheadLimits.blockBytes }

    package func row(_ index: Int) -> EventRow {
        EventRow(block: self, first: index * Self.cellsOfRow)
    }

    package func removeAll() {
        proofs.removeAll(keepingCapacity: true)
        copied = 0
        cells.pointee.memory.removeAll()
        failure = nil
    }

    /// Copies the current row of a statement that selects `EventColumn.list` first. It belongs to the block once
    /// `accept` supplies the values computed from it.
    package func copy(_ row: Statement) {
        let first = copied * Self.cellsOfRow
        cells.pointee.reserveRow(copied)
        copied += 1
        for column in 0..<EventColumn.count {
            let value = row.column(at: column)
            let type = value.type
            let cell =
                switch type {
                case .integer: Cell(type: type, value: value.int64)
                case .text, .blob: cells.pointee.add(value.bytes, type)
                case .null, .real: Cell(type: type)
                }
            cells.pointee.all[first + Int(column)] = cell
        }
    }

    /// Keeps `row(count)`, which was copied.
    ///
    /// - parameter stream: the stream's name as UTF-8.
    package func accept(stream: UnsafeRawBufferPointer, _ proof: Proof) {
        let first = count * Self.cellsOfRow
        cells.pointee.all[first + Int(Self.streamColumn)] = cells.pointee.add(stream, .text)
        proofs.append(proof)
    }

    @inline(__always)
    fileprivate func cell(_ index: Int) -> Cell { cells.pointee.all[index] }

    @inline(__always)
    fileprivate func bytes(_ cell: Cell) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: cells.pointee.memory.bytes[
                Int(cell.value)..<Int(cell.value) + Int(cell.count)
            ]
        )
    }
}

/// One row of a block, read like a statement's row. Its bytes stay in place until the block gets another row; once
/// the block gets no more rows, for as long as the block exists.
package struct EventRow: EventColumns {
    fileprivate let block: EventBlock
    fileprivate let first: Int

    @inline(__always)
    package func columnType(at column: Int32) -> ColumnType { block.cell(first + Int(column)).type }

    @inline(__always)
    package func int64(at column: Int32) -> Int64 {
        let cell = block.cell(first + Int(column))
        return cell.type == .integer ? cell.value : 0
    }

    @inline(__always)
    package func bytes(at column: Int32) -> UnsafeRawBufferPointer {
        let cell = block.cell(first + Int(column))
        guard cell.type == .text || cell.type == .blob else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return block.bytes(cell)
    }

    package func value(at column: Int32) -> SQLValue {
        switch columnType(at: column) {
        case .integer: .integer(int64(at: column))
        case .text: .text(text(at: column))
        case .blob: .blob([UInt8](bytes(at: column)))
        case .null, .real: .null
        }
    }

    /// The stream's name as UTF-8.
    package var streamName: UnsafeRawBufferPointer { bytes(at: EventBlock.streamColumn) }
}

/// A row with the columns of `EventColumn`: a statement's, or a copy of one.
package protocol EventColumns {
    func columnType(at column: Int32) -> ColumnType
    func int64(at column: Int32) -> Int64
    /// Bytes of a text or blob.
    func bytes(at column: Int32) -> UnsafeRawBufferPointer
}

extension Statement: EventColumns {}

extension EventColumns {
    @inline(__always)
    package func isNull(at column: Int32) -> Bool { columnType(at: column) == .null }

    @inline(__always)
    package func bytesIfPresent(at column: Int32) -> UnsafeRawBufferPointer? {
        isNull(at: column) ? nil : bytes(at: column)
    }

    package func text(at column: Int32) -> String {
        String(decoding: bytes(at: column), as: UTF8.self)
    }

    package func textIfPresent(at column: Int32) -> String? {
        isNull(at: column) ? nil : text(at: column)
    }
}

/// Limits of reading ahead.
package enum ReadAheadLimits {
    /// Events of a block, which is one short read transaction.
    package static let rows: Int64 = 2048
    /// Bytes of a block after which no further event is added to it.
    package static let blockBytes = 4 << 20
    /// Blocks that wait to be used.
    package static let blocks = 2
    /// Pages that the reader caches. Rows are read once, in order. All threads of a process wait for each other
    /// when SQLite allocates memory, which it does for each page that does not replace another one; and it drops
    /// the whole cache whenever the replay commits.
    package static let cacheKibibytes = 512
    /// For fewer events, starting another thread and connection is not worth while.
    package static let worthAThread: Int64 = 4096
}
