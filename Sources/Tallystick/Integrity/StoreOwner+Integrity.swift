import TallystickCore

extension StoreOwner {
    func repairDerived(
        _ report: VerifyReport,
        actor: String,
        reason: String
    ) throws(StoreError) -> [(table: String, rows: Int)] {
        try withWriter("repair derived rows") {
            try DerivedRepair($0, actor: actor, reason: reason).run(report)
        }
    }

    /// Records damage, each record once for each kind.
    func record(_ damaged: [DamagedRecord], as kind: MismatchKind) throws(StoreError) {
        try withWriter("record the damage") { writer in
            try writer.transaction("record the damage") {
                try MismatchRecorder(writer).record(
                    damaged,
                    as: kind,
                    actor: StoreWriter.automaticActor
                )
            }
        }
    }

    /// Records the damage of the event at a position, if its checksum or leaf does not match.
    func recordDamage(at position: Int64, as kind: MismatchKind) throws(StoreError) {
        try withWriter("record the damage") { writer in
            try writer.transaction("record the damage") {
                let recorder = MismatchRecorder(writer)
                guard let damage = try recorder.damage(at: position) else { return }
                try recorder.record([damage], as: kind, actor: StoreWriter.automaticActor)
            }
        }
    }
}
