import ArgumentParser
import Tallystick
import TallystickCore

struct ProveCheck: TallyCommand {
    static let title = "prove check"
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a proof from the proof, the note and the public key alone.",
        discussion: """
            Needs no store. Exit 0: proved. 2: not proved. 65: no proof. \
            A proof of an event holds its sealed head; with --note it must be this one. A proof of consistency needs \
            the earlier head as --note.

            EXAMPLES
              tally prove check 42.tlog-proof --public-key signer.pub
              tally prove check march.proof --note 2026-03-01.note \\
                  --public-key "NAME+HASH+KEY"
            """
    )

    @Argument(help: "The proof.", completion: .file())
    var file: String
    @Option(help: "The sealed head.", completion: .file())
    var note: String?
    @Option(help: "The public key, or a file that holds it; may be repeated.", completion: .file())
    var publicKey: [String] = []
    @OptionGroup var report: ReportOptions

    private static let operation = "check the proof"

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let verifiers = try PublicKeys.parse(publicKey)
        let given = try note.map { try NoteFile.read($0) }
        let bytes = try SmallFile.read(file)
        return HeadConsistency.isProof(bytes)
            ? try checkConsistency(bytes, given, verifiers, started)
            : try checkEvent(bytes, given, verifiers, started)
    }

    private func checkEvent(
        _ bytes: [UInt8],
        _ note: SignedNote?,
        _ verifiers: [NoteVerifier],
        _ started: UInt64
    ) throws -> Int32 {
        let file = file
        let (proof, proved) = try NoteFile.reading(file, Self.operation) { () throws(NoteError) in
            let proof = try EventProof(parsing: bytes)
            return (proof, try proof.verify(with: verifiers))
        }
        if let note {
            try NoteFile.reading("--note", Self.operation) { () throws(NoteError) in
                try note.verify(with: verifiers)
            }
            guard note.text.utf8.elementsEqual(proof.note.text.utf8) else {
                throw StoreError(
                    .integrity,
                    during: Self.operation,
                    on: file,
                    "the proof is for another head than the note"
                )
            }
        }
        var result = self.result(proved.head, started)
        result.add("position", .number(proved.position.rawValue))
        result.add("content_sha256", .text(proved.contentDigest.hex))
        let content = try proof.content.map { try JSONDocument($0).root }
        result.add("content", content ?? .null)
        try result.print(report) {
            [
                "proved: position \(proved.position) of \(proved.head.origin)",
                "content \(proof.content.map { String(decoding: $0, as: UTF8.self) } ?? proved.contentDigest.hex)",
            ]
        }
        return Exit.done
    }

    private func checkConsistency(
        _ bytes: [UInt8],
        _ note: SignedNote?,
        _ verifiers: [NoteVerifier],
        _ started: UInt64
    ) throws -> Int32 {
        guard let note else {
            throw ValidationError(
                "--note is missing: a proof of consistency needs the earlier head"
            )
        }
        let head = try NoteFile.reading(file, Self.operation) { () throws(NoteError) in
            try HeadConsistency(parsing: bytes).verify(from: note, with: verifiers)
        }
        let result = self.result(head, started)
        try result.print(report) {
            [
                "proved: \(head.origin) has everything that the note sealed, up to \(head.events.size) events"
            ]
        }
        return Exit.done
    }

    private func result(_ head: TreeHead, _ started: UInt64) -> Report {
        let storeID = String(head.origin.dropFirst(TreeHead.origin(of: "").count))
        var result = Report(Self.title, storeID: storeID, started: started)
        result.result = "proved"
        func log(_ log: TreeHead.Log) -> JSONValue {
            .object([("size", .number(log.size)), ("root", .text(log.root.hex))])
        }
        result.add(
            "head",
            .object([
                ("origin", .text(head.origin)), ("events", log(head.events)),
                ("copies", log(head.copies)), ("audit", log(head.audit)),
            ])
        )
        return result
    }
}
