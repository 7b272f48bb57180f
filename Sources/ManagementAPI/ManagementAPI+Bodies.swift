extension ManagementAPI {
    /// What is to become of the body of a request whose head was accepted.
    package func bodyHandling(for request: APIRequest) -> BodyHandling { .collect }
}
