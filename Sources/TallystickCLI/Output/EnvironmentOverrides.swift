import Configuration
import Tallystick
import TallystickCore

/// Settings by environment variables: `TALLY_` and the setting's path in capitals, joined by `_`, such as
/// `TALLY_CATEGORIES_USER_ACTIVITY_PERCENTAGE` or `TALLY_OVERRIDE_ORIGIN`.
enum EnvironmentOverrides {
    /// Looked up by name: other variables that begin with `TALLY_` are none of ours.
    static let all: SettingsOverrides = {
        let reader = ConfigReader(provider: EnvironmentVariablesProvider())
        return SettingsOverrides { path in
            reader.string(forKey: ConfigKey(["tally"] + path)).map { text in
                SettingsOverrides.Found(text: text, name: variable(path))
            }
        }
    }()

    /// The name of a setting's variable, as swift-configuration makes it: what is no letter or digit becomes
    /// `_`, and a capital after a small letter begins a word.
    static func variable(_ path: [String]) -> String {
        (["tally"] + path).map { component in
            var name = ""
            var last: Character?
            for character in component {
                if let last, last.isLowercase, character.isUppercase { name.append("_") }
                last = character
                name += character.isLetter || character.isNumber ? character.uppercased() : "_"
            }
            return name
        }.joined(separator: "_")
    }
}

extension StoreOptions {
    /// How a command that follows the settings opens a store.
    static func command(_ access: Access = .readWrite) -> StoreOptions {
        var options = StoreOptions()
        options.access = access
        options.overrides = EnvironmentOverrides.all
        return options
    }
}
