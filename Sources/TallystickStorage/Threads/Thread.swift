import Glibc

/// Limits of threads.
package enum ThreadLimits {
    /// Minimum bytes of a thread's stack: enough for the deepest input, whatever 'ulimit -s' says.
    package static let stackBytes = 8 << 20
}

/// Starts a thread that runs `body` once and is never joined.
///
/// - throws: `StoreError` with `inputOutput` if the operating system refuses another thread.
package func startThread(_ body: @escaping @Sendable () -> Void) throws(StoreError) {
    let start = Unmanaged.passRetained(ThreadStart(body: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var stackBytes = 0
    pthread_attr_getstacksize(&attributes, &stackBytes)
    if stackBytes < ThreadLimits.stackBytes {
        pthread_attr_setstacksize(&attributes, ThreadLimits.stackBytes)
    }
    // Signals are for the program's own threads, not for these workers.
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    var thread = pthread_t()
    let result = pthread_create(
        &thread,
        &attributes,
        { context in
            guard let context else { return nil }
            let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
            start.body()
            return nil
        },
        start.toOpaque()
    )
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    pthread_attr_destroy(&attributes)
    guard result == 0 else {
        start.release()
        throw StoreError(
            .inputOutput,
            during: "start a thread",
            "the operating system refused another thread: \(String(cString: strerror(result)))",
            hint:
                "Let the process have more threads ('ulimit -u') and memory, or run fewer processes; "
                + "then run the command again",
            isRetryable: true
        )
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void
    init(body: @escaping @Sendable () -> Void) { self.body = body }
}
