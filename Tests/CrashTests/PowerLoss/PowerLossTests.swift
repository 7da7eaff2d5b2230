import Foundation
import Testing

/// `TALLY_POWER_LOSS_STATES`: the number of states of all workloads together. `TALLY_POWER_LOSS_SEED`: the seed for
/// them. `TALLY_POWER_LOSS_WORKLOADS=NAME,NAME`: only these workloads. `TALLY_POWER_LOSS_CASE=WORKLOAD:SEED:NUMBER`:
/// only one state; with `TALLY_POWER_LOSS_KEEP=FOLDER` it is kept there.
private enum Request {
    private static let environment = ProcessInfo.processInfo.environment
    static let states = environment["TALLY_POWER_LOSS_STATES"].flatMap { Int($0) } ?? 2000
    static let seed = environment["TALLY_POWER_LOSS_SEED"].flatMap { UInt64($0) } ?? 1
    static let one = environment["TALLY_POWER_LOSS_CASE"]?.split(separator: ":").map(String.init)
    private static let names = environment["TALLY_POWER_LOSS_WORKLOADS"]?
        .split(separator: ",").map(String.init)
    static let folder = environment["TALLY_POWER_LOSS_KEEP"]

    static var campaigns: [PowerLossCampaign] {
        if let one, one.count == 3, let seed = UInt64(one[1]), let number = Int(one[2]) {
            return [
                PowerLossCampaign(
                    workload: one[0],
                    states: 1,
                    seed: seed,
                    only: number,
                    keeps: folder
                )
            ]
        }
        let all = PowerLossWorkload.all.filter { names?.contains($0.name) ?? true }
        return all.map {
            PowerLossCampaign(
                workload: $0.name,
                states: (states + all.count - 1) / max(1, all.count),
                seed: seed
            )
        }
    }
}

@Suite("Power loss at every operation")
struct PowerLossTests {
    @Test(
        "After any power cut, acknowledged data is there, and repeating the work ends as if undisturbed",
        arguments: Request.campaigns
    )
    func survives(_ campaign: PowerLossCampaign) async throws {
        let report = try await campaign.runInChild()
        print(report.line(campaign))
        #expect(report.faulty == 0, "\(report.line(campaign))\n\(report.examples(campaign))")
    }
}

@Suite("A power-loss campaign without one of its rules")
struct PowerLossCanaryTests {
    @Test(
        "The campaign detects syncs that do nothing, and lost pages that stay lost",
        arguments: [
            (SimulatedDisk.Canary.logSync, "append"), (.databaseSync, "checkpoints"),
            (.folderSync, "replay-into"), (.outputSync, "outputs"), (.rewrite, "failed-sync"),
        ]
    )
    func canary(_ canary: SimulatedDisk.Canary, _ workload: String) async throws {
        let campaign = PowerLossCampaign(workload: workload, states: 250, seed: 1, canary: canary)
        let report = try await campaign.runInChild()
        #expect(report.faulty > 0, "\(report.line(campaign))")
        #expect(
            report.byKind.keys.contains { ["lost", "fileLost"].contains($0) },
            "\(report.line(campaign))"
        )
    }
}
