/// Text that is wrapped to a terminal's width, with the words that differ from another text marked.
struct WrappedText {
    private var characters: [(character: Character, isMarked: Bool)]

    /// - parameter other: the text beside which the words that differ are marked; nil marks nothing.
    init(_ text: String, beside other: String? = nil) {
        let text = Terminal.escaped(text)
        guard let other else {
            characters = text.map { ($0, false) }
            return
        }
        let (mine, theirs) = (Self.words(text), Self.words(Terminal.escaped(other)))
        var (start, ends) = (0, (mine.count, theirs.count))
        while start < min(ends.0, ends.1), mine[start] == theirs[start] { start += 1 }
        while ends.0 > start, ends.1 > start, mine[ends.0 - 1] == theirs[ends.1 - 1] {
            ends = (ends.0 - 1, ends.1 - 1)
        }
        characters = mine.enumerated().flatMap { index, word in
            word.map { ($0, index >= start && index < ends.0) }
        }
    }

    /// Runs of letters and digits, and single other characters.
    private static func words(_ text: String) -> [Substring] {
        var words: [Substring] = []
        var start = text.startIndex
        while start < text.endIndex {
            var end = text.index(after: start)
            if text[start].isLetter || text[start].isNumber {
                while end < text.endIndex, text[end].isLetter || text[end].isNumber {
                    end = text.index(after: end)
                }
            }
            words.append(text[start..<end])
            start = end
        }
        return words
    }

    /// Lines of at most so many columns, broken at spaces where there are any.
    ///
    /// - parameter mark: marks a run of characters, in a way that takes no columns.
    func lines(width: Int, mark: (String) -> String) -> [String] {
        let width = max(2, width)
        var lines: [String] = []
        var start = 0
        while start < characters.count {
            var (end, columns, space) = (start, 0, -1)
            while end < characters.count {
                let next = TextWidth.of(characters[end].character)
                if columns + next > width { break }
                columns += next
                if characters[end].character == " " { space = end }
                end += 1
            }
            end = max(end, start + 1)
            if end < characters.count, space > start { end = space + 1 }
            lines.append(Self.line(characters[start..<end], mark))
            start = end
        }
        return lines.isEmpty ? [""] : lines
    }

    private static func line(
        _ characters: ArraySlice<(character: Character, isMarked: Bool)>,
        _ mark: (String) -> String
    ) -> String {
        var (line, run) = ("", "")
        for item in characters {
            if item.isMarked {
                run.append(item.character)
                continue
            }
            if !run.isEmpty { line += mark(run) }
            run = ""
            line.append(item.character)
        }
        return run.isEmpty ? line : line + mark(run)
    }
}
