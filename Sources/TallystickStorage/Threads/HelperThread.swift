/// A thread that works in parallel for another one.
package final class HelperThread: Sendable {
    private let jobs = BlockingQueue<@Sendable () -> Void>()

    /// - throws: `StoreError` if the operating system refuses another thread.
    package init() throws(StoreError) {
        let jobs = self.jobs
        try startThread {
            while let job = jobs.next() { job() }
        }
    }

    deinit { jobs.finish() }

    /// Starts a job; `wait` on the result returns when the job is done.
    package func start(_ job: @escaping @Sendable () -> Void) -> Completion {
        let completion = Completion()
        jobs.put {
            job()
            completion.signal()
        }
        return completion
    }

    /// Signals the end of a job.
    package struct Completion: Sendable {
        private let done = BlockingQueue<Never>()
        package func signal() { done.finish() }
        /// Returns when the job is done; immediately from then on.
        package func wait() { _ = done.next() }
    }
}
