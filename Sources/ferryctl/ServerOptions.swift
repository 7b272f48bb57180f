internal import APIClient
internal import ArgumentParser
internal import Glibc

/// What every command takes, before its name or after it.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where ferryd listens: unix:PATH or tcp:HOST:PORT.",
            valueName: "address"
        ),
        completion: .list(["unix:", "tcp:"])
    )
    var server: ServerAddress?

    @Option(
        help: ArgumentHelp("The server of this name; see ferryctl context.", valueName: "name"),
        completion: .custom(Suggestions.contexts)
    )
    var context: String?

    @Flag(help: "Print the server's documents as JSON, one a line; a list is one, with its items.")
    var json = false

    /// The server that is meant.
    func choice() throws(ContextFile.Failure) -> ServerChoice {
        try ServerChoice(
            server: server,
            context: context,
            environment: environment
        ) { () throws(ContextFile.Failure) in
            try ContextFile.standard().read()
        }
    }

    /// Does a command's work with a client; what goes wrong is told on stderr and becomes the exit
    /// status.
    func run(_ work: (APIClient, Printer) throws(ClientProblem) -> ExitStatus) throws {
        let printer = Printer(isJSON: json)
        let choice: ServerChoice
        do throws(ContextFile.Failure) {
            choice = try self.choice()
        } catch {
            printer.report(error)
            throw ExitStatus.usage
        }
        let status: ExitStatus
        do throws(ClientProblem) {
            status = try work(APIClient(server: choice.server), printer)
        } catch {
            printer.report(error)
            throw ExitStatus(error)
        }
        guard status == .success else { throw status }
    }

    /// Does work with the contexts' file alone.
    func runLocally(_ work: (ContextFile, Printer) throws(ContextFile.Failure) -> Void) throws {
        let printer = Printer(isJSON: json)
        do throws(ContextFile.Failure) {
            try work(ContextFile.standard(), printer)
        } catch {
            printer.report(error)
            throw ExitStatus.usage
        }
    }
}

/// How long a command stays with a job.
struct WaitOptions: ParsableArguments {
    @Flag(help: "Wait until the job has ended; its end is the exit code.")
    var wait = false
}

extension ServerAddress: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}

/// The value of an environment variable; nil for an empty one, which says nothing.
func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }) else { return nil }
    return value.isEmpty ? nil : value
}
