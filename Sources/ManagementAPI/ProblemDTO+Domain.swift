internal import APISchema
internal import MigrationCore

extension ProblemDTO {
    /// `instance` is the path of the resource it happened to.
    init(_ problem: Problem, instance: String?, requestID: String? = nil) {
        let facts = problem.facts
        self.init(
            code: problem.code.rawValue,
            title: problem.code.title,
            status: problem.code.httpStatus,
            detail: problem.detail
        )
        self.instance = instance
        self.requestId = requestID
        self.device = facts.device?.text
        self.session = facts.session?.text
        self.image = facts.image?.text
        self.arc = facts.arc.map(ArcDTO.init)
        self.operation = facts.operation
        self.errno = facts.errno?.name
        self.blockingJob = facts.blockingJob?.text
        self.holders = facts.holders?.map(HolderDTO.init)
        self.pointer = facts.pointer
        self.column = facts.column
        self.content = facts.content?.rawValue
        self.receivedBytes = facts.receivedByteCount.map { Int64(bytes: $0) }
        self.sizeBytes = facts.byteCount.map { Int64(bytes: $0) }
        self.reasons = facts.reasons
        self.retryAfterS = facts.retryAfterSeconds ?? problem.code.defaultRetryAfterSeconds
        self.allow = facts.allow
    }
}

extension HolderDTO {
    init(_ holder: Problem.Holder) {
        self.init(
            pid: holder.pid,
            command: holder.command,
            uid: holder.uid,
            descriptorStore: holder.isDescriptorStore
        )
    }
}

extension ArcDTO {
    init(_ arc: Problem.ArcNames) { self.init(from: arc.from?.name, to: arc.to.name) }
}
