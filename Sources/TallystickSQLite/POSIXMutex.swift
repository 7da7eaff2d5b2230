import Glibc

/// A value that one thread at a time sees, for threads that compete for it.
///
/// On Linux the kernel hands a contended `Synchronization.Mutex` on (`FUTEX_LOCK_PI`), where the thread sanitizer
/// does not see it and reports races that are none. This one is POSIX's mutex.
///
/// Unchecked Sendable: every access to `value` happens while `mutex` is held.
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
