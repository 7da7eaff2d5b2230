import Foundation
import TallystickTestSupport
import Testing

/// Commands whose system calls and allocations fail.
///
/// `TALLY_FAILING_CALL=WORKLOAD/CLASS/NUMBER/ERROR` tries one fault. `TALLY_FAILING_CALLS` is a number of faults per
/// workload, `all`, or `distinct` for one call from each stack; `TALLY_FAILING_WORKLOADS` and `TALLY_FAILING_CLASSES`
/// limit them, and `TALLY_FAILING_SEED` draws another sample. `TALLY_FAILING_PROGRAM` is the program that is tried.
@Suite("Failing calls", .serialized)
struct FailingCallTests {
    private static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private static let program = variable("TALLY_FAILING_PROGRAM")

    private static func campaign(_ names: [String]? = nil) throws -> FailingCallCampaign {
        let asked =
            names ?? variable("TALLY_FAILING_WORKLOADS")?.split(separator: ",").map(String.init)
        let workloads = Workload.all.filter { asked?.contains($0.name) ?? true }
        try #require(!workloads.isEmpty, "there is no such workload")
        return try FailingCallCampaign(workloads, program: program)
    }

    private static func tell(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    @Test(
        "Whatever call fails, a command neither crashes, hangs nor claims success, and can be repeated"
    )
    func everyCommand() throws {
        if let text = Self.variable("TALLY_FAILING_CALL") {
            let fault = try #require(Fault(text), "WORKLOAD/CLASS/NUMBER/ERROR")
            let result = try Self.campaign([fault.workload]).run([fault], report: Self.tell)
            #expect(result.complaints.isEmpty, "\(result.complaints.joined(separator: "\n"))")
            return
        }
        let seed = Self.variable("TALLY_FAILING_SEED").flatMap { UInt64($0) } ?? 1
        let asked = Self.variable("TALLY_FAILING_CALLS")
        let campaign = try Self.campaign()
        for workload in campaign.workloads {
            let reference = try #require(campaign.references[workload.name])
            #expect(reference.code <= 1, "\(workload.name) ends with \(reference.code) by itself")
            // What cannot be read is never different.
            let texts = [reference.untouched, reference.traces, reference.repeated].flatMap {
                [$0.store, $0.lasting].compactMap { $0 } + $0.outputs.values.compactMap { $0 }
            }
            #expect(!texts.contains { $0.contains("cannot be read:") }, "\(workload.name)")
        }
        let faults =
            ["all", "distinct"].contains(asked)
            ? campaign.all(isDistinct: asked == "distinct")
            : campaign.workloads.flatMap {
                campaign.sample(asked.flatMap { Int($0) } ?? 6, of: $0, seed: seed)
            }
        let classes = Self.variable("TALLY_FAILING_CLASSES")?.split(separator: ",").map(String.init)
        let chosen = faults.filter { classes?.contains($0.callClass) ?? true }
        if asked != nil { Self.tell(campaign.plan(of: chosen)) }
        let result = campaign.run(chosen) { if asked != nil { Self.tell($0) } }
        Self.tell("failing calls, seed \(seed): \(result.summary)")
        #expect(result.failed * 2 > chosen.count, "most of the calls were reached")
        #expect(
            result.complaints.isEmpty,
            "seed \(seed)\n\(result.complaints.prefix(20).joined(separator: "\n"))"
        )
    }

    @Test(
        "If the system refuses a thread, the command exits 74, and nothing is changed"
    )
    func threads() throws {
        let campaign = try Self.campaign(["ingest", "verify"])
        for workload in campaign.workloads {
            let faults = campaign.all().filter {
                $0.workload == workload.name && $0.callClass == "thread"
            }
            #expect(faults.count > 2, "\(workload.name) starts threads")
            let result = campaign.run(faults)
            #expect(result.failed == faults.count)
            #expect(result.codes == [74: faults.count], "\(result.summary)")
            #expect(result.complaints.isEmpty, "\(result.complaints)")
        }
    }
}
