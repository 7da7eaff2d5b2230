import Glibc

/// A first-in, first-out queue between threads, with an optional bound.
///
/// Unchecked Sendable: `items` and `isFinished` are accessed only while `mutex` is held.
package final class BlockingQueue<Element>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Nil where an item was already taken out.
    private var items: [Element?] = []
    private var first = 0
    private var isFinished = false
    private let bound: Int

    /// - parameter bound: the maximum number of waiting items; `put` blocks while the queue is full. With 0 it
    ///   blocks until its item was taken.
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

    /// Waits for the oldest item and takes it; nil once the queue is finished and empty.
    package func next() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while first == items.count && !isFinished { pthread_cond_wait(changed, mutex) }
        return takeFirst()
    }

    /// Waits for an item without taking it; false once the queue is finished and empty.
    package func waitForAny() -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while first == items.count && !isFinished { pthread_cond_wait(changed, mutex) }
        return first < items.count
    }

    /// Takes out the oldest item. The caller must hold `mutex`.
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

    /// Takes the oldest item without waiting; nil if there is none.
    package func nextIfAny() -> Element? { nextIfAny { _ in true } }

    /// Takes the oldest item, without waiting, if it is wanted; else nil, and the item stays.
    package func nextIfAny(where isWanted: (Element) -> Bool) -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard first < items.count, let item = items[first], isWanted(item) else { return nil }
        return takeFirst()
    }

    /// Closes the queue to further items; waiting threads continue.
    package func finish() {
        pthread_mutex_lock(mutex)
        isFinished = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}
