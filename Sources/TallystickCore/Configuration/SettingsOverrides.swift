/// Settings that a program takes from its environment, such as environment variables. Each is looked up by name;
/// anything that is not looked up has no effect.
public struct SettingsOverrides: Sendable {
    /// A value found for a setting.
    public struct Found: Sendable {
        /// The value as given.
        public var text: String
        /// Its source, for messages: the name of an environment variable.
        public var name: String

        /// A value as given, and its source.
        public init(text: String, name: String) {
            self.text = text
            self.name = name
        }
    }

    /// A value that cannot be used.
    package struct Failure: Error, Sendable, Equatable {
        /// The source of the value.
        package let name: String
        package let message: String
    }

    private let lookUp: @Sendable ([String]) -> Found?

    /// - parameter lookUp: finds the value of a setting by its path, such as `["categories", "debug", "percentage"]`;
    /// nil
    ///   where there is none.
    public init(_ lookUp: @escaping @Sendable ([String]) -> Found?) { self.lookUp = lookUp }

    /// The settings with the overrides applied, and the names of the overrides found.
    ///
    /// Elements of lists are separated by commas. Classification and policies cannot be overridden.
    ///
    /// - throws: `Failure`, which names the invalid value.
    package func applied(to settings: StoreSettings) throws(Failure) -> (
        settings: StoreSettings, names: [String]
    ) {
        let found = Self.places(in: settings).compactMap { place in
            lookUp(place.path).map { (place: place, found: $0) }
        }
        guard !found.isEmpty else { return (settings, []) }
        do throws(SettingsError) {
            return (try Self.applied(found, to: settings), found.map(\.found.name))
        } catch let joint {
            // Which of them is invalid? Some are valid only together, such as a breaker's window and its calls.
            for one in found {
                do throws(SettingsError) {
                    _ = try Self.applied([one], to: settings)
                } catch {
                    throw Failure(name: one.found.name, message: error.message)
                }
            }
            let names = found.map(\.found.name).joined(separator: ", ")
            throw Failure(name: names, message: joint.message)
        }
    }

    private static func applied(
        _ found: [(place: Place, found: Found)],
        to settings: StoreSettings
    ) throws(SettingsError) -> StoreSettings {
        var root = Tree()
        for (place, found) in found {
            root.set(place.kind.value(of: found.text), at: place.path[...])
        }
        return try StoreSettings(json: root.json.canonical, onto: settings)
    }

    // MARK: What can be overridden

    private struct Place {
        var path: [String]
        var kind: Kind
    }

    private enum Kind {
        case text
        /// Text, or nil if it is empty.
        case optionalText
        case number
        case boolean
        case list

        /// The JSON value that a text represents; a string if it represents none of this kind, so that the settings'
        /// own rules refuse it.
        func value(of text: String) -> JSONValue {
            switch self {
            case .text: return .make(text)
            case .optionalText: return text.isEmpty ? JSONValue(.null) : .make(text)
            case .boolean:
                return text == "true" || text == "false"
                    ? JSONValue(.boolean(text == "true")) : .make(text)
            case .list:
                return .make(text.split(separator: ",").map(Self.trimmed))
            case .number:
                guard let number = try? JSONDocument(Array(text.utf8)).root,
                    case .number = number.content
                else { return .make(text) }
                return number
            }
        }

        private static func trimmed(_ element: Substring) -> String {
            var element = element.drop { $0 == " " }
            while element.last == " " { element.removeLast() }
            return String(element)
        }
    }

    private static func places(in settings: StoreSettings) -> [Place] {
        var places = [
            Place(path: ["default_category"], kind: .text),
            Place(path: ["override_origin"], kind: .optionalText),
            Place(path: ["compare", "ignore_attributes"], kind: .list),
            Place(path: ["compare", "ignore_data"], kind: .list),
        ]
        func add(_ path: [String], _ keys: [(String, Kind)]) {
            for (key, kind) in keys { places.append(Place(path: path + [key], kind: kind)) }
        }
        for origin in settings.origins {
            add(
                ["origins", origin.name],
                [("priority", .number), ("mismatch_threshold", .number)]
            )
        }
        for category in settings.categories {
            add(
                ["categories", category.name],
                [
                    ("enabled", .boolean), ("percentage", .number), ("origins", .list),
                    ("checksum", .text), ("severity", .text), ("mismatch_threshold", .number),
                    ("window", .text), ("while_open", .text), ("policy", .text),
                ]
            )
        }
        for breaker in settings.breakers {
            add(
                ["breakers", breaker.name],
                [
                    ("failure_rate", .number), ("minimum_calls", .number), ("wait_open", .text),
                    ("half_open_calls", .number),
                ]
            )
            add(["breakers", breaker.name, "window"], [("count", .number), ("time", .text)])
        }
        return places
    }

    /// A settings file under construction.
    private struct Tree {
        private var members: [(name: String, tree: Tree)] = []
        private var value: JSONValue?

        mutating func set(_ value: JSONValue, at path: ArraySlice<String>) {
            guard let name = path.first else {
                self.value = value
                return
            }
            let index =
                members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) } ?? members.count
            if index == members.count { members.append((name, Tree())) }
            members[index].tree.set(value, at: path.dropFirst())
        }

        var json: JSONValue { value ?? .make(members.map { ($0.name, $0.tree.json) }) }
    }
}
