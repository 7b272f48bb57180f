import Foundation
import JSONCoding
import Testing

@testable import ManagementAPI

@Suite("The contract is part of the program")
struct ContractTextTests {
    @Test("openapi/ferry.json is openapi/ferry.yaml, as `make openapi` writes it")
    func committed() throws {
        let text = try ContractText.converted()
        if ProcessInfo.processInfo.environment["FERRY_WRITE_CONTRACT"] == "1" {
            try ContractText.write(text)
        }
        #expect(try ContractText.committed == text, "run `make openapi`")
    }

    @Test("ferryd serves it byte by byte, and jansson can read it")
    func served() async throws {
        let answer = try await EngineUnderTest("mlx5").ask("GET", "/openapi.json")
        #expect(answer.status == 200)
        #expect(answer.header("Content-Type") == "application/json")
        #expect(try Data(answer.body) == ContractText.committed)
        let document = try JSONReader.decode(Top.self, from: answer.body, unknownFields: .ignore)
        #expect(document.openapi == "3.1.0")
        #expect(document.info.title == "Ferry")
    }

    private struct Top: Decodable {
        let openapi: String
        let info: Info

        struct Info: Decodable { let title: String }
    }
}
