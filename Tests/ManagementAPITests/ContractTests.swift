import APISchema
import Foundation
import JSONCoding
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("openapi/ferry.yaml says what the API does")
struct ContractTests {
    let contract: Contract

    init() throws { contract = try Contract() }

    @Test("every route is in the contract, and no other is")
    func routes() {
        let served = Endpoint.allCases.map {
            "\($0.route.method.rawValue) \($0.route.template) \($0.rawValue)"
        }
        let told = contract.operations.map { "\($0.method) \($0.path) \($0.id)" }
        #expect(Set(served) == Set(told))
        #expect(served.count == told.count)
    }

    @Test("parameters, bodies and statuses are those of the route", arguments: Endpoint.allCases)
    func operation(_ endpoint: Endpoint) throws {
        let route = endpoint.route
        let told = try #require(contract.operations.first { $0.id == endpoint.rawValue })
        #expect(Set(told.queryParameters) == Set(route.query))
        #expect(told.pathParameters == (route.template.hasVariable ? ["id"] : []))
        #expect(told.headerParameters.contains("Idempotency-Key") == route.isKeyed)
        let isConditional = route.isConditional
        let others = [route.partialSuccess, isConditional ? 304 : nil].compactMap(\.self)
        let statuses = [route.success, 400] + route.refusals + others
        #expect(told.headerParameters.contains("If-None-Match") == isConditional)
        if isConditional {
            #expect(told.successHeaders.isSuperset(of: ["ETag", "Cache-Control"]))
        }
        #expect(told.statuses == Set(statuses.map(String.init) + ["default"]))
        switch route.body {
        case .none: #expect(told.bodySchema == nil && told.bodyReference == nil)
        case .empty: #expect(told.bodyReference == "#/components/requestBodies/Empty")
        case .required: #expect(told.bodySchema != nil)
        case .archive: #expect(told.bodyMedia == ["application/x-tar", "application/octet-stream"])
        }
        let type = route.mediaType ?? "application/json"
        let isJSON = route.success != 204 && route.mediaType == nil
        #expect((told.successSchema != nil) == isJSON)
        #expect(told.successTypes == (route.success == 204 ? [] : [type]))
    }

    @Test("every schema has the fields its DTO has, required and optional")
    func fields() throws {
        let probe = ShapeProbe()
        for type in Self.documents { try probe.note(type) }
        let pages = contract.objectNames.filter { $0.hasSuffix("Page") }
        for (name, fields) in probe.objects {
            #expect(contract.fields(ofSchema: name) == fields, "\(name)")
        }
        #expect(Set(probe.objects.keys).union(pages) == contract.objectNames)
    }

