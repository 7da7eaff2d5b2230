/// Where a field of a decision's content comes from.
package struct FieldProvenance: Sendable, Equatable {
    /// A JSON Pointer into the event; empty for everything that no other entry names.
    package let pointer: String
    /// The rule that chose the value: `take`, `max`, `min`, `union`, `newest`, `rest`, or the name of a rule.
    package let rule: String
    /// Delivery paths that delivered the value, in byte order; empty if none delivered exactly this value.
    package let origins: [String]
}

/// A policy's decision, and the reasons for it.
package struct PolicyDecision: Sendable, Equatable {
    package var decision: Decision
    /// The policy that the category names.
    package var policy: String
    /// `1` for a built-in policy; `1-` and 12 digits of its digest for one of the settings; for a program's policy,
    /// its own version.
    package var policyVersion: String
    /// The rule of the chain that decided.
    package var rule: String
    /// The candidate whose content is effective; nil if no single candidate is.
    package var winner: Candidate?
    /// The delivery path that the rule preferred; nil if there is no winner.
    package var winnerOrigin: String?
    /// The tie-break used if the rule found candidates equal.
    package var tieBreak: String?
    /// For `merge`: canonical form.
    package var content: [UInt8]?
    /// Of the effective content; nil for `exclude`.
    package var contentDigest: SHA256Digest?
    package var provenance: [FieldProvenance]

    package init(
        decision: Decision,
        policy: String,
        policyVersion: String,
        rule: String,
        winner: Candidate? = nil,
        winnerOrigin: String? = nil,
        tieBreak: String? = nil,
        content: [UInt8]? = nil,
        contentDigest: SHA256Digest? = nil,
        provenance: [FieldProvenance] = []
    ) {
        self.decision = decision
        self.policy = policy
        self.policyVersion = policyVersion
        self.rule = rule
        self.winner = winner
        self.winnerOrigin = winnerOrigin
        self.tieBreak = tieBreak
        self.content = content
        self.contentDigest = contentDigest
        self.provenance = provenance
    }

    /// The delivery paths that the decision depends on: those that vouch for the winner, or for each merged field.
    ///
    /// A decision favours an origin if one of these groups has no other member.
    package var backers: [[String]] {
        if let winner { return [winner.supporters] }
        return provenance.map(\.origins).filter { !$0.isEmpty }
    }

    /// `provenance` as canonical JSON: an object of pointers.
    package var provenanceJSON: [UInt8] {
        JSONValue.make(
            provenance.map { field in
                (
                    field.pointer,
                    .make([("origins", .make(field.origins)), ("rule", .make(field.rule))])
                )
            }
        ).canonical
    }
}

/// The outcome of a chain of rules.
package enum PolicyOutcome: Sendable, Equatable {
    case decided(PolicyDecision)
    /// A person decides: `manual` was reached, or no rule applied.
    case open(policy: String)
    /// A program's policy failed; the conflict stays open. The reason is for people.
    case failed(policy: String, reason: String)
    /// The run stops.
    case halted(policy: String)
}
