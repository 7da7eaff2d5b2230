import ArgumentParser
import Tallystick
import TallystickCore

struct Prove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make proofs for somebody who does not trust the store, and check them.",
        discussion: """
            EXAMPLES
              tally prove event events.db 42 --output 42.tlog-proof
              tally prove consistency events.db --from 2026-03-01.note \\
                  --output march.proof
              tally prove check 42.tlog-proof --public-key signer.pub
            """,
        subcommands: [ProveEvent.self, ProveConsistency.self, ProveCheck.self]
    )
}
