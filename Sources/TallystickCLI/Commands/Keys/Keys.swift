import ArgumentParser
import Tallystick
import TallystickCore

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keys for checksums that only their holders can make.",
        discussion: """
            A key ring is a file of yours; the store keeps ids and fingerprints. From the first key on, events of \
            categories that ask for an HMAC are not stored without one.

            EXAMPLES
              tally keys generate events.db --key-file ring.json --reason "first key"
              tally keys list events.db --key-file ring.json
              tally keys rotate events.db --key-file ring.json --reason "yearly"
              tally keys retire events.db 2026-03-01 --key-file ring.json \\
                  --reason "laptop lost"
              tally keys reseal events.db --key-file ring.json \\
                  --reason "events from before the key"
              tally keys generate events.db --signing signer.key --reason "seals"
            """,
        subcommands: [
            KeysGenerate.self, KeysList.self, KeysRotate.self, KeysRetire.self, KeysReseal.self,
        ]
    )
}
