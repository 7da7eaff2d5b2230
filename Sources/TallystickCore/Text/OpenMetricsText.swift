/// Writes the OpenMetrics 1.0 text format (openmetrics.io, RFC-style draft, section 3), which Prometheus scrapes.
package struct OpenMetricsText: Sendable {
    /// Types of metric families. The raw values are those of the format.
    package enum MetricType: String, Sendable {
        /// Only grows; its samples end with `_total`.
        case counter
        case gauge
        /// Facts as labels; its samples end with `_info` and are 1.
        case info

        var suffix: String {
            switch self {
            case .counter: "_total"
            case .gauge: ""
            case .info: "_info"
            }
        }
    }

    private var text = ""

    package init() {}

    /// Adds a family with all its samples; nothing if there are none.
    ///
    /// - parameter name: letters, digits and `_`; ends with `_` and the unit if there is one.
    /// - parameter help: a one-line description.
    package mutating func add(
        _ name: String,
        _ type: MetricType,
        unit: String? = nil,
        help: String,
        _ samples: [(labels: [(name: String, value: String)], value: Double)]
    ) {
        guard !samples.isEmpty else { return }
        text += "# TYPE \(name) \(type.rawValue)\n"
        if let unit { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(Self.escaped(help))\n"
        for sample in samples {
            text += name + type.suffix + Self.text(sample.labels)
            text += " \(Self.number(sample.value))\n"
        }
    }

    /// Adds a family of summaries: for each set of labels the number of observations and their sum; nothing if there
    /// are none.
    package mutating func addSummaries(
        _ name: String,
        unit: String,
        help: String,
        _ summaries: [(labels: [(name: String, value: String)], count: Double, sum: Double)]
    ) {
        guard !summaries.isEmpty else { return }
        text +=
            "# TYPE \(name) summary\n# UNIT \(name) \(unit)\n# HELP \(name) \(Self.escaped(help))\n"
        for summary in summaries {
            for (suffix, value) in [("_count", summary.count), ("_sum", summary.sum)] {
                text += "\(name)\(suffix)\(Self.text(summary.labels)) \(Self.number(value))\n"
            }
        }
    }

    private static func text(_ labels: [(name: String, value: String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{\(labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ","))}"
    }

    /// The whole text; nothing can follow it.
    package var ended: String { text + "# EOF\n" }

    private static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        var text: [UInt8] = []
        CanonicalNumber.write(value, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
