import TallystickCore
import TallystickTestSupport
import Testing

private func settings(
    _ json: String,
    onto base: StoreSettings? = .standard
) throws(SettingsError) -> StoreSettings {
    try StoreSettings(json: Array(json.utf8), onto: base)
}

private func failure(_ json: String, onto base: StoreSettings? = .standard) -> SettingsError? {
    do throws(SettingsError) {
        _ = try settings(json, onto: base)
        return nil
    } catch {
        return error
    }
}

/// The example of the design, section 6.
private let example = """
    {"tallystick_config": 1, "default_category": "system",
     "compare": {"ignore_attributes": ["sequence"], "ignore_data": ["/received_at"]},
     "origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2, "mismatch_threshold": 0.05}},
     "categories": {
      "critical": {"enabled": true, "percentage": 100, "origins": ["websocket", "realtime"], "checksum": "hmac-sha256", "severity": "critical",
                   "mismatch_threshold": 0.01, "window": "15m", "while_open": "hold", "policy": "careful"},
      "debug": {"percentage": 10, "checksum": "crc32", "severity": "low", "mismatch_threshold": 0.10, "policy": "first"}},
     "policies": {
      "careful": {"chain": [{"use": "field_merge", "fields": {"/count": "max"}, "otherwise": "next"}, {"use": "manual"}]},
      "first": {"chain": [{"use": "first_write_wins", "tie_break": "origin_priority"}]}},
     "classification": {"types": {"db.failover": "critical"}, "type_keywords": [["cache", "performance"]], "data_keys": [["session_id", "user_activity"]]},
     "breakers": {"default": {"failure_rate": 0.5, "window": {"count": 100}, "minimum_calls": 100, "wait_open": "60s", "half_open_calls": 10}},
     "override_origin": null}
    """

