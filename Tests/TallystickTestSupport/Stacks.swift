import CTallystickTestSupport

/// What the operating system gives to threads.
public enum Stacks {
    /// Runs a body while no further thread can be started: each would get a stack as large as the address space.
    ///
    /// For a process of its own: it holds for all of it.
    public static func withoutThreads(_ body: () async throws -> Void) async rethrows {
        let before = tally_set_stack_bytes(1 << 47)
        defer { _ = tally_set_stack_bytes(before) }
        try await body()
    }
}
