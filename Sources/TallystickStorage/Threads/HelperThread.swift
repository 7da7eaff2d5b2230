/// A thread that works for another one while that goes on.
package final class HelperThread: Sendable {
    private let jobs = BlockingQueue<@Sendable () -> Void>()

    /// - throws: `StoreError` where the operating system refuses another thread.
    package init() throws(StoreError) {
        let jobs = self.jobs
        try startThread {
            while let job = jobs.next() { job() }
        }
    }

    deinit { jobs.finish() }

    /// Starts a job; `wait` on the result returns when it is done.
    package func start(_ job: @escaping @Sendable () -> Void) -> Completion {
        let completion = Completion()
        jobs.put {
            job()
            completion.signal()
        }
        return completion
    }

    /// The end of a job.
    package struct Completion: Sendable {
        private let done = BlockingQueue<Never>()
        package func signal() { done.finish() }
        /// Returns when the job is done; at once from then on.
        package func wait() { _ = done.next() }
    }
}
