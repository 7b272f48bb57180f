import APISchema

/// A check of a job for a person; its problems are told one by one on stderr.
enum CheckReport {
    static func text(_ check: JobCheckDTO) -> String {
        var facts = FactList()
        facts.add("accepted", check.ok ? "yes" : "no")
        facts.add("state", check.stateBytes.map(bytes))
        facts.add("downtime", check.expectedSetMs.map { "\($0) ms at least, by earlier SETs" })
        for warning in check.warnings { facts.add("warning", warning) }
        return facts.text()
    }
}
