import Tallystick
import TallystickCore

enum ReplayReport {
    static func print(
        _ done: ReplayOutcome,
        _ store: EventStore,
        _ exit: Int32,
        _ started: UInt64,
        _ options: ReportOptions,
        command: CommandSink? = nil
    ) throws {
        var result = Report("replay", on: store, started: started)
        result.exit = exit
        result.result = done.status.rawValue
        result.add("replay", .text(done.replay))
        result.add("position", .number(done.position.rawValue))
        result.add("head", .number(done.head.rawValue))
        result.add("consumed", .number(done.consumed))
        result.add("applied", .number(done.applied))
        result.add("parked", .number(done.parked))
        result.add("skipped", .number(done.skipped))
        result.add("resolution_watermark", .number(done.resolutionWatermark))
        result.add("digest", .text(done.digest))
        result.add("applied_digest", .text(done.appliedDigest))
        result.add("root", .text(done.root))
        result.add("rebuilt", .flag(done.rebuilt))
        result.add("reason", .optional(done.reason))
        result.add(
            "next_attempt_at",
            .optional(done.nextAttemptAt?.description)
        )
        if let code = command?.lastCode { result.add("command_exit", .number(Int64(code))) }
        try result.print(options) {
            [
                "\(done.replay)  \(done.status.rawValue) at position \(done.position) of \(done.head)",
                "consumed \(done.consumed), applied \(done.applied), parked \(done.parked), skipped \(done.skipped)"
                    + (done.rebuilt ? ", rebuilt" : ""),
                "digest          \(done.digest)",
                "applied digest  \(done.appliedDigest)",
            ]
        }
    }
}
