package import APISchema

/// Why a call to a ferryd did not give what was asked for.
package enum ClientProblem: Error, Hashable, Sendable {
    /// Nothing was heard from the server: no socket, no route, no answer in time.
    ///
    /// Whether a request that changes something was carried out is unknown.
    case unreachable(server: ServerAddress, detail: String)
    /// The server refused or failed, and said why.
    case refused(ProblemDTO)
    /// The server answered what no ferryd of this version answers.
    case notUnderstood(status: Int, detail: String)
}
