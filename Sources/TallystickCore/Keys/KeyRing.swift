import Crypto

/// The keys that a program holds: for HMAC-SHA-256, by their ids.
///
/// Descriptions and reflections show ids, never keys. Keys are wiped from memory when the last copy of a ring is
/// released, as far as the language allows: copies that the compiler or an allocator made are out of reach.
public struct KeyRing: Sendable {
    /// Whether a key makes new checksums.
    public enum State: String, Sendable, CaseIterable {
        /// Makes and verifies checksums.
        case active
        /// Verifies only.
        case retired
    }

    /// A key with its metadata.
    public struct Key: Sendable {
        /// 1 to 64 letters, digits, points, hyphens and underscores.
        public let id: String
        /// Whether it makes new checksums, or only verifies.
        public internal(set) var state: State
        /// When it became active: microseconds since 1970. For people; stores rely on their audit trail.
        public let activatedAt: Int64
        /// Identifies the key without revealing it: HMAC-SHA-256 of a fixed text, in hexadecimal.
        public let fingerprint: String
        /// The key, prepared.
        package let hmac: HMACSHA256
        let secret: SymmetricKey

        /// Creates a key from secret bytes.
        ///
        /// - throws: `KeyRingError` for an id that is not valid, or fewer than 32 bytes.
        public init(
            id: String,
            state: State = .active,
            activatedAt: Int64,
            secret: [UInt8]
        ) throws(KeyRingError) {
            guard KeyRing.isKeyID(id) else {
                throw KeyRingError(
                    "a key's id consists of 1 to 64 letters, digits, points, hyphens and underscores"
                )
            }
            guard secret.count >= KeyRing.minimumSecretBytes else {
                throw KeyRingError(
                    "key '\(id)' has \(secret.count) bytes; the least is \(KeyRing.minimumSecretBytes)"
                )
            }
            guard secret.count <= KeyRing.maximumSecretBytes else {
                throw KeyRingError(
                    "key '\(id)' has \(secret.count) bytes; the most is \(KeyRing.maximumSecretBytes)"
                )
            }
            self.id = id
            self.state = state
            self.activatedAt = activatedAt
            self.secret = SymmetricKey(data: secret)
            hmac = HMACSHA256(key: secret)
            fingerprint = hmac.tag(of: Array("tallystick key fingerprint 1".utf8)).hex
        }

        /// A key of 32 random bytes from the operating system.
        public static func random(id: String, activatedAt: Int64) throws(KeyRingError) -> Key {
            var secret = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) }
            defer { KeyRing.wipe(&secret) }
            return try Key(id: id, activatedAt: activatedAt, secret: secret)
        }
    }

    /// Minimum bytes of a key: as many as SHA-256 has (RFC 2104, section 3).
    public static let minimumSecretBytes = 32
    /// Maximum bytes of a key.
    public static let maximumSecretBytes = 1024
    /// Maximum number of keys in a ring.
    public static let maximumKeys = 1000

    /// In the order of the file.
    public private(set) var keys: [Key] = []

    /// A ring without keys.
    public init() {}

    /// Whether it has no keys.
    public var isEmpty: Bool { keys.isEmpty }

    /// The key with an id.
    public subscript(id: String) -> Key? { keys.first { $0.id == id } }

    /// The key with an id in UTF-8.
    @inline(__always)
    func key(_ id: UnsafeRawBufferPointer) -> Key? {
        keys.first { $0.id.utf8.elementsEqual(id) }
    }

    /// Adds a key.
    ///
    /// - throws: `KeyRingError` if the ring has its id, or the same key under another one.
    public mutating func add(_ key: Key) throws(KeyRingError) {
        guard self[key.id] == nil else { throw KeyRingError("there are two keys '\(key.id)'") }
        if let same = keys.first(where: { $0.fingerprint == key.fingerprint }) {
            throw KeyRingError("'\(same.id)' and '\(key.id)' are the same key")
        }
        guard keys.count < Self.maximumKeys else {
            throw KeyRingError("a ring has at most \(Self.maximumKeys) keys")
        }
        keys.append(key)
    }

    /// Retires a key, which can still verify; does nothing if there is no such key.
    public mutating func retire(_ id: String) {
        for index in keys.indices where keys[index].id == id { keys[index].state = .retired }
    }

    /// Letters, digits, points, hyphens and underscores (ASCII), 1 to 64 of them.
    public static func isKeyID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte &- 0x30 <= 9 || (byte | 0x20) &- 0x61 < 26 || byte == 0x2D || byte == 0x2E
                    || byte == 0x5F
            }
    }

    /// Overwrites bytes of a key. Best effort: earlier copies of the array are out of reach.
    public static func wipe(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { buffer in
            for index in buffer.indices { buffer[index] = 0 }
        }
    }
}

extension KeyRing: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        "KeyRing(" + keys.map { "\($0.id) \($0.state.rawValue)" }.joined(separator: ", ") + ")"
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["keys": keys.map(\.id)]) }
}

extension KeyRing.Key: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Key(\(id) \(state.rawValue))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// Why keys, or a key file, are refused. Messages name ids and places, never a key.
public struct KeyRingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let message: String

    /// An error with its sentence, which must not show a key.
    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
