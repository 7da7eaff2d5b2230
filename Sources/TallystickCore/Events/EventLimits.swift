/// Limits of events, in one place.
public enum EventLimits {
    /// Bytes of one event as it arrives: 16 MiB.
    public static let eventBytes = JSONLimits.standard.bytes
    /// Bytes of `id`, `source`, `type`, `subject`, and of an origin's or a category's name.
    public static let nameBytes = 4096
    /// Bytes of a stream's name: room for the default one, `source#subject`.
    public static let streamNameBytes = 2 * nameBytes + 1
    /// Names that a decoder remembers before it starts afresh,
    public static let internedNames = 1 << 18
    /// and their bytes.
    static let internedBytes = 16 << 20
}
