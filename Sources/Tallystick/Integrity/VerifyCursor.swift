import TallystickCore

/// Where a verification resumes, as text that people keep between runs.
///
/// It is bound to a store and to its history: the sizes and roots of the three logs for which it was made, which must
/// be in the tree of the store on which it is used. With a key ring it carries an HMAC, and one without is refused.
struct VerifyCursor {
    /// The part that an earlier, complete run checked.
    private(set) var base: [MerkleLogName: Int64]
    private(set) var seed: UInt64
    private(set) var differences: [IndexTable: UInt64]
    private(set) var findings: Int
    /// The place of each lane; empty for a complete run.
    private(set) var keys: [String: [SQLValue]?]
    private let sizes: [MerkleLogName: Int64]
    private let roots: [MerkleLogName: String]
    private let storeID: String

    var isComplete: Bool { keys.isEmpty }

    private static let prefix = "verify1."

    static let malformed = StoreError(
        .invalidArgument,
        during: "verify",
        on: "cursor",
        "this is not the cursor of a verification",
        hint: "Use the cursor that 'tally verify' printed"
    )

    private static func refused(_ reason: String) -> StoreError {
        StoreError(
            .historyDiffers,
            during: "verify",
            on: "cursor",
            reason,
            hint: "Verify from the beginning, without --resume"
        )
    }

    /// - parameter keys: nil for a complete run.
    init(
        storeID: String,
        heads: LogHeads,
        base: [MerkleLogName: Int64],
        seed: UInt64,
        differences: [IndexTable: UInt64],
        findings: Int,
        keys: [(name: String, key: [SQLValue]?)]?
    ) {
        self.storeID = storeID
        self.base = base
        self.seed = seed
        self.differences = differences
        self.findings = findings
        self.keys = (keys ?? []).reduce(into: [:]) { $0[$1.name] = .some($1.key) }
        sizes = heads.sizes
        roots = heads.roots.mapValues(\.hex)
    }

    // MARK: Text

    /// The cursor as it is printed.
    func text(sealedWith ring: KeyRing) -> String {
        var members: [(name: String, value: JSONValue)] = [
            ("store_id", JSONValue(.string(storeID))),
            ("seed", JSONValue(.string(String(seed)))),
            ("findings", JSONValue(.number(String(findings)))),
        ]
        for log in MerkleLogName.allCases {
            let name = log.rawValue
            members.append(("base_\(name)", JSONValue(.number(String(base[log] ?? 0)))))
            members.append(("size_\(name)", JSONValue(.number(String(sizes[log] ?? 0)))))
            members.append(("root_\(name)", JSONValue(.string(roots[log] ?? ""))))
        }
        for table in IndexTable.allCases {
            let sum = String(differences[table] ?? 0)
            members.append(("sum_\(table.rawValue)", JSONValue(.string(sum))))
        }
        let places = keys.map { name, key in
            (
                name: name,
                value: key.map { JSONValue(.array($0.map(Self.json))) } ?? JSONValue(.null)
            )
        }
        members.append(("keys", JSONValue(.object(places))))
        let key = ring.keys.last { $0.state == .active }
        if let key { members.append(("key_id", JSONValue(.string(key.id)))) }
        let body = JSONValue(.object(members)).canonical
        var text: [UInt8] = []
        Base64.encode(body, to: &text)
        let tag = Self.tag(of: body, key).hex
        return Self.prefix + String(decoding: text, as: UTF8.self) + "." + tag
    }

    private static func tag(of body: [UInt8], _ key: KeyRing.Key?) -> SHA256Digest {
        let message = Array("tallystick verify cursor 1\n".utf8) + body
        return key?.hmac.tag(of: message) ?? SHA256Digest(hashing: message)
    }

    /// Checks that a cursor is as it was printed, by its HMAC if there are keys.
    private static func validate(
        _ tag: Substring,
        of body: [UInt8],
        keyID: String?,
        _ ring: KeyRing
    ) throws(StoreError) {
        let key = keyID.flatMap { ring[$0] }
        guard (keyID == nil) == ring.isEmpty, keyID == nil || key != nil else {
            throw refused(
                ring.isEmpty
                    ? "it was made with a key; give the key ring"
                    : "it was not made with a key of this ring"
            )
        }
        guard SHA256Digest(hex: tag)?.equalsInConstantTime(Self.tag(of: body, key)) == true else {
            throw malformed
        }
    }

