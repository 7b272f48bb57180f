internal import APIClient
internal import ArgumentParser
internal import Glibc

/// What every command takes.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where ferryd listens: unix:PATH or tcp:HOST:PORT.",
            discussion: "Default: $FERRY_SERVER, or unix:/run/ferry/ferryd.sock.",
            valueName: "address"
        )
    )
    var server: ServerAddress?

    @Flag(help: "Print the server's documents as JSON, one a line.")
    var json = false

    mutating func validate() throws {
        if server == nil { server = try Self.serverOfEnvironment() }
    }

    private static func serverOfEnvironment() throws -> ServerAddress {
        guard let text = environment("FERRY_SERVER"), !text.isEmpty else { return standard }
        guard let server = ServerAddress(text) else {
            throw ValidationError(
                "FERRY_SERVER is no address: '\(text)'. It is unix:PATH or tcp:HOST:PORT."
            )
        }
        return server
    }

    static let standard = ServerAddress.unix(path: "/run/ferry/ferryd.sock")

    /// Does a command's work with a client; what goes wrong is told on stderr and becomes the exit
    /// status.
    func run(_ work: (APIClient, Printer) throws(ClientProblem) -> ExitStatus) throws {
        let printer = Printer(isJSON: json)
        let status: ExitStatus
        do throws(ClientProblem) {
            status = try work(APIClient(server: server ?? Self.standard), printer)
        } catch {
            printer.report(error)
            throw ExitStatus(error)
        }
        guard status == .success else { throw status }
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

/// The value of an environment variable.
func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}
