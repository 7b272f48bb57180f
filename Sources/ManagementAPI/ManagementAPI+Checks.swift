internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func createCheck(_ call: Call) throws(Problem) -> Outcome {
        let spec = try JobSpec(call.decodedBody(JobRequestDTO.self))
        return .blocking { [engine] () throws(Problem) in
            try .document(JobCheckDTO(engine.check(spec)))
        }
    }
}

extension JobCheckDTO {
    init(_ check: JobCheck) {
        self.init(
            problems: check.problems.map { ProblemDTO($0, instance: "/v1/jobs") },
            warnings: check.warnings
        )
        expectedSetMs = check.setNanoseconds.map(Int64.init(millisecondsOf:))
        stateBytes = check.stateByteCount.map(Int64.init(bytes:))
    }
}
