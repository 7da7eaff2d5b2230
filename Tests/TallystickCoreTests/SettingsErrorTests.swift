import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Mistakes in settings")
struct SettingsErrorTests {
    private func failure(_ json: [UInt8]) -> SettingsError? {
        do throws(SettingsError) {
            _ = try StoreSettings(json: json)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "Each mistake is refused with its place and a message that names the expected value",
        arguments: [
            ("", "ends", 1, 1),
            ("{", "ends", 1, 2),
            ("[]", "a settings file must be an object", 1, 1),
            ("{\"a\": 1}", "no setting 'a'; it may have tallystick_config,", 1, 2),
            (
                "{\n  \"compare\" : {\n    \"ignore\\u0041\" \n:\n [] } }", "no setting 'ignoreA'",
                3, 5
            ),
            ("{\"compare\": {\"a\\\\\\\"\": 1}}", "no setting", 1, 14),
            ("{\"origins\": {}, \"origins\": {}}", "twice", 1, 17),
            ("{\"tallystick_config\": 2}", "must be 1", 1, 23),
            ("{\"tallystick_config\": \"1\"}", "must be 1", 1, 23),
            (
                "{\"default_category\": \"x\"}",
                "unknown category 'x'; expected one of critical, debug", 1, 22
            ),
            ("{\"default_category\": \"\"}", "must be a non-empty string", 1, 22),
            ("{\"default_category\": null}", "must be a non-empty string", 1, 22),
            ("{\"compare\": {\"ignore_attributes\": \"a\"}}", "must be a list", 1, 35),
            (
                "{\"compare\": {\"ignore_attributes\": [\"A\"]}}", "not the name of an attribute",
                1, 36
            ),
            ("{\"compare\": {\"ignore_attributes\": [\"data\"]}}", "compare.ignore_data", 1, 36),
            ("{\"compare\": {\"ignore_attributes\": [\"id\"]}}", "cannot be ignored", 1, 36),
            (
                "{\"compare\": {\"ignore_data\": [\"a\"]}}",
                "compare.ignore_data[0] must be a JSON Pointer", 1, 30
            ),
            ("{\"compare\": {\"ignore_data\": [\"/a~2\"]}}", "must be a JSON Pointer", 1, 30),
            ("{\"compare\": {\"ignore_data\": [\"/a~\"]}}", "must be a JSON Pointer", 1, 30),
            ("{\"origins\": {\"\": {}}}", "must have a name", 1, 14),
            (
                "{\"origins\": {\"a\": {\"priority\": 0}}}",
                "origins.a.priority must be a whole number from 1", 1, 32
            ),
            ("{\"origins\": {\"a\": {\"priority\": 1.5}}}", "whole number", 1, 32),
            ("{\"origins\": {\"a\": {\"prio\": 1}}}", "origins.a has no setting 'prio'", 1, 20),
            (
                "{\"origins\": {\"a\": {\"mismatch_threshold\": 1.01}}}", "a number from 0 to 1", 1,
                42
            ),
            ("{\"categories\": {\"A\": {}}}", "'A' is not a name for a category", 1, 17),
            ("{\"categories\": {\"1a\": {}}}", "not a name for a category", 1, 17),
            ("{\"categories\": {\"a\": []}}", "categories.a must be an object", 1, 22),
            ("{\"categories\": {\"a\": {\"enabled\": 1}}}", "must be true or false", 1, 34),
            ("{\"categories\": {\"a\": {\"percentage\": 101}}}", "a number from 0 to 100", 1, 37),
            ("{\"categories\": {\"a\": {\"percentage\": -1}}}", "a number from 0 to 100", 1, 37),
            ("{\"categories\": {\"a\": {\"percentage\": 1e400}}}", "a number from 0 to 100", 1, 37),
            (
                "{\"categories\": {\"a\": {\"percentage\": \"10\"}}}", "a number from 0 to 100", 1,
                37
            ),
            ("{\"categories\": {\"a\": {\"origins\": []}}}", "leave it out for all", 1, 34),
            ("{\"categories\": {\"a\": {\"origins\": [\"x\", \"x\"]}}}", "listed twice", 1, 40),
            (
                "{\"categories\": {\"a\": {\"checksum\": \"md5\"}}}",
                "one of crc32, sha256, hmac-sha256", 1, 35
            ),
            (
                "{\"categories\": {\"a\": {\"severity\": \"Low\"}}}",
                "one of critical, high, medium, low", 1, 35
            ),
            ("{\"categories\": {\"a\": {\"window\": \"15\"}}}", "a duration such as", 1, 33),
            ("{\"categories\": {\"a\": {\"window\": 15}}}", "a duration such as", 1, 33),
            (
                "{\"categories\": {\"a\": {\"while_open\": \"wait\"}}}", "one of dispute, hold", 1,
                37
            ),
            (
                "{\"categories\": {\"a\": {\"policy\": \"x\"}}}",
                "categories.a.policy: unknown policy 'x'", 1, 33
            ),
            ("{\"categories\": {\"a\": {\"policy\": \"quorum\"}}}", "needs parameters", 1, 33),
            (
                "{\"policies\": {\"manual\": {\"chain\": [{\"use\": \"halt\"}]}}}",
                "built-in policy", 1, 15
            ),
            (
                "{\"policies\": {\"P\": {\"chain\": [{\"use\": \"halt\"}]}}}",
                "not a name for a policy", 1, 15
            ),
            ("{\"policies\": {\"p\": {}}}", "policies.p must have a chain", 1, 20),
            ("{\"policies\": {\"p\": {\"chain\": []}}}", "must have a step", 1, 30),
            (
                "{\"policies\": {\"p\": {\"chain\": [1]}}}",
                "policies.p.chain[0] must be an object", 1, 31
            ),
            ("{\"policies\": {\"p\": {\"chain\": [{}]}}}", "must have 'use'", 1, 31),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"q\"}]}}}",
                "unknown policy 'q'", 1, 39
            ),
            ("{\"policies\": {\"p\": {\"chain\": [{\"use\": \"p\"}]}}}", "circle: p → p", 1, 39),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"q\"}]}, \"q\": {\"chain\": [{\"use\": \"p\"}]}}}",
                "circle: p → q → p", 1, 71
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"manual\"}, {\"use\": \"halt\"}]}}}",
                "never reached", 1, 50
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"manual\", \"tie_break\": \"last_write_wins\"}]}}}",
                "no setting 'tie_break'", 1, 49
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"majority\", \"tie_break\": \"x\"}]}}}",
                "one of first_write_wins", 1, 64
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"origin_priority\", \"tie_break\": \"origin_priority\"}]}}}",
                "its own ties", 1, 71
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"highest\"}]}}}",
                "'highest' needs 'pointer'", 1, 31
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"highest\", \"pointer\": \"a\"}]}}}",
                "JSON Pointer", 1, 61
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"quorum\", \"k\": 0}]}}}",
                "whole number from 1", 1, 54
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\"}]}}}",
                "needs 'fields'", 1, 31
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\", \"fields\": {}}]}}}",
                "must name a field", 1, 64
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\", \"fields\": {\"a\": \"max\"}}]}}}",
                "not a JSON Pointer", 1, 65
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\", \"fields\": {\"/a\": \"sum\"}}]}}}",
                "max, min, union, newest", 1, 71
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\", \"fields\": {\"/a\": {}}}]}}}",
                "must have 'take'", 1, 71
            ),
            (
                "{\"policies\": {\"p\": {\"chain\": [{\"use\": \"field_merge\", \"fields\": {\"/a\": \"max\"}, \"otherwise\": \"halt\"}]}}}",
                "one of next", 1, 92
            ),
            (
                "{\"classification\": {\"types\": {\"a\": \"x\"}}}", "unknown category 'x'", 1,
                36
            ),
            ("{\"classification\": {\"types\": {\"\": \"debug\"}}}", "non-empty", 1, 31),
            ("{\"classification\": {\"type_keywords\": [[\"a\"]]}}", "must be a pair", 1, 39),
            (
                "{\"classification\": {\"type_keywords\": [[\"a\", \"x\"]]}}",
                "unknown category 'x'", 1, 45
            ),
            ("{\"classification\": {\"data_keys\": {\"a\": \"debug\"}}}", "must be a list", 1, 34),
            ("{\"breakers\": {\"default\": {\"failure_rate\": 0}}}", "more than 0", 1, 43),
            ("{\"breakers\": {\"default\": {\"window\": {}}}}", "either count or time", 1, 37),
            (
                "{\"breakers\": {\"default\": {\"window\": {\"count\": 1, \"time\": \"1s\"}}}}",
                "either count or time", 1, 37
            ),
            ("{\"breakers\": {\"default\": {\"window\": {\"count\": 10}}}}", "never open", 1, 26),
            ("{\"breakers\": {\"default\": {\"minimum_calls\": 0}}}", "whole number", 1, 44),
            ("{\"override_origin\": 5}", "must be a non-empty string", 1, 21),
        ]
    )
    func refused(json: String, message: String, line: Int, column: Int) {
        let error = failure(Array(json.utf8))
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        #expect(error?.line == line, "\(String(describing: error))")
        #expect(error?.column == column, "\(String(describing: error))")
    }

    @Test("No input traps: every prefix, and random damage")
    func damage() {
        let text = Array(
            #"{"categories":{"a":{"policy":"p","window":"5m"}},"policies":{"p":{"chain":[{"use":"quorum","k":2}]}}}"#
                .utf8
        )
        #expect(failure(text) == nil)
        for count in 0..<text.count { #expect(failure(Array(text.prefix(count))) != nil) }
        let seed = UInt64.random(in: 0 ... .max)
        print("settings damage: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let interesting = Array("\"{}[],:\\0-9eE.nulltrue \n".utf8)
        for _ in 0..<2000 {
            var damaged = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<damaged.count, using: &random)
                damaged[index] = interesting.randomElement(using: &random) ?? 0
            }
            _ = failure(damaged)
        }
    }
}
