/// Runs an actor's jobs on its own thread, in order.
///
/// SQLite calls block: on disk, on locks, on `fsync`. On this executor they never occupy one of Swift's
/// cooperative threads, however slow the disk is.
package final class ThreadExecutor: SerialExecutor {
    private let queue = BlockingQueue<UnownedJob>()

    /// - throws: `StoreError` if the operating system refuses another thread.
    package init() throws(StoreError) {
        let queue = self.queue
        try startThread { [unowned(unsafe) self] in
            while let job = queue.next() {
                job.runSynchronously(on: self.asUnownedSerialExecutor())
            }
        }
    }

    deinit { queue.finish() }

    package func enqueue(_ job: consuming ExecutorJob) {
        queue.put(UnownedJob(job))
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}
