internal import APIClient
internal import APISchema
internal import MigrationCore

/// What a shell offers to complete a word with, asked of the server.
///
/// Whatever fails offers nothing.
enum Suggestions {
    /// A person waits at the prompt.
    private static let answerSeconds = 2
    private static let countLimit = 200

    @Sendable static func devices(_ words: [String], _: Int, _: String) -> [String] {
        ask(words) { client throws(ClientProblem) in try client.devices(limit: countLimit).map(\.id)
        }
    }

    @Sendable static func jobs(_ words: [String], _: Int, _: String) -> [String] {
        ask(words) { client throws(ClientProblem) in try client.jobs(limit: countLimit).map(\.id) }
    }

    @Sendable static func sessions(_ words: [String], _: Int, _: String) -> [String] {
        ask(words) { client throws(ClientProblem) in
            try client.sessions(limit: countLimit).map(\.id)
        }
    }

    @Sendable static func images(_ words: [String], _: Int, _: String) -> [String] {
        ask(words) { client throws(ClientProblem) in try client.images(limit: countLimit).map(\.id)
        }
    }

    @Sendable static func contexts(_: [String], _: Int, _: String) -> [String] {
        (try? ContextFile.standard().read())?.contexts.map(\.name) ?? []
    }

    private static func ask(
        _ words: [String],
        _ question: (APIClient) throws(ClientProblem) -> [String]
    ) -> [String] {
        let value = { (option: String) in
            words.firstIndex(of: option).flatMap { words[($0 + 1)...].first }
        }
        let choice = try? ServerChoice(
            server: value("--server").flatMap { ServerAddress($0) },
            context: value("--context"),
            environment: environment
        ) { () throws(ContextFile.Failure) in
            try ContextFile.standard().read()
        }
        guard let choice,
            let client = try? APIClient(server: choice.server, answerSeconds: answerSeconds),
            let names = try? question(client)
        else { return [] }
        // A name goes to a shell: one that could mean more there is left out.
        return names.filter(IdentifierText.isPlain)
    }
}
