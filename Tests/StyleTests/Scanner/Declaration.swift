/// A declaration that the scan found.
struct Declaration {
    enum Kind {
        case type, `extension`, function, property, initializer, enumCase, alias
    }

    var kind: Kind
    var name: String
    /// The word that declares it: `struct`, `func`, `let` and so on.
    var keyword: String
    /// Names of the enclosing types, from the outermost; an extension's is the extended type's.
    var enclosing: [String]
    /// `public`, `package`, `internal`, `fileprivate` or `private`, with what the enclosing extension, protocol or
    /// enumeration gives.
    var access: String
    /// The index of its name among the file's tokens.
    var token: Int
    /// The first line, that of an attribute or modifier among them.
    var line: Int
    /// The line of the brace that closes its body; nil where it has none.
    var lastLine: Int?
    /// Whether it is inside of a body, where only that body sees it.
    var isLocal: Bool
    /// Whether it is a member of an extension.
    var isInExtension: Bool
    var isDocumented: Bool
    var attributes: Set<String>

    var path: String { (enclosing + [name]).joined(separator: ".") }
}

/// Walks over the tokens of a file and collects what is declared there.
struct DeclarationParser {
    private enum Scope {
        case file, body, type(name: String, keyword: String, access: String)
    }

    private struct Open {
        var scope: Scope
        var parentheses: Int
        /// The declaration whose body it is.
        var declaration: Int?
    }

    private static let types: Set<String> = ["struct", "class", "enum", "protocol", "actor"]
    private static let keywords = types.union([
        "extension", "func", "var", "let", "init", "deinit", "subscript", "typealias", "case",
        "associatedtype",
    ])
    private static let modifiers: Set<String> = [
        "public", "package", "internal", "fileprivate", "private", "open", "static", "final",
        "class", "mutating", "nonmutating", "nonisolated", "override", "required", "convenience",
        "lazy", "weak", "unowned", "indirect", "consuming", "borrowing", "dynamic", "isolated",
        "prefix", "postfix", "infix",
    ]
    private static let accesses: Set<String> = [
        "public", "package", "internal", "fileprivate", "private",
    ]

    private let tokens: [Token]
    private let documentedLines: Set<Int>
    private var stack = [Open(scope: .file, parentheses: 0, declaration: nil)]
    private var parentheses = 0
    /// The declaration whose body the next brace opens, and what is inside of it.
    private var pending: (scope: Scope, declaration: Int, depth: Int)?
    private(set) var declarations: [Declaration] = []

    init(_ tokens: [Token], documentedLines: Set<Int>) {
        self.tokens = tokens
        self.documentedLines = documentedLines
        for index in tokens.indices { take(index) }
    }

