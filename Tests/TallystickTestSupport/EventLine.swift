/// A CloudEvent as one line of JSON, with no line feed at its end.
///
/// - parameters:
///   - more: further members as JSON, each with a comma before it: `,"time":"2026-03-01T10:00:00Z"`.
///   - data: the data as JSON; nil for an event without any.
public func eventLine(
    _ id: any CustomStringConvertible,
    source: String = "/s",
    type: String = "t",
    subject: (any CustomStringConvertible)? = nil,
    more: String = "",
    data: (any CustomStringConvertible)? = nil
) -> String {
    var line =
        "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"\(source)\",\"type\":\"\(type)\""
    if let subject { line += ",\"subject\":\"\(subject)\"" }
    line += more
    if let data { line += ",\"data\":\(data)" }
    return line + "}"
}
