import ArgumentParser
import Tallystick

struct Demo: TallyCommand {
    static let title = "demo"
    static let configuration = CommandConfiguration(
        abstract: "Show the main job on fixtures, from ingest to decisions and their proof.",
        discussion: """
            Builds a store from two origins of a dual-write migration, kills a replay half-way, resumes it, \
            shows that its digests are those of an uninterrupted run, puts a conflict side by side, resolves \
            it, lets policies decide the rest, and verifies everything. The program carries the events.

            EXAMPLES
              tally demo
              tally demo --keep /tmp/tally-demo
            """
    )

    @Option(
        help: "A folder with other events/, projections/ and settings.json.",
        completion: .directory
    )
    var fixtures: String?
    @Option(
        help: "Keep the files in this folder; by default they are removed.",
        completion: .directory
    )
    var keep: String?

    func execute() async throws -> Int32 {
        let folder = try DemoFolder(keep)
        let files = try fixtures.map(DemoFiles.init(in:)) ?? DemoFiles(carriedInto: folder)
        let (projection, inputs, settings) = (files.projection, files.inputs, files.settings)
        let stage = DemoStage(folder.path)
        let store = folder.path + "/demo.db"
        try stage.run(["init", store, "--config", settings])
        for input in inputs {
            try stage.run(["ingest", store, input.path, "--origin", input.origin])
        }
        try stage.say("Every delivery has an outcome. Ingesting again stores nothing twice:")
        try stage.run(["ingest", store, inputs[1].path, "--origin", inputs[1].origin])
        try replay(stage, store, projection, folder.path)
        try decide(stage, store, projection)
        try reconcile(stage, store, projection)
        try stage.say("And all of it can be proved: checksums, leaves, trees, indexes.")
        try stage.run(["verify", store])
        if keep != nil { try stage.say("The store is \(store).") }
        return Exit.done
    }

    /// A killed and resumed replay beside one that ran undisturbed.
    private func replay(
        _ stage: DemoStage,
        _ store: String,
        _ projection: String,
        _ folder: String
    ) throws {
        let copy = folder + "/copy.db"
        try stage.run(["backup", store, copy])
        try stage.say("A replay feeds a projection. This one is killed half-way:")
        try stage.runAndKill(["replay", store, projection, "--batch", "5"], at: 600, of: store)
        try stage.say("Run again, it goes on where it stopped; in the copy it runs undisturbed.")
        let resumed = try stage.run(["replay", store, projection])
        let undisturbed = try stage.run(["replay", copy, projection])
        guard Self.digests(resumed) == Self.digests(undisturbed), !Self.digests(resumed).isEmpty
        else {
            throw StoreError(.bug, during: "compare the replays", "their digests differ")
        }
        try stage.say("The digests are the same: each event was applied once, in the same order.")
    }

    private static func digests(_ report: String) -> [Substring] {
        report.split(separator: "\n").filter { $0.contains("digest") }
    }

    private func decide(_ stage: DemoStage, _ store: String, _ projection: String) throws {
        let counts = "SELECT service, code, errors, requests_lost FROM error_counts"
        try stage.say("The two paths do not agree on everything. Both copies are kept:")
        try stage.run([
            "query", store,
            "SELECT category, kind, count(*) AS conflicts FROM open_conflicts GROUP BY 1, 2",
        ])
        let first = "SELECT min(conflict_id) FROM open_conflicts WHERE type = 'error'"
        let printed = try DemoProcess.run(["query", store, first, "--csv"]).output
        guard let conflict = printed.split(whereSeparator: \.isNewline).last.map(String.init) else {
            return
        }
        try stage.run(["conflicts", "diff", store, conflict])
        try stage.run(["query", store, counts])
        try stage.say(
            "Somebody decides, with a reason, on record for ever. The projection follows."
        )
        try stage.run([
            "conflicts", "resolve", store, conflict, "--take", "realtime", "--reason",
            "the old feed cuts messages",
        ])
        try stage.run(["replay", store, projection])
        try stage.run(["query", store, counts])
    }

    /// Policies decide what the settings leave to them, on record like people's decisions.
    private func reconcile(_ stage: DemoStage, _ store: String, _ projection: String) throws {
        try stage.say("Policies can decide the rest. A dry run says what they would do:")
        let predicted = try stage.run(["reconcile", store, "--dry-run"], orExit: Exit.differences)
        try stage.say("The run does exactly that. What the settings leave to people stays open.")
        let done = try stage.run(["reconcile", store], orExit: Exit.differences)
        guard Self.digests(predicted) == Self.digests(done), !Self.digests(done).isEmpty else {
            throw StoreError(.bug, during: "compare the runs", "their decisions differ")
        }
        try stage.say("What was decided, and why:")
        try stage.run([
            "query", store,
            """
            SELECT policy, reason, decision, winner_origin, count(*) AS decisions
            FROM resolution_trail GROUP BY 1, 2, 3, 4
            """,
        ])
        try stage.say("The audit trail has every step, and each decision can be derived again:")
        try stage.run([
            "query", store,
            "SELECT kind, actor, count(*) AS rows FROM audit_trail GROUP BY 1, 2 ORDER BY 3 DESC",
        ])
        try stage.run(["audit", "replay", store])
        try stage.say("Projections follow these decisions too:")
        try stage.run(["replay", store, projection])
        try stage.run([
            "query", store, "SELECT service, code, errors, requests_lost FROM error_counts",
        ])
    }
}