@Suite("Settings")
struct SettingsTests {
    @Test("The standard categories have the design's checksums, severities and thresholds")
    func standard() {
        let categories = StoreSettings.standard.categories
        #expect(
            categories.map(\.name) == [
                "critical", "performance", "user_activity", "system", "debug",
            ]
        )
        #expect(categories.map(\.severity) == [.critical, .high, .medium, .low, .low])
        #expect(categories.map(\.mismatchThreshold) == [0.01, 0.05, 0.03, 0.02, 0.10])
        #expect(categories.map(\.checksum) == [.sha256, .crc32, .crc32, .crc32, .crc32])
        #expect(categories.map(\.usesKey) == [true, false, false, false, false])
        #expect(categories.allSatisfy { $0.policy == "manual" && $0.percentage == 100 })
        #expect(categories.allSatisfy { $0.isEnabled && !$0.holdsWhileOpen && $0.origins == nil })
        #expect(StoreSettings.standard.defaultCategory == "system")
        #expect(StoreSettings.standard.overrideOrigin == nil)
        #expect(StoreSettings.standard.classification == Classification.standard)
    }

    @Test("The design's example is read in full")
    func designExample() throws {
        let settings = try settings(example)
        let critical = try #require(settings[category: "critical"])
        #expect(critical.origins == ["websocket", "realtime"])
        #expect(critical.window == SettingsDuration("15m"))
        #expect(critical.holdsWhileOpen)
        #expect(critical.usesKey)
        #expect(critical.checksum == .sha256)
        #expect(critical.policy == "careful")
        #expect(settings[category: "debug"]?.percentage == 10)
        #expect(
            settings[category: "performance"] == StoreSettings.standard[category: "performance"]
        )
        #expect(settings.comparison.ignoredAttributes == ["sequence"])
        #expect(settings.comparison.ignoredData == ["/received_at"])
        #expect(settings.origins.map(\.name) == ["realtime", "websocket"])
        #expect(settings.origins.map(\.priority) == [2, 1])
        #expect(settings.origins.map(\.mismatchThreshold) == [0.05, nil])
        #expect(
            settings.policy(named: "careful")?.chain == [
                PolicyStep(.fieldMerge([FieldRule("/count", .max)])), PolicyStep(.manual),
            ]
        )
        #expect(
            settings.policy(named: "first")?.chain
                == [PolicyStep(.firstWriteWins, tieBreak: .originPriority)]
        )
        #expect(settings.breakers.map(\.waitOpen.milliseconds) == [60_000])
        let failover = Array("db.failover".utf8).withUnsafeBytes {
            settings.classification.category(ofType: $0)
        }
        #expect(failover == 0)
    }

    @Test("An empty file yields the standard settings; on its own it is not enough")
    func empty() throws {
        #expect(try settings("{}") == .standard)
        #expect(try settings(#"{"tallystick_config": 1}"#) == .standard)
        let error = failure("{}", onto: nil)
        #expect(error?.message == "default_category: unknown category 'system'")
    }

    @Test("A partial file changes what it names, member by member, and nothing else")
    func merge() throws {
        let base = try settings(example)
        let merged = try settings(
            #"""
            {"categories": {"critical": {"percentage": 50}, "own": {"severity": "medium"}},
             "origins": {"realtime": {"priority": 7}}, "classification": {"types": {"x": "own"}},
             "breakers": {"websocket": {"minimum_calls": 5}}, "override_origin": "realtime"}
            """#,
            onto: base
        )
        #expect(merged[category: "critical"]?.percentage == 50)
        #expect(merged[category: "critical"]?.policy == "careful")
        #expect(merged.categories.map(\.name).last == "own")
        #expect(merged[category: "own"]?.severity == .medium)
        #expect(merged[category: "own"]?.checksum == .crc32)
        #expect(merged.origins.map(\.priority) == [7, 1])
        #expect(merged.origins.map(\.mismatchThreshold) == [0.05, nil])
        #expect(merged.rules.types.map(\.match) == ["db.failover", "x"])
        #expect(merged.rules.typeKeywords == base.rules.typeKeywords)
        #expect(merged.breakers.map(\.name) == ["default", "websocket"])
        #expect(merged.breakers.map(\.minimumCalls) == [100, 5])
        #expect(merged.overrideOrigin == "realtime")
        #expect(try settings(#"{"override_origin": null}"#, onto: merged).overrideOrigin == nil)
        #expect(
            merged.changes(to: base).map(\.pointer) == [
                "/breakers/websocket", "/categories/critical/percentage", "/categories/own",
                "/classification/types/x", "/origins/realtime/priority", "/override_origin",
            ]
        )
    }

    @Test("A file that replaces the settings is complete: classification uses only its categories")
    func replace() throws {
        let alone = try settings(
            #"{"default_category": "all", "categories": {"all": {"percentage": 1}}}"#,
            onto: nil
        )
        #expect(alone.categories.map(\.name) == ["all"])
        #expect(alone.classification.categories == ["all"])
        for type in ["error", "cache_metrics", "anything"] {
            Array(type.utf8).withUnsafeBytes { bytes in
                #expect(alone.classification.category(ofType: bytes) == nil)
            }
        }
        #expect(alone.classification.category { _ in true } == 0)
    }

    @Test("Classification numbers categories as the settings do")
    func indices() throws {
        let settings = try settings(
            #"{"categories": {"zoo": {}, "ant": {}}, "default_category": "zoo"}"#
        )
        #expect(settings.classification.categories == settings.categories.map(\.name))
        #expect(settings.categories.map(\.name).suffix(2) == ["ant", "zoo"])
        #expect(settings.classification.category { _ in false } == 6)
    }

    @Test("Canonical settings are complete, canonical, and read back as the same settings")
    func canonical() throws {
        for original in [StoreSettings.standard, try settings(example)] {
            let canonical = original.canonical
            #expect(try CanonicalJSON.canonicalize(canonical) == canonical)
            let again = try StoreSettings(json: canonical, onto: nil)
            #expect(again == original)
            #expect(again.canonical == canonical)
            #expect(try StoreSettings(json: canonical) == original)
            #expect(original.changes(to: again).isEmpty)
        }
        #expect(
            String(decoding: StoreSettings.standard.canonical, as: UTF8.self)
                == #"{"breakers":{"default":{"failure_rate":0.5,"half_open_calls":10,"minimum_calls":100,"#
                + #""wait_open":"1m","window":{"count":100}}},"categories":{"#
                + #""critical":{"checksum":"hmac-sha256","enabled":true,"mismatch_threshold":0.01,"#
                + #""percentage":100,"policy":"manual","severity":"critical","while_open":"dispute","window":"15m"},"#
                + #""debug":{"checksum":"crc32","enabled":true,"mismatch_threshold":0.1,"#
                + #""percentage":100,"policy":"manual","severity":"low","while_open":"dispute","window":"15m"},"#
                + #""performance":{"checksum":"crc32","enabled":true,"mismatch_threshold":0.05,"#
                + #""percentage":100,"policy":"manual","severity":"high","while_open":"dispute","window":"15m"},"#
                + #""system":{"checksum":"crc32","enabled":true,"mismatch_threshold":0.02,"#
                + #""percentage":100,"policy":"manual","severity":"low","while_open":"dispute","window":"15m"},"#
                + #""user_activity":{"checksum":"crc32","enabled":true,"mismatch_threshold":0.03,"#
                + #""percentage":100,"policy":"manual","severity":"medium","while_open":"dispute","window":"15m"}},"#
                + #""classification":{"data_keys":[],"type_keywords":[],"types":{}},"#
                + #""compare":{"ignore_attributes":[],"ignore_data":[]},"default_category":"system","#
                + #""origins":{},"override_origin":null,"policies":{},"tallystick_config":1}"#
        )
    }

    @Test("Changes name each place, with the old and the new value")
    func changes() throws {
        let new = try settings(
            #"""
            {"origins": {"a/b~c": {"priority": 1}}, "categories": {"debug": {"percentage": 12.5}},
             "classification": {"data_keys": [["k", "debug"]]}}
            """#
        )
        let changes = StoreSettings.standard.changes(to: new)
        #expect(
            changes.map(\.pointer) == [
                "/categories/debug/percentage", "/classification/data_keys", "/origins/a~1b~0c",
            ]
        )
        #expect(changes.map(\.old) == ["100", "[]", nil])
        #expect(changes.map(\.new) == ["12.5", #"[["k","debug"]]"#, #"{"priority":1}"#])
    }

    @Test("Every built-in policy is read with its parameters, and written again")
    func policies() throws {
        let json = #"""
            {"policies": {
              "other": {"chain": [{"use": "quorum", "k": 2, "tie_break": "last_write_wins"}, {"use": "halt"}]},
              "all": {"chain": [
                {"use": "first_write_wins"}, {"use": "last_write_wins", "tie_break": "first_write_wins"},
                {"use": "origin_priority"}, {"use": "highest", "pointer": "/a/b"}, {"use": "lowest", "pointer": ""},
                {"use": "majority", "tie_break": "origin_priority"}, {"use": "quorum", "k": 3},
                {"use": "field_merge", "fields": {"/a": "max", "/b": "min", "/c": "union", "/d": "newest", "/e": {"take": "websocket"}}},
                {"use": "swift", "type": "Mine"}, {"use": "other"}, {"use": "quarantine"}]}}}
            """#
        let settings = try settings(json)
        let chain = try #require(settings.policy(named: "all")?.chain)
        #expect(
            chain.map(\.rule) == [
                .firstWriteWins, .lastWriteWins, .originPriority, .highest(pointer: "/a/b"),
                .lowest(pointer: ""), .majority, .quorum(3),
                .fieldMerge([
                    FieldRule("/a", .max), FieldRule("/b", .min), FieldRule("/c", .union),
                    FieldRule("/d", .newest), FieldRule("/e", .take("websocket")),
                ]), .swift("Mine"), .policy("other"), .quarantine,
            ]
        )
        #expect(chain.map(\.tieBreak).compactMap { $0 } == [.firstWriteWins, .originPriority])
        #expect(try StoreSettings(json: settings.canonical, onto: nil) == settings)
        for name in [
            "first_write_wins", "majority", "manual", "halt", "quarantine", "origin_priority",
        ] {
            #expect(try self.isPolicy(name))
        }
    }

    private func isPolicy(_ name: String) throws -> Bool {
        try settings(#"{"categories": {"debug": {"policy": "\#(name)"}}}"#)[category: "debug"]?
            .policy == name
    }

    @Test("Durations are whole numbers with a unit")
    func durations() {
        let valid: [(String, Int64, String)] = [
            ("1ms", 1, "1ms"), ("1000ms", 1000, "1s"), ("90s", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("15m", 900_000, "15m"), ("2h", 7_200_000, "2h"), ("24h", 86_400_000, "1d"),
            ("36525d", 3_155_760_000_000, "36525d"),
            ("3155760000000ms", 3_155_760_000_000, "36525d"),
        ]
        for (text, milliseconds, canonical) in valid {
            #expect(SettingsDuration(text)?.milliseconds == milliseconds, "\(text)")
            #expect(SettingsDuration(text)?.text == canonical, "\(text)")
        }
        for text in [
            "", "0s", "1", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "1ss", "36526d",
            "9999999999999d", "99999999999999ms", "١s",
        ] {
            #expect(SettingsDuration(text) == nil, "\(text)")
        }
    }
}