    private mutating func take(_ index: Int) {
        switch tokens[index].text {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{":
            let isBody = parentheses == stack.last?.parentheses && pending?.depth == stack.count
            let opens = isBody ? pending : nil
            stack.append(
                Open(
                    scope: opens?.scope ?? .body,
                    parentheses: parentheses,
                    declaration: opens?.declaration
                )
            )
            if isBody { pending = nil }
        case "}":
            guard stack.count > 1, let closed = stack.popLast() else { return }
            parentheses = closed.parentheses
            if let pending, pending.depth > stack.count { self.pending = nil }
            if let declaration = closed.declaration {
                declarations[declaration].lastLine = tokens[index].line
            }
        default:
            if tokens[index].isWord, Self.keywords.contains(tokens[index].text) { declare(index) }
        }
    }

    private mutating func declare(_ index: Int) {
        let keyword = tokens[index].text
        guard index + 1 < tokens.count, parentheses == stack.last?.parentheses else { return }
        if index > 0, [".", "@"].contains(tokens[index - 1].text) { return }
        let next = tokens[index + 1]
        if keyword == "class", Self.keywords.contains(next.text) { return }
        guard let scope = stack.last?.scope else { return }
        var isInBody = false
        if case .body = scope { isInBody = true }
        switch keyword {
        case "init", "deinit", "subscript":
            guard !isInBody else { return }
            let kind = keyword == "subscript" ? Declaration.Kind.function : .initializer
            add(kind, keyword, named: index, from: index, opens: .body)
        case "case":
            guard case .type(_, "enum", _) = scope else { return }
            addCases(index)
        case "func":
            guard next.isWord || !["(", ")"].contains(next.text) else { return }
            add(.function, keyword, named: index + 1, from: index, opens: .body)
        case "var", "let":
            guard next.isWord else { return }
            add(.property, keyword, named: index + 1, from: index, opens: isInBody ? nil : .body)
        case "typealias", "associatedtype":
            guard next.isWord else { return }
            add(.alias, keyword, named: index + 1, from: index, opens: nil)
        default:
            guard next.isWord else { return }
            let kind: Declaration.Kind = keyword == "extension" ? .extension : .type
            add(kind, keyword, named: index + 1, from: index, opens: .file)
        }
    }

    private mutating func addCases(_ index: Int) {
        var place = index + 1
        var depth = 0
        var expectsName = true
        while place < tokens.count {
            let token = tokens[place]
            if "([".contains(token.text) { depth += 1 }
            if ")]".contains(token.text) { depth -= 1 }
            if depth == 0, token.text == "," {
                expectsName = true
            } else if depth == 0, expectsName, token.isWord {
                add(.enumCase, "case", named: place, from: index, opens: nil)
                expectsName = false
            } else if depth < 0 || token.text == "}" || token.text == "@"
                || (token.isWord && depth == 0 && token.line > tokens[place - 1].line)
            {
                break
            }
            place += 1
        }
    }

    /// - parameter opens: what the declaration's body is; `file` stands for a type of the declared name.
    private mutating func add(
        _ kind: Declaration.Kind,
        _ keyword: String,
        named: Int,
        from index: Int,
        opens: Scope?
    ) {
        var name = tokens[named].text
        if !tokens[named].isWord {
            name = tokens[named...].prefix { !$0.isWord && $0.text != "(" }.map(\.text).joined()
        }
        if kind == .extension {
            var end = named
            while end + 2 < tokens.count, tokens[end + 1].text == ".", tokens[end + 2].isWord {
                end += 2
                name += "." + tokens[end].text
            }
        }
        let modifiers = modifiers(before: index)
        var (enclosing, inherited, isLocal, isInExtension) = ([String](), "internal", false, false)
        for open in stack {
            switch open.scope {
            case .file: break
            case .body: isLocal = true
            case .type(let type, let scopeKeyword, let access):
                enclosing += type.split(separator: ".").map(String.init)
                isInExtension = scopeKeyword == "extension"
                let givesAccess = scopeKeyword == "protocol" || kind == .enumCase
                inherited = givesAccess || isInExtension ? access : "internal"
            }
        }
        let access = modifiers.access ?? inherited
        declarations.append(
            Declaration(
                kind: kind,
                name: name,
                keyword: keyword,
                enclosing: enclosing,
                access: access,
                token: named,
                line: modifiers.line,
                isLocal: isLocal,
                isInExtension: isInExtension,
                isDocumented: documentedLines.contains(modifiers.line - 1),
                attributes: modifiers.attributes
            )
        )
        guard let opens else { return }
        var scope = opens
        if case .file = opens { scope = .type(name: name, keyword: keyword, access: access) }
        pending = (scope, declarations.count - 1, stack.count)
    }

    /// The modifiers and attributes in front of a declaring word, and the line where they begin.
    private func modifiers(
        before index: Int
    ) -> (access: String?, attributes: Set<String>, line: Int) {
        var (place, access, attributes) = (index, String?.none, Set<String>())
        while place > 0 {
            var word = place - 1
            var hasArguments = false
            if tokens[word].text == ")" {
                var depth = 0
                while word >= 0 {
                    if tokens[word].text == ")" { depth += 1 }
                    if tokens[word].text == "(" { depth -= 1 }
                    if depth == 0 { break }
                    word -= 1
                }
                word -= 1
                hasArguments = true
                guard word >= 0 else { break }
            }
            if word > 0, tokens[word].isWord, tokens[word - 1].text == "@" {
                attributes.insert(tokens[word].text)
                place = word - 1
            } else if Self.modifiers.contains(tokens[word].text) {
                if !hasArguments, Self.accesses.contains(tokens[word].text) {
                    access = tokens[word].text
                }
                place = word
            } else {
                break
            }
        }
        return (access, attributes, tokens[place].line)
    }
}
