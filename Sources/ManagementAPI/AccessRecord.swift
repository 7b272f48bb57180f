/// One request as the log tells of it: no header, no parameter and no body of it.
package struct AccessRecord: Sendable {
    package let requestID: String
    package let caller: String
    /// The `operationId`; nil when the request came to none.
    package let endpoint: String?
    /// As the client sent it; nil when the request could not be read.
    package let method: String?
    /// As the client sent it, cut off where it is long: any bytes.
    package let path: String
    package let status: Int
    /// The code of the problem that was answered.
    package let problem: String?
    /// To the answer, not to the sending of it.
    package let nanoseconds: UInt64
    /// The trace the client said the request belongs to.
    package let traceID: String?

    package init(
        requestID: String,
        caller: String,
        endpoint: String?,
        method: String?,
        path: String,
        status: Int,
        problem: String?,
        nanoseconds: UInt64,
        traceID: String?
    ) {
        self.requestID = requestID
        self.caller = caller
        self.endpoint = endpoint
        self.method = method
        self.path = path
        self.status = status
        self.problem = problem
        self.nanoseconds = nanoseconds
        self.traceID = traceID
    }
}

/// Hears of every request that may change something, and of every one that fails with a status of
/// 500 or more.
///
/// Called before the answer is sent, on HTTP threads too: it must not block.
package typealias AccessLog = @Sendable (AccessRecord) -> Void
