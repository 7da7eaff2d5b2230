/// A place that breaks a rule of style.
struct Violation: CustomStringConvertible {
    var path: String
    /// 0 where the whole file is meant.
    var line = 0
    /// What breaks the rule, in words that stay the same when other lines of the file change; may be empty.
    var subject = ""
    var problem: String

    var description: String {
        path + (line > 0 ? ":\(line)" : "") + (subject.isEmpty ? "" : " \(subject)")
            + ": \(problem)"
    }
}
