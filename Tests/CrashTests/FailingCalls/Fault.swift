import Foundation

/// One way in which one call of a command fails.
///
/// As text, in messages and in `TALLY_FAILING_CALL`: `WORKLOAD/CLASS/NUMBER/ERROR`, for example
/// `ingest/write/12/ENOSPC`.
struct Fault: CustomStringConvertible {
    /// The result of the failing call.
    struct Answer: Hashable {
        let name: String
        /// 0 for a read or a write of half of its bytes.
        let error: Int32
        /// Whether every later call of the class fails too.
        var isSticky = false
        /// Whether the disk loses the data that was to be synced.
        var drops = false
        /// Whether a failed sync is reported as successful: no program can survive such a disk.
        var lies = false
    }

    let workload: String
    let callClass: String
    let number: Int
    let answer: Answer

    var description: String { "\(workload)/\(callClass)/\(number)/\(answer.name)" }

    init(workload: String, callClass: String, number: Int, answer: Answer) {
        self.workload = workload
        self.callClass = callClass
        self.number = number
        self.answer = answer
    }

    /// Parses ``description``.
    init?(_ text: String) {
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count == 4, let number = Int(parts[2]),
            let answer = Self.answers(of: parts[1]).first(where: { $0.name == parts[3] })
        else { return nil }
        self.init(workload: parts[0], callClass: parts[1], number: number, answer: answer)
    }

    /// The setting for the library that makes calls fail.
    func environment(report: String) -> [String] {
        var words = [
            "FAIL_REPORT=\(report)", "FAIL_CLASS=\(callClass)", "FAIL_AT=\(number)",
            "FAIL_ERRNO=\(answer.error)", "FAIL_SECONDS=\(Self.patience)",
        ]
        if answer.isSticky { words.append("FAIL_STICKY=1") }
        if answer.drops { words.append("FAIL_DROP=1") }
        if answer.lies { words.append("FAIL_LIE=1") }
        return words
    }

    /// Seconds after which a command is considered hung. Commands take a fraction of a second.
    static let patience = 240

    /// The classes in the order of failing-calls.c.
    static let classes = [
        "open", "read", "write", "sync", "truncate", "allocate", "rename", "link", "unlink", "map",
        "lock", "stat", "close", "folder", "list", "mode", "thread", "random", "spawn", "wait",
        "memory",
    ]

    private static func answer(_ name: String, _ error: Int32) -> Answer {
        Answer(name: name, error: error)
    }

    /// How calls of a class fail.
    static func answers(of callClass: String) -> [Answer] {
        let (damaged, full) = (answer("EIO", EIO), answer("ENOSPC", ENOSPC))
        let (interrupted, again) = (answer("EINTR", EINTR), answer("EAGAIN", EAGAIN))
        let (noMemory, short) = (answer("ENOMEM", ENOMEM), answer("short", 0))
        switch callClass {
        case "open": return [damaged, answer("EMFILE", EMFILE), noMemory, interrupted]
        case "read": return [damaged, interrupted, again, short]
        case "write":
            return [
                damaged, full, answer("EDQUOT", EDQUOT), interrupted, again, short,
                Answer(name: "full", error: ENOSPC, isSticky: true),
            ]
        case "sync":
            return [
                damaged, full, interrupted, Answer(name: "dropped", error: EIO, drops: true),
                Answer(name: "lied", error: EIO, drops: true, lies: true),
            ]
        case "truncate", "allocate", "rename", "folder": return [damaged, full]
        case "link", "unlink", "mode": return [damaged]
        case "map": return [noMemory]
        case "lock": return [again, answer("ENOLCK", ENOLCK), interrupted]
        case "stat": return [damaged, noMemory]
        case "close": return [damaged, interrupted]
        case "list": return [damaged, answer("EMFILE", EMFILE)]
        case "thread": return [again]
        case "random", "wait": return [interrupted]
        case "spawn": return [again, noMemory]
        case "memory":
            return [noMemory, Answer(name: "none", error: ENOMEM, isSticky: true)]
        default: return []
        }
    }

    /// Whether a program is expected to continue as if nothing had happened.
    var isHarmless: Bool {
        (answer.name == "EINTR" && ["read", "write", "wait", "random"].contains(callClass))
            || answer.name == "short"
    }
}
