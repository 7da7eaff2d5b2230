/// Spans of time, in microseconds since 1970, both ends included: in order, and none touches the next.
package struct TimeSpans: Sendable, Equatable {
    package private(set) var spans: [ClosedRange<Int64>] = []

    package init() {}

    /// Adds a span, joined with those that it meets.
    package mutating func insert(_ span: ClosedRange<Int64>) {
        // Times are whole microseconds: a span that begins at the next one touches.
        let first = firstIndex(
            endingAtOrAfter: span.lowerBound == .min ? .min : span.lowerBound - 1
        )
        var joined = span
        var end = first
        let reach = span.upperBound == .max ? .max : span.upperBound + 1
        while end < spans.count, spans[end].lowerBound <= reach {
            joined =
                min(
                    joined.lowerBound,
                    spans[end].lowerBound
                )...max(
                    joined.upperBound,
                    spans[end].upperBound
                )
            end += 1
        }
        spans.replaceSubrange(first..<end, with: CollectionOfOne(joined))
    }

    /// Whether a time lies in one of the spans.
    package func contains(_ time: Int64) -> Bool {
        let index = firstIndex(endingAtOrAfter: time)
        return index < spans.count && spans[index].lowerBound <= time
    }

    /// The parts of a span that lie in none of these.
    package func gaps(in span: ClosedRange<Int64>) -> TimeSpans {
        var gaps = TimeSpans()
        var next = span.lowerBound
        var index = firstIndex(endingAtOrAfter: next)
        while index < spans.count, spans[index].lowerBound <= span.upperBound {
            if spans[index].lowerBound > next {
                gaps.spans.append(next...spans[index].lowerBound - 1)
            }
            if spans[index].upperBound >= span.upperBound { return gaps }
            next = spans[index].upperBound + 1
            index += 1
        }
        gaps.spans.append(next...span.upperBound)
        return gaps
    }

    /// The number of the first span that does not end before a time.
    private func firstIndex(endingAtOrAfter time: Int64) -> Int {
        var (low, high) = (0, spans.count)
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].upperBound < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
