import ArgumentParser

/// The completion script of a shell.
///
/// ArgumentParser's scripts do not know of default subcommands: after `tally replay` they offer subcommands alone, and
/// nothing in the place of a store. What is added here completes `tally replay events.db` as
/// `tally replay run events.db`.
enum CompletionScript {
    /// A command that runs one of its subcommands where none is named.
    private struct Group {
        let name: String
        let standard: String
        let subcommands: [String]

        /// The subcommands as alternatives of a shell's pattern.
        var pattern: String { subcommands.joined(separator: "|") }
    }

    private static var groups: [Group] {
        Tally.configuration.subcommands.compactMap { command in
            command.configuration.defaultSubcommand.map {
                Group(
                    name: command._commandName,
                    standard: $0._commandName,
                    subcommands: command.configuration.subcommands.map { $0._commandName }
                )
            }
        }
    }

    static func text(for shell: CompletionShell) -> String {
        let generated = Tally.completionScript(for: shell)
        switch shell {
        case .bash: return generated + "\n\n" + bash
        case .fish: return generated + "\n\n" + fish
        case .zsh:
            // The script ends by calling its function, before which everything must be defined.
            guard let call = generated.ranges(of: "if [[ \"${funcstack[1]}\"").last else {
                return generated
            }
            return generated[..<call.lowerBound] + zsh + generated[call.lowerBound...]
        default: return generated
        }
    }

    /// In the place of the first word after the command, both are offered: subcommands, and what the default one takes.
    private static var bash: String {
        """
        _tally_with_defaults() {
            local standard='' named=false
            case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
            \(groups.map { group in
                group.subcommands.map { "'\(group.name) \($0)'" }.joined(separator: "|")
            }.joined(separator: "|"))) named=true ;;
            esac
            case "${COMP_WORDS[1]}" in
            \(groups.map { "\($0.name)) standard=\($0.standard) ;;" }.joined(separator: "\n    "))
            esac
            if [[ -z "${standard}" || "${COMP_CWORD}" -lt 2 ]] || "${named}" && [[ "${COMP_CWORD}" -gt 2 ]]; then
                _tally "${@}"
                return
            fi
            local -a offered=()
            if [[ "${COMP_CWORD}" -eq 2 ]]; then
                _tally "${@}"
                offered=("${COMPREPLY[@]}")
                COMPREPLY=()
            fi
            COMP_WORDS=("${COMP_WORDS[@]:0:2}" "${standard}" "${COMP_WORDS[@]:2}")
            COMP_CWORD=$((COMP_CWORD + 1))
            _tally "${@}"
            COMPREPLY=("${offered[@]}" "${COMPREPLY[@]}")
        }

        complete -o filenames -F _tally_with_defaults tally
        """
    }

    private static var zsh: String {
        groups.map { group in
            """
            functions[_tally_\(group.name)_subcommands]="${functions[_tally_\(group.name)]}"

            _tally_\(group.name)() {
                local -i ret=1
                if [[ "${CURRENT}" -eq 2 || "${words[2]}" = (\(group.pattern)) ]]; then
                    _tally_\(group.name)_subcommands && ret=0
                fi
                if [[ "${CURRENT}" -eq 2 || "${words[2]}" != (\(group.pattern)) ]]; then
                    _tally_\(group.name)_\(group.standard) && ret=0
                fi
                return "${ret}"
            }


            """
        }.joined()
    }

    private static var fish: String {
        """
        functions -e __tally_tokens_as_written
        functions -c __tally_tokens __tally_tokens_as_written

        function __tally_tokens
            set -l tokens (__tally_tokens_as_written $argv)
            if test "$argv" = -pc; and set -q tokens[3]
                switch $tokens[2]
        \(groups.map { group in
            """
                    case '\(group.name)'
                        contains -- $tokens[3] \(group.subcommands.joined(separator: " ")); or set tokens $tokens[..2] '\(group.standard)' $tokens[3..]
            """
        }.joined(separator: "\n"))
                end
            end
            set -q tokens[1]; and printf '%s\\n' $tokens
        end

        \(groups.map { group in
            "complete -c 'tally' -n '__tally_should_offer_completions_for_positional \"tally \(group.name)\" -eq 1' -F"
        }.joined(separator: "\n"))
        """
    }
}
