/// Runs work that blocks on a thread of its own, so that it never occupies one of Swift's cooperative
/// threads.
func runOnThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        startThread {
            continuation.resume(with: Swift.Result { try body() })
        }
    }
}
