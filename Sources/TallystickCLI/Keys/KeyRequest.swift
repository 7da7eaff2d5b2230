/// What a command that adds a key is given: the store, where its keys are, and who asks for it and why.
struct KeyRequest {
    let store: String
    let keys: KeyOptions
    let change: ChangeOptions
    let report: ReportOptions
}
