import TallystickCore

extension StoreOwner {
    func apply(
        settings file: [UInt8],
        replacing replaces: Bool,
        actor: String,
        reason: String
    ) throws(StoreError) -> AppliedSettings {
        try withWriter("apply the settings") { writer in
            try SettingsWriter(writer).apply(
                file,
                replacing: replaces,
                actor: actor,
                reason: reason
            )
        }
    }
}
