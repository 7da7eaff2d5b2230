/// The CloudEvents extension `sequence`, if it counts: whole numbers that a source assigns consecutively.
package enum SequenceRules {
    /// Numbers that did not arrive: both ends are missing.
    package struct Gap: Hashable, Sendable {
        package var first: Int64
        package var last: Int64

        package init(first: Int64, last: Int64) {
            self.first = first
            self.last = last
        }
    }

    /// The changes made by a source's next number.
    package enum Change: Sendable, Equatable {
        /// Another event of the source has the number.
        case collision
        /// The number is known now; `removed` is the gap in which it lies, `added` are the gaps that are left or new.
        case placed(removed: Gap?, added: [Gap])
    }

    /// The number in an attribute's text; nil if it is not a whole number of 64 bits, so that no gaps are reported.
    package static func number(_ text: String) -> Int64? {
        guard let first = text.utf8.first, first &- 0x30 <= 9 || first == 0x2D else { return nil }
        return Int64(text)
    }

    /// Places a number among those that a source assigned before.
    ///
    /// - parameter previous: the largest known number below it; `next` is the smallest above it.
    package static func place(
        _ number: Int64,
        isKnown: Bool,
        previous: Int64?,
        next: Int64?
    ) -> Change {
        if isKnown { return .collision }
        var added: [Gap] = []
        if let previous, previous &+ 1 < number {
            added.append(Gap(first: previous + 1, last: number - 1))
        }
        if let next, number &+ 1 < next { added.append(Gap(first: number + 1, last: next - 1)) }
        var removed: Gap?
        if let previous, let next, previous &+ 1 < next {
            removed = Gap(first: previous + 1, last: next - 1)
        }
        return .placed(removed: removed, added: added)
    }
}

/// The trustworthiness of a stored event's bytes.
package enum AtRest {
    /// The kind of conflict on a stored event; nil if its proofs agree.
    ///
    /// - parameter checksumAgrees: nil if it cannot be checked, because the store never knew the key that the
    ///   checksum names.
    package static func conflict(leafAgrees: Bool, checksumAgrees: Bool?) -> ConflictKind? {
        guard leafAgrees, checksumAgrees != false else { return .tamperedAtRest }
        return checksumAgrees == nil ? .unverifiable : nil
    }
}
