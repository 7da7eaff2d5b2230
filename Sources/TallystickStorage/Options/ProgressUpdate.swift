/// How far a long operation is.
public struct ProgressUpdate: Sendable, Equatable {
    /// What is done: events, conflicts or decisions, as the operation counts them.
    public var done: Int64
    /// All there is to do as far as is known now; grows while others write.
    public var total: Int64

    package init(done: Int64, total: Int64) {
        self.done = done
        self.total = total
    }
}
