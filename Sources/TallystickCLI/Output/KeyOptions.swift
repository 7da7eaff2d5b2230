import ArgumentParser
import Glibc
import Tallystick
import TallystickCore

/// The options of every command that makes or checks checksums: where the keys are, never the keys.
struct KeyOptions: ParsableArguments {
    static let variable = "TALLY_KEY_FILE"

    @Option(
        help: "The key ring's file; without it the path in TALLY_KEY_FILE.",
        completion: .file()
    )
    var keyFile: String?
    @Option(help: "An open descriptor of the key ring's file.")
    var keyFd: Int32?

    func validate() throws {
        if keyFile != nil, keyFd != nil {
            throw ValidationError("--key-file and --key-fd name two rings; give one")
        }
        if let keyFd, keyFd < 0 { throw ValidationError("--key-fd: a descriptor is 0 or more") }
    }

    var source: KeySource {
        keyFd.map { .descriptor($0) } ?? Self.source(keyFile)
    }

    /// The ring in a file, or in the one that TALLY_KEY_FILE names.
    static func source(_ file: String?) -> KeySource {
        (file ?? variablePath).map { .file($0) } ?? .none
    }

    /// The ring's file; nil when there is none, or only a descriptor of it.
    var path: String? { keyFd == nil ? keyFile ?? Self.variablePath : nil }

    private static var variablePath: String? {
        getenv(variable).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// A public key for notes: the key itself, or a file that holds it.
enum PublicKeys {
    static func parse(_ texts: [String]) throws -> [NoteVerifier] {
        guard !texts.isEmpty else {
            throw ValidationError("--public-key is missing: name the key that the seal must be by")
        }
        return try texts.map { text in
            let isFile = !text.contains("+") || access(text, R_OK) == 0
            let key = isFile ? String(decoding: try SmallFile.read(text), as: UTF8.self) : text
            do throws(NoteError) {
                return try NoteVerifier(key.hasSuffix("\n") ? String(key.dropLast()) : key)
            } catch {
                throw StoreError(
                    .badInput,
                    during: "read the public key",
                    on: isFile ? text : "--public-key",
                    error.message
                )
            }
        }
    }
}

/// Notes in files.
enum NoteFile {
    static func read(_ path: String) throws -> SignedNote {
        let bytes = try SmallFile.read(path)
        do throws(NoteError) {
            return try SignedNote(parsing: bytes)
        } catch {
            throw StoreError(
                .badInput,
                during: "read the note",
                on: path,
                "the file is not a signed note: \(error.description)",
                hint: "Name a file that 'tally seal' wrote"
            )
        }
    }

    /// What is wrong with a note or a proof, as a store's error: bad input where it is none, an integrity
    /// failure where it does not hold.
    @discardableResult
    static func reading<Result>(
        _ subject: String,
        _ operation: String,
        _ body: () throws(NoteError) -> Result
    ) throws(StoreError) -> Result {
        do throws(NoteError) {
            return try body()
        } catch {
            let code: StoreError.Code =
                switch error.code {
                case .malformed, .tooLarge: .badInput
                case .unknownKey, .badSignature, .anotherStore, .notProved: .integrity
                }
            throw StoreError(code, during: operation, on: subject, error.description)
        }
    }
}
