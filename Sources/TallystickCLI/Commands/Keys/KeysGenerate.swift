import ArgumentParser
import Tallystick
import TallystickCore

struct KeysGenerate: TallyCommand {
    static let title = "keys generate"
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Make a store's first key, or a key that signs its heads.",
        discussion: """
            Adds a key to the ring, which is made when there is none, and registers it. A ring that has an active key \
            which the store does not know yet gets no new one: that key is registered.

            With --signing, the public key is written beside the private one: signer.pub beside signer.key. Run again \
            after an interruption, the command goes on where it was stopped.

            EXAMPLES
              tally keys generate events.db --key-file ring.json --reason "first key"
              tally keys generate events.db --signing signer.key --reason "seals"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "The key's id; today's date without.")
    var id: String?
    @Option(
        help: "Make a key that signs tree heads instead, in this new file.",
        completion: .file()
    )
    var signing: String?
    @Option(help: "The signing key's name; tallystick/ and the store's id without.")
    var name: String?
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var report: ReportOptions

    func validate() throws {
        if signing == nil, name != nil {
            throw ValidationError("--name is the name of a signing key; give --signing too")
        }
        if signing != nil, id != nil {
            throw ValidationError("--id is the id of an HMAC key; a signing key has a --name")
        }
    }

    func execute() async throws -> Int32 {
        let request = KeyRequest(store: store, keys: keys, change: change, report: report)
        if let signing {
            return try await NewSigner(request: request).make(in: signing, name: name)
        }
        return try await NewKey(request: request).register(id: id, replacing: false)
    }
}
