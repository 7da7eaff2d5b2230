import TallystickCore
import TallystickSQLite

/// Reads again, verified, what a replay has consumed, and compares it with the checkpoint's digest.
///
/// A resumed replay compares roots only: that finds other history, but no edit of a row that was consumed
/// before.
struct HistoryCheck {
    let setting: ReplayContext
    let source: EventSource

    /// - throws: `integrity` with the record that differs from its proof; `historyDiffers` when everything has
    ///   its proof, and yet is not what was consumed.
    func check(_ found: Checkpoint) throws {
        let onCorrection = setting.definition.onCorrection
        var seen = Checkpoint(setting.definition, storeID: setting.storeID)
        if onCorrection == .rebuild { seen.watermark = found.watermark }
        let log = ReplayLog(source, onCorrection, heldCategories: { [] }, until: found.position)
        while !isThere(seen, found) {
            guard !setting.stop.isSet else {
                throw StoreError(.interrupted, during: "verify what was consumed", "it was stopped")
            }
            let before = seen
            seen = try source.inTransaction {
                let window = try log.window(from: seen)
                let bounds = ReplayLog.Bounds(limit: setting.batch)
                var (position, watermark) = (seen.position, seen.watermark)
                return try log.consume(from: seen, window, bounds) { item in
                    if case .correction(let decision) = item {
                        watermark = decision.resolutionID
                    } else {
                        position = item.place.position
                    }
                    let isLast = position == found.position && watermark == found.watermark
                    return ReplayLog.Handled(isLast: isLast)
                }.end
            }
            guard seen != before else { break }
        }
        guard isThere(seen, found), seen.digest == found.digest else {
            throw StoreError(
                .historyDiffers,
                during: "verify what was consumed",
                on: "replay \(setting.definition.name)",
                "the store's history up to position \(found.position) is not what was consumed",
                hint: "Restore the right store, or start again with 'tally replay rebuild'"
            )
        }
    }

    private func isThere(_ seen: Checkpoint, _ found: Checkpoint) -> Bool {
        seen.position == found.position && seen.watermark == found.watermark
    }
}
