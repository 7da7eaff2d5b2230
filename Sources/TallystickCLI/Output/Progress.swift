import ArgumentParser
import Synchronization

enum ProgressMode: String, CaseIterable, ExpressibleByArgument {
    case auto, json, none
}

struct ProgressOptions: ParsableArguments {
    @Option(help: "Show progress on standard error: auto (on a terminal), json, none.")
    var progress: ProgressMode = .auto

    func bar(unit: String) -> ProgressBar { ProgressBar(progress, unit: unit) }
}

/// Progress on standard error: at most ten times a second.
final class ProgressBar: Sendable {
    private struct State {
        var last: UInt64 = 0
        var isShown = false
    }

    private let mode: ProgressMode
    private let unit: String
    private let started = Clock.nanoseconds()
    private let state = Mutex(State())

    init(_ mode: ProgressMode, unit: String) {
        self.mode = mode == .auto && !Terminal.errorIsTerminal ? .none : mode
        self.unit = unit
    }

    func update(_ done: Int64, of total: Int64? = nil) {
        guard mode != .none else { return }
        state.withLock { state in
            let now = Clock.nanoseconds()
            guard now - state.last > 100_000_000 else { return }
            state.last = now
            state.isShown = true
            let seconds = Double(now - started) / 1e9
            let rate = seconds > 0 ? Double(done) / seconds : 0
            Terminal.writeError(mode == .json ? json(done, total, rate) : bar(done, total, rate))
        }
    }

    /// Removes the bar.
    func finish() {
        state.withLock { state in
            if state.isShown, mode == .auto { Terminal.writeError("\r\u{1B}[K") }
            state.isShown = false
        }
    }

    private func json(_ done: Int64, _ total: Int64?, _ rate: Double) -> String {
        let totals = total.map { ",\"total\":\($0)" } ?? ""
        return "{\"done\":\(done)\(totals),\"unit\":\"\(unit)\",\"per_second\":\(Int64(rate))}\n"
    }

    private func bar(_ done: Int64, _ total: Int64?, _ rate: Double) -> String {
        var text = "\r\u{1B}[K\(done)"
        if let total, total > 0 {
            let share = min(1, Double(done) / Double(total))
            let filled = Int(share * 24)
            let eta = rate > 0 ? Int(Double(max(0, total - done)) / rate) : 0
            text =
                "\r\u{1B}[K" + String(repeating: "█", count: filled)
                + String(repeating: "░", count: 24 - filled)
                + " \(Int(share * 100)) %  \(done) of \(total) \(unit), \(Int64(rate))/s, \(eta) s left"
        } else {
            text += " \(unit), \(Int64(rate))/s"
        }
        return text
    }
}