    private static func json(_ value: SQLValue) -> JSONValue {
        switch value {
        case .integer(let number): JSONValue(.string("i\(number)"))
        case .text(let text): JSONValue(.string("t\(Hex.string(Array(text.utf8)))"))
        case .blob(let bytes): JSONValue(.string("b\(Hex.string(bytes))"))
        case .real(let number): JSONValue(.string("r\(number)"))
        case .null: JSONValue(.string("n"))
        }
    }

    private static func value(_ text: String) -> SQLValue? {
        let rest = text.dropFirst()
        switch text.first {
        case "i": return Int64(rest).map { .integer($0) }
        case "t": return Hex.bytes(rest).map { .text(String(decoding: $0, as: UTF8.self)) }
        case "b": return Hex.bytes(rest).map { .blob($0) }
        case "r": return Double(rest).map { .real($0) }
        case "n": return .null
        default: return nil
        }
    }

    /// Reads a cursor.
    ///
    /// - throws: `StoreError`: `invalidArgument` for invalid text, `historyDiffers` for a cursor of another store.
    init(_ text: String, storeID: String, _ ring: KeyRing) throws(StoreError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= VerifyLimits.cursorBytes, text.hasPrefix(Self.prefix),
            parts.count == 3, let body = Base64.decode(Array(parts[1].utf8)),
            let document = try? JSONDocument(body).root
        else { throw Self.malformed }
        try Self.validate(parts[2], of: body, keyID: document["key_id"]?.string, ring)
        func number(_ name: String) throws(StoreError) -> Int64 {
            guard case .number(let text)? = document[name]?.content, let number = Int64(text),
                number >= 0
            else { throw Self.malformed }
            return number
        }
        func word(_ name: String) throws(StoreError) -> UInt64 {
            guard let number = document[name]?.string.flatMap({ UInt64($0) }) else {
                throw Self.malformed
            }
            return number
        }
        guard let id = document["store_id"]?.string, let places = document["keys"]?.object else {
            throw Self.malformed
        }
        guard id == storeID else { throw Self.refused("it was created by another store (\(id))") }
        self.storeID = id
        seed = try word("seed")
        findings = Int(clamping: try number("findings"))
        var (base, sizes, roots):
            ([MerkleLogName: Int64], [MerkleLogName: Int64], [MerkleLogName: String]) = (
                [:], [:], [:]
            )
        for log in MerkleLogName.allCases {
            base[log] = try number("base_\(log.rawValue)")
            sizes[log] = try number("size_\(log.rawValue)")
            roots[log] = document["root_\(log.rawValue)"]?.string
        }
        (self.sizes, self.roots) = (sizes, roots)
        var differences: [IndexTable: UInt64] = [:]
        for table in IndexTable.allCases {
            differences[table] = try word("sum_\(table.rawValue)")
        }
        var keys: [String: [SQLValue]?] = [:]
        for (name, place) in places {
            let key = place.array.map { $0.map { $0.string.flatMap(Self.value) } }
            guard key?.contains(where: { $0 == nil }) != true else { throw Self.malformed }
            keys[name] = .some(key?.compactMap { $0 })
        }
        // A complete run is the base of the next; an incomplete one continues to its own ends.
        self.base = keys.isEmpty ? sizes : base
        self.differences = keys.isEmpty ? [:] : differences
        self.keys = keys
    }

    // MARK: History

    /// The ends that a run from this cursor covers.
    ///
    /// - throws: `historyDiffers` if the store's logs do not begin with those of the cursor.
    func heads(within current: LogHeads, _ merkle: MerkleRows) throws -> LogHeads {
        for log in MerkleLogName.allCases {
            let size = sizes[log] ?? 0
            guard size <= current.size(log) else {
                throw Self.refused(
                    "it covers \(size) rows of log \(log.rawValue); the store has \(current.size(log))"
                )
            }
            // An end that did not match at that time has no root to compare; its finding is in the count.
            guard let root = roots[log], !root.isEmpty else { continue }
            guard try merkle.tree(of: log, size: current.size(log)).root(at: size)?.hex == root
            else {
                throw Self.refused("log \(log.rawValue) is not the one that it was made for")
            }
        }
        return isComplete ? current : current.cut(to: sizes, roots: roots)
    }
}
