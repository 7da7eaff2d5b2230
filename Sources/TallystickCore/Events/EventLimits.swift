/// Limits of events, in one place.
package enum EventLimits {
    /// Bytes of one event as it arrives: 16 MiB.
    package static let eventBytes = JSONLimits.standard.bytes
    /// Bytes of `id`, `source`, `type`, `subject`, and of an origin's or a category's name.
    package static let nameBytes = 4096
    /// Bytes of a stream's name: room for the default one, `source#subject`.
    package static let streamNameBytes = 2 * nameBytes + 1
    /// Names that a decoder remembers before it forgets them all,
    package static let internedNames = 1 << 18
    /// and their bytes.
    static let internedBytes = 16 << 20
}
