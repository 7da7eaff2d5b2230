public import TallystickCore

/// Where a program's keys come from. Never arguments, the values of environment variables, or the
/// database.
public enum KeySource: Sendable {
    /// No keys: HMACs are not checked, and writing where one is demanded is refused.
    case none
    /// A key ring's file (File format, "Key ring"): regular, the user's own or the superuser's, and for
    /// nobody else to read or write.
    case file(String)
    /// An open descriptor of such a file, which may be readable for a group. It stays open.
    case descriptor(Int32)
    /// Keys that the program holds already.
    case ring(KeyRing)

    /// Reads the keys, and turns core dumps off for the rest of the process's life where there are any.
    ///
    /// - throws: `StoreError`: `keyRefused` for a file that others can reach, `noInput`, `badInput`.
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
    /// Reads a signing key's file, which is checked as a key ring's is.
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
