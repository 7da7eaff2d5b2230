import Foundation
import Testing

/// The rules for commands that met a failing call: each of them detects a violation.
@Suite("Verdicts on commands that met a failing call")
struct JudgementTests {
    /// A way in which a command violates a rule.
    struct Breach: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// The expected complaint.
        let complaint: String
        var fault = "export/write/12/ENOSPC"
        let change: @Sendable (inout Observation) -> Void
    }

    private static let output = "{\"event\":1}\n{\"event\":2}\n"
    private static let good = Traces(
        store: "event 1\nevent 2\naudit 3\n",
        lasting: "event 1\nevent 2\n",
        outputs: ["e.ndjson": output],
        names: ["s.db", "e.ndjson"]
    )
    private static let reference = Reference(
        code: 0,
        output: "done\n",
        traces: good,
        repeated: good
    )
    private static let help =
        "tally export: write the output: no space [disk_full]\nhint: free some\n"

    private static var success: Observation {
        Observation(
            code: 0,
            output: "done\n",
            errors: "",
            fired: "write /t/e.ndjson",
            traces: good,
            verified: 0,
            repetition: 0,
            repetitionErrors: "",
            final: good
        )
    }

    private static var refusal: Observation {
        var seen = success
        (seen.code, seen.output, seen.errors) = (74, "", help)
        seen.traces.outputs = [:]
        seen.traces.names = ["s.db"]
        return seen
    }

    private static func complaints(_ seen: Observation, _ fault: String) throws -> [String] {
        let workload = try #require(Workload.all.first { $0.name == "export" })
        let fault = try #require(Fault(fault))
        return Judgement(workload: workload, reference: reference).complaints(seen, fault)
    }

    @Test("A command that does its work, or reports that it could not, violates no rule")
    func good() throws {
        #expect(try Self.complaints(Self.success, "export/write/12/ENOSPC").isEmpty)
        #expect(try Self.complaints(Self.success, "export/read/1/short").isEmpty)
        #expect(try Self.complaints(Self.refusal, "export/write/12/ENOSPC").isEmpty)
    }

    private static let afterSuccess = [
        Breach(testDescription: "dies by a trap", complaint: "signal 4") { $0.code = -4 },
        Breach(testDescription: "hangs", complaint: "hangs") { $0.code = -SIGALRM },
        Breach(testDescription: "says that it is a bug", complaint: "exit 70") { $0.code = 70 },
        Breach(testDescription: "prints less", complaint: "other output") { $0.output = "" },
        Breach(testDescription: "lost an event", complaint: "the store differs") {
            $0.traces.store = "event 1\naudit 3\n"
        },
        Breach(testDescription: "has no store", complaint: "there is none") {
            $0.traces.store = nil
        },
        Breach(testDescription: "cut its output", complaint: "e.ndjson differs") {
            $0.traces.outputs["e.ndjson"] = "{\"event\":1}\n"
        },
        Breach(testDescription: "made no output", complaint: "e.ndjson differs") {
            $0.traces.outputs = [:]
        },
        Breach(testDescription: "left damage", complaint: "verify exits 2") { $0.verified = 2 },
        Breach(testDescription: "cannot be repeated", complaint: "repeated: exit 73") {
            $0.repetition = 73
        },
        Breach(testDescription: "stores twice when repeated", complaint: "repeated, the store") {
            $0.final.lasting = "event 1\nevent 2\nevent 2\n"
        },
        Breach(testDescription: "leaves a file", complaint: "left behind") {
            $0.final.names.insert("e.ndjson.partial-7")
        },
    ]

    private static let afterRefusal = [
        Breach(testDescription: "calls it damage", complaint: "exit 2 for") { $0.code = 2 },
        Breach(testDescription: "calls it a matter of permissions", complaint: "exit 77 for") {
            $0.code = 77
        },
        Breach(testDescription: "says nothing", complaint: "does not help") { $0.errors = "" },
        Breach(testDescription: "says nothing of help", complaint: "does not help") {
            $0.errors = "tally export: failed\n"
        },
        Breach(testDescription: "shows an incomplete output", complaint: "is there, incomplete") {
            $0.traces.outputs["e.ndjson"] = "{\"event\":1}\n"
        },
        Breach(
            testDescription: "calls a thread that it did not get a busy store",
            complaint: "told as a busy store",
            fault: "export/thread/1/EAGAIN"
        ) { $0.code = 75 },
        Breach(
            testDescription: "gives up for an interrupted call",
            complaint: "EINTR ended it",
            fault: "export/write/12/EINTR"
        ) { _ in },
        Breach(
            testDescription: "gives up for a short read",
            complaint: "short ended it",
            fault: "export/read/12/short"
        ) { _ in },
    ]

    @Test("A violation of each rule is detected", arguments: afterSuccess)
    func successes(_ breach: Breach) throws {
        try expect(breach, of: Self.success)
    }

    @Test("A violation of each rule for refusals is detected", arguments: afterRefusal)
    func refusals(_ breach: Breach) throws {
        try expect(breach, of: Self.refusal)
    }

    private func expect(_ breach: Breach, of seen: Observation) throws {
        var seen = seen
        breach.change(&seen)
        let found = try Self.complaints(seen, breach.fault)
        #expect(found.contains { $0.contains(breach.complaint) }, "\(found)")
    }

    @Test("A fault is read from the text that messages show")
    func faults() throws {
        let fault = try #require(Fault("ingest/sync/3/dropped"))
        #expect("\(fault)" == "ingest/sync/3/dropped")
        #expect(fault.answer.drops && !fault.answer.lies)
        for text in [
            "", "ingest/sync/3", "ingest/sync/x/EIO", "ingest/sync/3/EXXX", "ingest/none/1/EIO",
        ] {
            #expect(Fault(text) == nil, "\(text)")
        }
    }

    @Test("A disk that reports a sync and loses the data is detected: acknowledged data is missing")
    func lyingDisk() throws {
        let workload = try #require(Workload.all.first { $0.name == "append" })
        let campaign = try FailingCallCampaign([workload], program: nil)
        let count = try #require(campaign.references["append"]?.counts["sync"])
        let faults = (1...count).compactMap { Fault("append/sync/\($0)/lied") }
        let result = campaign.run(faults)
        #expect(result.failed == count)
        #expect(
            result.complaints.contains { $0.contains("success, but the store differs") },
            "\(result.complaints)"
        )
    }

    @Test("doctor says of whatever it cannot look at that it could not")
    func doctor() throws {
        let workload = try #require(Workload.all.first { $0.name == "doctor" })
        let campaign = try FailingCallCampaign([workload], program: nil)
        let faults = campaign.all(isDistinct: true).filter { $0.callClass == "stat" }
        #expect(faults.count > 20)
        let result = campaign.run(faults)
        #expect(result.complaints.isEmpty, "\(result.complaints.joined(separator: "\n"))")
    }
}
