package import TallystickCore

/// The identity of a projection, and how it handles corrections.
package struct ReplayDefinition: Sendable, Equatable {
    /// Also the name, or the beginning of the names, of its tables.
    package var name: String
    package var version: Int64
    /// Changes when the projection does.
    package var digest: SHA256Digest
    package var onCorrection: ProjectionFile.OnCorrection

    package init(
        name: String,
        version: Int64,
        digest: SHA256Digest,
        onCorrection: ProjectionFile.OnCorrection
    ) {
        self.name = name
        self.version = version
        self.digest = digest
        self.onCorrection = onCorrection
    }
}

/// Where a replay writes.
package enum ReplayDestination: Sendable {
    /// Into tables of the store.
    case store
    /// Into tables of another SQLite file.
    case file(String)
    /// To a receiver outside SQLite; the checkpoint is in the store.
    case sink

    /// The columns `target` and `target_path` of `replays`.
    package var columns: (target: String, path: String?) {
        switch self {
        case .store: ("store", nil)
        case .file(let path): ("file", path)
        case .sink: ("sink", nil)
        }
    }
}

/// A place in the log that a replay consumes: an event's, or a correction's.
package struct LogPlace: Equatable {
    package var position: Int64
    /// 0 for the event itself.
    package var resolutionID: Int64 = 0

    package init(position: Int64, resolutionID: Int64 = 0) {
        self.position = position
        self.resolutionID = resolutionID
    }
}

extension LogPlace: CustomStringConvertible {
    package var description: String {
        resolutionID == 0
            ? "the event at position \(position)"
            : "the correction of the event at position \(position) by resolution \(resolutionID)"
    }
}
