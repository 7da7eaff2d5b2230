import TallystickCore
import TallystickSQLite

extension ReplayEngine {
    /// Applies what is parked again: each stream in the order in which its events and corrections came. What
    /// still fails stays parked, with the rest of its stream.
    func retryParked() throws -> (applied: Int, parked: Int) {
        guard try storage.checkpoints.read(name) != nil else {
            throw StoreError(
                .notFound,
                during: "retry parked events",
                on: "replay '\(name)'",
                "it has no checkpoint there",
                hint: "See 'tally replay list'"
            )
        }
        guard try begin() else {
            throw StoreError(
                .projectionChanged,
                during: "retry parked events",
                on: "replay '\(name)'",
                "the projection must be built anew first",
                hint: "Run 'tally replay' with the projection"
            )
        }
        try driver.prepare()
        var applied = 0
        var blocked: Set<Int64> = []
        for (place, streamID) in try parkedInOrder() where !blocked.contains(streamID) {
            if setting.stop.isSet { break }
            do {
                try transact { try retry(place) }
                applied += 1
            } catch let poison as PlacedPoison {
                blocked.insert(streamID)
                try storage.transaction {
                    try storage.rows.failRetry(place, name, error: poison.reason)
                }
            }
        }
        let left = Int(clamping: try storage.rows.parkedCount(name))
        try storage.transaction { try note(.ready) }
        return (applied, left)
    }

    /// What is parked, in the order of the log: a correction stands behind the event that was last when it
    /// was made.
    private func parkedInOrder() throws -> [(place: LogPlace, streamID: Int64)] {
        try storage.transaction {
            storage.source.beginTransaction()
            let parked = try storage.rows.parked(name).map { item in
                var order = item.place.position
                if item.place.resolutionID != 0 {
                    order = try resolution(item.place).afterPosition
                }
                return (item: item, order: order)
            }
            return parked.sorted {
                ($0.order, $0.item.place.resolutionID) < ($1.order, $1.item.place.resolutionID)
            }.map(\.item)
        }
    }

    private func resolution(_ place: LogPlace) throws -> VerifiedResolution {
        guard let found = try storage.source.resolutions.resolution(place.resolutionID) else {
            throw StoreError(
                .integrity,
                during: "retry parked events",
                on: "resolutions \(place.resolutionID)",
                "its row is missing",
                hint: "Run 'tally verify'"
            )
        }
        return found
    }

    private func retry(_ place: LogPlace) throws {
        let source = storage.source
        source.beginTransaction()
        if place.resolutionID == 0 {
            let isPinned = setting.definition.onCorrection == .rebuild
            let watermark = isPinned ? checkpoint.watermark : nil
            try source.withEvent(at: place.position, watermark: watermark) { event in
                if let event { try apply(event, place) }
            }
        } else {
            try source.withCorrected(try resolution(place)) { try apply($0, place) }
        }
        try storage.rows.unpark(place, name)
        checkpoint.appliedDigest.add(.retried, at: place)
        try storage.move(from: committed, to: checkpoint)
    }
}
