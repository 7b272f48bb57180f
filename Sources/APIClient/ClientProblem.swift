package import APISchema

/// Why a call to a ferryd did not give what was asked for.
package enum ClientProblem: Error, Hashable, Sendable {
    /// The server was not reached: no socket, no route. Nothing was asked.
    case unreachable(server: ServerAddress, detail: String)
    /// The connection broke, or the time ran out, after something had been sent.
    ///
    /// Whether a request that changes something was carried out is unknown.
    case interrupted(server: ServerAddress, detail: String)
    /// The server refused or failed, and said why.
    case refused(ProblemDTO)
    /// The server answered what no ferryd of this version answers.
    case notUnderstood(status: Int, detail: String)
    /// A file on this side cannot be read or written.
    case file(path: String, detail: String)
}
