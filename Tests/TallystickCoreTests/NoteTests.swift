import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Signed notes")
struct NoteTests {
    /// The example of Go's golang.org/x/mod/sumdb/note.
    private static let text = """
        If you think cryptography is the answer to your problem,
        then you don't know what your problem is.

        """
    private static let publicKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    private static let privateKey =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    private static let signature =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

    @Test("Keys and notes equal those of the format's first implementation")
    func interoperability() throws {
        let signer = try NoteSigner(file: Array(Self.privateKey.utf8))
        #expect(signer.verifier.description == Self.publicKey)
        #expect(signer.file() == Array("\(Self.privateKey)\n".utf8))
        let note = try SignedNote(Self.text, signedBy: [signer])
        // A different signature each time would be fine, but would have to verify.
        let known = try SignedNote(parsing: Array("\(Self.text)\n\(Self.signature)".utf8))
        let verifier = try NoteVerifier(Self.publicKey)
        #expect(known.text == Self.text)
        #expect(try known.verify(with: [verifier]) == [verifier])
        #expect(try SignedNote(parsing: note.bytes).verify(with: [verifier]) == [verifier])
    }

    @Test("A flip of any bit of a note is detected, and only a note by the key is accepted")
    func everyBit() throws {
        let verifier = try NoteVerifier(Self.publicKey)
        let bytes = Array("\(Self.text)\n\(Self.signature)".utf8)
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: NoteError.self, "bit \(bit)") {
                try SignedNote(parsing: flipped).verify(with: [verifier])
            }
        }
        for count in 0..<bytes.count {
            #expect(throws: NoteError.self, "\(count) bytes") {
                try SignedNote(parsing: Array(bytes.prefix(count))).verify(with: [verifier])
            }
        }
    }

    @Test(
        "Signatures of unknown keys are ignored; a wrong one by a known key rejects the note"
    )
    func severalSignatures() throws {
        let (a, b) = (try NoteSigner(name: "a.example"), try NoteSigner(name: "b.example"))
        let note = try SignedNote("text\n", signedBy: [a, b])
        #expect(try note.verify(with: [b.verifier]) == [b.verifier])
        #expect(try note.verify(with: [a.verifier, b.verifier]).count == 2)
        let stranger = try NoteSigner(name: "a.example").verifier
        #expect(code { try note.verify(with: [stranger]) } == .unknownKey)
        #expect(code { try note.verify(with: []) } == .unknownKey)
        let other = try SignedNote("other\n", signedBy: [b])
        let mixed = note.bytes.dropLast(other.bytes.count - 7) + other.bytes.dropFirst(7)
        #expect(code { try SignedNote(parsing: Array(mixed)).verify(with: [b.verifier]) } != nil)
    }

    @Test("At least 16 signatures are accepted")
    func manySignatures() throws {
        let signers = try (0..<16).map { try NoteSigner(name: "key-\($0)") }
        let note = try SignedNote(parsing: try SignedNote("t\n", signedBy: signers).bytes)
        #expect(try note.verify(with: signers.map(\.verifier)).count == 16)
    }

    @Test("A note's text may have blank lines: the last one ends it")
    func blankLines() throws {
        let signer = try NoteSigner(name: "k")
        let note = try SignedNote("one\n\ntwo\n", signedBy: [signer])
        let read = try SignedNote(parsing: note.bytes)
        #expect(read.text == "one\n\ntwo\n")
        #expect(try read.verify(with: [signer.verifier]).count == 1)
    }

    @Test(
        "Text that is not a note is refused",
        arguments: [
            "", "\n", "\n\n", "text\n", "text\n\n", "\n— k AAAAAAA=\n", "text\n\n- k AAAAAAA=\n",
            "text\n\n— k AAAAAAA=", "text\n\n—  AAAAAAA=\n", "text\n\n— k+k AAAAAAA=\n",
            "text\n\n— k AAAA\n", "text\n\n— k AAAAAAA\n", "text\n\n— k AAAAAAB=\n",
            "te\txt\n\n— k AAAAAAA=\n", "text\r\n\n— k AAAAAAA=\n", "text\n\n— k AAAAAAA= x\n",
            "text\n\n— k\u{A0}x AAAAAAA=\n",
        ]
    )
    func malformed(_ text: String) {
        #expect(code { try SignedNote(parsing: Array(text.utf8)) } == .malformed, "\(text)")
    }

    @Test("Invalid UTF-8 and oversized notes are refused")
    func badBytes() {
        let bytes = Array("te\n\n— k AAAAAAA=\n".utf8)
        #expect(code { try SignedNote(parsing: [0xFF] + bytes) } == .malformed)
        let large = [UInt8](repeating: 0x61, count: NoteLimits.noteBytes) + bytes
        #expect(code { try SignedNote(parsing: large) } == .tooLarge)
        #expect(
            code { try SignedNote("no line feed", signedBy: [try NoteSigner(name: "k")]) } != nil
        )
        #expect(code { try SignedNote("none\n", signedBy: []) } == .malformed)
    }

    @Test("Keys that are not exactly right are refused, and private ones never quoted")
    func badKeys() {
        let good = Self.publicKey
        let bad = [
            "", "PeterNeumann", "PeterNeumann+c74f20a3",
            good.replacing("c74f20a3", with: "c74f20a4"),
            good.replacing("PeterNeumann", with: "Peter Neumann"), String(good.dropLast()),
            good.replacing("+ARpc", with: "+AhpC"), good + "\n", good.replacing("+A", with: "+"),
            good.replacing("c74f20a3", with: "c74f20a"), good.replacing("PeterNeumann", with: ""),
        ]
        for text in bad { #expect(code { try NoteVerifier(text) } == .malformed, "\(text)") }
        let secret = "AYEKFALVFGyNhPJEMzD1QIDr"
        for text in [
            Self.publicKey, "", Self.privateKey.replacing("c74f20a3", with: "00000000"),
            String(Self.privateKey.dropLast()), Self.privateKey + "\n\n",
            Self.privateKey.replacing("+AYEK", with: "+BYEK"),
        ] {
            do throws(NoteError) {
                _ = try NoteSigner(file: Array(text.utf8))
                Issue.record("accepted: \(text)")
            } catch {
                #expect(!error.message.contains(secret))
            }
        }
    }

    @Test("Neither printing nor dumping a signer reveals its key")
    func redaction() throws {
        let signer = try NoteSigner(file: Array(Self.privateKey.utf8))
        var text = "\(signer) \(String(reflecting: signer))"
        dump(signer, to: &text)
        #expect(text.contains("PeterNeumann"))
        #expect(!text.contains("YEKFALVFGyN"))
    }

    private func code(_ body: () throws -> some Any) -> NoteError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? NoteError)?.code
        }
    }

    // MARK: Conformance

    private struct Vectors: Decodable {
        struct Group: Decodable {
            struct Key: Decodable { let pk: String }
            let publicKey: Key
            let tests: [Vector]
        }
        struct Vector: Decodable {
            let tcId: Int
            let msg: String
            let sig: String
            let result: String
        }
        let numberOfTests: Int
        let testGroups: [Group]
    }

    @Test(
        "Wycheproof: Ed25519 signatures get the verdicts of the vectors",
        .enabled(if: PublicVectors.arePresent, Comment(rawValue: PublicVectors.absence))
    )
    func wycheproof() throws {
        let bytes = try #require(PublicVectors.bytes("wycheproof/ed25519_test.json"))
        let vectors = try JSONDecoder().decode(Vectors.self, from: Data(bytes))
        var checked = 0
        for group in vectors.testGroups {
            let key = try #require(Hex.bytes(group.publicKey.pk))
            let verifier = try NoteVerifier(name: "vector", publicKey: key)
            for vector in group.tests {
                let message = try #require(Hex.bytes(vector.msg))
                let signature = try #require(Hex.bytes(vector.sig))
                #expect(
                    verifier.isValid(signature, for: message) == (vector.result == "valid"),
                    "test \(vector.tcId)"
                )
                checked += 1
            }
        }
        #expect(checked == vectors.numberOfTests)
        #expect(checked == 151)
    }
}
