import TallystickCore

extension StoreOwner {
    /// Puts on record that a replay leaves an event out; once for each place and definition of the replay.
    func auditSkip(_ skip: ProjectionSkip) throws(StoreError) {
        try withWriter("skip an event") { writer in
            try writer.transaction("skip an event") { try skip.record(with: writer) }
        }
    }
}
