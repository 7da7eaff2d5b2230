/// Keys for tests. Each begins with the same bytes, which nobody writes by chance: ``SecretWatch`` finds any of them,
/// wherever it turns up.
public enum CanaryKeys {
    /// The first bytes of every key: a multiple of three, so that base64 shows them in one way.
    public static let mark = Array("tally-canary".utf8)

    /// A key of its own for each number, the same in every run.
    ///
    /// - parameter count: bytes; at least as many as the mark has.
    public static func secret(_ number: UInt64, count: Int = 32) -> [UInt8] {
        var random = SeededGenerator(seed: number)
        var secret = mark
        while secret.count < count { secret.append(UInt8(truncatingIfNeeded: random.next())) }
        return secret
    }
}
