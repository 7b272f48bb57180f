package import JobEngine

/// The routes of the API over one engine.
package final class ManagementAPI: Sendable {
    private let engine: Engine

    package init(engine: Engine) { self.engine = engine }

    /// Answers a request by calling `reply` exactly once: at once on this thread for reads of
    /// memory, later from another for everything else.
    ///
    /// Never blocks.
    package func respond(
        to request: APIRequest,
        reply: @escaping @Sendable (APIResponse) -> Void
    ) {
        preconditionFailure("being built")
    }

    /// The answer to a request the transport refuses by itself.
    package static func response(to refusal: TransportRefusal, rawPath: String) -> APIResponse {
        preconditionFailure("being built")
    }
}
