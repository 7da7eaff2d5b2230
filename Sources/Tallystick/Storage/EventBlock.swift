import Glibc
import TallystickCore
import TallystickSQLite

/// Verified rows of `events`, copied out of their statement, so that one thread reads and verifies what another
/// one uses.
///
/// Unchecked Sendable: one thread fills a block and then gives it away; from then on it is only read.
final class EventBlock: @unchecked Sendable {
    /// What was computed from a row.
    struct Proof {
        var content: SHA256Digest
        var leaf: SHA256Digest
    }

    fileprivate struct Cell {
        var type: ColumnType
        /// Bytes of a text or blob.
        var count: Int32
        /// An integer, or where the bytes begin.
        var value: Int64
    }

    /// After the columns of `EventColumn`.
    fileprivate static let contentColumn = EventColumn.count
    fileprivate static let streamColumn = EventColumn.count + 1
    private static let cellsOfRow = Int(EventColumn.count) + 2

    private var cells: [Cell] = []
    /// What cells point into; freed with the block.
    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    private var used = 0
    private(set) var proofs: [Proof] = []
    /// Why the event after the last one cannot be handed on.
    var failure: (any Error)?

    deinit { memory.deallocate() }

    var count: Int { proofs.count }
    /// Whether it holds as many bytes as it should.
    var isFull: Bool { used >= ReadAheadLimits.blockBytes }

    func row(_ index: Int) -> EventRow { EventRow(block: self, first: index * Self.cellsOfRow) }

    func removeAll() {
        cells.removeAll(keepingCapacity: true)
        proofs.removeAll(keepingCapacity: true)
        used = 0
        failure = nil
    }

    /// Copies the current row of a statement that selects `EventColumn.list` first.
    ///
    /// - parameter stream: the stream's name as UTF-8.
    func append(
        _ row: Statement,
        content: [UInt8],
        stream: UnsafeRawBufferPointer,
        _ proof: Proof
    ) {
        for column in 0..<EventColumn.count {
            let type = row.columnType(at: column)
            switch type {
            case .integer: cells.append(Cell(type: type, count: 0, value: row.int64(at: column)))
            case .text, .blob: add(row.bytes(at: column), type)
            case .null, .real: cells.append(Cell(type: .null, count: 0, value: 0))
            }
        }
        content.withUnsafeBytes { add($0, .text) }
        add(stream, .text)
        proofs.append(proof)
    }

    private func add(_ bytes: UnsafeRawBufferPointer, _ type: ColumnType) {
        if used + bytes.count > memory.count { grow(bytes.count) }
        UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + bytes.count])
            .copyMemory(from: bytes)
        cells.append(
            Cell(type: type, count: Int32(truncatingIfNeeded: bytes.count), value: Int64(used))
        )
        used += bytes.count
    }

    private func grow(_ needed: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(memory.count * 2, used + needed),
            alignment: 8
        )
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<used]))
        memory.deallocate()
        memory = larger
    }

    @inline(__always)
    fileprivate func cell(_ index: Int) -> Cell { cells[index] }

    @inline(__always)
    fileprivate func bytes(_ cell: Cell) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: memory[Int(cell.value)..<Int(cell.value) + Int(cell.count)]
        )
    }
}

/// One row of a block, read as a statement's row is. Its bytes stay as long as the block.
struct EventRow {
    fileprivate let block: EventBlock
    fileprivate let first: Int

    @inline(__always)
    func columnType(at column: Int32) -> ColumnType { block.cell(first + Int(column)).type }

    @inline(__always)
    func isNull(at column: Int32) -> Bool { columnType(at: column) == .null }

    @inline(__always)
    func int64(at column: Int32) -> Int64 {
        let cell = block.cell(first + Int(column))
        return cell.type == .integer ? cell.value : 0
    }

    @inline(__always)
    func bytes(at column: Int32) -> UnsafeRawBufferPointer {
        let cell = block.cell(first + Int(column))
        guard cell.type == .text || cell.type == .blob else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return block.bytes(cell)
    }

    func bytesIfPresent(at column: Int32) -> UnsafeRawBufferPointer? {
        isNull(at: column) ? nil : bytes(at: column)
    }

    func text(at column: Int32) -> String { String(decoding: bytes(at: column), as: UTF8.self) }

    func textIfPresent(at column: Int32) -> String? {
        isNull(at: column) ? nil : text(at: column)
    }

    func value(at column: Int32) -> SQLValue {
        switch columnType(at: column) {
        case .integer: .integer(int64(at: column))
        case .text: .text(text(at: column))
        case .blob: .blob([UInt8](bytes(at: column)))
        case .null, .real: .null
        }
    }

    /// The event's canonical content as appended.
    var content: [UInt8] { [UInt8](bytes(at: EventBlock.contentColumn)) }

    /// The stream's name as UTF-8.
    var streamName: UnsafeRawBufferPointer { bytes(at: EventBlock.streamColumn) }
}

/// What names are looked up by.
protocol EventColumns {
    func int64(at column: Int32) -> Int64
}

extension EventRow: EventColumns {}
extension Statement: EventColumns {}
