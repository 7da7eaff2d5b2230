public import TallystickCore

/// Where a program's keys come from. Never arguments, values of environment variables, or the database.
public enum KeySource: Sendable {
    /// No keys: HMACs are not checked, and writes that demand one are refused.
    case none
    /// The file of a key ring (File format, "Key ring"): a regular file, owned by the user or the superuser, and
    /// inaccessible to everybody else.
    case file(String)
    /// An open descriptor of such a file, which may be readable for a group. It stays open.
    case descriptor(Int32)
    /// Keys that the program already holds.
    case ring(KeyRing)

    /// Reads the keys and, if there are any, turns core dumps off for the rest of the process's life.
    ///
    /// - throws: `StoreError`: `keyRefused` for a file that others can access, `noInput`, `badInput`.
    public func load() throws(StoreError) -> KeyRing {
        let place: KeyFile
        switch self {
        case .none: return KeyRing()
        case .ring(let ring):
            if !ring.isEmpty { MemoryProtection.turnDumpsOff() }
            return ring
        case .file(let path): place = KeyFile(path: path)
        case .descriptor(let number): place = KeyFile(descriptor: number)
        }
        return try place.read(Self.ring)
    }

    /// Reads a file's bytes as a ring.
    package static func ring(_ bytes: [UInt8], _ place: String) throws(StoreError) -> KeyRing {
        do throws(KeyRingError) {
            return try KeyRing(json: bytes)
        } catch {
            throw StoreError(
                .badInput,
                during: KeyFile.operation,
                on: place,
                error.message,
                hint: "See the article File format, section Key ring"
            )
        }
    }
}

extension NoteSigner {
    /// Reads the file of a signing key, with the same checks as for a key ring.
    ///
    /// - throws: `StoreError`: `keyRefused`, `noInput`, `badInput`.
    public static func load(from path: String) throws(StoreError) -> NoteSigner {
        try KeyFile(path: path).read(signer)
    }

    /// Reads a signing key from an open descriptor.
    public static func load(fromDescriptor number: Int32) throws(StoreError) -> NoteSigner {
        try KeyFile(descriptor: number).read(signer)
    }

    private static func signer(
        _ bytes: [UInt8],
        _ place: String
    ) throws(StoreError) -> NoteSigner {
        do throws(NoteError) {
            return try NoteSigner(file: bytes)
        } catch {
            throw StoreError(
                .badInput,
                during: KeyFile.operation,
                on: place,
                error.message,
                hint: "Make one with 'tally keys generate --signing'"
            )
        }
    }
}
