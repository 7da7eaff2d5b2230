import Glibc

/// A first-in, first-out queue between threads, with an optional bound.
///
/// Unchecked Sendable: every access to `items` and `isFinished` happens while `mutex` is held.
package final class BlockingQueue<Element>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Nil where an item was taken out already.
    private var items: [Element?] = []
    private var first = 0
    private var isFinished = false
    private let bound: Int

    /// - parameter bound: how many items may wait; `put` blocks while there are as many. With 0 it blocks until
    ///   its item was taken.
    package init(bound: Int = .max) {
        self.bound = bound
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Adds an item; returns false, and drops it, once the queue is finished.
    @discardableResult
    package func put(_ item: sending Element) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while items.count - first >= max(1, bound) && !isFinished {
            pthread_cond_wait(changed, mutex)
        }
        guard !isFinished else { return false }
        items.append(item)
        pthread_cond_broadcast(changed)
        guard bound == 0 else { return true }
        while first < items.count && !isFinished { pthread_cond_wait(changed, mutex) }
        return first == items.count
    }

    /// The oldest item, waited for; nil once the queue is finished and empty.
    package func next() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while first == items.count && !isFinished { pthread_cond_wait(changed, mutex) }
        return takeFirst()
    }

    /// Waits for an item, and leaves it there; false once the queue is finished and empty.
    package func waitForAny() -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while first == items.count && !isFinished { pthread_cond_wait(changed, mutex) }
        return first < items.count
    }

    /// The oldest item, taken out. The caller must hold `mutex`.
    private func takeFirst() -> Element? {
        guard first < items.count else { return nil }
        let item = items[first].take()
        first += 1
        if first == items.count {
            items.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 1024 {
            items.removeFirst(first)
            first = 0
        }
        pthread_cond_broadcast(changed)
        return item
    }

    /// The oldest item that is there already; nil when none is.
    package func nextIfAny() -> Element? { nextIfAny { _ in true } }

    /// The oldest item where it is there already and is wanted; else nil, and it stays.
    package func nextIfAny(where isWanted: (Element) -> Bool) -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard first < items.count, let item = items[first], isWanted(item) else { return nil }
        return takeFirst()
    }

    /// Lets no further item in; waiting threads go on.
    package func finish() {
        pthread_mutex_lock(mutex)
        isFinished = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}
