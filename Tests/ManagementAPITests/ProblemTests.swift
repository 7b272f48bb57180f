import APISchema
import JSONCoding
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("Problems are told as RFC 9457 says")
struct ProblemTests {
    @Test("every code has an error status and a title of its own")
    func codes() {
        let codes = Problem.Code.allCases
        #expect(codes.allSatisfy { (400..<600).contains($0.httpStatus) })
        #expect(Set(codes.map(\.title)).count == codes.count)
    }

    @Test("the facts arrive by name")
    func facts() throws {
        var facts = Problem.Facts()
        facts.device = DeviceID("pci-0000:41:00.3")
        facts.operation = "VFIO_DEVICE_BIND_IOMMUFD"
        facts.errno = .busy
        facts.arc = .init(from: .running, to: .preCopyP2P)
        facts.holders = [.init(pid: 4711, command: "qemu", uid: 107)]
        facts.blockingJob = JobID("job-1")
        facts.retryAfterSeconds = 3
        let response = APIResponse.problem(
            Problem(.deviceBusy, "It is in use.", facts),
            instance: "/v1/sessions"
        )
        #expect(response.status == 409)
        #expect(response.header("Content-Type") == "application/problem+json")
        #expect(response.header("Retry-After") == "3")
        let document = try JSONReader.decode(
            ProblemDTO.self,
            from: response.body,
            unknownFields: .refuse
        )
        #expect(document.type == "urn:ferry:problem:device-busy")
        #expect(document.status == 409)
        #expect(document.errno == "EBUSY")
        #expect(document.arc == ArcDTO(from: "running", to: "pre_copy_p2p"))
        #expect(document.holders == [HolderDTO(pid: 4711, command: "qemu", uid: 107)])
        #expect(document.blockingJob == "job-1")
        #expect(document.instance == "/v1/sessions")
    }

    @Test("a problem whose facts JSON cannot hold is still told")
    func unwritable() throws {
        let response = APIResponse.problem(Problem(.deviceFailed, "a\u{0}b"), instance: nil)
        #expect(response.status == 500)
        let document = try JSONReader.decode(
            ProblemDTO.self,
            from: response.body,
            unknownFields: .refuse
        )
        #expect(document.code == "device-failed")
    }

    @Test("a busy device says when to come back although nobody said so")
    func retryAfter() {
        let busy = APIResponse.problem(Problem(.deviceBusy, "."), instance: nil)
        #expect(busy.header("Retry-After") == "1")
        let gone = APIResponse.problem(Problem(.notFound, "."), instance: nil)
        #expect(gone.header("Retry-After") == nil)
    }

    @Test("a refusal of the transport is a problem like any other")
    func transport() {
        let refusals: [(refusal: TransportRefusal, status: Int)] = [
            (.bodyTooLarge(limit: 65536), 413), (.badRequest("Two Host headers."), 400),
            (.unknownExpectation("x"), 417), (.foreignHost("evil"), 403),
            (.foreignOrigin("http://evil"), 403), (.shuttingDown, 503),
        ]
        for (refusal, status) in refusals {
            let response = ManagementAPI.response(to: refusal, rawPath: "/v1/jobs")
            #expect(response.status == status)
            #expect(response.header("Content-Type") == "application/problem+json")
        }
    }

    @Test("405 names the methods in Allow")
    func allow() {
        var problem = Problem(.methodNotAllowed, ".")
        problem.facts.allow = ["GET", "HEAD"]
        #expect(APIResponse.problem(problem, instance: nil).header("Allow") == "GET, HEAD")
    }
}

extension APIResponse {
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
