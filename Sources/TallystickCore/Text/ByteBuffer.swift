/// A destination for text, written piece by piece.
protocol ByteOutput: ~Copyable {
    mutating func append(_ byte: UInt8)
    mutating func append(contentsOf bytes: UnsafeRawBufferPointer)
}

extension [UInt8]: ByteOutput {}

/// Bytes that grow at their end, in memory that is kept when they are removed.
///
/// It is for loops that write many small pieces: an array checks for unique ownership at each of them.
@frozen
package struct ByteBuffer: ~Copyable, ByteOutput {
    @usableFromInline var memory: UnsafeMutableRawBufferPointer
    @usableFromInline var used = 0

    /// An empty buffer.
    ///
    /// - parameter capacity: bytes of memory to allocate at once; at least 1.
    package init(capacity: Int = 4096) {
        memory = .allocate(byteCount: max(1, capacity), alignment: 8)
    }

    deinit { memory.deallocate() }

    /// The number of bytes.
    @inlinable
    package var count: Int { used }

    /// The bytes, valid until the buffer is changed or destroyed.
    @inlinable
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[..<used])
    }

    /// Makes room for this many more bytes.
    @inlinable @inline(__always)
    package mutating func reserve(_ more: Int) {
        if more > memory.count - used { grow(more) }
    }

    /// Adds a byte.
    @inlinable @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        memory[used] = byte
        used += 1
    }

    /// Adds bytes, which must not belong to this buffer.
    @inlinable @inline(__always)
    package mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[used...]).copyMemory(from: bytes)
        used += bytes.count
    }

    /// Removes all bytes; their memory is kept.
    package mutating func removeAll() { used = 0 }

    /// Adds a text known at compile time.
    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(
            contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        )
    }

    /// Adds two lower-case hexadecimal digits for each byte.
    mutating func appendHex(_ bytes: UnsafeRawBufferPointer) {
        reserve(2 * bytes.count)
        for byte in bytes {
            memory[used] = Hex.digit(byte >> 4)
            memory[used + 1] = Hex.digit(byte & 15)
            used += 2
        }
    }

    /// Adds a number in decimal.
    mutating func append(decimal value: Int64) {
        reserve(20)
        if value < 0 { append(0x2D) }
        var rest = value.magnitude
        var digits = 1
        var power: UInt64 = 10
        while digits < 19, rest >= power {
            digits += 1
            power &*= 10
        }
        used += digits
        var place = used
        repeat {
            place -= 1
            memory[place] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
            rest /= 10
        } while rest > 0
    }

    @usableFromInline
    mutating func grow(_ more: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(2 * memory.count, used + more),
            alignment: 8
        )
        larger.copyMemory(from: bytes)
        memory.deallocate()
        memory = larger
    }
}
