/// Runs blocking work on its own thread, so that it never occupies one of Swift's cooperative threads.
package func runOnThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try startThread { continuation.resume(with: Swift.Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Waits for asynchronous work, on a thread that may block.
package func waitFor(_ body: @escaping @Sendable () async throws -> Void) throws {
    let answers = BlockingQueue<Result<Void, any Error>>()
    Task {
        do {
            try await body()
            answers.put(.success(()))
        } catch {
            answers.put(.failure(error))
        }
    }
    try answers.next()?.get()
}
