/// A digest of a set of decisions, whatever the order in which they were made: two runs that decide the same
/// have the same digest.
///
/// Each decision is a record, the canonical JSON of an object with `candidates` (the digest of the
/// candidate set), `content` (of what counts), `decision`, `event_id`, `kind`, `origin`, `policy`,
/// `policy_version`, `source`, `tie_break` and `winner_origin`; members without a value are left out. The sum
/// of the records' SHA-256, as numbers of 256 bits, big-endian, modulo 2^256, does not depend on their order and
/// needs no memory.
/// The digest is the SHA-256 of `tallystick decisions 1` and a line feed, the number of records (8 bytes,
/// big-endian), and the sum (32 bytes).
///
/// It serves predictions and comparisons, and is not a proof: the audit log proves the decisions.
package struct DecisionsDigest: Sendable, Equatable {
    /// One decision: its subject and its outcome; nothing that depends on where it is stored.
    package struct Record: Sendable, Equatable {
        package var kind: ConflictKind
        package var source: String?
        package var eventID: String?
        /// The delivery path that a conflict is about, if any.
        package var origin: String?
        package var candidates: String
        package var decision: Decision
        package var policy: String
        package var policyVersion: String
        package var winnerOrigin: String?
        package var tieBreak: String?
        package var content: SHA256Digest?

        package init(
            kind: ConflictKind,
            source: String?,
            eventID: String?,
            origin: String? = nil,
            candidates: String,
            decision: PolicyDecision
        ) {
            self.kind = kind
            self.source = source
            self.eventID = eventID
            self.origin = origin
            self.candidates = candidates
            self.decision = decision.decision
            policy = decision.policy
            policyVersion = decision.policyVersion
            winnerOrigin = decision.winnerOrigin
            tieBreak = decision.tieBreak
            content = decision.contentDigest
        }

        var canonical: [UInt8] {
            let members: [(String, String?)] = [
                ("candidates", candidates), ("content", content?.hex),
                ("decision", decision.rawValue), ("event_id", eventID), ("kind", kind.rawValue),
                ("origin", origin), ("policy", policy), ("policy_version", policyVersion),
                ("source", source), ("tie_break", tieBreak), ("winner_origin", winnerOrigin),
            ]
            return JSONValue.make(
                members.compactMap { name, value in value.map { (name, .make($0)) } }
            ).canonical
        }
    }

    package private(set) var count: Int64 = 0
    /// Big-endian words.
    private var sum: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// A digest of no decisions yet.
    package init() {}

    /// Resumes from a stored ``state``; nil if it is not valid.
    package init?(state: String) {
        let parts = state.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int64(parts[0]), count >= 0,
            let digest = SHA256Digest(hex: parts[1])
        else { return nil }
        self.count = count
        sum = Self.words(digest)
    }

    /// The number of records and the sum, to be stored.
    package var state: String { "\(count):\(Hex.string(sumBytes))" }

    package mutating func add(_ record: Record) {
        let words = Self.words(SHA256Digest(hashing: record.canonical))
        var carry = false
        func added(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let (first, over) = a.addingReportingOverflow(b)
            let (second, again) = first.addingReportingOverflow(carry ? 1 : 0)
            carry = over || again
            return second
        }
        sum.3 = added(sum.3, words.3)
        sum.2 = added(sum.2, words.2)
        sum.1 = added(sum.1, words.1)
        sum.0 = added(sum.0, words.0)
        count += 1
    }

    package var digest: SHA256Digest {
        var bytes = Array("tallystick decisions 1\n".utf8)
        withUnsafeBytes(of: count.bigEndian) { bytes.append(contentsOf: $0) }
        bytes += sumBytes
        return SHA256Digest(hashing: bytes)
    }

    private var sumBytes: [UInt8] {
        [sum.0, sum.1, sum.2, sum.3].flatMap { withUnsafeBytes(of: $0.bigEndian) { [UInt8]($0) } }
    }

    private static func words(_ digest: SHA256Digest) -> (UInt64, UInt64, UInt64, UInt64) {
        digest.withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.sum == right.sum
    }
}
