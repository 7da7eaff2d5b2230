import Glibc

/// A value that only one thread accesses at a time, for threads that contend for it.
///
/// On Linux the kernel hands a contended `Synchronization.Mutex` over (`FUTEX_LOCK_PI`), which the thread
/// sanitizer does not see, so it reports false races. This is the POSIX mutex.
///
/// Unchecked Sendable: `value` is accessed only while `mutex` is held.
package final class POSIXMutex<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: sending Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func withLock<Result>(
        _ body: (inout Value) throws -> sending Result
    ) rethrows -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
