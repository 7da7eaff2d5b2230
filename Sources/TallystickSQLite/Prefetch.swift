public import CTallystickSQLite

/// Has the processor fetch what is at an address, for a caller that reads it soon and has other work to do until
/// then. It is a hint, and no access: every address is allowed.
@inlinable @inline(__always)
public func prefetch(_ address: UnsafeRawPointer) { tally_prefetch(address) }
