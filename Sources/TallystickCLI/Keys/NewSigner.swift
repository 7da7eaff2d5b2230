import ArgumentParser
import Glibc
import Tallystick
import TallystickCore

/// Makes a key that signs heads, in three steps, each of which is done as a whole or not at all:
///
/// 1. The private key's file is written.
/// 2. The public key's file is written beside it.
/// 3. The store registers the public key.
///
/// A run begins with what it finds: files of an interrupted run are used, and never replaced. Where nothing is left
/// to do, the request is refused as done (`alreadyDecided`).
struct NewSigner {
    let request: KeyRequest

    private static let operation = "make the signing key"

    func make(in path: String, name: String?) async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let publicPath = Self.publicPath(of: path)
        let (opened, verifier) = try await OpenedStore.with(
            request.store,
            keys: request.keys.source,
            request.change.waiting.command()
        ) { opened in
            let name = name ?? TreeHead.origin(of: opened.storeID)
            let found = try Self.signer(in: path, named: name)
            let known = try await opened.keys().last {
                $0.algorithm == .ed25519 && $0.id == name
            }
            try Self.refuse(known, unlessOf: found)
            try Self.refuseOtherPublicKey(than: found?.verifier, in: publicPath)
            let signer: NoteSigner
            if let found {
                signer = found
            } else {
                signer = try NoteFile.reading("--name", Self.operation) { () throws(NoteError) in
                    try NoteSigner(name: name)
                }
                try KeyRingFile.write(signer, to: path)
            }
            let verifier = signer.verifier
            let isPublished = access(publicPath, F_OK) == 0
            if !isPublished { try KeyRingFile.write(verifier, to: publicPath) }
            if isPublished, let known, let done = try await opened.registration(of: known) {
                throw StoreError(
                    .alreadyDecided,
                    during: Self.operation,
                    on: "key '\(name)'",
                    "this was already done \(done.text)",
                    hint: "There is nothing left to do; see 'tally keys list'"
                )
            }
            try await opened.register(
                verifier,
                actor: request.change.actor,
                reason: request.change.reason
            )
            return (opened, verifier)
        }
        var result = Report(KeysGenerate.title, on: opened, started: started)
        result.add("name", .text(verifier.name))
        result.add("public_key", .text(verifier.description))
        result.add("public_key_file", .text(publicPath))
        try result.print(request.report) {
            [
                "signing key in \(path)", "public key in \(publicPath)",
                "public key  \(verifier.description)",
            ]
        }
        return Exit.done
    }

    /// `signer.pub` beside `signer.key`.
    static func publicPath(of path: String) -> String {
        (path.hasSuffix(".key") ? String(path.dropLast(4)) : path) + ".pub"
    }

    /// The key in a file of an earlier run; nil where there is none.
    private static func signer(
        in path: String,
        named name: String
    ) throws(StoreError) -> NoteSigner? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        let found: NoteSigner
        do throws(StoreError) {
            found = try NoteSigner.load(from: path)
        } catch {
            guard error.code == .badInput else { throw error }
            throw occupied(path, "there is a file already, which is not a signing key")
        }
        guard found.verifier.name == name else {
            throw occupied(path, "there is a file already, with the key '\(found.verifier.name)'")
        }
        return found
    }

    private static func refuse(
        _ known: RegisteredKey?,
        unlessOf found: NoteSigner?
    ) throws(StoreError) {
        guard let known else { return }
        let fingerprint = found.map { SHA256Digest(hashing: $0.verifier.publicKey).hex }
        guard known.fingerprint != fingerprint || known.state != .active else { return }
        throw StoreError(
            .invalidArgument,
            during: operation,
            on: "key '\(known.id)'",
            "another key has this name, or it was retired",
            hint: "Choose another --name"
        )
    }

    private static func refuseOtherPublicKey(
        than verifier: NoteVerifier?,
        in path: String
    ) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        let text = String(decoding: try SmallFile.read(path), as: UTF8.self)
        guard let verifier, text == "\(verifier)\n" else {
            throw occupied(path, "there is a file already, which is not this key's public half")
        }
    }

    private static func occupied(_ path: String, _ reason: String) -> StoreError {
        StoreError(
            .cannotCreate,
            during: operation,
            on: path,
            reason,
            hint: "Choose another path; nothing was changed"
        )
    }
}
