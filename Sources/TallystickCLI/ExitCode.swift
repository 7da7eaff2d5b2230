import ArgumentParser
import Tallystick

/// Exit codes, the same for every command.
enum Exit {
    static let done: Int32 = 0
    /// A question was asked, and the answer is: differences.
    static let differences: Int32 = 1
    static let integrity: Int32 = 2
    /// Incomplete; the same command goes on.
    static let incomplete: Int32 = 3
    static let expectation: Int32 = 4
    static let usage: Int32 = 64
    static let badInput: Int32 = 65
    static let noInput: Int32 = 66
    static let bug: Int32 = 70
    static let cannotCreate: Int32 = 73
    static let inputOutput: Int32 = 74
    static let busy: Int32 = 75
    static let notPermitted: Int32 = 77
    static let schema: Int32 = 78

    /// The code for a failure.
    static func code(for error: StoreError) -> Int32 {
        switch error.code {
        case .noStore, .notAStore, .noInput, .notFound: noInput
        case .storeExists, .cannotCreate: cannotCreate
        case .schemaNewer, .schemaOlder: schema
        case .notPermitted, .queryDenied, .keyMissing, .keyRefused: notPermitted
        case .busy: busy
        case .diskFull, .inputOutput, .outOfMemory, .outcomeUnknown: inputOutput
        case .corrupt, .schemaAltered, .integrity, .historyDiffers: integrity
        case .invalidArgument: usage
        case .badInput, .sourceIsOrigin, .projectionInvalid, .projectionChanged, .queryFailed:
            badInput
        case .expectationFailed, .contentDiffers, .alreadyDecided, .notDecided: expectation
        case .poisonEvent, .sinkFailed, .held, .interrupted, .limitReached: incomplete
        default: bug
        }
    }
}
