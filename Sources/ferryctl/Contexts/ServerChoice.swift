internal import APIClient

/// Which server is meant, and by whose word.
struct ServerChoice {
    let server: ServerAddress
    /// What said so: `FERRY_CONTEXT`.
    let reason: String
    /// The context the server is of.
    var context: String?

    static let standard = ServerAddress.unix(path: "/run/ferry/ferryd.sock")

    /// The command line's word counts before the environment's, and that before the file's.
    ///
    /// The file is read only when it is needed.
    init(
        server: ServerAddress?,
        context: String?,
        environment: (String) -> String?,
        contexts: () throws(ContextFile.Failure) -> Contexts
    ) throws(ContextFile.Failure) {
        func variable(_ name: String) -> String? {
            environment(name).flatMap { $0.isEmpty ? nil : $0 }
        }
        if let server {
            self.init(server: server, reason: "--server")
        } else if let context {
            try self.init(context: context, "--context", contexts())
        } else if let text = variable("FERRY_SERVER") {
            guard let server = ServerAddress(text) else {
                throw ContextFile.Failure(
                    text: "FERRY_SERVER is no address: '\(text)'. It is unix:PATH or tcp:HOST:PORT."
                )
            }
            self.init(server: server, reason: "FERRY_SERVER")
        } else if let context = variable("FERRY_CONTEXT") {
            try self.init(context: context, "FERRY_CONTEXT", contexts())
        } else {
            let contexts = try contexts()
            if let current = contexts.current {
                try self.init(context: current, "the current context", contexts)
            } else {
                self.init(server: Self.standard, reason: "the default")
            }
        }
    }

    private init(server: ServerAddress, reason: String, context: String? = nil) {
        self.server = server
        self.reason = reason
        self.context = context
    }

    private init(
        context name: String,
        _ reason: String,
        _ contexts: Contexts
    ) throws(ContextFile.Failure) {
        guard let context = contexts[name] else {
            throw ContextFile.Failure(
                text: "There is no context '\(name)' (\(reason)): see ferryctl context list."
            )
        }
        guard let server = ServerAddress(context.server) else {
            throw ContextFile.Failure(
                text: "The server of context '\(name)' is no address: '\(context.server)'."
            )
        }
        self.init(server: server, reason: reason, context: name)
    }
}
