import Foundation
import TallystickTestSupport

extension BusyStore {
    /// Completes all work without disturbances, and counts.
    ///
    /// - returns: the complaints.
    func count() -> [String] {
        var found: [String] = []
        func run(_ words: String, _ codes: Set<Int32> = [0]) {
            let result = tally.run(words.split(separator: " ").map(String.init))
            if !codes.contains(result.code) {
                found.append("at the end, \(words): exit \(result.code): \(result.errors)")
            }
        }
        for origin in Self.origins {
            let files = (0..<Self.files).map { Self.file($0, origin) }.joined(separator: " ")
            run("ingest busy.db \(files) --origin \(origin)")
        }
        run("breaker set busy.db c closed --reason end")
        run("reconcile busy.db", [0, 1])
        run("replay busy.db totals.sql")
        run("replay busy.db beside.sql --into beside.db")
        run("keys rotate busy.db --key-file ring.json --id last --reason end")
        run("verify busy.db --key-file ring.json")
        run("audit replay busy.db")
        run("doctor busy.db")
        return found + missing() + disorder() + projections() + leftovers()
    }

    private func query(_ store: String, _ sql: String) -> String {
        let result = tally.run("query", store, sql, "--csv")
        return result.code == 0 ? result.output : "exit \(result.code): \(result.errors)"
    }

    /// Acknowledged appends that are not there exactly once, at their reported places.
    private func missing() -> [String] {
        let rows = query(Self.store, "SELECT event_id, stream, revision, position FROM event_log")
        var places: [String: [Acknowledgement]] = [:]
        for line in rows.split(whereSeparator: \.isNewline).dropFirst() {
            let parts = line.split(separator: ",").map(String.init)
            guard parts.count == 4 else { continue }
            places[parts[0], default: []].append(
                Acknowledgement(
                    id: parts[0],
                    stream: parts[1],
                    revision: parts[2],
                    position: parts[3]
                )
            )
        }
        return record.acknowledged.compactMap { said in
            let stored = places[said.id] ?? []
            guard stored.count == 1, let place = stored.first else {
                return "\(said.id) was acknowledged and is stored \(stored.count) times"
            }
            // A worker that reports an event before it is stored knows no position.
            return said.revision == "-" || place == said
                ? nil : "\(said.id) was acknowledged at \(said), and is at \(place)"
        }
    }

    /// Positions or revisions with gaps, and events that are duplicated or missing.
    private func disorder() -> [String] {
        let sql = """
            SELECT count(*) - max(position), count(*) - count(DISTINCT source || ' ' || event_id),
                (SELECT count(*) FROM (SELECT stream FROM event_log GROUP BY stream
                    HAVING max(revision) + 1 <> count(*) OR count(DISTINCT revision) <> count(*))),
                count(*) FILTER (WHERE source = '/s')
            FROM event_log
            """
        let counted = query(Self.store, sql).split(whereSeparator: \.isNewline).last ?? ""
        let doubled =
            query(
                Self.store,
                """
                SELECT count(*) FROM resolutions AS a JOIN resolutions AS b
                    ON a.conflict_id = b.conflict_id AND a.resolution_id < b.resolution_id
                WHERE b.supersedes IS NULL
                """
            ).split(whereSeparator: \.isNewline).last ?? ""
        return
            (counted == "0,0,0,\(Self.events)"
            ? [] : ["gaps, doubles, streams with gaps, events: \(counted)"])
            + (doubled == "0" ? [] : ["\(doubled) conflicts were decided twice"])
    }

    /// Projections that differ from a fresh rebuild.
    private func projections() -> [String] {
        let rows = "SELECT stream, revision, type, data FROM totals ORDER BY stream, revision"
        let mine = query(Self.store, rows)
        var found: [String] = []
        for words in [
            "backup busy.db fresh.db", "replay drop fresh.db totals", "replay fresh.db totals.sql",
        ] {
            let result = tally.run(words.split(separator: " ").map(String.init))
            if result.code != 0 { found.append("\(words): \(result.code) \(result.errors)") }
        }
        let fresh = query("fresh.db", rows)
        if mine != fresh { found.append("the projection differs from a fresh one") }
        let beside = sqlite(
            "SELECT stream, revision, type, data FROM beside ORDER BY 1, 2",
            "beside.db"
        )
        let kept = sqlite(
            "SELECT stream, revision, type, data FROM totals ORDER BY 1, 2",
            "fresh.db"
        )
        if beside != kept {
            found.append("the projection in another file differs from a fresh one")
        }
        return found
    }

    private func sqlite(_ sql: String, _ name: String) -> String {
        let result = TallyCommand(in: folder.path, path: "sqlite3").run(name, sql)
        return result.code == 0 ? result.output : "exit \(result.code): \(result.errors)"
    }

    /// Files that would never be removed.
    private func leftovers() -> [String] {
        let known = ["busy.db", "beside.db", "fresh.db", "ring.json", "signer.key", "append.json"]
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let strange = names.filter { name in
            let isOurs =
                known.contains { name == $0 || name == $0 + "-wal" || name == $0 + "-shm" }
                || [".ndjson", ".sql", ".note", ".out", ".err"].contains { name.hasSuffix($0) }
                || name.hasPrefix("settings") || name.hasPrefix("signer")
            return !isOurs
        }
        note { $0.ends["files left by killed processes", default: 0] = strange.count }
        // The next backup of the same name replaces the unpublished file of a killed one.
        let blocking = strange.filter { !$0.contains(".db.tally-new") }
        // So does a scratch file with its journal; a journal alone would stay for ever.
        let ending = "-journal"
        return blocking.filter { name in
            name.hasSuffix(".lock")
                || name.hasSuffix(ending) && !names.contains(String(name.dropLast(ending.count)))
        }.map { "\($0) is left" }
    }
}
