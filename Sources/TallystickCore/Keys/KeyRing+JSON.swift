import Crypto

/// The file of a key ring (File format, "Key ring").
///
/// ```json
/// {"tallystick_keys": 1,
///  "keys": [{"id": "2026-03", "algorithm": "hmac-sha256", "state": "active",
///            "activated_at": "2026-03-01T00:00:00Z", "secret": "…44 characters of base64…"}]}
/// ```
extension KeyRing {
    /// Maximum bytes of a ring's file.
    public static let maximumFileBytes = 4 << 20

    /// Reads a ring's file.
    ///
    /// - throws: `KeyRingError`, with line and column, for anything that is not exactly right, including unknown
    ///   members, short keys and duplicate ids.
    public init(json: [UInt8]) throws(KeyRingError) {
        let document: JSONDocument
        do throws(JSONError) {
            document = try JSONDocument(json)
        } catch {
            // The parser's message may quote the input.
            throw KeyRingError(
                "line \(error.line), column \(error.column): the file is not valid JSON (\(error.code.rawValue))"
            )
        }
        self.init()
        let reader = Reader(document: document)
        let root = try reader.members(of: document.root, ["tallystick_keys", "keys"])
        guard case .number("1") = root["tallystick_keys"]?.content else {
            throw reader.fail(document.root, "tallystick_keys must be 1, the only version there is")
        }
        guard let list = root["keys"]?.array else {
            throw reader.fail(document.root, "keys must be an array")
        }
        for value in list {
            let key = try reader.key(value)
            do throws(KeyRingError) {
                try add(key)
            } catch {
                throw reader.fail(value, error.message)
            }
        }
    }

    /// The ring's file. It contains the keys.
    public func json() -> [UInt8] {
        var output = Array("{\"tallystick_keys\": 1,\n \"keys\": [".utf8)
        for (index, key) in keys.enumerated() {
            output.append(contentsOf: (index == 0 ? "\n  " : ",\n  ").utf8)
            let head =
                "{\"id\": \"\(key.id)\", \"algorithm\": \"hmac-sha256\", \"state\": \"\(key.state.rawValue)\", "
                + "\"activated_at\": \"\(RFC3339.string(microseconds: key.activatedAt))\", \"secret\": \""
            output.append(contentsOf: head.utf8)
            key.secret.withUnsafeBytes { Base64.encode($0, to: &output) }
            output.append(contentsOf: "\"}".utf8)
        }
        output.append(contentsOf: "]}\n".utf8)
        return output
    }

    /// Reads values and gives the positions of mistakes.
    private struct Reader {
        let document: JSONDocument

        func fail(_ value: JSONValue, _ message: String) -> KeyRingError {
            let place = document.place(of: value)
            return KeyRingError("line \(place.line), column \(place.column): \(message)")
        }

        func members(
            of value: JSONValue,
            _ known: [String]
        ) throws(KeyRingError) -> [String: JSONValue] {
            guard let object = value.object else { throw fail(value, "this must be an object") }
            var members: [String: JSONValue] = [:]
            for (name, value) in object {
                guard known.contains(name) else {
                    throw fail(
                        value,
                        "there is a member other than \(known.joined(separator: ", "))"
                    )
                }
                members[name] = value
            }
            return members
        }

        func key(_ value: JSONValue) throws(KeyRingError) -> Key {
            let members = try members(
                of: value,
                ["id", "algorithm", "state", "activated_at", "secret"]
            )
            func text(_ name: String) throws(KeyRingError) -> String {
                guard let text = members[name]?.string else {
                    throw fail(members[name] ?? value, "\(name) must be there, as a string")
                }
                return text
            }
            guard try text("algorithm") == ChecksumAlgorithm.hmacSHA256.rawValue else {
                throw fail(value, "algorithm must be hmac-sha256")
            }
            guard let state = State(rawValue: try text("state")) else {
                throw fail(value, "state must be active or retired")
            }
            guard let activatedAt = RFC3339.microseconds(try text("activated_at")) else {
                throw fail(value, "activated_at must be a date-time as in RFC 3339")
            }
            var encoded = Array(try text("secret").utf8)
            defer { KeyRing.wipe(&encoded) }
            guard var secret = Base64.decode(encoded) else {
                throw fail(value, "secret must be padded base64")
            }
            defer { KeyRing.wipe(&secret) }
            do throws(KeyRingError) {
                return try Key(
                    id: try text("id"),
                    state: state,
                    activatedAt: activatedAt,
                    secret: secret
                )
            } catch {
                throw fail(value, error.message)
            }
        }
    }
}
