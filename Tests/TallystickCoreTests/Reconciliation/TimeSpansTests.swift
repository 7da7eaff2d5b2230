import TallystickTestSupport
import Testing

@testable import TallystickCore

@Suite("Spans of time")
struct TimeSpansTests {
    @Test("Spans contain what a set of times does", arguments: 0..<50)
    func model(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var spans = TimeSpans()
        var times: Set<Int64> = []
        for _ in 0..<12 {
            let first = Int64.random(in: 0..<60, using: &random)
            let last = first + Int64.random(in: 0..<8, using: &random)
            let expected = (first...last).filter { !times.contains($0) }
            let gaps = spans.gaps(in: first...last).spans.flatMap(Array.init)
            #expect(gaps == expected)
            spans.insert(first...last)
            times.formUnion(first...last)
            for time in Int64(-1)..<70 {
                #expect(spans.contains(time) == times.contains(time))
            }
            for (left, right) in zip(spans.spans, spans.spans.dropFirst()) {
                #expect(left.upperBound + 1 < right.lowerBound)
            }
        }
    }

    @Test("The ends of all time are like any others")
    func ends() {
        var spans = TimeSpans()
        spans.insert(.min...0)
        #expect(spans.gaps(in: .min ... .max).spans == [1 ... .max])
        spans.insert(5 ... .max)
        #expect(spans.gaps(in: .min ... .max).spans == [1...4])
        spans.insert(1...4)
        #expect(spans.spans == [.min ... .max])
        #expect(spans.gaps(in: .min ... .max).spans.isEmpty)
        #expect(spans.contains(.min) && spans.contains(.max))
    }
}
