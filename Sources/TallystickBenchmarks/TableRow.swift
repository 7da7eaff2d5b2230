/// A line of the printed table.
struct TableRow {
    var work: String
    /// Our runs and those of the loop, in the same unit.
    var ours: [Double]
    var baseline: [Double] = []
    var unit: String
    /// The design's goal, as text.
    var goal: String

    static let heading = """
        | work | ours (smallest to largest) | raw C | ratio | goal |
        |---|---|---|---|---|
        """

    var line: String {
        let own = Self.median(ours)
        let span =
            ours.count > 1 ? " (\(number(ours.min() ?? 0)) to \(number(ours.max() ?? 0)))" : ""
        let other = baseline.isEmpty ? "" : number(Self.median(baseline)) + unit
        return "| \(work) | \(number(own))\(unit)\(span) | \(other) | \(ratio) | \(goal) |"
    }

    /// The median of the ratios of pairs, which ran one after the other.
    private var ratio: String {
        guard !baseline.isEmpty else { return "" }
        return Self.rounded(Self.median(zip(ours, baseline).map { $0 / $1 }), 2)
    }

    private func number(_ value: Double) -> String { Self.rounded(value, value < 100 ? 1 : 0) }

    static func rounded(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let number = (value * scale).rounded() / scale
        return digits == 0 ? String(Int(number)) : String(number)
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
