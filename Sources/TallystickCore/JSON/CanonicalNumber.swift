import Glibc

/// The canonical form of numbers.
///
/// RFC 8785 (section 3.2.2.3) writes the nearest double as ECMAScript's `Number::toString` does. If that would change
/// a value that people rely on, the exact decimal value is kept, in the same layout: integers that differ from that
/// form, more than 17 significant digits that differ from it, and values that overflow, or underflow to zero.
package enum CanonicalNumber {
    /// Appends the canonical form of a number token that the parser accepted.
    package static func write(_ token: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if isPlainInteger(token) {
            output.append(contentsOf: token)
            return
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: token.count) { digits in
            let exact = Decimal(token, digits: digits)
            guard exact.count > 0 else {
                output.append(0x30)
                return
            }
            if exact.isNegative { output.append(0x2D) }
            if exact.survivesDouble || !writeDouble(token, exact, to: &output) {
                layOut(exact.significant, point: exact.point, to: &output)
            }
        }
    }

    /// A double as RFC 8785 writes it.
    ///
    /// - precondition: the value is finite; JSON has no others.
    package static func write(_ value: Double, to output: inout [UInt8]) {
        guard value != 0, value.isFinite else {
            output.append(0x30)
            return
        }
        if value < 0 { output.append(0x2D) }
        var text = abs(value).description
        text.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count) { digits in
                let shortest = Decimal(UnsafeRawBufferPointer(bytes), digits: digits)
                layOut(shortest.significant, point: shortest.point, to: &output)
            }
        }
    }

    /// The order of two number tokens by their exact values: negative, 0 or positive.
    package static func compare(
        _ left: UnsafeRawBufferPointer,
        _ right: UnsafeRawBufferPointer
    ) -> Int {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: left.count) { leftDigits in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: right.count) { rightDigits in
                let a = Decimal(left, digits: leftDigits)
                let b = Decimal(right, digits: rightDigits)
                guard a.sign == b.sign else { return a.sign - b.sign }
                return a.sign * a.compareMagnitude(b)
            }
        }
    }

    /// Up to 15 digits, not a signed zero, without point or exponent: canonical as it stands.
    @inline(__always)
    private static func isPlainInteger(_ token: UnsafeRawBufferPointer) -> Bool {
        guard token.count <= 15 else { return false }
        for index in 0..<token.count where token[index] &- 0x30 > 9 {
            guard index == 0, token[0] == 0x2D, token[1] != 0x30 else { return false }
        }
        return true
    }

    /// Writes the nearest double's form if the rules allow it; false if the exact value must be kept.
    private static func writeDouble(
        _ token: UnsafeRawBufferPointer,
        _ exact: Decimal,
        to output: inout [UInt8]
    ) -> Bool {
        let value = abs(nearestDouble(token))
        guard value.isFinite, value != 0 else { return false }
        var text = value.description
        return text.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count) { digits in
                let shortest = Decimal(UnsafeRawBufferPointer(bytes), digits: digits)
                let isSame =
                    shortest.point == exact.point
                    && shortest.significant.elementsEqual(exact.significant)
                guard isSame || !(exact.isInteger || exact.count > 17) else { return false }
                layOut(shortest.significant, point: shortest.point, to: &output)
                return true
            }
        }
    }

    private static func nearestDouble(_ token: UnsafeRawBufferPointer) -> Double {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: token.count + 1) { text in
            for index in 0..<token.count { text[index] = CChar(bitPattern: token[index]) }
            text[token.count] = 0
            return text.baseAddress.map { strtod($0, nil) } ?? 0
        }
    }

    /// Formats digits as ECMAScript's `Number::toString` does; the decimal point comes after digit `point` (ECMA-262,
    /// section 6.1.6.1.20).
    private static func layOut(
        _ digits: UnsafeBufferPointer<UInt8>,
        point: Int,
        to output: inout [UInt8]
    ) {
        let count = digits.count
        if count <= point, point <= 21 {
            output.append(contentsOf: digits)
            output.append(contentsOf: repeatElement(0x30, count: point - count))
        } else if 0 < point, point <= 21 {
            output.append(contentsOf: digits[..<point])
            output.append(0x2E)
            output.append(contentsOf: digits[point...])
        } else if -6 < point, point <= 0 {
            output.append(0x30)
            output.append(0x2E)
            output.append(contentsOf: repeatElement(0x30, count: -point))
            output.append(contentsOf: digits)
        } else {
            output.append(digits[0])
            if count > 1 {
                output.append(0x2E)
                output.append(contentsOf: digits[1...])
            }
            output.append(0x65)
            let exponent = point - 1
            output.append(exponent < 0 ? 0x2D : 0x2B)
            output.append(contentsOf: String(abs(exponent)).utf8)
        }
    }
}

/// A number's exact value: `0.d₁d₂d₃… × 10^point`, without leading or trailing zeros.
private struct Decimal {
    let isNegative: Bool
    let point: Int
    let significant: UnsafeBufferPointer<UInt8>

    /// - parameter digits: must have room for as many bytes as the token has.
    init(_ token: UnsafeRawBufferPointer, digits: UnsafeMutableBufferPointer<UInt8>) {
        var index = 0
        var count = 0
        var point = 0
        var hasPoint = false
        isNegative = token.first == 0x2D
        if isNegative { index = 1 }
        while index < token.count {
            let byte = token[index]
            if byte == 0x2E {
                hasPoint = true
            } else if byte &- 0x30 <= 9 {
                if count > 0 || byte != 0x30 {
                    digits[count] = byte
                    count += 1
                    if !hasPoint { point += 1 }
                } else if hasPoint {
                    point -= 1
                }
            } else {
                break
            }
            index += 1
        }
        point += Self.exponent(token, after: index)
        while count > 0, digits[count - 1] == 0x30 { count -= 1 }
        self.point = point
        significant = UnsafeBufferPointer(rebasing: digits[..<count])
    }

    var count: Int { significant.count }
    var sign: Int { count == 0 ? 0 : isNegative ? -1 : 1 }

    /// The order of two magnitudes, of which neither or both are 0.
    func compareMagnitude(_ other: Decimal) -> Int {
        if count == 0 { return 0 }
        if point != other.point { return point < other.point ? -1 : 1 }
        if significant.elementsEqual(other.significant) { return 0 }
        return significant.lexicographicallyPrecedes(other.significant) ? -1 : 1
    }
    var isInteger: Bool { point >= count }

    /// Up to 15 significant digits in the range of normal doubles: reading them as a double and writing its shortest
    /// form yields the same digits (IEEE 754: 15 digits survive the conversion).
    var survivesDouble: Bool { count <= 15 && point > -300 && point < 300 }

    /// The exponent that begins at `mark`, if any. The parser bounds its digits.
    private static func exponent(_ token: UnsafeRawBufferPointer, after mark: Int) -> Int {
        guard mark < token.count else { return 0 }
        var index = mark + 1
        var isNegative = false
        if index < token.count, token[index] == 0x2B || token[index] == 0x2D {
            isNegative = token[index] == 0x2D
            index += 1
        }
        var value = 0
        while index < token.count {
            value = value &* 10 &+ Int(token[index] &- 0x30)
            index += 1
        }
        return isNegative ? -value : value
    }
}