    @Test("a page has items and a cursor that is null at the end")
    func pages() throws {
        let response = try APIResponse.page(of: [HealthDTO()], nextCursor: nil)
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(text == #"{"items":[{"status":"ok"}],"next_cursor":null}"#)
        for name in contract.objectNames where name.hasSuffix("Page") {
            let fields = contract.fields(ofSchema: name)
            #expect(Set(fields.map(\.name)) == ["items", "next_cursor"])
            #expect(!fields.contains { !$0.isRequired })
        }
    }

    @Test("every problem code is in the contract with its status and title")
    func problems() {
        let codes = Problem.Code.allCases
        #expect(contract.names(ofSchema: "ProblemCode") == codes.map(\.rawValue))
        let told = contract.extensionNode("x-problems", ofSchema: "ProblemCode")
        #expect(Set(told.keys) == Set(codes.map(\.rawValue)))
        for code in codes {
            let problem = told[code.rawValue] as? Contract.Node
            #expect(problem?["status"] as? Int == code.httpStatus, "\(code)")
            #expect(problem?["title"] as? String == code.title, "\(code)")
        }
    }

    @Test("the sets of names are those of the code")
    func names() {
        #expect(
            contract.names(ofSchema: "Job", property: "kind") == JobKind.allCases.map(\.rawValue)
        )
        #expect(
            contract.names(ofSchema: "JobRequest", property: "kind")
                == JobKind.allCases.map(\.rawValue)
        )
        #expect(
            contract.names(ofSchema: "Job", property: "phase") == JobPhase.allCases.map(\.rawValue)
        )
        #expect(
            contract.names(ofSchema: "JobRequest", property: "after")
                == JobSpec.AfterSave.allCases.map(\.rawValue)
        )
        #expect(
            contract.names(ofSchema: "JobRequestSwitchover", property: "mode")
                == JobSpec.SwitchoverMode.allCases.map(\.rawValue)
        )
        #expect(contract.names(ofSchema: "VFIOState") == DeviceState.allCases.map(\.name))
        let problem = Problem(.internalError, "")
        let states: [JobState] = [
            .queued, .running, .cancelling, .succeeded, .failed(problem), .cancelled,
            .indeterminate(problem),
        ]
        #expect(contract.names(ofSchema: "Job", property: "state") == states.map(\.name))
    }

    @Test("every type of event is in the contract, and every field can be filtered by its name")
    func events() {
        #expect(
            contract.names(ofSchema: "Event", property: "type")
                == EventType.allCases.map(\.rawValue)
        )
        let told = contract.fields(ofSchema: "Event").map(\.name)
        #expect(Set(EventFields.table.fields.map(\.name) + ["oldest"]) == Set(told))
    }

    @Test("every action and state of the audit is in the contract")
    func audit() throws {
        let problem = Problem(.internalError, "")
        let states: [AuditRecord.State] = [
            .running, .succeeded, .refused(problem), .failed(problem), .interrupted(problem),
        ]
        #expect(contract.names(ofSchema: "AuditRecord", property: "state") == states.map(\.name))
        let actions: [AuditRecord.Action] = [
            .change(.bind(driver: nil, isForced: false)),
            .change(.unbind(driver: nil, isForced: false)),
            .change(.virtualFunctions(count: 1, isProbed: nil, isForced: false)),
            .create(MediatedRequest(parent: "p", type: "t")), .change(.removal),
        ]
        #expect(contract.names(ofSchema: "AuditRecord", property: "action") == actions.map(\.name))
    }

    @Test("every kind of journal line is in the contract")
    func journalLines() throws {
        let problem = Problem(.internalError, "")
        let lines: [JournalEntry.Line] = [
            .accepted, .intent(action: "", device: nil, arc: nil),
            .done(action: "", device: nil, arc: nil, nanoseconds: 1),
            .failed(action: "", device: nil, arc: nil, problem: problem), .cancelRequested,
            .switchoverRequested, .switchoverForced(reason: ""), .limitsChanged(JobSpec.Limits()),
            .abort(problem), .commit, .finished(state: ""), .recovered(note: ""),
            .resolved(.nobody), .unreadable(reason: ""),
        ]
        let job = try #require(JobID("job-1"))
        let names = lines.map { line in
            let entry = JournalEntry(
                at: Timestamp(millisecondsSinceEpoch: 0),
                phase: nil,
                line: line
            )
            return JournalLineDTO(StoredJournalEntry(sequence: 1, entry: entry), of: job).line
        }
        #expect(contract.names(ofSchema: "JournalLine", property: "line") == names)
    }

    @Test("the examples are documents that are read and written back as they are")
    func examples() throws {
        let readers: [String: ([UInt8]) throws -> [UInt8]] = [
            "Host": again(HostDTO.self), "Device": again(DeviceDTO.self),
            "Session": again(SessionDTO.self), "SessionRequest": again(SessionRequestDTO.self),
            "Job": again(JobDTO.self), "JobRequest": again(JobRequestDTO.self),
            "Image": again(ImageDTO.self),
            "ImageVerification": again(ImageVerificationDTO.self),
            "Problem": again(ProblemDTO.self), "AuditRecord": again(AuditRecordDTO.self),
            "AuditRecordPage": items(AuditRecordDTO.self),
            "Readiness": again(ReadinessDTO.self), "ResolveRequest": again(ResolveRequestDTO.self),
            "JobCheck": again(JobCheckDTO.self),
            "BindRequest": again(BindRequestDTO.self),
            "UnbindRequest": again(UnbindRequestDTO.self),
            "VirtualFunctions": again(VirtualFunctionsDTO.self),
            "MediatedRequest": again(MediatedRequestDTO.self),
            "JobRequestLimits": again(JobRequestLimitsDTO.self),
            "Health": again(HealthDTO.self), "JobLimits": again(JobLimitsDTO.self),
            "DevicePage": items(DeviceDTO.self), "SessionPage": items(SessionDTO.self),
            "JobPage": items(JobDTO.self), "JournalPage": items(JournalLineDTO.self),
            "ImagePage": items(ImageDTO.self), "MediatedTypePage": items(MediatedTypeDTO.self),
        ]
        let examples = contract.examples.filter { contract.objectNames.contains($0.schema) }
        #expect(examples.count > 10)
        for (schema, document) in examples {
            let reader = try #require(readers[schema], "\(schema)")
            let text = jsonText(document)
            let written = try reader(Array(text.utf8))
            #expect(written.sorted() == text.utf8.sorted(), "\(schema)")
        }
    }

    @Test("everything that is sent has an example")
    func withoutExample() {
        #expect(contract.withoutExample == [])
    }

    @Test("a link leads to an operation, and gives it what it takes")
    func links() throws {
        #expect(contract.links.count > 10)
        for link in contract.links {
            let operation = try #require(
                contract.operations.first { $0.id == link.operation },
                "\(link.origin) leads to \(link.operation)"
            )
            let taken =
                operation.pathParameters + operation.queryParameters + operation.headerParameters
            #expect(Set(link.parameters).isSubset(of: taken), "\(link)")
            #expect(Set(operation.pathParameters).isSubset(of: link.parameters), "\(link)")
        }
    }

    @Test("the example requests are requests the API takes")
    func exampleRequests() throws {
        for (schema, document) in contract.examples where schema == "JobRequest" {
            let request = try RequestBody.decode(
                JobRequestDTO.self,
                from: Array(jsonText(document).utf8)
            )
            _ = try JobSpec(request)
        }
    }

    private static let documents: [any (Decodable & Sendable).Type] = [
        HostDTO.self, HealthDTO.self, ReadinessDTO.self, DeviceDTO.self, SessionDTO.self,
        SessionRequestDTO.self, JobDTO.self, JobRequestDTO.self, ResolveRequestDTO.self,
        JobCheckDTO.self, JournalLineDTO.self, ImageDTO.self, ProblemDTO.self, EventDTO.self,
        ImageVerificationDTO.self, BindRequestDTO.self, UnbindRequestDTO.self,
        VirtualFunctionsDTO.self, MediatedTypeDTO.self, MediatedRequestDTO.self,
        AuditRecordDTO.self,
    ]

    private func again<T: Codable>(_ type: T.Type) -> ([UInt8]) throws -> [UInt8] {
        { try JSONWriter.encode(JSONReader.decode(type, from: $0, unknownFields: .refuse)) }
    }

    /// A page, which is never written from its DTO: `next_cursor` may be null.
    private func items<T: Hashable & Sendable & Codable>(
        _ type: T.Type
    ) -> ([UInt8]) throws -> [UInt8] {
        { bytes in
            let page = try JSONReader.decode(PageDTO<T>.self, from: bytes, unknownFields: .refuse)
            return try APIResponse.page(of: page.items, nextCursor: page.nextCursor).body
        }
    }
}

/// A YAML value as JSON text.
private func jsonText(_ value: Any) -> String {
    switch value {
    case let flag as Bool: "\(flag)"
    case let number as Int: "\(number)"
    case is NSNull: "null"
    case let items as [Any]: "[\(items.map(jsonText).joined(separator: ","))]"
    case let fields as Contract.Node:
        "{\(fields.map { "\"\($0.key)\":\(jsonText($0.value))" }.joined(separator: ","))}"
    default: "\"\(value)\""
    }
}
