import TallystickCore
import Testing

/// Settings from a program's environment, looked up by name.
@Suite("Settings overrides")
struct SettingsOverrideTests {
    private func overrides(_ values: [String: String]) -> SettingsOverrides {
        SettingsOverrides { path in
            let name = path.joined(separator: ".")
            return values[name].map { SettingsOverrides.Found(text: $0, name: name) }
        }
    }

    private func settings() throws -> StoreSettings {
        try StoreSettings(
            json: Array(
                #"""
                {"origins": {"websocket": {"priority": 1}, "realtime": {}},
                 "policies": {"careful": {"chain": [{"use": "manual"}]}}}
                """#.utf8
            )
        )
    }

    @Test("Every kind of setting can be overridden, and the names of the overrides are reported")
    func kinds() throws {
        let (changed, names) = try overrides([
            "default_category": "debug",
            "override_origin": "realtime",
            "compare.ignore_attributes": "sequence, partitionkey",
            "compare.ignore_data": "/a,/b/c",
            "origins.realtime.priority": "7",
            "origins.websocket.mismatch_threshold": "0.5",
            "categories.user_activity.percentage": "12.5",
            "categories.user_activity.enabled": "false",
            "categories.debug.origins": "websocket,realtime",
            "categories.debug.window": "90s",
            "categories.debug.while_open": "hold",
            "categories.debug.policy": "careful",
            "categories.critical.severity": "medium",
            "breakers.default.window.count": "10",
            "breakers.default.minimum_calls": "10",
        ]).applied(to: try settings())
        #expect(names.count == 15)
        #expect(changed.defaultCategory == "debug")
        #expect(changed.overrideOrigin == "realtime")
        #expect(changed.comparison.ignoredAttributes == ["partitionkey", "sequence"])
        #expect(changed.comparison.ignoredData == ["/a", "/b/c"])
        #expect(changed.origins.first { $0.name == "realtime" }?.priority == 7)
        #expect(changed.origins.first { $0.name == "websocket" }?.priority == 1)
        #expect(changed[category: "user_activity"]?.percentage == 12.5)
        #expect(changed[category: "user_activity"]?.isEnabled == false)
        #expect(changed[category: "debug"]?.origins == ["websocket", "realtime"])
        #expect(changed[category: "debug"]?.window.text == "90s")
        #expect(changed[category: "debug"]?.holdsWhileOpen == true)
        #expect(changed[category: "debug"]?.policy == "careful")
        #expect(changed.breakers.first?.window == .count(10))
        #expect(changed.breakers.first?.minimumCalls == 10)
    }

    @Test("Values that are not looked up change nothing; an empty origin ends an override")
    func nothing() throws {
        let base = try settings()
        let (same, names) = try overrides(["key_file": "/k", "categories.none.enabled": "false"])
            .applied(to: base)
        #expect(same == base)
        #expect(names.isEmpty)
        let (without, _) = try overrides(["override_origin": ""]).applied(to: base)
        #expect(without == base)
    }

    @Test(
        "An invalid value is refused with the name of its variable",
        arguments: [
            ("categories.debug.percentage", "101"), ("categories.debug.percentage", "half"),
            ("categories.debug.percentage", ""), ("categories.debug.percentage", "1 2"),
            ("categories.debug.enabled", "yes"), ("categories.debug.window", "15"),
            ("categories.debug.policy", "nobody"), ("categories.debug.checksum", "md5"),
            ("default_category", "none"), ("compare.ignore_data", "a"),
            ("origins.realtime.priority", "0.5"), ("breakers.default.failure_rate", "0"),
            ("breakers.default.minimum_calls", "101"),
        ]
    )
    func refusals(_ name: String, _ value: String) throws {
        let base = try settings()
        let right = ["categories.critical.percentage": "50", name: value]
        do throws(SettingsOverrides.Failure) {
            _ = try overrides(right).applied(to: base)
            Issue.record("\(name)=\(value) was taken")
        } catch {
            #expect(error.name == name)
            #expect(!error.message.isEmpty)
        }
    }
}
