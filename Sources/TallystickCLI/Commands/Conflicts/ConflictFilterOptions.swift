import ArgumentParser
import Tallystick
import TallystickCore

/// Which conflicts a command is about.
struct ConflictFilterOptions: ParsableArguments {
    @Option(
        help: "Conflicts of this kind; may be repeated, as the other filters.",
        completion: .list(ConflictKind.allCases.map(\.rawValue))
    )
    var kind: [String] = []
    @Option(
        help: "Conflicts of this severity: critical, high, medium or low.",
        completion: .list(StoreSettings.Severity.allCases.map(\.rawValue))
    )
    var severity: [String] = []
    @Option(help: "Conflicts over events of this category.")
    var category: [String] = []
    @Option(help: "Conflicts in which this origin has a part.")
    var origin: [String] = []
    @Option(help: "Conflicts over events of this stream.")
    var stream: [String] = []

    var isEmpty: Bool { [kind, severity, category, origin, stream].allSatisfy(\.isEmpty) }

    func value() throws -> ConflictFilter {
        var filter = ConflictFilter()
        filter.kinds = try Self.choices(kind, "--kind")
        filter.severities = try Self.choices(severity, "--severity")
        filter.categories = category
        filter.origins = origin
        filter.streams = stream
        return filter
    }

    private static func choices<Choice: RawRepresentable & CaseIterable>(
        _ names: [String],
        _ option: String
    ) throws -> [Choice] where Choice.RawValue == String {
        try names.map { name in
            guard let choice = Choice(rawValue: name) else {
                let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("\(option) is one of \(known), not '\(name)'")
            }
            return choice
        }
    }
}
