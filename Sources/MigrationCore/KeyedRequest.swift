/// A request to which its client gave a key, so that it can send it again without its being done
/// again.
package struct KeyedRequest: Hashable, Sendable {
    package let name: Name
    /// The bytes of the request's body: under one key they never change.
    package let body: [UInt8]

    package init(name: Name, body: [UInt8]) {
        self.name = name
        self.body = body
    }

    /// What tells one keyed request from another.
    package struct Name: Hashable, Sendable {
        /// Who asks, as a job's `requestedBy` says it: a key is nobody else's.
        package let caller: String
        package let method: String
        package let path: String
        /// 1 to 255 visible characters of ASCII.
        package let key: String

        package init(caller: String, method: String, path: String, key: String) {
            self.caller = caller
            self.method = method
            self.path = path
            self.key = key
        }
    }
}

/// What a request that made something was answered with.
package struct RequestAnswer: Hashable, Sendable {
    package let status: Int
    /// The path of what was made.
    package let location: String
    package let body: [UInt8]

    package init(status: Int, location: String, body: [UInt8]) {
        self.status = status
        self.location = location
        self.body = body
    }
}

/// The answer to a keyed request, as it is kept for the next ones with its key.
package struct KeptAnswer: Hashable, Sendable {
    package let request: KeyedRequest.Name
    /// SHA-256 of the request's body, in lower case hexadecimal.
    package let bodyDigest: String
    package let answer: RequestAnswer
    package let keptAt: StoreAge

    package init(
        request: KeyedRequest.Name,
        bodyDigest: String,
        answer: RequestAnswer,
        keptAt: StoreAge
    ) {
        self.request = request
        self.bodyDigest = bodyDigest
        self.answer = answer
        self.keptAt = keptAt
    }
}
