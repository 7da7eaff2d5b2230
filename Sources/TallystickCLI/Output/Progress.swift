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

/// Progress on standard error: at most ten times a second, and once more at the end.
final class ProgressBar: Sendable {
    private struct State {
        var last: UInt64 = 0
        var isShown = false
        var latest: (done: Int64, total: Int64?)?
    }

    private static let nanosecondsBetween: UInt64 = 100_000_000
    private static let cells = 24

    private let mode: ProgressMode
    private let unit: String
    private let started = MonotonicClock.nanoseconds()
    private let state = Mutex(State())

    init(_ mode: ProgressMode, unit: String) {
        self.mode = mode == .auto && !Terminal.errorIsTerminal ? .none : mode
        self.unit = unit
    }

    func update(_ done: Int64, of total: Int64? = nil) {
        guard mode != .none else { return }
        state.withLock { state in
            let now = MonotonicClock.nanoseconds()
            state.latest = (done, total)
            guard now - state.last > Self.nanosecondsBetween else { return }
            state.last = now
            state.isShown = true
            show(done, total, now)
        }
    }

    /// Removes the bar, or writes the last line.
    func finish() {
        state.withLock { state in
            if mode == .json, let latest = state.latest {
                show(latest.done, latest.total, MonotonicClock.nanoseconds())
            }
            if state.isShown, mode == .auto { Terminal.writeError("\r\u{1B}[K") }
            state.isShown = false
            state.latest = nil
        }
    }

    private func show(_ done: Int64, _ total: Int64?, _ now: UInt64) {
        let seconds = Double(now - started) / 1e9
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let left = total.map { rate > 0 ? Double(max(0, $0 - done)) / rate : 0 }
        Terminal.writeError(
            mode == .json ? json(done, total, rate, left) : bar(done, total, rate, left)
        )
    }

    private func json(_ done: Int64, _ total: Int64?, _ rate: Double, _ left: Double?) -> String {
        let totals = total.map { ",\"total\":\($0)" } ?? ""
        let eta = left.map { ",\"eta_seconds\":\(Int64($0.rounded()))" } ?? ""
        return
            "{\"done\":\(done)\(totals),\"unit\":\"\(unit)\",\"per_second\":\(Int64(rate))\(eta)}\n"
    }

    private func bar(_ done: Int64, _ total: Int64?, _ rate: Double, _ left: Double?) -> String {
        var text = "\(done) \(unit), \(Int64(rate))/s"
        if let total, total > 0, let left {
            let share = min(1, max(0, Double(done) / Double(total)))
            let filled = Int(share * Double(Self.cells))
            text =
                String(repeating: "█", count: filled)
                + String(repeating: "░", count: Self.cells - filled)
                + " \(Int(share * 100)) %  \(done) of \(total) \(unit), \(Int64(rate))/s, \(Self.time(left)) left"
        }
        // A bar over two lines could not be removed.
        return "\r\u{1B}[K" + TextWidth.cut(text, to: Terminal.errorWidth - 1)
    }

    private static func time(_ seconds: Double) -> String {
        let whole = Int64(min(seconds.rounded(), 1e9))
        guard whole >= 60 else { return "\(whole) s" }
        guard whole >= 3600 else { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
