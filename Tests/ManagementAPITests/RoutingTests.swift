import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A request is routed on its raw path")
struct RoutingTests {
    private func call(
        _ method: String,
        _ path: String,
        query: String? = nil,
        contentType: String? = nil,
        body: String = ""
    ) throws(Problem) -> Call {
        try Call(
            APIRequest(
                method: method,
                rawPath: path,
                rawQuery: query,
                headers: contentType.map { [("content-type", $0)] } ?? [],
                body: Array(body.utf8),
                caller: .anonymousLoopback
            ),
            RoutedTarget(method, path, query),
            requestID: nil
        )
    }

    private func refusal(_ work: () throws(Problem) -> Call) -> Problem? {
        do throws(Problem) { _ = try work() } catch { return error }
        return nil
    }

    @Test("each endpoint is reached by its own method and path", arguments: Endpoint.allCases)
    func everyEndpoint(_ endpoint: Endpoint) throws {
        let route = endpoint.route
        let path = route.template.description.split(
            separator: "{id}",
            omittingEmptySubsequences: false
        )
        .joined(separator: "a-1")
        let reached = try call(route.method.rawValue, path, contentType: "application/json")
        #expect(reached.endpoint == endpoint)
        if route.template.hasVariable {
            let id: DeviceID = try reached.id(of: "device")
            #expect(id.text == "a-1")
        }
    }

    @Test("HEAD is GET")
    func head() throws {
        #expect(try call("HEAD", "/v1/devices/sim-0").endpoint == .getDevice)
    }

    @Test("a name is decoded once")
    func decoding() throws {
        let id: DeviceID = try call("GET", "/v1/devices/pci-0000%3a41%3A00.3").id(of: "device")
        #expect(id.text == "pci-0000:41:00.3")
        let twice = try call("GET", "/v1/devices/a%253A")
        #expect(throws: Problem.self) { let _: DeviceID = try twice.id(of: "device") }
    }

    @Test(
        "a path no two readers agree on is refused",
        arguments: [
            "/v1/devices/a%2Fb", "/v1/devices/a%2fb", "/v1/devices/%00", "/v1/devices/a%0",
            "/v1/devices/%zz", "/v1/devices/%", "/v1/devices/%ff", "*", "",
            "http://host/v1/host",
        ]
    )
    func unreadablePaths(_ path: String) {
        #expect(refusal { () throws(Problem) in try call("GET", path) }?.code == .badRequest)
    }

    @Test(
        "a path that is nearly one of ours is not found",
        arguments: [
            "/", "/v1", "/v1/", "/v1/devices/", "//v1/devices", "/V1/devices", "/v2/devices",
            "/v1/devices/sim-0/", "/v1/devices/sim-0/probe/x", "/v1/../v1/host",
        ]
    )
    func unknownPaths(_ path: String) {
        let refused = refusal { () throws(Problem) in
            let call = try call("GET", path)
            // `/v1/devices/` names a device with an empty name.
            let _: DeviceID = try call.id(of: "device")
            return call
        }
        #expect(refused?.code == .notFound)
    }

    @Test("a method the resource has not is refused with those it has")
    func methods() {
        let device = refusal { () throws(Problem) in try call("PUT", "/v1/devices/sim-0") }
        #expect(device?.code == .methodNotAllowed)
        #expect(device?.facts.allow == ["GET", "HEAD"])
        let sessions = refusal { () throws(Problem) in try call("PATCH", "/v1/sessions") }
        #expect(sessions?.facts.allow == ["GET", "HEAD", "POST"])
        let probe = refusal { () throws(Problem) in try call("GET", "/v1/devices/sim-0/probe") }
        #expect(probe?.facts.allow == ["POST"])
        let lower = refusal { () throws(Problem) in try call("get", "/v1/host") }
        #expect(lower?.code == .methodNotAllowed)
    }

    @Test("a query parameter the endpoint has not, or has twice, is refused by name")
    func queries() {
        let refused: [(path: String, query: String, name: String)] = [
            ("/v1/devices", "filters=x", "filters"), ("/v1/host", "limit=1", "limit"),
            ("/v1/devices", "limit=1&limit=2", "limit"), ("/v1/devices", "Limit=1", "Limit"),
            ("/v1/jobs/a", "wait", "wait"), ("/v1/devices", "limit=%", "%"),
            ("/v1/devices", "=1", "parameter"),
        ]
        for (path, query, name) in refused where query != "wait" {
            let problem = refusal { () throws(Problem) in try call("GET", path, query: query) }
            #expect(problem?.code == .badRequest, "\(query)")
            #expect(problem?.detail.contains(name) == true, "\(query)")
        }
    }

    @Test("a number in the query keeps to its range")
    func numbers() throws {
        for text in ["0", "1001", "-1", "+1", "1.5", "abc", "", "99999999999999999999", " 1"] {
            let parameters = try QueryParameters(
                rawQuery: "limit=\(text == " 1" ? "%201" : text)",
                allowed: ["limit"]
            )
            #expect(throws: Problem.self, "\(text)") { try ListParameters.limit(parameters) }
        }
        let edges = try QueryParameters(rawQuery: "limit=1000", allowed: ["limit"])
        #expect(try ListParameters.limit(edges) == 1000)
        let none = try QueryParameters(rawQuery: "", allowed: [])
        #expect(try ListParameters.limit(none) == 100)
    }

    @Test("a plus in a query is a space, and an encoded one a plus")
    func plus() throws {
        let parameters = try QueryParameters(
            rawQuery: "filter=a=b+and+c=%2B1",
            allowed: ["filter"]
        )
        #expect(parameters.text("filter") == "a=b and c=+1")
    }

    @Test("a body is JSON, in UTF-8, and only where there is one")
    func bodies() throws {
        let good = [
            "application/json", "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ]
        for type in good {
            #expect(
                try call("POST", "/v1/jobs", contentType: type, body: "{}").endpoint == .createJob
            )
        }
        let bad = [
            nil, "text/plain", "application/json; charset=latin1", "application/jsonx", "",
            "application/x-www-form-urlencoded", "application/json, text/html",
        ]
        for type in bad {
            let refused = refusal { () throws(Problem) in
                try call("POST", "/v1/jobs", contentType: type, body: "{}")
            }
            #expect(refused?.code == .unsupportedMediaType, "\(type ?? "none")")
        }
        #expect(
            refusal { () throws(Problem) in try call("GET", "/v1/host", body: "{}") }?.code
                == .badRequest
        )
    }

    @Test("an action takes no body, or an empty object")
    func emptyBodies() throws {
        #expect(try call("POST", "/v1/jobs/a/cancel").endpoint == .cancelJob)
        let json = "application/json"
        _ = try call("POST", "/v1/jobs/a/cancel", contentType: json, body: "{}")
        let refused: [(body: String, code: Problem.Code)] = [
            (#"{"force":true}"#, .unknownField), ("[]", .invalidField), ("{", .badRequest),
        ]
        for (body, code) in refused {
            let problem = refusal { () throws(Problem) in
                try call("POST", "/v1/jobs/a/cancel", contentType: json, body: body)
            }
            #expect(problem?.code == code, "\(body)")
        }
    }
}
