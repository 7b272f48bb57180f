import ManagementAPI
import Testing

@Suite("304 goes over the wire as a head alone") struct NotModifiedTests {
    @Test("the connection goes on behind it, for GET and HEAD", arguments: ["GET", "HEAD"])
    func connectionGoesOn(_ method: String) throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send("\(method) /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let headers = [("ETag", "\"a\""), ("Cache-Control", "no-cache")]
        try server.requests.takeHeld()(APIResponse(status: 304, headers: headers, body: [1, 2, 3]))
        let answer = try #require(try client.readAnswer(hasBody: false))
        #expect(answer.status == 304)
        #expect(answer.headers["etag"] == "\"a\"")
        #expect(answer.headers["cache-control"] == "no-cache")
        // That of the body the client has; any other would be wrong.
        #expect(answer.headers["content-length"] == "3")
        #expect(answer.headers["transfer-encoding"] == nil)
        #expect(try client.ask("GET", "/next")?.body == "GET /next 0:")
    }
}
