public import CTallystickSQLite

/// Asks the processor to fetch memory that the caller will read soon, while it does other work. This is a hint,
/// not an access: every address is allowed.
@inlinable @inline(__always)
public func prefetch(_ address: UnsafeRawPointer) { tally_prefetch(address) }
